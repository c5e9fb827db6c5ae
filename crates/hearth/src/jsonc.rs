//! JSON as people write it in configuration files: comments and trailing commas become spaces, so that every position
//! in an error still is the position in the file.

/// The text with comments and trailing commas blanked out; same length in bytes, same lines.
pub fn plain(text: &str) -> String {
    let mut plain = text.as_bytes().to_vec();
    let bytes = text.as_bytes();
    let mut last_comma = None;
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        match byte {
            b'"' => {
                last_comma = None;
                index += 1;
                while let Some(&inside) = bytes.get(index) {
                    match inside {
                        b'\\' => index += 1,
                        b'"' => break,
                        _ => {}
                    }
                    index += 1;
                }
            }
            b'/' if matches!(bytes.get(index + 1), Some(b'/' | b'*')) => {
                let end = comment_end(bytes, index);
                blank(&mut plain, index, end);
                index = end;
                continue;
            }
            b',' => last_comma = Some(index),
            b'}' | b']' => {
                if let Some(comma) = last_comma.take() {
                    blank(&mut plain, comma, comma + 1);
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => last_comma = None,
        }
        index += 1;
    }
    // Only whole ASCII bytes and whole comments were replaced by ASCII spaces.
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

/// Where the comment that starts at `start` ends: before the line's end, or after `*/`.
fn comment_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = if rest.get(1) == Some(&b'/') {
        rest.iter().position(|&byte| byte == b'\n')
    } else {
        rest.windows(2).skip(2).position(|pair| pair == b"*/").map(|position| position + 4)
    };
    start + length.unwrap_or(rest.len())
}

fn blank(plain: &mut [u8], start: usize, end: usize) {
    for byte in plain.get_mut(start..end).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn comments_and_trailing_commas_go_positions_stay() {
        for (text, expected) in [
            ("{\"a\": 1, // é\n}", "{\"a\": 1        \n}"),
            ("[1, /* x\n */ 2,]", "[1,     \n    2 ]"),
            ("{\"u\": \"http://x, }\"}", "{\"u\": \"http://x, }\"}"),
            ("{\"q\": \"\\\"//\"}", "{\"q\": \"\\\"//\"}"),
            ("{} // end", "{}       "),
            ("[1 /* open", "[1        "),
        ] {
            let got = plain(text);
            assert_eq!(got.len(), text.len());
            assert_eq!(
                got.split_whitespace().collect::<String>(),
                expected.split_whitespace().collect::<String>()
            );
        }
    }
}
