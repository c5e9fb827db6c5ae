//! A decision explained to people and to tools: the verdict, the places that decided it, and every rule that was asked
//! with every expression and its value.

use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use policy::decision::Cause;
use policy::source::{Source, Span};
use policy::trace::{self, Candidate, Ending, Node, Parts, Shape};
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::ask::Policy;
use crate::Language;
use crate::wording::on_one_line;

/// Places shown in the text; the rest is in the list below it.
const PLACES_SHOWN_MAX: usize = 6;
/// Rules listed with their expressions.
const RULES_LISTED_MAX: usize = 50;
/// Characters of an expression in the list; all of it stands in the text.
const EXPRESSION_SHOWN_CHARS_MAX: usize = 64;
/// Characters of a value that are shown however narrow the terminal is.
const VALUE_SHOWN_CHARS_MIN: usize = 12;

/// A decision and what it is about.
pub struct Explanation<'a> {
    policy: &'a Policy,
    answer: &'a Answer,
    /// The longest line, where it has to fit.
    columns: Option<usize>,
}

/// How one part of a line looks on a terminal.
#[derive(Clone, Copy)]
enum Look {
    Plain,
    Dim,
    Bold,
    Good,
    Bad,
}

impl<'a> Explanation<'a> {
    /// Explains what a policy answered.
    pub fn new(policy: &'a Policy, answer: &'a Answer) -> Self {
        Self { policy, answer, columns: None }
    }

    /// The same with lines that fit a terminal of so many columns.
    pub fn within(self, columns: Option<usize>) -> Self {
        Self { columns, ..self }
    }

    /// For people.
    pub fn text(&self, color: bool) -> String {
        let mut out = self.places(color);
        let candidates = self.candidates();
        for candidate in candidates.iter().take(RULES_LISTED_MAX) {
            out.push('\n');
            self.candidate(&mut out, candidate, color);
        }
        if let Some(more) = candidates.len().checked_sub(RULES_LISTED_MAX).filter(|more| *more > 0) {
            out.push_str(&format!("\n… and {more} more rules\n"));
        }
        let decision = &self.answer.decision;
        let mut notes = Vec::new();
        if !decision.documents.is_empty() {
            let paths = decision.documents.iter().map(|path| format!("/{}", path.path()));
            notes.push(format!("documents read: {}", paths.collect::<Vec<_>>().join(", ")));
        }
        // Where no rule is about the place, it does not matter.
        let missing = self.answer.missing.iter().filter(|_| !candidates.is_empty());
        notes.extend(missing.map(|missing| format!("note: {missing}")));
        let helps = decision.causes.iter().filter_map(|cause| cause.help.as_ref());
        notes.extend(helps.map(|help| format!("help: {help}")));
        if !notes.is_empty() {
            out.push_str(&format!("\n{}\n", notes.join("\n")));
        }
        out
    }

    /// For tools.
    pub fn json(&self) -> Json {
        let Answer { request, outcome, decision, source, .. } = self.answer;
        let place = |span: Span| {
            let (line, column) = source.line_column(span.start);
            json!({"line": line, "column": column})
        };
        let candidates: Vec<Json> = self
            .candidates()
            .iter()
            .map(|candidate| {
                json!({
                    "rule": self.rule_name(candidate),
                    "at": place(candidate.span),
                    "granted": candidate.granted,
                    "condition": candidate.condition.as_ref().map(|node| self.node_json(node)),
                })
            })
            .collect();
        let documents: Vec<String> =
            decision.documents.iter().map(|path| format!("/{}", path.path())).collect();
        json!({
            "request": request,
            "verdict": if decision.allowed { "allow" } else { "deny" },
            "outcome": outcome,
            "file": &*source.name,
            "literally": decision.exact_match_only,
            "by": decision.by.map(|by| place(by.span)),
            "causes": decision.causes,
            "documents": documents,
            "missing": self.answer.missing,
            "cost": decision.cost,
            "rules": candidates,
        })
    }

    fn node_json(&self, node: &Node) -> Json {
        let (line, column) = self.answer.source.line_column(node.span.start);
        let children: Vec<Json> = self.written(node).into_iter().map(|child| self.node_json(child)).collect();
        json!({
            "text": self.squeezed(node.span),
            "line": line,
            "column": column,
            "value": node.value,
            "type": node.kind,
            "ending": node.ending,
            "parts": children,
        })
    }

