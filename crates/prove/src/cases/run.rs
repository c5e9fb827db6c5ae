//! Runs what a section says of its rules, and tells what is not so.

use policy::diagnostic::{Diagnostic, render};
use policy::source::Source;
use policy::{bolt, rtdb, rules};

use super::answer::Answer;
use super::ask::Policy;
use super::explanation::Explanation;
use super::{Case, Check, Expected, Rules, Section, Written};
use crate::Language;
use crate::check::check;

/// What became of a section.
#[derive(Debug, Default)]
pub struct Report {
    /// Checks made.
    pub count: usize,
    /// Those that failed.
    pub failures: Vec<Failure>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The request, or what kind of check it is.
    pub check: String,
    /// What was to be.
    pub expected: String,
    /// What is.
    pub found: String,
    /// Why: the explanation of the decision, or what the compiler says.
    pub explanation: String,
}

/// How a section is run.
pub struct Options<'o> {
    /// Chooses cases.
    pub wanted: &'o dyn Fn(&Case) -> bool,
    /// Whether explanations of failures have colour.
    pub color: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { wanted: &|_| true, color: false }
    }
}

/// Runs a section. `given` are the rules when the section does not hold them. `seen` is shown every answer.
pub fn run(
    section: &Section,
    given: Option<(Source, Language)>,
    options: &Options<'_>,
    seen: &mut dyn FnMut(&Policy, &Answer),
) -> Report {
    let mut running = Running { section, report: Report::default(), options };
    running.texts();
    let has_cases = section.checks.iter().any(|check| matches!(check, Check::Case(_)));
    let has_texts = section.checks.len() > usize::from(has_cases) || !has_cases;
    match running.policy(given) {
        Ok(policy) => running.cases(&policy, seen),
        // Rules that are wrong on purpose have no cases.
        Err(_) if !has_cases && has_texts && !section.checks.is_empty() => {}
        Err(reason) => running.fail(section.line, "rules", "rules that compile", "they do not", reason),
    }
    running.report
}

struct Running<'s> {
    section: &'s Section,
    report: Report,
    options: &'s Options<'s>,
}

