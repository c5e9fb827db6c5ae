//! A claim that is looked at once, and is nearly called like one that is looked at more often or that every token has.
//!
//! ```text
//! moderater            looked at once, beside `moderator`
//! ```
//!
//! Write it as the other one, if that is meant.

use policy::Diagnostic;
use policy::syntax::nearest;

use super::claims::{STANDARD, Uses, one_slip_apart, place};
use super::{Finding, RULES};
use crate::checked::Checked;

/// The finding.
pub const FINDING: Finding = Finding::warning("claim-misspelled", RULES);

/// Letters of the shortest claim that can be a misspelled other one.
const MISSPELLED_LETTERS_MIN: usize = 5;

/// In a project: each with the index of its text.
pub fn of_project(project: &[Checked], uses: &Uses) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    for (name, own) in uses {
        let [only] = &**own else { continue };
        if name.len() < MISSPELLED_LETTERS_MIN || STANDARD.contains(&name.as_str()) {
            continue;
        }
        let often = uses.iter().filter(|(other, uses)| {
            *other != name
                && other.len() >= MISSPELLED_LETTERS_MIN
                && (uses.len() > 1 || STANDARD.contains(&other.as_str()))
                && one_slip_apart(name, other)
        });
        let often = often.map(|(other, _)| other.as_str());
        let standard = STANDARD.into_iter().filter(|other| other.len() >= MISSPELLED_LETTERS_MIN);
        let Some(near) = nearest(name, often.chain(standard.filter(|other| one_slip_apart(name, other))))
        else {
            continue;
        };
        let mut message = format!("claim `{name}` is looked at only here, and is nearly called `{near}`");
        if let Some(example) = uses.get(near).and_then(|uses| uses.first()) {
            message.push_str(&format!(", which is looked at {}", place(project, example, only.text)));
        }
        let diagnostic = FINDING.at(only.claim.span, message).help(format!("did you mean `{near}`?"));
        found.push((only.text, diagnostic));
    }
    found
}
