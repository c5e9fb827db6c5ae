//! A message among WebSocket frames: pure, no I/O.
//!
//! A JSON text of more than 16,384 UTF-16 units travels as a frame with the decimal number of pieces and then the pieces;
//! a shorter one travels alone. `0` alone is a client's sign of life.
//!
//! Invariants: a piece that is sent is valid UTF-8 and at most [`PIECE_UNITS_MAX`] units long; what is collected is at
//! most [`MESSAGE_BYTES_MAX`], and memory is taken for what has arrived, never for what is announced.
//!
//! Source: `WebSocketConnection.ts` of firebase-js-sdk and `WebsocketConnection.java` of firebase-android-sdk.

use std::borrow::Cow;

/// UTF-16 units of a piece. Older Java clients refuse longer frames.
pub const PIECE_UNITS_MAX: usize = 16_384;
/// Bytes of a whole message from a client.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of one frame from a client: a piece of three-byte characters is 48 KiB.
pub const FRAME_BYTES_MAX: usize = 256 << 10;
/// Characters of a frame that may be a number of pieces.
const COUNT_CHARS_MAX: usize = 6;

/// Why a client's frames cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message is too long.
    #[error("the message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
}

/// Puts the pieces of a client's messages together.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Pieces that are missing.
    missing: u32,
    text: String,
}

impl Assembler {
    /// Takes a frame; a whole message when this frame is its last.
    pub fn take<'f>(&mut self, frame: &'f str) -> Result<Option<Cow<'f, str>>, FrameError> {
        if self.missing == 0 {
            return match count(frame) {
                // A sign of life, which announces nothing.
                Some(0) => Ok(None),
                Some(pieces) => {
                    self.missing = pieces;
                    Ok(None)
                }
                None if frame.len() > MESSAGE_BYTES_MAX => Err(FrameError::TooLong),
                None => Ok(Some(Cow::Borrowed(frame))),
            };
        }
        if self.text.len().saturating_add(frame.len()) > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        self.missing -= 1;
        if self.missing == 0 && self.text.is_empty() {
            return Ok(Some(Cow::Borrowed(frame)));
        }
        self.text.push_str(frame);
        Ok((self.missing == 0).then(|| Cow::Owned(std::mem::take(&mut self.text))))
    }

    /// Bytes that wait for the rest of their message.
    pub fn held(&self) -> usize {
        self.text.capacity()
    }

    /// Whether a message has begun and is not complete.
    pub fn is_waiting(&self) -> bool {
        self.missing > 0
    }
}

/// The number of pieces that a frame announces, if it is such a frame.
fn count(frame: &str) -> Option<u32> {
    let is_count = (1..=COUNT_CHARS_MAX).contains(&frame.len()) && frame.bytes().all(|b| b.is_ascii_digit());
    is_count.then(|| frame.parse().ok()).flatten()
}

/// The lengths in bytes of the pieces that a message is sent in. There is at least one.
pub fn split(text: &str) -> Vec<usize> {
    split_within(text, PIECE_UNITS_MAX)
}

fn split_within(text: &str, units_max: usize) -> Vec<usize> {
    // No text has more units than bytes.
    if text.len() <= units_max {
        return vec![text.len()];
    }
    let mut pieces = Vec::with_capacity(text.len() / units_max + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let length = piece(rest, units_max);
        pieces.push(length);
        rest = rest.get(length..).unwrap_or_default();
    }
    pieces
}

/// The bytes of the longest beginning of a text that fits a piece.
fn piece(text: &str, units_max: usize) -> usize {
    let glance = text.as_bytes().get(..units_max).unwrap_or(text.as_bytes());
    if glance.is_ascii() {
        return glance.len();
    }
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > units_max {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The frames a message is sent in.
    fn frames(text: &str, units_max: usize) -> Vec<String> {
        let lengths = split_within(text, units_max);
        let mut frames = Vec::new();
        if lengths.len() > 1 {
            frames.push(lengths.len().to_string());
        }
        let mut rest = text;
        for length in lengths {
            frames.push(rest[..length].to_owned());
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        frames
    }

    fn taken(frames: &[&str]) -> Vec<String> {
        let mut assembler = Assembler::default();
        let mut messages = Vec::new();
        for frame in frames {
            messages.extend(assembler.take(frame).unwrap().map(Cow::into_owned));
        }
        assert_eq!(assembler.held(), 0);
        messages
    }

    #[test]
    fn a_count_announces_pieces_and_a_sign_of_life_announces_none() {
        assert_eq!(taken(&["{\"t\":1}"]), ["{\"t\":1}"]);
        assert_eq!(taken(&["2", "{\"t\"", ":1}", "{}"]), ["{\"t\":1}", "{}"]);
        assert_eq!(taken(&["1", "{}"]), ["{}"], "a count of one");
        assert_eq!(taken(&["0", "0", "{}", "0"]), ["{}"]);
        assert_eq!(taken(&["000", "{}"]), ["{}"]);
        assert_eq!(taken(&["3", "1", "2", "3"]), ["123"], "a piece that looks like a count");
        assert_eq!(taken(&["2", "0", "0"]), ["00"], "a piece that looks like a sign of life");
        assert_eq!(taken(&["1234567"]), ["1234567"], "seven digits are no count");
        assert_eq!(taken(&["-1", "1e3", " 1", "+1", "", "٣"]), ["-1", "1e3", " 1", "+1", "", "٣"]);
        assert_eq!(taken(&["3", "", "", "{}"]), ["{}"]);
    }

    #[test]
    fn what_is_announced_takes_no_memory_and_what_arrives_is_bounded() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.take("999999"), Ok(None));
        assert!(assembler.is_waiting() && assembler.held() == 0);
        let piece = "x".repeat(FRAME_BYTES_MAX);
        for _ in 0..MESSAGE_BYTES_MAX / FRAME_BYTES_MAX {
            assert_eq!(assembler.take(&piece), Ok(None));
        }
        assert_eq!(assembler.take("x"), Err(FrameError::TooLong));
        assert!(assembler.held() <= 2 * MESSAGE_BYTES_MAX);
    }

    #[test]
    fn pieces_end_at_characters() {
        assert_eq!(frames("ab😀cd", 3), ["3", "ab", "😀c", "d"]);
        assert_eq!(frames("žžžž", 3), ["2", "žžž", "ž"]);
        assert_eq!(frames("abc", 3), ["abc"]);
        assert_eq!(split(&"a".repeat(PIECE_UNITS_MAX + 1)), [PIECE_UNITS_MAX, 1]);
        assert_eq!(split(&"😀".repeat(PIECE_UNITS_MAX / 2)).len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_split_is_put_together(text in ".{7,200}", units_max in 2usize..20) {
            let frames = frames(&text, units_max);
            let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
            prop_assert_eq!(taken(&frames), vec![text.clone()]);
            let pieces = if frames.len() > 1 { &frames[1..] } else { &frames[..] };
            for piece in pieces {
                prop_assert!(piece.encode_utf16().count() <= units_max);
            }
        }

        #[test]
        fn any_frames_are_read_in_bounded_memory(frames in proptest::collection::vec("[0-9a-z]{0,8}", 0..40)) {
            let mut assembler = Assembler::default();
            for frame in &frames {
                let whole = assembler.take(frame).unwrap();
                prop_assert!(whole.is_none() || !assembler.is_waiting());
            }
        }
    }
}
