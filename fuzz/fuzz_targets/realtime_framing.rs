//! Whatever frames and segments arrive in whatever order, reading them does not panic and holds no more than its bound; what
//! a message is split into is put together again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use realtime::api::framing::{Assembler, MESSAGE_BYTES_MAX, PIECE_UNITS_MAX, split};
use realtime::api::longpoll::segments::{Segment, Segments};

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match first % 3 {
        0 => frames(&text),
        1 => whole(&text, usize::from(first) + 1),
        _ => segments(rest),
    }
});

/// Frames, one a line.
fn frames(text: &str) {
    let mut assembler = Assembler::default();
    for frame in text.split('\n') {
        if assembler.take(frame).is_err() {
            return;
        }
        assert!(assembler.held() <= 2 * MESSAGE_BYTES_MAX);
    }
}

/// A message, made longer than a piece.
fn whole(text: &str, times: usize) {
    let message = text.repeat(times);
    let lengths = split(&message);
    let (mut assembler, mut rest, mut read) = (Assembler::default(), message.as_str(), None);
    if lengths.len() > 1 {
        assert!(assembler.take(&lengths.len().to_string()).unwrap().is_none());
    } else {
        return;
    }
    for length in lengths {
        let (piece, left) = rest.split_at(length);
        assert!(piece.encode_utf16().count() <= PIECE_UNITS_MAX);
        assert!(read.is_none());
        read = assembler.take(piece).unwrap().map(|whole| whole.into_owned());
        rest = left;
    }
    assert_eq!(read.as_deref(), Some(message.as_str()));
}

/// Segments of three bytes: number, how many, data.
fn segments(data: &[u8]) {
    let mut reader = Segments::default();
    for step in data.chunks_exact(3) {
        let segment = Segment {
            number: u64::from(step[0]),
            of: u64::from(step[1] % 4),
            data: char::from(step[2] & 0x7f).to_string().repeat(4),
        };
        if reader.accept(segment).is_err() {
            return;
        }
        loop {
            match reader.next_message() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
