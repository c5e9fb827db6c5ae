//! Coverage as one self-contained page: the text with every expression marked, and a table of all their values.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{Coverage, EvaluationResult, Seen, Site};
use crate::source::Span;
use crate::value::report::plain;

/// Values of one expression on the page.
const VALUES_SHOWN_MAX: usize = 10;
/// Characters of one value on the page.
const VALUE_SHOWN_MAX: usize = 160;
/// Characters of an expression's text in the table.
const TEXT_SHOWN_MAX: usize = 120;

const STYLE: &str = include_str!("page.css");

/// A marked stretch of the text.
struct Mark<'a> {
    span: Span,
    class: &'static str,
    title: String,
    /// The expression it is; rules are none.
    site: Option<&'a Site>,
    within: Vec<Mark<'a>>,
}

impl Coverage {
    /// The page.
    pub fn html(&self) -> String {
        let totals = self.totals();
        let name = escaped(&self.source().name);
        let mut out = String::with_capacity(self.source().text.len() * 8);
        // Writing to a `String` cannot fail.
        let _ = write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>Coverage of {name}</title>\n\
             <style>\n{STYLE}</style>\n<h1>{name}</h1>\n\
             <p>{} of {} rules granted, {} were asked · {} of {} expressions evaluated · {} of {} conditions went \
             both ways</p>\n\
             <p class=\"legend\"><span class=\"hit\">evaluated</span> <span class=\"half\">only ever one way</span> \
             <span class=\"miss\">never evaluated</span> — point at an expression for its values, or look \
             <a href=\"#values\">below</a>.</p>\n",
            totals.rules_granted,
            totals.rules,
            totals.rules_asked,
            totals.expressions_evaluated,
            totals.expressions,
            totals.conditions_both,
            totals.conditions,
        );
        self.write_source(&mut out);
        self.write_table(&mut out);
        out.push_str("</html>\n");
        out
    }

    fn write_source(&self, out: &mut String) {
        out.push_str("<div class=\"source\"><pre class=\"gutter\">");
        for line in 1..=self.positions.lines() {
            let _ = writeln!(out, "{line}");
        }
        out.push_str("</pre><pre class=\"text\">");
        let marks = self.marks();
        let end = u32::try_from(self.source().text.len()).unwrap_or(u32::MAX);
        self.write_marks(out, &marks, Span { start: 0, end });
        out.push_str("</pre></div>\n");
    }

    /// Rules with the expressions in them, and the expressions of functions, in the order of the text.
    fn marks(&self) -> Vec<Mark<'_>> {
        let mut marks: Vec<Mark<'_>> = Vec::new();
        for rule in &self.sites.rules {
            let seen = self.rule_seen(rule.span);
            let class = match (seen.count, seen.granted) {
                (0, _) => "rule never",
                (_, 0) => "rule half",
                _ => "rule",
            };
            let title = match seen.count {
                0 => "never asked".to_owned(),
                count => format!("granted {} of {count} times", seen.granted),
            };
            marks.push(Mark { span: rule.span, class, title, site: None, within: Vec::new() });
        }
        for root in &self.sites.roots {
            let mark = self.mark(root, 0);
            let holder = marks.iter_mut().find(|rule| {
                rule.site.is_none() && rule.span.start <= root.span.start && root.span.end <= rule.span.end
            });
            match holder {
                Some(rule) => rule.within.push(mark),
                None => marks.push(mark),
            }
        }
        marks.sort_by_key(|mark| mark.span);
        marks
    }

    fn mark<'a>(&'a self, site: &'a Site, occasions: u64) -> Mark<'a> {
        let nothing = Seen::default();
        let seen = self.seen.get(&site.span).unwrap_or(&nothing);
        let class = match (seen.count, site.is_condition) {
            (0, _) => "miss",
            (count, true) if seen.true_count == 0 || seen.true_count == count => "half",
            _ => "hit",
        };
        let occasions = occasions.max(seen.count);
        let within = site.children.iter().map(|child| self.mark(child, occasions)).collect();
        Mark { span: site.span, class, title: self.title(seen, occasions), site: Some(site), within }
    }

    fn title(&self, seen: &Seen, occasions: u64) -> String {
        let mut lines: Vec<String> =
            seen.came.iter().take(VALUES_SHOWN_MAX).map(|(came, count)| self.told(came, *count)).collect();
        if seen.came.len() > VALUES_SHOWN_MAX || seen.more > 0 {
            lines.push("and other values".to_owned());
        }
        match occasions.saturating_sub(seen.count) {
            0 if seen.count == 0 => lines.push("never evaluated".to_owned()),
            0 => {}
            passed_over => lines.push(format!("{passed_over} × passed over")),
        }
        lines.join("\n")
    }

    fn told(&self, came: &EvaluationResult, count: u64) -> String {
        match came {
            EvaluationResult::Value(value) => format!("{count} × {}", shown(value)),
            EvaluationResult::Error { text, from } => {
                let place = self.positions.of(*from);
                format!("{count} × error at {}:{}: {}", place.line, place.column, cut(text, VALUE_SHOWN_MAX))
            }
        }
    }

    /// Recursion is bounded by the depth that the parsers take.
    fn write_marks(&self, out: &mut String, marks: &[Mark<'_>], span: Span) {
        let mut at = span.start;
        for mark in marks {
            // What does not nest is not marked.
            if mark.span.start < at || mark.span.end > span.end {
                continue;
            }
            out.push_str(&escaped(self.source().slice(Span { start: at, end: mark.span.start })));
            let id = match mark.site {
                Some(_) => format!(" id=\"e{}-{}\"", mark.span.start, mark.span.end),
                None => String::new(),
            };
            let _ = write!(out, "<span class=\"{}\"{id} title=\"{}\">", mark.class, escaped(&mark.title));
            self.write_marks(out, &mark.within, mark.span);
            out.push_str("</span>");
            at = mark.span.end;
        }
        out.push_str(&escaped(self.source().slice(Span { start: at, end: span.end })));
    }

    fn write_table(&self, out: &mut String) {
        out.push_str(
            "<h2 id=\"values\">Every expression</h2>\n<table>\n<tr><th>place<th>expression<th>evaluated<th>values\n",
        );
        self.each_site(&mut |site, seen| {
            let place = self.positions.of(site.span);
            let text = self.source().slice(site.span).split_whitespace().collect::<Vec<_>>().join(" ");
            let class = if seen.count == 0 { " class=\"never\"" } else { "" };
            let _ = writeln!(
                out,
                "<tr{class}><td><a href=\"#e{}-{}\">{}:{}</a><td><code>{}</code><td>{}<td>{}",
                site.span.start,
                site.span.end,
                place.line,
                place.column,
                escaped(&cut(&text, TEXT_SHOWN_MAX)),
                seen.count,
                escaped(&self.title(seen, seen.count)).replace('\n', "<br>"),
            );
        });
        out.push_str("</table>\n");
    }
}

fn shown(value: &Json) -> String {
    cut(&plain(value).to_string(), VALUE_SHOWN_MAX)
}

fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(character),
        }
    }
    out
}
