//! Static checks: what can be said about rules without any request, in every language.
//!
//! [`check`] looks at one text, [`together`] at all texts of a project. What a compiler tells (errors, and the warnings
//! that production gives) is here too, so that one list has everything.
//!
//! Invariants:
//! - A finding about what a condition can or must be is only made when it is proven: what is not known is taken to be
//!   anything. Doubt is silence.
//! - Nothing here changes what a text means or whether it is used; compiling is cheap because this is not part of it.
//!
//! Source: rules of published guides and of questions people ask. `docs/checks.md` lists the findings.

mod cel;
mod operations;
mod realtime;
mod rules;

use base::Timestamp;
use policy::cel::Environment;
use policy::{Diagnostic, Service, Source, bolt, rtdb};

use crate::Language;
use crate::findings::{claim_misspelled, claim_used_inconsistently, claims};
use crate::operations::Operation;
use crate::readers::claims::{ClaimUse, of_realtime, of_rules};

pub use crate::checked::Checked;

/// Checks one text, whatever time it is.
pub fn check(source: Source, language: Language) -> Checked {
    check_at(source, language, None)
}

/// Checks one text; with the present time also for dates that have passed.
pub fn check_at(source: Source, language: Language, now: Option<Timestamp>) -> Checked {
    let mut claims = Vec::new();
    let diagnostics = match language {
        Language::Firestore => check_rules(&source, Service::Firestore, now, &mut claims),
        Language::Storage => check_rules(&source, Service::Storage, now, &mut claims),
        Language::Realtime => check_realtime(&source, now, &mut claims),
        Language::Bolt => check_bolt(&source, now, &mut claims),
        Language::Cel => check_cel(&source, &Environment::anywhere()),
    };
    let mut checked = Checked { source, language, diagnostics, claims };
    checked.sort();
    checked
}

/// Checks one CEL expression of a place that is known.
pub fn check_expression(source: Source, environment: &Environment) -> Checked {
    let diagnostics = check_cel(&source, environment);
    let mut checked = Checked { source, language: Language::Cel, diagnostics, claims: Vec::new() };
    checked.sort();
    checked
}

/// Checks operations of Data Connect that compile; places are those of their files.
pub fn check_operation(operation: &Operation) -> Vec<Diagnostic> {
    operations::findings(operation)
}

/// Adds what shows only when the texts of a project are seen together.
pub fn together(project: &mut [Checked]) {
    let uses = claims::uses(project);
    let mut found = claim_used_inconsistently::of_project(project, &uses);
    found.extend(claim_misspelled::of_project(project, &uses));
    for (text, diagnostic) in found {
        if let Some(checked) = project.get_mut(text) {
            checked.diagnostics.push(diagnostic);
        }
    }
    project.iter_mut().for_each(Checked::sort);
}

fn check_rules(
    source: &Source,
    service: Service,
    now: Option<Timestamp>,
    claims: &mut Vec<ClaimUse>,
) -> Vec<Diagnostic> {
    let mut compiled = policy::compile(source.clone(), service);
    if let Some(ruleset) = &compiled.ruleset {
        claims.extend(of_rules(ruleset));
        compiled.diagnostics.extend(rules::findings(ruleset, now));
    }
    compiled.diagnostics
}

fn check_cel(source: &Source, environment: &Environment) -> Vec<Diagnostic> {
    let mut compiled = policy::cel::compile(source.clone(), environment);
    if compiled.program.is_some() {
        compiled.diagnostics.extend(cel::findings(source));
    }
    compiled.diagnostics
}

fn check_bolt(source: &Source, now: Option<Timestamp>, claims: &mut Vec<ClaimUse>) -> Vec<Diagnostic> {
    let draft = bolt::draft(source.clone());
    let found = draft.rules().map(|rules| realtime::findings(rules, now)).unwrap_or_default();
    let compiled = draft.finish(found);
    claims.extend(compiled.ruleset.iter().flat_map(of_realtime));
    compiled.diagnostics
}

fn check_realtime(source: &Source, now: Option<Timestamp>, claims: &mut Vec<ClaimUse>) -> Vec<Diagnostic> {
    let draft = rtdb::draft(source.clone());
    let found = realtime::findings(&draft, now);
    let compiled = draft.finish(found);
    claims.extend(compiled.ruleset.iter().flat_map(of_realtime));
    compiled.diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "rules_version = '2';
service cloud.firestore { match /databases/{d}/documents { match /a/{b} {
  allow read: if request.auth.token.admin == true || request.auth.token.moderator == true;
  allow write: if request.auth.token.moderator == true;
} } }";
    const REALTIME: &str = r#"{"rules": {
  ".read": "auth.token.admin === 'yes'",
  ".write": "auth.token.moderater === true"
}}"#;

    #[test]
    fn claims_of_a_project_are_seen_together() {
        let mut project = [
            check(Source::new("firestore.rules", RULES), Language::Firestore),
            check(Source::new("database.rules.json", REALTIME), Language::Realtime),
        ];
        together(&mut project);
        let [firestore, realtime] = &project;
        assert!(!firestore.diagnostics.iter().any(|found| found.code.starts_with("claim-")));
        let told: Vec<(u32, &str, &str)> = realtime
            .diagnostics
            .iter()
            .filter(|found| found.code.starts_with("claim-"))
            .map(|found| {
                (realtime.source.line_column(found.span.start).0, found.code, found.message.as_str())
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    2,
                    "claim-used-inconsistently",
                    "claim `admin` is compared with text here and with a boolean in firestore.rules:3: one of them is never equal"
                ),
                (
                    3,
                    "claim-misspelled",
                    "claim `moderater` is looked at only here, and is nearly called `moderator`, which is looked at in firestore.rules:3"
                ),
            ]
        );
    }
}