    /// The rules asked, the one that decided first.
    fn candidates(&self) -> Vec<&Candidate> {
        let by = self.answer.decision.by.map(|by| by.span);
        let mut candidates: Vec<&Candidate> = self.answer.trace.candidates.iter().collect();
        candidates.sort_by_key(|candidate| Some(candidate.span) != by);
        candidates
    }

    fn squeezed(&self, span: Span) -> String {
        plain(&on_one_line(&self.answer.source, span))
    }

    /// `allow read`, `.write`, `expression`.
    fn rule_name(&self, candidate: &Candidate) -> String {
        if candidate.rule != "allow" {
            return candidate.rule.to_owned();
        }
        let text = self.answer.source.slice(candidate.span);
        let end = text.find([':', ';']).unwrap_or(text.len());
        text.get(..end).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The verdict with the places of the text that decided it.
    fn places(&self, color: bool) -> String {
        let Answer { decision, source, .. } = self.answer;
        let (title, marks) = self.marks();
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = self.columns.map_or(renderer.clone(), |columns| renderer.term_width(columns));
        let more = marks.len().saturating_sub(PLACES_SHOWN_MAX);
        let group = if marks.is_empty() {
            Group::with_title(self.level().primary_title(title.as_str()))
        } else {
            let snippet = Snippet::source(&*source.text).path(&*source.name).annotations(
                marks.iter().take(PLACES_SHOWN_MAX).map(|(span, text)| {
                    AnnotationKind::Primary.span(within(source, *span)).label(text.as_str())
                }),
            );
            self.level().primary_title(title.as_str()).element(snippet)
        };
        let mut out = renderer.render(&[group]);
        out.push('\n');
        if decision.exact_match_only {
            out.push_str(
                "as long as every number found is of the type asked for: 1 also finds 1.0, which is denied\n",
            );
        }
        if more > 0 {
            out.push_str(&format!("… and {more} more places\n"));
        }
        out
    }

    /// The verdict's word and colour.
    fn level(&self) -> Level<'static> {
        let Answer { outcome, decision, .. } = self.answer;
        match (decision.allowed, self.policy.language == Language::Cel) {
            (true, _) => Level::NOTE.with_name("allow"),
            (false, true) if outcome.starts_with("refused: ") => Level::ERROR.with_name("refused"),
            (false, true) if outcome != "false" && !outcome.starts_with("error: ") => {
                Level::INFO.with_name("value")
            }
            (false, _) => Level::ERROR.with_name("deny"),
        }
    }

    /// The title, and the places that decided with what was seen there, each once.
    fn marks(&self) -> (String, Vec<(Span, String)>) {
        let Answer { request, decision, trace, .. } = self.answer;
        let mut marks: Vec<(Span, String)> =
            trace.candidates.iter().filter_map(|candidate| self.mark(candidate)).collect();
        let mut title = request.clone();
        if marks.is_empty() {
            // Nothing was evaluated: the reason is in words only.
            let causes = decision.causes.iter().map(|cause| (cause.span, cause.text().to_owned()));
            let (placed, plain): (Vec<_>, Vec<_>) = causes.partition(|(span, _)| *span != Span::default());
            marks = placed;
            if let Some((_, text)) = plain.first() {
                title = format!("{title}: {text}");
            } else if marks.is_empty() && !decision.allowed {
                title = format!("{title}: no rule is about this");
            }
        }
        // What is written once can be asked at many places.
        let mut placed = Vec::new();
        marks.retain(|(span, _)| {
            !placed.contains(span) && {
                placed.push(*span);
                true
            }
        });
        (title, marks)
    }

    /// Where a candidate decided.
    fn mark(&self, candidate: &Candidate) -> Option<(Span, String)> {
        let decision = &self.answer.decision;
        let decides = decision.by.is_some_and(|by| by.span == candidate.span);
        match &candidate.condition {
            Some(node) if !decision.allowed && !candidate.granted => {
                let blamed = self.blamed(candidate, node);
                Some((blamed.span, self.seen(candidate, blamed)))
            }
            Some(node) if decision.allowed && decides => Some((node.span, format!("is {}", node.value))),
            None if decision.allowed && decides => Some((candidate.span, "asks nothing".to_owned())),
            _ => None,
        }
    }

