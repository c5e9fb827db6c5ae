//! No doc comment that says nothing.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::attributes;
use super::breach::Breach;
use super::repository::Repository;

/// What comments say that say nothing, in lower case and without the full stop.
const PHRASES: [&str; 9] = [
    "see the module",
    "see the module documentation",
    "see the module's documentation",
    "see module",
    "see module documentation",
    "see above",
    "see below",
    "see the type",
    "todo",
];

/// Every line of documentation that is such a phrase.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in &repository.sources {
        Reader { file: &source.path, breaches: &mut breaches }.visit_file(&source.syntax);
    }
    breaches
}

struct Reader<'a> {
    file: &'a str,
    breaches: &'a mut Vec<Breach>,
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        let Some(text) = attribute.path().is_ident("doc").then(|| attributes::text(attribute)).flatten()
        else {
            return;
        };
        let said = text.trim().trim_end_matches(['.', '!', '…', ':']).to_lowercase();
        if PHRASES.contains(&said.as_str()) {
            let message = format!(
                "the comment `{}` says nothing: say what the name does not, or delete it",
                text.trim()
            );
            let line = attribute.span().start().line;
            self.breaches.push(Breach::new(self.file, line, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_only_points_away_is_found() {
        let text = "//! See the module.\n\n/// See the module.\npub struct S {\n    /// TODO\n    a: u8,\n}\n\
                    /// See the module `a`, which has the format.\nfn f() {}\n";
        let found: Vec<_> = check(&Repository::of(&[("crates/x/src/lib.rs", text)]))
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [(1, "See the module."), (3, "See the module."), (5, "TODO")].map(|(line, said)| {
            format!(
                "crates/x/src/lib.rs:{line}: the comment `{said}` says nothing: say what the name does not, or delete it"
            )
        });
        assert_eq!(found, expected);
    }
}
