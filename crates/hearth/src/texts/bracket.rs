//! Finds where a statement ends by its brackets, knowing strings and comments.

/// Lines that one snippet may have.
const SNIPPET_LINES_MAX: usize = 2_000;

/// How a language writes strings and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `'…'` and `"…"` in one line, `//` and `/* */`.
    Code,
    /// `"…"` over any number of lines, `//` and `/* */`.
    Json,
}

/// Lines with where they are.
pub struct Lines<'t> {
    text: &'t str,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Where a line starts; the text's end for one past the last.
    pub fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// The line that a byte is in.
    pub fn line_at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start < byte)
    }

    /// A line without its end.
    pub fn get(&self, line: usize) -> &'t str {
        let line = self.text.get(self.start(line)..self.start(line + 1)).unwrap_or_default();
        line.trim_end_matches(['\n', '\r'])
    }
}

/// Where the statement that begins at a line ends: the line after its last, not beyond the limit. A statement whose brackets never close ends
/// where prose seems to begin. Adds the bytes it read.
pub fn end_of_statement(
    lines: &Lines<'_>,
    first: usize,
    limit: usize,
    style: Style,
    read_bytes: &mut usize,
) -> usize {
    let last = limit.min(first + SNIPPET_LINES_MAX);
    let mut state = State::default();
    for line in first..last {
        state.line(lines.get(line), style);
        if state.is_closed(style) {
            let next = lines.get(line + 1).trim_start();
            // A body on a line of its own.
            let goes_on = !state.opened && line + 1 < last && next.starts_with('{');
            if !goes_on {
                *read_bytes += lines.start(line + 1) - lines.start(first);
                return line + 1;
            }
        }
    }
    *read_bytes += lines.start(last) - lines.start(first);
    (first + 1..last)
        .find(|line| lines.get(line - 1).trim().is_empty() && is_prose(lines.get(*line)))
        .map_or(last, |line| line - 1)
        .max(first + 1)
}

/// Whether a line reads like a sentence.
fn is_prose(line: &str) -> bool {
    let line = line.trim();
    let code = ['{', '}', ';', '(', ',', '=', '/', '*'];
    line.starts_with(char::is_alphabetic) && line.contains(' ') && !line.ends_with(code)
}

#[derive(Debug, Default)]
struct State {
    depth: usize,
    opened: bool,
    string: Option<char>,
    comment: bool,
}

impl State {
    fn is_closed(&self, style: Style) -> bool {
        self.depth == 0 && !self.comment && (self.string.is_none() || style == Style::Code)
    }

    fn line(&mut self, line: &str, style: Style) {
        if style == Style::Code {
            self.string = None;
        }
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            if self.comment {
                self.comment = !(character == '*' && characters.next_if_eq(&'/').is_some());
                continue;
            }
            if let Some(quote) = self.string {
                match character {
                    '\\' => drop(characters.next()),
                    end if end == quote => self.string = None,
                    _ => {}
                }
                continue;
            }
            match character {
                '"' => self.string = Some('"'),
                '\'' if style == Style::Code => self.string = Some('\''),
                '/' if characters.peek() == Some(&'/') => return,
                '/' if characters.next_if_eq(&'*').is_some() => self.comment = true,
                '{' | '[' | '(' => {
                    self.depth += 1;
                    self.opened |= character == '{';
                }
                '}' | ']' | ')' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_with_their_brackets() {
        for (text, style, end) in [
            ("match /a/{b} {\n  allow read;\n}\nProse.", Style::Code, 3),
            ("function f()\n{\n  return '}';\n}\n", Style::Code, 4),
            ("allow read: if\n  true;\n", Style::Code, 1),
            ("\".read\": \"a &&\n  b\"\nProse", Style::Json, 2),
            ("{\n  // it's }\n  \"a\": 1\n}\n", Style::Json, 4),
            ("match /a/{b} {\n  allow read;\n\nThis is prose again\n", Style::Code, 2),
            ("/*\n * it's\n *//\nf", Style::Code, 3),
        ] {
            assert_eq!(end_of_statement(&Lines::new(text), 0, 99, style, &mut 0), end, "{text}");
        }
    }
}
