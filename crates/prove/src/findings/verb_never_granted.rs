//! A word of an `allow` that its condition can never grant, although it grants others.
//!
//! ```text
//! allow create, update: if resource.data.owner == request.auth.uid;
//! ```
//!
//! Before a create there is no `resource`: give `create` a rule of its own, about `request.resource`.

use policy::{Diagnostic, Span};

use super::{Finding, SERVICES};
use crate::readers::rules::Place;

/// The finding.
pub const FINDING: Finding = Finding::warning("verb-never-granted", SERVICES);

/// In Firestore and Storage rules: each such word of a rule that grants something.
pub fn of_rule(place: &Place<'_>) -> Vec<Diagnostic> {
    let (reading, rule) = (place.reading, place.grant.rule);
    let told = reading.dead_words(place.grant).into_iter().map(|(word, methods)| {
        let text = reading.ruleset.source().slice(rule.span);
        let at = rule.span.start as usize + text.find(&word).unwrap_or(0);
        let span = Span::new(at, at + word.len());
        let message = format!("this never grants `{word}`: {}", reading.absent(methods));
        let diagnostic = FINDING.at(span, message);
        match reading.other_resource(methods) {
            Some(help) => diagnostic.help(format!("{help}; give `{word}` a rule of its own")),
            None => diagnostic,
        }
    });
    told.collect()
}
