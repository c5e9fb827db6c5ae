//! JSON as people read it (`print=pretty`): written from compact JSON piece by piece, so that a large answer is never in
//! memory twice.
//!
//! Source: answers of the service: two spaces, a space on both sides of a colon, arrays on one line.

use bytes::Bytes;

/// Bytes of compact JSON that are written at once.
const PIECE_BYTES: usize = 64 << 10;

/// Where a writer is in the text.
#[derive(Debug, Default)]
struct Pretty {
    /// Objects that are open.
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// The containers that are open: whether each is an object.
    open: Vec<bool>,
}

impl Pretty {
    /// Writes what follows. The bytes are of compact JSON: no space outside of texts.
    fn write(&mut self, compact: &[u8], out: &mut Vec<u8>) {
        for &byte in compact {
            self.step(byte, out);
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.is_in_text {
            out.push(byte);
            if self.is_escaped {
                self.is_escaped = false;
            } else if byte == b'\\' {
                self.is_escaped = true;
            } else if byte == b'"' {
                self.is_in_text = false;
            }
            return;
        }
        match byte {
            b'"' => {
                self.is_in_text = true;
                out.push(byte);
            }
            b'{' => {
                self.open.push(true);
                self.depth += 1;
                out.push(byte);
                self.line(out);
            }
            b'[' => {
                self.open.push(false);
                out.extend_from_slice(b"[ ");
            }
            b'}' => {
                self.open.pop();
                self.depth = self.depth.saturating_sub(1);
                self.line(out);
                out.push(byte);
            }
            b']' => {
                self.open.pop();
                out.extend_from_slice(b" ]");
            }
            b',' if self.open.last() == Some(&true) => {
                out.push(byte);
                self.line(out);
            }
            b',' => out.extend_from_slice(b", "),
            b':' => out.extend_from_slice(b" : "),
            _ => out.push(byte),
        }
    }

    fn line(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * self.depth));
    }
}

/// The pieces of the pretty text, each made when it is asked for.
pub fn pieces(compact: String) -> impl Iterator<Item = Bytes> + Send {
    let mut pretty = Pretty::default();
    let mut rest = Bytes::from(compact);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        let mut out = Vec::with_capacity(piece.len() * 2);
        pretty.write(&piece, &mut out);
        Some(Bytes::from(out))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(compact: &str) -> String {
        let pieces: Vec<Bytes> = pieces(compact.to_owned()).collect();
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn objects_have_lines_and_arrays_have_one() {
        assert_eq!(pretty("null"), "null");
        assert_eq!(
            pretty(r#"{"a":{"b":1,"c":"x:{,}\"["},"d":[null,"a",{"e":true}]}"#),
            "{\n  \"a\" : {\n    \"b\" : 1,\n    \"c\" : \"x:{,}\\\"[\"\n  },\n  \"d\" : [ null, \"a\", {\n    \"e\" : true\n  } ]\n}"
        );
    }

    #[test]
    fn a_large_text_is_written_piece_by_piece() {
        let large = format!("{{\"a\":\"{}\",\"b\":[1]}}", "\\\\é".repeat(PIECE_BYTES));
        let written = pretty(&large);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap()["b"][0], 1);
        assert!(pieces(large).count() > 2);
    }
}