impl Running<'_> {
    fn fail(&mut self, line: usize, check: &str, expected: &str, found: &str, explanation: String) {
        self.report.failures.push(Failure {
            file: self.section.file.clone(),
            line,
            check: check.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
            explanation,
        });
    }

    fn policy(&self, given: Option<(Source, Language)>) -> Result<Policy, String> {
        let compile = |source: Source, language| {
            Policy::compile(source, language)
                .map_err(|refused| render(&refused.text, &refused.diagnostics, self.options.color))
        };
        match (&self.section.rules, given) {
            (Rules::Expressions { place, variables }, _) => Policy::expressions(place, variables),
            (Rules::Here(written), _) => compile(written.source_in(&self.section.file), written.language),
            (_, Some((source, language))) => compile(source, language),
            (_, None) => Err("the rules it names were not given".to_owned()),
        }
    }

    /// Checks what is said of the text.
    fn texts(&mut self) {
        let Rules::Here(written) = &self.section.rules else { return };
        for said in &self.section.checks {
            let (line, name, expected, found) = match said {
                Check::Diagnostics { line, expected } => (line, "diagnostics", expected, told(written)),
                Check::Upload { line, expected } => (line, "upload", expected, upload(written)),
                _ => continue,
            };
            self.report.count += 1;
            if *expected != found {
                let wanted = expected.join("\n");
                self.fail(*line, name, &wanted, &found.join("\n"), String::new());
            }
        }
    }

    fn cases(&mut self, policy: &Policy, seen: &mut dyn FnMut(&Policy, &Answer)) {
        // Explanations are written with the lines of the block, so that prose may be added above it.
        let own = match &self.section.rules {
            Rules::Here(written) => Policy::compile(written.source(), written.language).ok(),
            _ => None,
        };
        for check in &self.section.checks {
            match check {
                Check::Case(case) if (self.options.wanted)(case) => {
                    self.report.count += 1;
                    match policy.ask(&case.request, &case.world) {
                        Ok(answer) => {
                            seen(policy, &answer);
                            self.verify(case, policy, &answer);
                        }
                        Err(reason) => {
                            self.fail(case.line, &case.request, "a request", &reason, String::new())
                        }
                    }
                }
                Check::Explanation { line, expected, case } if (self.options.wanted)(case) => {
                    self.report.count += 1;
                    let policy = own.as_ref().unwrap_or(policy);
                    let Ok(answer) = policy.ask(&case.request, &case.world) else { continue };
                    let told = Explanation::new(policy, &answer).text(false);
                    let found: Vec<&str> = told.trim_end().lines().map(str::trim_end).collect();
                    if found != expected.iter().map(|line| line.trim_end()).collect::<Vec<_>>() {
                        let name = format!("explanation of {}", case.request);
                        self.fail(*line, &name, &expected.join("\n"), &found.join("\n"), String::new());
                    }
                }
                _ => {}
            }
        }
    }

    fn verify(&mut self, case: &Case, policy: &Policy, answer: &Answer) {
        let reasons = reasons(answer);
        let (expected, holds) = match &case.expected {
            Expected::Allow => ("allow".to_owned(), answer.decision.allowed),
            Expected::AllowLiterally => {
                ("allow: literally".to_owned(), answer.decision.allowed && answer.decision.exact_match_only)
            }
            Expected::Deny(None) => ("deny".to_owned(), !answer.decision.allowed),
            Expected::Deny(Some(reason)) => {
                let low = reason.to_lowercase();
                let given = reasons.iter().any(|text| text.to_lowercase().contains(&low));
                (format!("deny: {reason}"), !answer.decision.allowed && given)
            }
            Expected::Value(value) => (value.clone(), answer.outcome == *value),
        };
        if holds {
            return;
        }
        let found = match (answer.outcome.as_str(), answer.decision.causes.first()) {
            ("deny", Some(_)) => format!("deny: {}", reasons.join("; ")),
            (outcome, Some(cause)) if !cause.observed().is_empty() => {
                format!("{outcome} ({})", cause.observed())
            }
            (outcome, _) => outcome.to_owned(),
        };
        let explanation = Explanation::new(policy, answer).text(self.options.color);
        self.fail(case.line, &case.request, &expected, &found, explanation);
    }
}

/// The reasons of a denial, with what was seen.
fn reasons(answer: &Answer) -> Vec<String> {
    let causes = answer.decision.causes.iter();
    let told = causes.map(|cause| {
        if cause.expression().is_empty() {
            return cause.text().to_owned();
        }
        format!("{} ({}; {})", cause.text(), cause.expression(), cause.observed())
    });
    told.collect()
}

/// What the compiler says, as `diagnostics` blocks write it.
fn told(written: &Written) -> Vec<String> {
    let source = written.source();
    let found: Vec<Diagnostic> = match written.language {
        Language::Firestore => rules::compile(source.clone(), rules::Service::Firestore).diagnostics,
        Language::Storage => rules::compile(source.clone(), rules::Service::Storage).diagnostics,
        // Its compiler tells errors only.
        Language::Realtime => check(source.clone(), Language::Realtime).diagnostics,
        Language::Bolt => bolt::compile(source.clone()).diagnostics,
        Language::Cel => Vec::new(),
    };
    // The lines of Realtime Database rules are those of the whole text, which messages name.
    let shift = if written.language == Language::Realtime { 0 } else { written.lines_before };
    let line = |diagnostic: &Diagnostic| {
        let report = diagnostic.report(&source);
        let line = report.line.saturating_sub(shift);
        format!("{}[{}] {line}:{} {}", report.severity.name(), report.code, report.column, report.message)
    };
    found.iter().map(line).collect()
}

