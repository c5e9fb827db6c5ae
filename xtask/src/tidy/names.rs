//! A name says what is there: no file, folder or module is a grab-bag.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use super::breach::Breach;
use super::repository::Repository;

/// Names that say nothing, alone or as the last word of a name.
const GRAB_BAGS: [&str; 9] =
    ["utils", "util", "helpers", "helper", "common", "misc", "manager", "stuff", "tools"];

/// Every file, folder and module with such a name.
pub fn check(repository: &Repository) -> Vec<Breach> {
    // Protocol files keep the names that their authors gave them.
    let files = repository.files.iter().filter(|path| !path.ends_with(".proto"));
    let mut found = BTreeSet::new();
    for path in files {
        let mut from = 0;
        for part in path.split('/') {
            let to = from + part.len();
            if is_grab_bag(part.split('.').next().unwrap_or_default()) {
                found.insert(path.get(..to).unwrap_or(path).to_owned());
            }
            from = to + 1;
        }
    }
    let mut breaches: Vec<_> = found
        .into_iter()
        .map(|path| Breach::new(path, 1, "the name says nothing: name what is there"))
        .collect();
    for source in &repository.sources {
        Reader { file: &source.path, breaches: &mut breaches }.visit_file(&source.syntax);
    }
    breaches
}

fn is_grab_bag(name: &str) -> bool {
    name.rsplit(['_', '-']).next().is_some_and(|word| GRAB_BAGS.contains(&word.to_ascii_lowercase().as_str()))
}

struct Reader<'a> {
    file: &'a str,
    breaches: &'a mut Vec<Breach>,
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        let name = item.ident.to_string();
        // The file of a module without a body was found by its path.
        if item.content.is_some() && is_grab_bag(&name) {
            let message = format!("the name of module `{name}` says nothing: name what is there");
            self.breaches.push(Breach::new(self.file, item.ident.span().start().line, message));
        }
        visit::visit_item_mod(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grab_bags_are_found_wherever_they_are() {
        let repository = Repository::of(&[
            ("crates/x/src/lib.rs", "mod fine {}\nmod test_helpers { mod misc {} }"),
            ("crates/x/src/utils.rs", ""),
            ("crates/x/tests/common/a.rs", ""),
            ("crates/x/tests/common/b.rs", ""),
            ("suites/node/test-tools.js", ""),
            ("crates/x/src/common_prefix.rs", ""),
            ("crates/x/proto/common.proto", ""),
        ]);
        let found: Vec<_> = check(&repository).iter().map(ToString::to_string).collect();
        let expected = [
            "crates/x/src/utils.rs:1: the name says nothing: name what is there",
            "crates/x/tests/common:1: the name says nothing: name what is there",
            "suites/node/test-tools.js:1: the name says nothing: name what is there",
            "crates/x/src/lib.rs:2: the name of module `test_helpers` says nothing: name what is there",
            "crates/x/src/lib.rs:2: the name of module `misc` says nothing: name what is there",
        ];
        assert_eq!(found, expected);
    }
}
