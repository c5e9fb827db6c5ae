//! A claim that is one thing here and another there: one of the comparisons is never equal. What fewer uses have is reported.
//!
//! ```text
//! admin == true        in firestore.rules
//! admin === 'yes'      in database.rules.json
//! ```
//!
//! Write both as what `setCustomUserClaims` puts there.

use std::collections::BTreeMap;

use policy::Diagnostic;

use super::claims::{STANDARD, Use, Uses, place};
use super::{Finding, RULES};
use crate::checked::Checked;
use crate::readers::claims::Compared;

/// The finding.
pub const FINDING: Finding = Finding::warning("claim-used-inconsistently", RULES);

/// In a project: each with the index of its text.
pub fn of_project(project: &[Checked], uses: &Uses) -> Vec<(usize, Diagnostic)> {
    let own = uses.iter().filter(|(name, _)| !STANDARD.contains(&name.as_str()));
    own.flat_map(|(name, uses)| of_claim(project, name, uses)).collect()
}

/// A claim that is compared with different kinds of values: the kind that fewer uses have is told.
fn of_claim(project: &[Checked], name: &str, uses: &[Use]) -> Vec<(usize, Diagnostic)> {
    let mut kinds: BTreeMap<&Compared, Vec<&Use>> = BTreeMap::new();
    for one in uses.iter().filter(|one| one.claim.compared != Compared::Unknown) {
        kinds.entry(&one.claim.compared).or_default().push(one);
    }
    // Of equally many, what comes first counts.
    let first = |uses: &[&Use]| uses.iter().map(|one| (one.text, one.claim.span.start)).min();
    let common = kinds.iter().max_by_key(|(_, uses)| (uses.len(), std::cmp::Reverse(first(uses))));
    let Some((common, like)) = common else { return Vec::new() };
    let Some(example) = like.first() else { return Vec::new() };
    let others = kinds.iter().filter(|(kind, _)| *kind != common);
    let told = others.flat_map(|(kind, uses)| uses.iter().map(move |one| (*kind, *one)));
    told.map(|(kind, one)| {
        let message = format!(
            "claim `{name}` is compared with {} here and with {} {}: one of them is never equal",
            kind.name(),
            common.name(),
            place(project, example, one.text),
        );
        let mut diagnostic =
            FINDING.at(one.claim.span, message).help("write both as what `setCustomUserClaims` puts there");
        if one.text == example.text {
            diagnostic = diagnostic.label(example.claim.span, format!("{} here", common.name()));
        }
        (one.text, diagnostic)
    })
    .collect()
}
