//! What the client receives: arrays, kept until it has acknowledged them.

use std::collections::VecDeque;

use wire::webchannel::{frame, write_array};

use super::inbound::Breach;

/// Arrays that the client has not acknowledged.
pub const UNACKNOWLEDGED_MAX: usize = 4_096;
/// Bytes of them, from which on the stream waits. One more message may come on top, however large.
pub const UNACKNOWLEDGED_BYTES_MAX: usize = 4 << 20;
/// Bytes from which on a frame takes in no further array.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// What an array's number and a frame's length take.
const OVERHEAD_BYTES: usize = 24;

/// Arrays on their way to the client.
#[derive(Debug, Default)]
pub struct Outbound {
    /// JSON of the arrays that are not acknowledged, in order.
    kept: VecDeque<String>,
    bytes: usize,
    /// The highest number that is acknowledged: the first one kept has the next.
    acknowledged: u64,
    /// The highest number that was ever written to a response.
    sent: u64,
}

impl Outbound {
    /// Adds an array.
    pub fn push(&mut self, json: String) {
        self.bytes += json.len() + OVERHEAD_BYTES;
        self.kept.push_back(json);
    }

    /// Forgets the arrays up to this number.
    ///
    /// Errors: that one was never sent.
    pub fn acknowledge(&mut self, received: u64) -> Result<(), Breach> {
        if received > self.sent {
            return Err(Breach::NeverSent { received, sent: self.sent });
        }
        while self.acknowledged < received {
            self.acknowledged += 1;
            if let Some(json) = self.kept.pop_front() {
                self.bytes -= json.len() + OVERHEAD_BYTES;
            }
        }
        Ok(())
    }

    /// The arrays after this number as one frame, as many as fit in, and the number of the last. `None` when there are
    /// none.
    pub fn frame_after(&mut self, number: u64) -> Option<(String, u64)> {
        let skipped = usize::try_from(number.saturating_sub(self.acknowledged)).unwrap_or(usize::MAX);
        let (mut text, mut last) = (String::new(), self.acknowledged.max(number));
        for json in self.kept.iter().skip(skipped) {
            last += 1;
            write_array(last, json, &mut text);
            if text.len() >= FRAME_BYTES_MAX {
                break;
            }
        }
        if text.is_empty() {
            return None;
        }
        text.push(']');
        self.sent = self.sent.max(last);
        Some((frame(&text), last))
    }

    /// Whether there are arrays after this number.
    pub fn is_any_after(&self, number: u64) -> bool {
        number < self.acknowledged + self.kept.len() as u64
    }

    /// Whether more may be added.
    pub fn has_room(&self) -> bool {
        self.kept.len() < UNACKNOWLEDGED_MAX && self.bytes < UNACKNOWLEDGED_BYTES_MAX
    }

    /// The highest number that is acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The highest number that was written to a response.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// What is held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
