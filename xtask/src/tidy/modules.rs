//! Which file is which module of which target, by following `mod` declarations and `include!`.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::attributes;
use super::repository::{Package, Repository, Source};

/// One file as a module of one target. A file that several targets declare is several modules.
pub struct Module<'a> {
    pub source: &'a Source,
    pub package: &'a Package,
    /// The target's root file.
    pub root: &'a str,
    /// The names from the root on, which is empty itself.
    pub path: Vec<String>,
    /// Whether it is compiled for tests only.
    pub test: bool,
    /// Whether it declares files as its children.
    pub declares: bool,
}

/// A child that a file declares.
struct Declaration {
    /// The names from the file's own module on.
    path: Vec<String>,
    /// Where its file may be.
    files: Vec<String>,
    test: bool,
}

/// Every module of every target, roots first.
pub fn modules(repository: &Repository) -> Vec<Module<'_>> {
    let sources: BTreeMap<_, _> =
        repository.sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut modules = Vec::new();
    for package in &repository.packages {
        for target in &package.targets {
            let mut seen = BTreeSet::new();
            let mut waiting = vec![(target.root.clone(), Vec::new(), target.test)];
            while let Some((file, path, test)) = waiting.pop() {
                let Some(&source) = sources.get(file.as_str()) else { continue };
                // A file may include itself.
                if !seen.insert((file, path.clone())) {
                    continue;
                }
                let declared = declarations(source, path.is_empty());
                modules.push(Module {
                    source,
                    package,
                    root: &target.root,
                    path: path.clone(),
                    test,
                    declares: !declared.is_empty(),
                });
                for child in declared {
                    let Some(file) = child.files.into_iter().find(|file| sources.contains_key(file.as_str()))
                    else {
                        continue;
                    };
                    waiting.push((file, [path.clone(), child.path].concat(), test || child.test));
                }
            }
        }
    }
    modules
}

/// The files that are compiled for tests only, wherever they are declared.
pub fn test_files<'a>(modules: &[Module<'a>]) -> BTreeSet<&'a str> {
    let product: BTreeSet<_> = modules.iter().filter(|module| !module.test).map(path_of).collect();
    modules.iter().map(path_of).filter(|path| !product.contains(path)).collect()
}

fn path_of<'a>(module: &Module<'a>) -> &'a str {
    &module.source.path
}

fn declarations(source: &Source, is_root: bool) -> Vec<Declaration> {
    let (folder, name) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let children = match name.strip_suffix(".rs") {
        Some(stem) if !is_root && stem != "mod" => format!("{folder}/{stem}"),
        _ => folder.to_owned(),
    };
    let mut finder = Finder { folder, children, inline: Vec::new(), test: 0, found: Vec::new() };
    finder.visit_file(&source.syntax);
    finder.found
}

struct Finder<'a> {
    /// Where the file is.
    folder: &'a str,
    /// Where its children are.
    children: String,
    /// The modules written inside the file that the visitor is in.
    inline: Vec<String>,
    test: usize,
    found: Vec<Declaration>,
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        let test = attributes::is_test(&item.attrs);
        self.inline.push(item.ident.to_string().trim_start_matches("r#").to_owned());
        if item.content.is_some() {
            self.test += usize::from(test);
            visit::visit_item_mod(self, item);
            self.test -= usize::from(test);
        } else {
            let files = match attributes::path(&item.attrs) {
                Some(path) => vec![join(self.folder, &path)],
                None => {
                    let stem = format!("{}/{}", self.children, self.inline.join("/"));
                    vec![format!("{stem}.rs"), format!("{stem}/mod.rs")]
                }
            };
            let test = test || self.test > 0;
            self.found.push(Declaration { path: self.inline.clone(), files, test });
        }
        self.inline.pop();
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        if item.path.is_ident("include")
            && let Ok(path) = item.parse_body::<syn::LitStr>()
        {
            let files = vec![join(self.folder, &path.value())];
            self.found.push(Declaration { path: self.inline.clone(), files, test: self.test > 0 });
        }
    }
}

/// A path that a file in this folder names, from the repository's folder on.
pub fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_followed() {
        let repository = Repository::of(&[
            ("crates/x/src/lib.rs", "mod a; mod b; #[cfg(test)] mod c; mod inline { mod d; }"),
            ("crates/x/src/a.rs", "mod e; include!(\"../text.rs\");"),
            ("crates/x/src/a/e.rs", ""),
            ("crates/x/text.rs", ""),
            ("crates/x/src/b/mod.rs", "#[path = \"other.rs\"] mod f; #[cfg(test)] mod tests { mod h; }"),
            ("crates/x/src/b/other.rs", ""),
            ("crates/x/src/b/tests/h.rs", ""),
            ("crates/x/src/c.rs", ""),
            ("crates/x/src/inline/d.rs", ""),
            ("crates/x/tests/t.rs", "mod house;"),
            ("crates/x/tests/house.rs", ""),
            ("crates/x/src/unnamed.rs", ""),
        ]);
        let modules = modules(&repository);
        let mut found: Vec<_> = modules
            .iter()
            .map(|module| format!("{} {} {}", module.path.join("::"), module.source.path, module.test))
            .collect();
        found.sort();
        let expected = [
            " crates/x/src/lib.rs false",
            " crates/x/tests/t.rs true",
            "a crates/x/src/a.rs false",
            "a crates/x/text.rs false",
            "a::e crates/x/src/a/e.rs false",
            "b crates/x/src/b/mod.rs false",
            "b::f crates/x/src/b/other.rs false",
            "b::tests::h crates/x/src/b/tests/h.rs true",
            "c crates/x/src/c.rs true",
            "house crates/x/tests/house.rs true",
            "inline::d crates/x/src/inline/d.rs false",
        ];
        assert_eq!(found, expected);
        let tests: Vec<_> = test_files(&modules).into_iter().collect();
        let expected = [
            "crates/x/src/b/tests/h.rs",
            "crates/x/src/c.rs",
            "crates/x/tests/house.rs",
            "crates/x/tests/t.rs",
        ];
        assert_eq!(tests, expected);
    }

    #[test]
    fn a_path_is_joined() {
        for (folder, path, expected) in
            [("a/b", "../c.rs", "a/c.rs"), ("", "c.rs", "c.rs"), ("a", "./b//c.rs", "a/b/c.rs")]
        {
            assert_eq!(join(folder, path), expected, "{folder} {path}");
        }
    }
}