    /// Why a candidate did not grant, as the decision says. It tells the causes in their order, and may stop early.
    fn cause(&self, candidate: &Candidate) -> Option<&'a Cause> {
        let Answer { decision, trace, .. } = self.answer;
        let denying = || trace.candidates.iter().filter(|other| !other.granted && other.condition.is_some());
        let at = denying().position(|other| std::ptr::eq(other, candidate))?;
        let (line, _) = self.answer.source.line_column(candidate.span.start);
        decision.causes.get(at).filter(|cause| cause.allow_line == line)
    }

    /// The expression that a reader should look at.
    fn blamed<'n>(&self, candidate: &Candidate, node: &'n Node) -> &'n Node {
        let named = self.cause(candidate).and_then(|cause| self.named(node, cause));
        named.unwrap_or_else(|| trace::blame(node))
    }

    /// The expression that a cause names.
    fn named<'n>(&self, node: &'n Node, cause: &Cause) -> Option<&'n Node> {
        let ends = if cause.error { node.ending == Ending::Error } else { node.ending != Ending::True };
        if ends && self.squeezed(node.span) == cause.expression() {
            return Some(node);
        }
        node.children.iter().find_map(|child| self.named(child, cause))
    }

    /// What was seen at an expression, and what came of it.
    fn seen(&self, candidate: &Candidate, node: &Node) -> String {
        let parts = self.written(node).into_iter().filter(|child| {
            child.span != node.span && !self.is_literal(child) && child.ending != Ending::Error
        });
        let seen = parts.map(|child| format!("{} is {}", self.squeezed(child.span), plain(&child.value)));
        let mut seen = seen.collect::<Vec<_>>().join(", ");
        if seen.is_empty() {
            // What a compiler made of it was seen.
            seen = trace::steps(node).0.last().map(|value| plain(value)).unwrap_or_default();
        }
        let said = self.cause(candidate).map_or(node.value.as_str(), |cause| cause.text());
        match (seen.as_str(), said.ends_with('.')) {
            ("", _) if said == node.value && node.ending != Ending::Error => format!("is {said}"),
            ("", _) => said.to_owned(),
            (seen, true) => format!("{said} {seen}"),
            (seen, false) => format!("{said}: {seen}"),
        }
    }

    /// One rule with its expressions.
    fn candidate(&self, out: &mut String, candidate: &Candidate, color: bool) {
        let source = &self.answer.source;
        let (line, column) = source.line_column(candidate.span.start);
        let (said, look) = match (candidate.rule, candidate.granted) {
            (".validate", true) => ("accepts", Look::Good),
            (".validate", false) => ("rejects", Look::Bad),
            ("expression", true) => ("is true", Look::Good),
            ("expression", false) => ("is not true", Look::Bad),
            (_, true) => ("grants", Look::Good),
            (_, false) => ("does not grant", Look::Bad),
        };
        let name = paint(&self.rule_name(candidate), Look::Bold, color);
        let place = paint(&format!("{}:{line}:{column}", source.name), Look::Dim, color);
        out.push_str(&format!("{name}  {}  {place}\n", paint(said, look, color)));
        let Some(node) = &candidate.condition else { return };
        let mut rows = Vec::new();
        self.rows(&mut rows, node, String::new(), "");
        let denied = !self.answer.decision.allowed && !candidate.granted;
        let blamed = denied.then(|| self.blamed(candidate, node));
        let width =
            rows.iter().map(|row| row.lead.chars().count() + row.text.chars().count()).max().unwrap_or(0);
        for row in rows {
            let pad = width - row.lead.chars().count() - row.text.chars().count();
            let look = match row.node.ending {
                Ending::True => Look::Good,
                Ending::False | Ending::Error => Look::Bad,
                Ending::Value | Ending::Pending => Look::Plain,
            };
            let mark = if blamed.is_some_and(|node| row.shows(node)) { "  ◀" } else { "" };
            let lead = paint(&row.lead, Look::Dim, color);
            let value = match self.columns {
                Some(columns) => shortened(
                    &row.value,
                    columns.saturating_sub(4 + width + mark.chars().count()).max(VALUE_SHOWN_CHARS_MIN),
                ),
                None => row.value,
            };
            let (value, mark) = (paint(&value, look, color), paint(mark, Look::Bold, color));
            out.push_str(&format!("  {lead}{}{}  {value}{mark}\n", row.text, " ".repeat(pad)));
        }
    }

    /// The expressions below one, each in a line. `lead` draws the branches, `below` those of its parts.
    fn rows<'n>(&self, rows: &mut Vec<Row<'n>>, node: &'n Node, lead: String, below: &str) {
        let (made_of, inner) = trace::steps(node);
        let made_of = made_of.into_iter().map(|value| format!(", from {}", plain(value)));
        let value = std::iter::once(shown(node)).chain(made_of).collect::<String>();
        let text_max = self.columns.map_or(EXPRESSION_SHOWN_CHARS_MAX, |columns| {
            columns
                .saturating_sub(lead.chars().count() + 2 * VALUE_SHOWN_CHARS_MIN)
                .min(EXPRESSION_SHOWN_CHARS_MAX)
        });
        rows.push(Row { lead, text: shortened(&self.squeezed(node.span), text_max), value, node });
        // What a name is made of matters only when it failed.
        if inner.shape == Shape::Name && inner.ending != Ending::Error {
            return;
        }
        let children: Vec<&Node> =
            self.written(inner).into_iter().filter(|child| !self.is_literal(child)).collect();
        for (index, child) in children.iter().enumerate() {
            let last = index + 1 == children.len();
            let lead = format!("{below}{}", if last { "└ " } else { "├ " });
            let below = format!("{below}{}", if last { "  " } else { "│ " });
            self.rows(rows, child, lead, &below);
        }
    }

    /// The parts of an expression that somebody wrote and that have a text.
    fn written<'n>(&self, node: &'n Node) -> Parts<&'n Node> {
        let mut parts = trace::written(node);
        parts.retain(|child| !self.answer.source.slice(child.span).trim().is_empty());
        parts
    }

    /// Whether a value says nothing that its text does not.
    fn is_literal(&self, node: &Node) -> bool {
        let text = self.answer.source.slice(node.span);
        node.children.is_empty()
            && node.ending != Ending::Error
            && (text == node.value
                || text.starts_with(['\'', '"'])
                || text.starts_with("\\\"")
                || text.starts_with(|first: char| first.is_ascii_digit()))
    }
}

