//! A request with holes for numbers.

use std::io::Write;

use crate::Outcome;

/// The file's request, ready to be written with its holes filled.
pub struct Request {
    method: String,
    path: Template,
    authorization: Option<String>,
    body: Template,
}

/// Literal texts, each followed by a hole but the last.
struct Template {
    literals: Vec<String>,
    holes: Vec<Option<u64>>, // the range, if it has one
}

impl Request {
    /// Reads the form described at the top of `main.rs`.
    pub fn parse(text: &str) -> Outcome<Self> {
        let mut lines = text.splitn(3, '\n');
        let (method, path) =
            lines.next().and_then(|line| line.split_once(' ')).ok_or("no `METHOD PATH` line")?;
        let authorization = lines.next().ok_or("no authorization line")?.trim();
        Ok(Self {
            method: method.to_owned(),
            path: Template::parse(path.trim())?,
            authorization: (authorization != "-").then(|| authorization.to_owned()),
            body: Template::parse(lines.next().unwrap_or("").trim_end())?,
        })
    }

    /// Writes the request of a number over what `text` held.
    pub fn write(&self, number: u64, text: &mut Vec<u8>) {
        let (path, body) = (self.path.fill(number), self.body.fill(number));
        text.clear();
        // A Vec takes every write.
        let _ = write!(text, "{} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n", self.method);
        if let Some(authorization) = &self.authorization {
            let _ = write!(text, "authorization: {authorization}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(text, "content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        let _ = write!(text, "\r\n{body}");
    }
}

impl Template {
    fn parse(text: &str) -> Outcome<Self> {
        let mut template = Self { literals: Vec::new(), holes: Vec::new() };
        let mut rest = text;
        while let Some(start) = rest.find("{n}").into_iter().chain(rest.find("{n:")).min() {
            let end = start + rest[start..].find('}').ok_or("an open hole")?;
            template.literals.push(rest[..start].to_owned());
            template.holes.push(rest[start + 2..end].strip_prefix(':').map(str::parse).transpose()?);
            rest = &rest[end + 1..];
        }
        template.literals.push(rest.to_owned());
        Ok(template)
    }

    fn fill(&self, number: u64) -> String {
        let mut text = String::new();
        for (index, literal) in self.literals.iter().enumerate() {
            text.push_str(literal);
            match self.holes.get(index) {
                Some(Some(range)) => text.push_str(&(spread(number) % (*range).max(1)).to_string()),
                Some(None) => text.push_str(&number.to_string()),
                None => {}
            }
        }
        text
    }
}

/// Numbers in a row, far apart: so that a range is asked all over.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled() {
        let request = Request::parse("POST /a/{n}?x={n:1}\nBearer t\n{\"k\":{\"n\":{n}}}\n").unwrap();
        let mut text = Vec::new();
        request.write(42, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("POST /a/42?x=0 HTTP/1.1\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"k\":{\"n\":42}}"), "{text}");
        assert!(text.contains("authorization: Bearer t\r\n"), "{text}");
    }
}
