//! A function is read in one look: it has a bounded number of lines, from its `fn` to its closing brace.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItem, Item, Signature, TraitItem};

use super::attributes;
use super::breach::Breach;
use super::modules;
use super::repository::Repository;

/// In lines.
const PRODUCT_MAX: usize = 70;
/// In lines, for what is compiled for tests only.
const TEST_MAX: usize = 120;

/// Every function that is too long.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let modules = modules::modules(repository);
    let tests = modules::test_files(&modules);
    let mut breaches = Vec::new();
    for source in &repository.sources {
        let test = usize::from(tests.contains(source.path.as_str()));
        let mut reader = Reader { file: &source.path, test, breaches: &mut breaches };
        reader.visit_file(&source.syntax);
    }
    breaches
}

struct Reader<'a> {
    file: &'a str,
    /// How many things around are for tests only.
    test: usize,
    breaches: &'a mut Vec<Breach>,
}

impl Reader<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let line = signature.fn_token.span().start().line;
        let lines = body.brace_token.span.close().end().line.saturating_sub(line) + 1;
        let (limit, kind) =
            if self.test > 0 { (TEST_MAX, "test function") } else { (PRODUCT_MAX, "function") };
        if lines > limit {
            let name = signature.ident.to_string();
            self.breaches.push(Breach {
                file: self.file.to_owned(),
                line,
                message: format!("{kind} `{name}` has {lines} lines, at most {limit}: split it by its steps"),
            });
        }
    }

    fn within(&mut self, test: bool, visit: impl FnOnce(&mut Self)) {
        self.test += usize::from(test);
        visit(self);
        self.test -= usize::from(test);
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        self.within(attributes::is_test(attributes::of_item(item)), |reader| {
            if let Item::Fn(function) = item {
                reader.measure(&function.sig, &function.block);
            }
            visit::visit_item(reader, item);
        });
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        self.within(attributes::is_test(attributes::of_impl_item(item)), |reader| {
            if let ImplItem::Fn(function) = item {
                reader.measure(&function.sig, &function.block);
            }
            visit::visit_impl_item(reader, item);
        });
    }

    fn visit_trait_item(&mut self, item: &'a TraitItem) {
        self.within(attributes::is_test(attributes::of_trait_item(item)), |reader| {
            if let TraitItem::Fn(function) = item
                && let Some(body) = &function.default
            {
                reader.measure(&function.sig, body);
            }
            visit::visit_trait_item(reader, item);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of so many lines.
    fn function(lines: usize) -> String {
        format!("pub fn f() {{\n{}}}", "// }\n".repeat(lines.saturating_sub(2)))
    }

    fn found(text: &str) -> Vec<String> {
        let repository = Repository::of(&[("crates/x/src/lib.rs", text)]);
        check(&repository).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn seventy_lines_are_enough() {
        assert_eq!(found(&function(70)), Vec::<String>::new());
        assert_eq!(
            found(&format!("\n{}", function(71))),
            ["crates/x/src/lib.rs:2: function `f` has 71 lines, at most 70: split it by its steps"]
        );
    }

    #[test]
    fn methods_and_what_traits_provide_count_too() {
        let function = function(71).replace("pub ", "");
        for around in ["impl S", "trait T", "mod m", "fn outer()"] {
            let found = found(&format!("{around} {{\n{function}\n}}"));
            assert!(found.iter().any(|breach| breach.contains("function `f` has 71 lines")), "{found:?}");
        }
    }

    #[test]
    fn tests_may_be_longer() {
        for text in [
            format!("#[cfg(test)] mod tests {{ {} }}", function(120)),
            format!("#[test] {}", function(120)),
            format!("impl S {{ #[cfg(test)] {} }}", function(120)),
        ] {
            assert_eq!(found(&text), Vec::<String>::new(), "{text}");
        }
        let found = found(&format!("#[test] {}", function(121)));
        assert_eq!(
            found,
            ["crates/x/src/lib.rs:1: test function `f` has 121 lines, at most 120: split it by its steps"]
        );
    }

    #[test]
    fn a_file_that_only_tests_declare_is_a_test() {
        let repository = Repository::of(&[
            ("crates/x/src/lib.rs", "#[cfg(test)] mod a;"),
            ("crates/x/src/a.rs", &function(80)),
            ("crates/x/tests/t.rs", &function(80)),
        ]);
        assert_eq!(check(&repository), []);
    }
}
