//! The path of a `path` statement.

use super::super::ast::Part;
use super::Parser;
use super::statement::PATH_PARTS_MAX;

impl<'s> Parser<'s> {
    /// `/a/{b}/c`
    pub(super) fn template(&mut self) -> Option<Vec<Part>> {
        let start = self.at;
        let mut parts: Vec<Option<Part>> = Vec::new();
        while parts.len() <= PATH_PARTS_MAX && self.eat("/") {
            parts.push(self.part());
        }
        if let [] | [None] = &*parts {
            return (!parts.is_empty()).then(Vec::new);
        }
        if parts.iter().any(Option::is_none) {
            let ends = parts.last().is_some_and(Option::is_none);
            let what = if ends {
                "Paths may not end in a slash (/) character"
            } else {
                "Paths may not contain an empty part"
            };
            let shown: Vec<&str> =
                parts.iter().map(|part| part.as_ref().map_or("", |part| &part.label)).collect();
            let message = format!("{what}: /{}", shown.join("/"));
            self.error(start, message);
        }
        Some(parts.into_iter().flatten().collect())
    }

    fn part(&mut self) -> Option<Part> {
        let start = self.at;
        if let Some(name) = self.capture() {
            let label = if name.starts_with('$') { name.into() } else { format!("${name}").into() };
            return Some(Part { label, variable: Some(name.into()), span: self.span(start) });
        }
        self.at = start;
        let text = self.eat_while(|character| !matches!(character, ' ' | '/' | ';'));
        if text.is_empty() {
            return None;
        }
        let capture = text.strip_prefix('$');
        if let Some(name) = capture {
            self.warn(
                start,
                format!(
                    "Use of {text} to capture a path segment is deprecated; use {{{text}}} or {{{name}}}, instead."
                ),
            );
        }
        Some(Part { label: text.into(), variable: capture.map(|_| text.into()), span: self.span(start) })
    }

    /// `{name}` or `{name=*}`
    fn capture(&mut self) -> Option<&'s str> {
        if !self.eat("{") {
            return None;
        }
        self.blank();
        let name = self.identifier()?;
        self.blank();
        if self.eat("=") {
            self.blank();
            if !self.eat("*") {
                return None;
            }
            self.blank();
        }
        self.eat("}").then_some(name)
    }
}
