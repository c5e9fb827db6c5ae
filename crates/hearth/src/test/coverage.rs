//! What the cases reached of the rules they were run against, ruleset by ruleset.

use std::path::{Path, PathBuf};

use policy::coverage::Coverage;
use prove::cases::{Answer, Policy};
use prove::lcov;
use serde_json::{Value as Json, json};

/// Rulesets that were asked.
#[derive(Default)]
pub struct Covered {
    rulesets: Vec<Coverage>,
}

impl Covered {
    /// Adds what one answer evaluated. Expressions by themselves are not counted.
    pub fn add(&mut self, policy: &Policy, answer: &Answer) {
        let known = self.rulesets.iter().position(|coverage| *coverage.source() == answer.source);
        let at = match known {
            Some(at) => at,
            None => {
                let new = policy.ruleset().map(policy::Ruleset::sites);
                let new = new.or_else(|| policy.database_ruleset().map(policy::rtdb::Ruleset::sites));
                let Some(sites) = new else { return };
                self.rulesets.push(Coverage::new(sites));
                self.rulesets.len() - 1
            }
        };
        if let Some(coverage) = self.rulesets.get_mut(at) {
            coverage.add(&answer.trace);
        }
    }

    /// A page and a report for each ruleset, one tracefile for all.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("`{}` cannot be made: {error}", folder.display()))?;
        let write = |name: String, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
        };
        let mut names: Vec<String> = Vec::new();
        let mut lines = String::new();
        for coverage in &self.rulesets {
            let mut name =
                coverage.source().name.trim_start_matches(['.', '/']).replace(['/', '\\', ':', ' '], "-");
            if names.contains(&name) {
                name = format!("{name}-{}", names.len() + 1);
            }
            write(format!("{name}.html"), coverage.html())?;
            write(format!("{name}.json"), format!("{:#}\n", coverage.json()))?;
            lines.push_str(&lcov(coverage));
            names.push(name);
        }
        write("lcov.info".to_owned(), lines)?;
        Ok(folder.to_owned())
    }

    /// A line for each ruleset.
    pub fn summary(&self) -> Vec<String> {
        let line = |coverage: &Coverage| {
            let totals = coverage.totals();
            format!(
                "{}: {} of {} rules granted, {} of {} conditions went both ways, {} of {} expressions evaluated",
                coverage.source().name,
                totals.rules_granted,
                totals.rules,
                totals.conditions_both,
                totals.conditions,
                totals.expressions_evaluated,
                totals.expressions
            )
        };
        self.rulesets.iter().map(line).collect()
    }

    /// The same for tools; `None` when nothing was covered.
    pub fn json(&self) -> Option<Json> {
        let all = self
            .rulesets
            .iter()
            .map(|coverage| json!({"file": &*coverage.source().name, "totals": coverage.totals()}));
        (!self.rulesets.is_empty()).then(|| Json::Array(all.collect()))
    }
}
