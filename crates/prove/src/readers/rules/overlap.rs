//! Rules that never matter because another one, for the same documents and more, grants whenever they would.

use policy::rules::lowered::{Pattern, PatternSegment, method_bit};

use super::{Grant, Reading, Standing};
use crate::logic::Truth;

/// Pairs of rules that are compared.
const PAIRS_MAX: usize = 40_000;

/// A rule that another one leaves nothing to say.
pub struct Overlap<'a> {
    /// The rule that does not matter. One that refuses takes nothing away from another.
    pub narrow: &'a Grant<'a>,
    /// The rule that grants.
    pub wide: &'a Grant<'a>,
    /// The methods for which that is so, as bits.
    pub methods: u8,
}

/// All of them, in the order of the rules that do not matter.
pub fn overlaps<'a>(reading: &'a Reading<'a>) -> Vec<Overlap<'a>> {
    let mut found = Vec::new();
    let mut pairs = 0;
    for (index, narrow) in reading.grants.iter().enumerate() {
        let Some(overlap) = overlap(reading, index, narrow, &mut pairs) else { return found };
        found.extend(overlap);
    }
    found
}

/// `None` when too many pairs were compared.
fn overlap<'a>(
    reading: &'a Reading<'a>,
    index: usize,
    narrow: &'a Grant<'a>,
    pairs: &mut usize,
) -> Option<Option<Overlap<'a>>> {
    let pattern = |grant: &Grant<'_>| reading.ruleset.lowered().patterns.get(grant.rule.pattern);
    let refuses = |grant: &Grant<'_>| grant.standing == Standing::Refuses;
    let mut by = None;
    let mut left = narrow.alive();
    if left == 0 {
        return Some(None);
    }
    for (other, wide) in reading.grants.iter().enumerate() {
        if other == index || refuses(wide) || wide.alive() & left == 0 {
            continue;
        }
        *pairs += 1;
        if *pairs > PAIRS_MAX {
            return None;
        }
        let (Some(wide_pattern), Some(narrow_pattern)) = (pattern(wide), pattern(narrow)) else { continue };
        // Of two that are alike the later one is told.
        let mutual = other > index && covers(narrow_pattern, wide_pattern);
        if mutual || !covers(wide_pattern, narrow_pattern) {
            continue;
        }
        let granted = granted(reading, narrow, wide, left);
        if granted != 0 {
            left &= !granted;
            by.get_or_insert(wide);
        }
    }
    // All of it must be granted anyway; of a refusal, any part is worth telling.
    let told = if refuses(narrow) { left != narrow.alive() } else { left == 0 };
    let methods = narrow.alive() & !left;
    Some(by.filter(|_| told).map(|wide| Overlap { narrow, wide, methods }))
}

/// The methods among `wanted` for which the wide rule grants whenever the narrow one does, as bits.
fn granted(reading: &Reading<'_>, narrow: &Grant<'_>, wide: &Grant<'_>, wanted: u8) -> u8 {
    let solver = reading.solver();
    let facts = reading.facts(wanted & wide.alive());
    let granted = facts.filter(|(_, facts)| {
        if narrow.standing == Standing::Refuses {
            // Somebody in particular may well keep a right; everybody who is signed in is another matter.
            solver.truth(&wide.condition, &reading.callers.signed_in) == Truth::True
        } else {
            solver.implies(&[&narrow.condition], &wide.condition, facts)
        }
    });
    granted.fold(0, |all, (verb, _)| all | method_bit(verb))
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