struct Row<'n> {
    lead: String,
    text: String,
    value: String,
    node: &'n Node,
}

/// A value, or an error as one.
fn shown(node: &Node) -> String {
    let value = plain(&node.value);
    if node.ending == Ending::Error { format!("error: {value}") } else { value }
}

/// Data and rules may hold what a terminal would obey.
fn plain(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default().collect::<String>());
            escaped.unwrap_or_else(|| character.to_string()).chars().collect::<Vec<_>>()
        })
        .collect()
}

impl Row<'_> {
    /// Whether an expression is the one of this line, or one that stands at the same place.
    fn shows(&self, node: &Node) -> bool {
        std::ptr::eq(node, self.node)
            || node.span == self.node.span && std::ptr::eq(trace::steps(node).1, trace::steps(self.node).1)
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A span as bytes that begin and end between characters of the text.
fn within(source: &Source, span: Span) -> std::ops::Range<usize> {
    let clamp = |offset: u32| (offset as usize).min(source.text.len());
    let start = source.text.floor_char_boundary(clamp(span.start));
    start..source.text.ceil_char_boundary(clamp(span.end)).max(start)
}

fn paint(text: &str, look: Look, color: bool) -> String {
    let style = match look {
        Look::Dim => Style::new().effects(Effects::DIMMED),
        Look::Bold => Style::new().effects(Effects::BOLD),
        Look::Good => AnsiColor::Green.on_default(),
        Look::Bad => AnsiColor::Red.on_default(),
        Look::Plain => Style::new(),
    };
    if !color || text.is_empty() || matches!(look, Look::Plain) {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}
