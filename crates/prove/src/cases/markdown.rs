//! The fenced blocks of a markdown text.

use std::ops::Range;

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The words after the opening fence.
    pub info: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
    /// The bytes between the fences.
    pub body: Range<usize>,
    /// The bytes of the whole, fences included.
    pub whole: Range<usize>,
    /// Whether there is a closing fence.
    pub closed: bool,
}

impl Block {
    /// What stands between the fences.
    pub fn text<'t>(&self, markdown: &'t str) -> &'t str {
        markdown.get(self.body.clone()).unwrap_or_default()
    }

    /// Its lines.
    pub fn lines<'t>(&self, markdown: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        self.text(markdown).lines()
    }
}

/// The fenced blocks of a text, in its order. Fences are three or more backticks or tildes, indented or not; a block
/// without a closing fence ends with the text.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<(Block, char, usize)> = None;
    let mut at = 0;
    for (index, line) in markdown.split_inclusive('\n').enumerate() {
        let (start, end) = (at, at + line.len());
        at = end;
        let trimmed = line.trim();
        match open.take() {
            Some((mut block, mark, length)) => {
                let closes = trimmed.len() >= length && trimmed.chars().all(|character| character == mark);
                if closes {
                    (block.body.end, block.whole.end, block.closed) = (start, end, true);
                    found.push(block);
                } else {
                    open = Some((block, mark, length));
                }
            }
            None => {
                let Some(mark) = trimmed.chars().next().filter(|mark| ['`', '~'].contains(mark)) else {
                    continue;
                };
                let length = trimmed.chars().take_while(|character| *character == mark).count();
                let info = trimmed.get(length..).unwrap_or_default().trim();
                // Three backticks within one line are code in a sentence.
                if length >= 3 && !info.contains('`') {
                    let (body, whole) = (end..markdown.len(), start..markdown.len());
                    let block = Block { info: info.to_owned(), line: index + 1, body, whole, closed: false };
                    open = Some((block, mark, length));
                }
            }
        }
    }
    found.extend(open.map(|(block, ..)| block));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_lines() {
        let text = "a\n```rules x\none\n```\n  ~~~~\ntwo\n~~~\n~~~~\n```inline``` code\n```\nopen";
        let found = blocks(text);
        let told: Vec<_> =
            found.iter().map(|block| (block.line, &*block.info, block.text(text), block.closed)).collect();
        assert_eq!(
            told,
            [(2, "rules x", "one\n", true), (5, "", "two\n~~~\n", true), (10, "", "open", false)]
        );
        assert_eq!(&text[found[0].whole.clone()], "```rules x\none\n```\n");
    }
}
