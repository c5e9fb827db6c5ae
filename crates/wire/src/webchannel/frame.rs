//! Pieces of a response.

use std::fmt::Write as _;

/// Appends an array: its number and its JSON.
///
/// Arrays are put together as the elements of one JSON list, which is then [`frame`]d.
pub fn write_array(id: u64, json: &str, out: &mut String) {
    out.push(if out.is_empty() { '[' } else { ',' });
    let _infallible = write!(out, "[{id},{json}]");
}

/// A text as a frame: its length in UTF-16 code units, a line break, the text. Cost: one pass over the text.
pub fn frame(text: &str) -> String {
    let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
    let mut frame = String::with_capacity(text.len() + 12);
    let _infallible = write!(frame, "{units}\n{text}");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_elements_of_one_list_and_length_counts_utf16_units() {
        let mut text = String::new();
        write_array(1, r#"["noop"]"#, &mut text);
        write_array(2, r#"[{}]"#, &mut text);
        text.push(']');
        assert_eq!(frame(&text), "27\n[[1,[\"noop\"]],[2,[{}]]]".replacen("27", &text.len().to_string(), 1));
        assert_eq!(text, r#"[[1,["noop"]],[2,[{}]]]"#);
        assert_eq!(frame("\"é😀\""), "5\n\"é😀\"");
        assert_eq!(frame(""), "0\n");
    }
}
