//! The tree of rules: checks its shape and turns it into numbered nodes.

use super::ast;
use super::check::{self, Capture};
use super::json::{Json, Kind, Member, Text};
use super::language::{Condition, RuleKind};
use super::parser;
use crate::decision::RulePosition;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::syntax::nearest;

/// A place in the tree of rules.
#[derive(Debug, Default)]
pub struct Node {
    /// Where it is, `/rooms/$room`.
    pub path: String,
    /// Its named children, in the order of their names.
    pub children: Vec<(Box<str>, usize)>,
    /// Its child for all other keys.
    pub capture: Option<usize>,
    /// `.read`
    pub read: Option<Rule>,
    /// `.write`
    pub write: Option<Rule>,
    /// `.validate`
    pub validate: Option<Rule>,
    /// `.indexOn`
    pub index_on: Vec<Box<str>>,
    /// Where `.indexOn` is.
    pub index_span: Option<Span>,
    /// Whether it or anything below it has a `.validate`.
    pub validates: bool,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its kind.
    pub kind: RuleKind,
    /// Where the key begins, and the key with the value.
    pub position: RulePosition,
    /// What must be true.
    pub condition: Condition,
}

impl Node {
    /// The node for a key: a named one, or the capture.
    pub fn child(&self, key: &str) -> Option<usize> {
        match self.children.binary_search_by(|(name, _)| (**name).cmp(key)) {
            Ok(index) => self.children.get(index).map(|(_, node)| *node),
            Err(_) => self.capture,
        }
    }

    /// All its children.
    pub fn all_children(&self) -> impl Iterator<Item = usize> + '_ {
        self.children.iter().map(|(_, node)| *node).chain(self.capture)
    }

    /// Its rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        [&self.read, &self.write, &self.validate].into_iter().flatten()
    }
}

/// Builds the nodes of a file; the first is the root. Empty when there is no tree at all.
pub fn build(source: &Source, json: &Json, diagnostics: &mut Vec<Diagnostic>) -> Vec<Node> {
    let counted = (0, 1, 1);
    let mut builder = Builder { source, diagnostics, nodes: Vec::new(), captures: Vec::new(), counted };
    let Some(members) = json.members() else {
        if !matches!(json.kind, Kind::Broken) {
            builder.error(json.span, "Expected '{'.");
        }
        return Vec::new();
    };
    builder.duplicates(json, &members);
    let Some(rules) = members.iter().find(|member| member.key.value == "rules") else {
        let inside = Span { start: json.span.start + 1, end: json.span.start + 1 };
        builder.error(inside, "Expected 'rules' property.");
        return Vec::new();
    };
    for other in members.iter().filter(|member| member.key.value != "rules") {
        builder.error(
            other.key.span,
            format!("Unexpected property '{}': the only one is 'rules'.", other.key.value),
        );
    }
    builder.node(&rules.value, String::new(), 0);
    builder.nodes
}

struct Builder<'s, 'd> {
    source: &'s Source,
    diagnostics: &'d mut Vec<Diagnostic>,
    nodes: Vec<Node>,
    captures: Vec<Capture>,
    /// The place found last: offset, line, column. The next one is mostly after it.
    counted: (u32, u32, u32),
}

