//! Rules that never matter because another one, for the same documents and more, grants whenever they would.

use super::rules::{Grant, Scene};
use crate::logic::solver::{Solver, Truth};
use policy::diagnostic::Diagnostic;
use policy::request::Method as Verb;
use policy::rules::Ruleset;
use policy::rules::lowered::method_bit;
use policy::rules::lowered::{Pattern, PatternSegment};

/// Pairs of rules that are compared.
const PAIRS_MAX: usize = 40_000;

pub fn findings(
    ruleset: &Ruleset,
    solver: &Solver<'_>,
    scene: &Scene,
    grants: &[Grant<'_>],
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut pairs = 0;
    let pattern = |grant: &Grant<'_>| ruleset.lowered().patterns.get(grant.rule.pattern);
    for (index, narrow) in grants.iter().enumerate() {
        let alive = narrow.rule.methods & !narrow.dead;
        if alive == 0 {
            continue;
        }
        let mut by: Option<&Grant<'_>> = None;
        let mut left = alive;
        for (other, wide) in grants.iter().enumerate() {
            if other == index || wide.refuses || wide.rule.methods & !wide.dead & left == 0 {
                continue;
            }
            pairs += 1;
            if pairs > PAIRS_MAX {
                return found;
            }
            let (Some(wide_pattern), Some(narrow_pattern)) = (pattern(wide), pattern(narrow)) else {
                continue;
            };
            // Of two that are alike the later one is told.
            let mutual = other > index && covers(narrow_pattern, wide_pattern);
            if mutual || !covers(wide_pattern, narrow_pattern) {
                continue;
            }
            for (verb, facts) in scene.of(left & wide.rule.methods & !wide.dead) {
                let granted = if narrow.refuses {
                    // Somebody in particular may well keep a right; everybody who is signed in is another matter.
                    solver.truth(&wide.condition, &scene.signed_in) == Truth::True
                } else {
                    solver.implies(&[&narrow.condition], &wide.condition, facts)
                };
                if granted {
                    left &= !method_bit(verb);
                    by.get_or_insert(wide);
                }
            }
        }
        // All of it must be granted anyway; of a refusal, any part is worth telling.
        let told = if narrow.refuses { left != alive } else { left == 0 };
        if let Some(wide) = by.filter(|_| told) {
            found.push(tell(ruleset, narrow, wide, alive & !left));
        }
    }
    found
}

fn tell(ruleset: &Ruleset, narrow: &Grant<'_>, wide: &Grant<'_>, methods: u8) -> Diagnostic {
    let (line, _) = ruleset.source().line_column(wide.rule.span.start);
    let names: Vec<&str> =
        Verb::ALL.into_iter().filter(|verb| methods & method_bit(*verb) != 0).map(Verb::name).collect();
    let span = narrow.rule.span;
    let label = "this one grants";
    if narrow.refuses {
        let message = format!(
            "`if false` takes nothing away: the `allow` on line {line} grants {} to everybody who is signed in",
            names.join(", ")
        );
        let help = format!("rules only add up: make the rule on line {line} stricter, or its path narrower");
        Diagnostic::warning("cannot-revoke", span, message).label(wide.rule.span, label).help(help)
    } else {
        let message = format!("this `allow` never matters: the one on line {line} grants whenever it would");
        let help = format!("rules only add up: make the rule on line {line} stricter, or remove this one");
        Diagnostic::warning("shadowed-grant", span, message).label(wide.rule.span, label).help(help)
    }
}

/// Whether every path that the second pattern matches is matched by the first one.
fn covers(wide: &Pattern, narrow: &Pattern) -> bool {
    let same = |wide: &[PatternSegment], narrow: &[PatternSegment]| {
        wide.len() == narrow.len()
            && wide.iter().zip(narrow).all(|pair| match pair {
                (PatternSegment::Glob, _) | (_, PatternSegment::Glob) => false,
                (PatternSegment::One, _) => true,
                (wide, narrow) => wide == narrow,
            })
    };
    let Some(glob) = wide.glob else { return same(&wide.segments, &narrow.segments) };
    let after = wide.segments.len() - glob - 1;
    // What the narrow pattern surely has, and what the wide one needs at least.
    let fixed = narrow.segments.len() - usize::from(narrow.glob.is_some());
    let certain = fixed + narrow.glob.map_or(0, |_| narrow.glob_len_min);
    if certain < glob + after + wide.glob_len_min || fixed < glob + after {
        return false;
    }
    let begin = narrow.segments.get(..glob);
    let end = narrow.segments.get(narrow.segments.len() - after..);
    begin.is_some_and(|begin| wide.segments.get(..glob).is_some_and(|own| same(own, begin)))
        && end.is_some_and(|end| wide.segments.get(glob + 1..).is_some_and(|own| same(own, end)))
}
