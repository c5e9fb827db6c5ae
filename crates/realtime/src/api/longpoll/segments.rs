//! What a client sends by long polling: base64 in segments that fit an URL, put in order and together again. Pure, no I/O.
//!
//! Each segment has a number of its own in the session (`seg`) and says how many there are in its packet (`ts`); the
//! segments of a packet are consecutive. Requests overtake each other, so segments arrive in any order.
//!
//! Invariants: each packet is handed out once and in order; what waits for an earlier segment is bounded in number and bytes.
//!
//! Source: `BrowserPollConnection.ts` of firebase-js-sdk.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::api::framing::MESSAGE_BYTES_MAX;

/// Segments that may be ahead of the one that is missing. A browser has two requests open, of one segment each or many
/// tiny ones.
pub const AHEAD_MAX: u64 = 256;
/// Bytes of a message in base64.
const PACKET_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 3 * 4 + 4;

/// The alphabet for URLs; its padding, a dot, is cut off before.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The client did not keep to the protocol: its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A segment is too far ahead.
    #[error("a segment is more than {AHEAD_MAX} ahead of the one that is missing")]
    TooFarAhead,
    /// A message is too long.
    #[error("the message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// Segments of one packet disagree about how many they are, or it has none.
    #[error("the segments of a packet do not agree on their number")]
    Packet,
    /// It is not base64.
    #[error("a packet is not base64 for URLs")]
    Base64,
}

/// A segment as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the session.
    pub number: u64,
    /// How many its packet has.
    pub of: u64,
    /// Its part of the base64.
    pub data: String,
}

/// Puts segments in order and packets together.
#[derive(Debug, Default)]
pub struct Segments {
    /// The number of the segment that is taken next.
    next: u64,
    ahead: BTreeMap<u64, Segment>,
    /// Bytes in `ahead`.
    ahead_bytes: usize,
    /// The packet that is being put together.
    packet: String,
    /// How many segments it still lacks; 0 between packets.
    missing: u64,
    /// How many it has.
    of: u64,
}

impl Segments {
    /// Takes a segment in. One that came before is passed over: browsers repeat requests.
    pub fn accept(&mut self, segment: Segment) -> Result<(), Breach> {
        if segment.number < self.next || self.ahead.contains_key(&segment.number) {
            return Ok(());
        }
        if segment.number - self.next > AHEAD_MAX {
            return Err(Breach::TooFarAhead);
        }
        if self.held().saturating_add(segment.data.len()) > PACKET_BYTES_MAX {
            return Err(Breach::TooLong);
        }
        self.ahead_bytes += segment.data.len();
        self.ahead.insert(segment.number, segment);
        Ok(())
    }

    /// The next whole message, once all of it is there.
    pub fn next_message(&mut self) -> Result<Option<String>, Breach> {
        while let Some(segment) = self.ahead.remove(&self.next) {
            self.next += 1;
            self.ahead_bytes -= segment.data.len();
            if self.missing == 0 {
                (self.missing, self.of) = (segment.of, segment.of);
            }
            if segment.of != self.of || segment.of == 0 {
                return Err(Breach::Packet);
            }
            self.packet.push_str(&segment.data);
            self.missing -= 1;
            if self.missing == 0 {
                return decode(&std::mem::take(&mut self.packet)).map(Some);
            }
        }
        Ok(None)
    }

    /// Segments that wait, for an earlier one or to be taken.
    pub fn waiting(&self) -> usize {
        self.ahead.len()
    }

    /// Bytes that wait.
    pub fn held(&self) -> usize {
        self.packet.len() + self.ahead_bytes
    }
}

/// Text that is not UTF-8 (half of a surrogate pair) becomes U+FFFD.
fn decode(packet: &str) -> Result<String, Breach> {
    let bytes = BASE64.decode(packet.trim_end_matches(['.', '='])).map_err(|_| Breach::Base64)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        BASE64.encode(text).replace('=', ".")
    }

    /// The segments of these messages, each part this long.
    fn segments(messages: &[String], length: usize) -> Vec<Segment> {
        let mut number = 0;
        let mut segments = Vec::new();
        for message in messages {
            let data = encoded(message);
            let parts: Vec<&[u8]> = data.as_bytes().chunks(length).collect();
            for part in &parts {
                let data = String::from_utf8(part.to_vec()).unwrap();
                segments.push(Segment { number, of: parts.len() as u64, data });
                number += 1;
            }
        }
        segments
    }

    fn read(segments: &[Segment]) -> Result<Vec<String>, Breach> {
        let mut reader = Segments::default();
        let mut messages = Vec::new();
        for segment in segments {
            reader.accept(segment.clone())?;
            while let Some(message) = reader.next_message()? {
                messages.push(message);
            }
        }
        assert_eq!(reader.held(), 0);
        Ok(messages)
    }

    #[test]
    fn padding_is_a_dot() {
        for text in ["a", "ab", "abc", "{\"t\":\"d\"}", "žluť 😀", "???>>>"] {
            assert_eq!(decode(&encoded(text)).unwrap(), text);
        }
        assert_eq!(decode("eyJ0IjoxfQ..").unwrap(), "{\"t\":1}");
        assert_eq!(decode("7aCA").unwrap(), "\u{fffd}\u{fffd}\u{fffd}", "half of a surrogate pair");
        assert_eq!(decode("a b"), Err(Breach::Base64));
    }

    #[test]
    fn what_breaks_the_protocol_ends_the_session() {
        let segment = |number, of, data: &str| Segment { number, of, data: data.to_owned() };
        assert_eq!(read(&[segment(0, 0, "YQ")]), Err(Breach::Packet));
        assert_eq!(read(&[segment(0, 2, "YQ"), segment(1, 3, "YQ")]), Err(Breach::Packet));
        assert_eq!(read(&[segment(AHEAD_MAX + 1, 1, "YQ")]), Err(Breach::TooFarAhead));
        assert_eq!(read(&[segment(u64::MAX, 1, "YQ")]), Err(Breach::TooFarAhead));
        assert_eq!(read(&[segment(0, 1, "€")]), Err(Breach::Base64));
        let mut reader = Segments::default();
        let part = "A".repeat(PACKET_BYTES_MAX / 4);
        for number in 0..4 {
            reader.accept(segment(number, u64::MAX, &part)).unwrap();
            assert_eq!(reader.next_message(), Ok(None));
        }
        assert_eq!(reader.accept(segment(4, u64::MAX, &part)), Err(Breach::TooLong));
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_gives_the_messages_once_and_in_order(
            messages in proptest::collection::vec(".{0,40}", 1..8),
            length in 1usize..20,
            order in any::<u64>(),
        ) {
            // An empty text has no segment.
            let messages: Vec<String> = messages.into_iter().filter(|text| !text.is_empty()).collect();
            let mut shuffled = segments(&messages, length);
            let mut state = order | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, (state >> 33) as usize % (at + 1));
            }
            let repeated: Vec<Segment> = shuffled.iter().flat_map(|segment| [segment.clone(), segment.clone()]).collect();
            if shuffled.len() as u64 <= AHEAD_MAX {
                prop_assert_eq!(read(&shuffled), Ok(messages.clone()));
                prop_assert_eq!(read(&repeated), Ok(messages));
            }
        }
    }
}
