//! The messages in a gRPC body: how much has come of one that is not whole yet.
//!
//! A stream that stays open is answered at once, and its messages are taken one after the other. What its client has sent of
//! a message and not finished lies in memory all the same.

/// A message's head: a flag and four bytes of length.
const HEAD_BYTES: usize = 5;

/// Where the messages of a body begin and end.
#[derive(Default)]
pub struct Frames {
    head: [u8; HEAD_BYTES],
    /// Bytes of the current message that have come, its head included.
    came: usize,
    /// What is still to come of it, once its head has.
    rest: usize,
}

impl Frames {
    /// More of the body has come.
    pub fn take(&mut self, mut data: &[u8]) {
        while let Some(&first) = data.first() {
            if self.came < HEAD_BYTES {
                if let Some(byte) = self.head.get_mut(self.came) {
                    *byte = first;
                }
                self.came += 1;
                data = data.get(1..).unwrap_or_default();
                let [_, a, b, c, d] = self.head;
                self.rest = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            } else {
                let taken = self.rest.min(data.len());
                (self.rest, self.came) = (self.rest - taken, self.came.saturating_add(taken));
                data = data.get(taken..).unwrap_or_default();
            }
            if self.came >= HEAD_BYTES && self.rest == 0 {
                *self = Self::default();
            }
        }
    }

    /// The bytes of a message that is not whole.
    pub fn unfinished(&self) -> usize {
        self.came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_does_not_count() {
        let message = |length: u8| [&[0, 0, 0, 0, length][..], &vec![7; usize::from(length)]].concat();
        let body = [message(3), message(0), message(200), message(9)].concat();
        for step in [1, 2, 5, 7, 64, 1000] {
            let mut frames = Frames::default();
            for piece in body.chunks(step) {
                frames.take(piece);
                assert!(frames.unfinished() <= 205);
            }
            assert_eq!(frames.unfinished(), 0, "{step}");
            frames.take(&body[..4]);
            assert_eq!(frames.unfinished(), 4);
            frames.take(&body[4..7]);
            assert_eq!(frames.unfinished(), 7);
            frames.take(&body[7..8]);
            assert_eq!(frames.unfinished(), 0);
        }
    }
}
