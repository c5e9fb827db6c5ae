//! What an explanation costs, where one is wanted. Without one the evaluator is compiled with a recorder that is
//! nothing, so there is nothing to measure: these are the same decisions with a recorder that records.

use policy::{Method, Step, Trace};

use super::rules::{RULES, asked, ruleset};
use crate::{Case, Subject, keep};

pub fn cases() -> Vec<Case> {
    let case = |name, path| {
        let asked = asked(Method::Get, path);
        let ruleset = keep(ruleset(RULES));
        let traced = move || {
            let mut trace = Trace::default();
            let request = std::hint::black_box(asked.request);
            let step = ruleset.decide(request, asked.documents, asked.limits, Some(&mut trace));
            std::hint::black_box(&trace);
            matches!(step, Step::Decided(decision) if decision.allowed)
        };
        let subjects = vec![
            Subject::new("hearth", "no trace", true, move || asked.allowed(ruleset)),
            Subject::new("hearth, traced", "every value recorded as text", true, traced),
        ];
        Case::new("explanations", name, subjects)
    };
    vec![
        case("a role in a claim", &["claims", "x"]),
        case("the owner, by a cached get()", &["projects", "apollo", "tasks", "t"]),
    ]
}