fn upload(written: &Written) -> Vec<String> {
    let source = written.source();
    let compiled = rtdb::compile(source.clone());
    let text = rtdb::upload_error(&source, &compiled.diagnostics).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Problem, read};
    use super::*;

    fn failures(markdown: &str) -> Vec<String> {
        let (sections, problems) = read("cases.md", markdown);
        let mut told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        for section in &sections {
            for failure in run(section, None, &Options::default(), &mut |_, _| {}).failures {
                told.push(format!(
                    "{}: {} is {}, not {}",
                    failure.line, failure.check, failure.found, failure.expected
                ));
            }
        }
        told
    }

    #[test]
    fn what_is_not_as_written_fails_at_its_line() {
        let rules = "```rules\nmatch /a/{b} { allow get: if request.auth.uid == b; }\n```\n";
        for (rest, expected) in [
            (
                "```cases\nann get /a/ann -> allow\nbob get /a/ann -> deny: request.auth.uid is 'bob'\n```",
                None,
            ),
            ("```cases\nann get /a/ann -> deny\n```", Some("5: ann get /a/ann is allow, not deny")),
            (
                "```cases\n\nbob get /a/ann -> allow\n```",
                Some(
                    "6: bob get /a/ann is deny: false (request.auth.uid == b; request.auth.uid is 'bob', b is 'ann'), not allow",
                ),
            ),
            (
                "```cases\nbob get /a/ann -> deny: null\n```",
                Some(
                    "5: bob get /a/ann is deny: false (request.auth.uid == b; request.auth.uid is 'bob', b is 'ann'), not deny: null",
                ),
            ),
            (
                "```cases\nbob open /a/ann -> deny\n```",
                Some(
                    "5: bob open /a/ann is `open` is not a verb of these rules: use get, list, create, update or delete, not a request",
                ),
            ),
            (
                "```cases\nbob get a -> deny\n```",
                Some("5: bob get a is `a` is not a path: it starts with `/`, not a request"),
            ),
            ("```diagnostics\nwarning[x] 1:1 y\n```", Some("5: diagnostics is , not warning[x] 1:1 y")),
            (
                "```cases\nbob get /a/ann\n```",
                Some("cases.md:5: this is not of the form `request -> outcome`"),
            ),
            ("```cases\n", Some("cases.md:4: this block is never closed")),
            (
                "```case\nbob get /a -> deny\n```",
                Some("cases.md:4: `case` is no kind of block: did you mean `cases`?"),
            ),
            (
                "```json documents\n{\"a\": {}}\n```",
                Some("cases.md:4: `a` is not a path: it starts with `/`"),
            ),
            (
                "```json user\n{}\n```",
                Some(
                    "cases.md:4: `json user` is no kind of block: it is rules, inner, users, documents, objects, data, vars, this or response",
                ),
            ),
            ("```js\nwhatever\n```\n```json\n{}\n```", None),
        ] {
            let told = failures(&format!("{rules}{rest}"));
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{rest}");
        }
        let broken =
            failures("```rules\nmatch /a/{b} { allow get: if ; }\n```\n```cases\nann get /a/b -> deny\n```");
        assert_eq!(broken, ["1: rules is they do not, not rules that compile"]);
        let elsewhere = failures("```rules file=x.rules\n```\n```cases\nann get /a/b -> deny\n```");
        assert_eq!(elsewhere, ["1: rules is they do not, not rules that compile"]);
    }

    #[test]
    fn what_stands_before_the_first_section_is_there_for_all() {
        let section = "```rules\nmatch /a/{b} { allow get: if request.auth.token.admin; }\n```\n";
        let case = "```cases\nann get /a/b -> allow\n```\n";
        let users = "```json users\n{\"ann\": {\"admin\": true}}\n```\n";
        assert_eq!(failures(&format!("{users}{section}{case}{section}{case}")), Vec::<String>::new());
        assert_eq!(failures(&format!("{section}{users}{case}{section}{case}")).len(), 1);
    }
}
