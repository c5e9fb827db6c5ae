//! The findings of static checks, one in each file: what is reported ([`Finding`]), the decision to report it, and its words.
//!
//! The doc comment of a finding's file is its chapter in `docs/checks.md`: what it means, an example, what to do.
//! `CHECKS=overwrite cargo test -p prove --test documentation` writes the document anew; the test proves it fresh.
//!
//! Readers ([`crate::readers`]) say what is so; who asks for which finding, and in which order, is in [`crate::check`].
//! Two files hold more than a decision: [`never_holds`] also finds the parts that contradict each other, which only it
//! reports; [`claims`] counts the uses of claims that two findings compare.

pub mod calls_too_deep;
pub mod cannot_revoke;
pub mod check_never_passes;
pub mod child_of_a_value;
pub mod child_takes_text;
pub mod claim_misspelled;
pub mod claim_used_inconsistently;
pub mod claims;
pub mod constant_condition;
pub mod date_has_passed;
pub mod every_caller_alike;
pub mod exists_takes_a_path;
pub mod filter_may_vanish;
pub mod index_of_nothing;
pub mod needless_index;
pub mod never_equal;
pub mod never_holds;
pub mod no_sign_in_check;
pub mod no_such_field;
pub mod no_such_method;
pub mod not_a_boolean;
pub mod only_when_signed_out;
pub mod open_access;
pub mod open_mutation;
pub mod open_read;
pub mod operands_do_not_fit;
pub mod required_child_refused;
pub mod shadowed_grant;
pub mod text_compared_with_boolean;
pub mod too_many_expressions;
pub mod too_many_reads;
pub mod true_when_signed_out;
pub mod unused_redact;
pub mod user_id_from_caller;
pub mod verb_never_granted;

use policy::{Diagnostic, Severity, Span};

use crate::Language;

/// What is told of rules.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// Its stable name.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is looked for.
    pub languages: &'static [Language],
}

/// Findings that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// What they are about.
    pub title: &'static str,
    /// In the order in which they are explained.
    pub findings: &'static [Finding],
}

/// Every language.
const ALL: &[Language] =
    &[Language::Firestore, Language::Storage, Language::Realtime, Language::Bolt, Language::Cel];
/// Every language but CEL.
const RULES: &[Language] = &[Language::Firestore, Language::Storage, Language::Realtime, Language::Bolt];
/// The languages of Firestore and Storage.
const SERVICES: &[Language] = &[Language::Firestore, Language::Storage];
/// Operations of Data Connect are no text of rules: whoever compiled them describes them.
const OPERATIONS: &[Language] = &[];
/// The languages of the Realtime Database.
const DATABASE: &[Language] = &[Language::Realtime, Language::Bolt];

/// All findings.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Who gets in",
        findings: &[
            open_access::FINDING,
            open_read::FINDING,
            no_sign_in_check::FINDING,
            true_when_signed_out::FINDING,
            only_when_signed_out::FINDING,
        ],
    },
    Chapter {
        title: "What can never be",
        findings: &[
            never_holds::FINDING,
            constant_condition::FINDING,
            date_has_passed::FINDING,
            verb_never_granted::FINDING,
            never_equal::FINDING,
        ],
    },
    Chapter {
        title: "Rules that never matter",
        findings: &[shadowed_grant::FINDING, cannot_revoke::FINDING],
    },
    Chapter {
        title: "Types, names, places",
        findings: &[
            exists_takes_a_path::FINDING,
            no_such_field::FINDING,
            no_such_method::FINDING,
            operands_do_not_fit::FINDING,
            not_a_boolean::FINDING,
            text_compared_with_boolean::FINDING,
            child_takes_text::FINDING,
            required_child_refused::FINDING,
            child_of_a_value::FINDING,
            index_of_nothing::FINDING,
            needless_index::FINDING,
        ],
    },
    Chapter {
        title: "Operations of Data Connect",
        findings: &[
            every_caller_alike::FINDING,
            user_id_from_caller::FINDING,
            open_mutation::FINDING,
            filter_may_vanish::FINDING,
            unused_redact::FINDING,
            check_never_passes::FINDING,
        ],
    },
    Chapter {
        title: "Budgets",
        findings: &[too_many_reads::FINDING, too_many_expressions::FINDING, calls_too_deep::FINDING],
    },
    Chapter {
        title: "Claims across a project",
        findings: &[claim_used_inconsistently::FINDING, claim_misspelled::FINDING],
    },
];

impl Finding {
    /// Tells it.
    pub fn at(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: self.severity, ..Diagnostic::warning(self.code, span, message) }
    }

    const fn warning(code: &'static str, languages: &'static [Language]) -> Self {
        Self { code, severity: Severity::Warning, languages }
    }

    const fn note(code: &'static str, languages: &'static [Language]) -> Self {
        Self { code, severity: Severity::Note, languages }
    }
}