impl Builder<'_, '_> {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error("rules-structure", span, message));
    }

    /// A key whose value is no place. Mostly it is meant to be a rule.
    fn not_an_object(&mut self, member: &Member) {
        let key = member.key.value.as_str();
        let rules = [".read", ".write", ".validate", ".indexOn"];
        let meant = if key.starts_with('.') {
            nearest(key, rules.into_iter())
        } else {
            rules.into_iter().find(|rule| rule.strip_prefix('.') == Some(key))
        };
        let diagnostic = Diagnostic::error("rules-structure", member.value.span, "Expected '{'.");
        self.diagnostics.push(match meant {
            Some(rule) => diagnostic.help(format!("`{key}` is no rule: did you mean `{rule}`?")),
            None => diagnostic,
        });
    }

    fn duplicates(&mut self, json: &Json, kept: &[&Member]) {
        let Kind::Object(all) = &json.kind else { return };
        if all.len() == kept.len() {
            return;
        }
        for member in all {
            let Some(last) = kept.iter().find(|last| last.key.value == member.key.value) else { continue };
            if last.key.span != member.key.span {
                let message = format!("`{}` comes again below: this one does not count", member.key.value);
                self.diagnostics.push(
                    Diagnostic::warning("duplicate-key", member.key.span, message)
                        .label(last.key.span, "the one that counts")
                        .help("keep one of them"),
                );
            }
        }
    }

    /// Recursion is bounded by the nesting that the reader takes.
    fn node(&mut self, json: &Json, path: String, depth: usize) -> Option<usize> {
        let Some(members) = json.members() else {
            if !matches!(json.kind, Kind::Broken) {
                self.error(json.span, "Expected '{'.");
            }
            return None;
        };
        self.duplicates(json, &members);
        let index = self.nodes.len();
        self.nodes.push(Node::default());
        let mut node = Node { path, ..Node::default() };
        let mut capture: Option<&Member> = None;
        for member in members {
            match member.key.value.as_str() {
                ".read" => node.read = self.rule(member, RuleKind::Read),
                ".write" => node.write = self.rule(member, RuleKind::Write),
                ".validate" => node.validate = self.rule(member, RuleKind::Validate),
                ".indexOn" => {
                    node.index_on = self.index_on(&member.value);
                    node.index_span = Some(member.key.span.to(member.value.span));
                }
                key if key.starts_with('$') && is_name(key.get(1..).unwrap_or("")) => match capture {
                    Some(first) => {
                        let message = format!(
                            "Cannot have multiple default rules ('{}' and '{key}').",
                            first.key.value
                        );
                        let diagnostic = Diagnostic::error("rules-structure", member.key.span, message)
                            .label(first.key.span, "the other one")
                            .help("one name stands for all other keys: put the rules of both below it");
                        self.diagnostics.push(diagnostic);
                    }
                    None => {
                        capture = Some(member);
                        node.capture = self.below_capture(member, &node.path, depth);
                    }
                },
                key => {
                    if !matches!(member.value.kind, Kind::Object(_) | Kind::Broken) {
                        self.not_an_object(member);
                        continue;
                    }
                    if !is_name(key) {
                        let text = r##"String can't contain ".", "#", "$", "/", "[", or "]""##;
                        self.error(member.key.span, text);
                        continue;
                    }
                    if let Some(child) = self.node(&member.value, format!("{}/{key}", node.path), depth + 1) {
                        node.children.push((key.into(), child));
                    }
                }
            }
        }
        node.children.sort();
        let below =
            node.all_children().any(|child| self.nodes.get(child).is_some_and(|child| child.validates));
        node.validates = node.validate.is_some() || below;
        if let Some(place) = self.nodes.get_mut(index) {
            *place = node;
        }
        Some(index)
    }

    fn below_capture(&mut self, member: &Member, path: &str, depth: usize) -> Option<usize> {
        let name = &member.key.value;
        if self.captures.iter().any(|(known, _)| known == name) {
            let message = format!("`{name}` is already a name further up; below here it is this one");
            self.diagnostics.push(
                Diagnostic::warning("capture-shadows", member.key.span, message).help("use another name"),
            );
        }
        self.captures.push((name.clone(), depth));
        let node = self.node(&member.value, format!("{path}/{name}"), depth + 1);
        self.captures.pop();
        node
    }

    fn rule(&mut self, member: &Member, kind: RuleKind) -> Option<Rule> {
        let span = member.key.span.to(member.value.span);
        let expr = match &member.value.kind {
            Kind::Bool(value) => {
                let span = member.value.span;
                ast::Expr { kind: ast::Kind::Bool(*value), span, at: span }
            }
            Kind::Text(text) => self.parse(text)?,
            Kind::Broken => return None,
            _ => {
                let text = "Invalid rule expression.  Expected 'true', 'false', or an expression string.";
                self.error(member.value.span, text);
                return None;
            }
        };
        match check::check(&expr, kind, &self.captures, self.source, self.diagnostics) {
            Ok(condition) => Some(Rule { kind, position: self.position(span), condition }),
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                None
            }
        }
    }

    fn position(&mut self, span: Span) -> RulePosition {
        let (from, mut line, mut column) =
            if self.counted.0 <= span.start { self.counted } else { (0, 1, 1) };
        for character in self.source.slice(Span { start: from, end: span.start }).chars() {
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        self.counted = (span.start, line, column);
        RulePosition { line, column, span }
    }

    fn parse(&mut self, text: &Text) -> Option<ast::Expr> {
        parser::parse(text).map_err(|diagnostic| self.diagnostics.push(*diagnostic)).ok()
    }

    fn index_on(&mut self, json: &Json) -> Vec<Box<str>> {
        let items = match &json.kind {
            Kind::Array(items) => items.iter().collect(),
            _ => vec![json],
        };
        let mut names = Vec::new();
        for item in items {
            match &item.kind {
                Kind::Text(text) => names.push(text.value.as_str().into()),
                Kind::Broken => {}
                _ => self.error(
                    item.span,
                    "Invalid indexOn expression. Must be either a string or an array of strings",
                ),
            }
        }
        names
    }
}

/// Whether a key can be a child's name.
fn is_name(key: &str) -> bool {
    !key.is_empty() && !key.contains(['.', '#', '$', '/', '[', ']'])
}
