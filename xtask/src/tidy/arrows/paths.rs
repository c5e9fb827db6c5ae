//! The paths that a file names: in `use`, in types, expressions and patterns, and inside macros.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, TraitItem, UseTree, Visibility};

use super::super::attributes;
use super::super::modules::Module;

/// What a file says of other modules.
#[derive(Default)]
pub struct Code {
    pub named: Vec<Named>,
    /// For each module in the file, what its `use` lines bring in: the path behind each name.
    pub imports: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
    /// The modules in the file, itself first.
    pub modules: Vec<Vec<String>>,
}

/// A path as it stands in the code.
pub struct Named {
    /// The module that it stands in.
    pub module: Vec<String>,
    pub path: Vec<String>,
    pub line: usize,
    /// Whether it stands in a `pub use`.
    pub reexport: bool,
}

impl Code {
    /// Whether a path begins with one of the file's own children, as a face's re-exports do.
    pub fn is_face_of(&self, path: &[String]) -> bool {
        let first = path.iter().find(|segment| *segment != "self");
        first.is_some_and(|first| first != "crate" && first != "super")
    }
}

/// Reads a file, without what is compiled for tests only.
pub fn read(module: &Module) -> Code {
    let mut reader = Reader { module: module.path.clone(), code: Code::default() };
    reader.code.modules.push(module.path.clone());
    reader.visit_file(&module.source.syntax);
    reader.code
}

struct Reader {
    module: Vec<String>,
    code: Code,
}

impl Reader {
    fn name(&mut self, path: Vec<String>, line: usize, reexport: bool) {
        self.code.named.push(Named { module: self.module.clone(), path, line, reexport });
    }

    fn import(&mut self, tree: &UseTree, before: &[String], reexport: bool) {
        let with = |name: &syn::Ident| [before, &[plain(name)]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), reexport),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, reexport));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = before.last().cloned().unwrap_or_default();
                self.bring(before.to_vec(), alias, name.ident.span().start().line, reexport);
            }
            UseTree::Name(name) => {
                self.bring(with(&name.ident), plain(&name.ident), name.ident.span().start().line, reexport);
            }
            UseTree::Rename(name) => {
                let path = if name.ident == "self" { before.to_vec() } else { with(&name.ident) };
                self.bring(path, plain(&name.rename), name.ident.span().start().line, reexport);
            }
            UseTree::Glob(glob) => {
                self.name(before.to_vec(), glob.star_token.span().start().line, reexport);
            }
        }
    }

    fn bring(&mut self, path: Vec<String>, alias: String, line: usize, reexport: bool) {
        self.name(path.clone(), line, reexport);
        self.code.imports.entry(self.module.clone()).or_default().insert(alias, path);
    }

    /// The paths among the tokens of a macro: names with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons, mut after) = (1, 0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons < 2 || path.is_empty() {
                        self.end(&mut path, line);
                        line = name.span().start().line;
                    }
                    // `::name` and `.name` are no names of this crate.
                    after = after && path.is_empty();
                    if !after {
                        path.push(plain(&name));
                    }
                    (colons, after) = (0, false);
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    after = colons == 2 && path.is_empty();
                }
                TokenTree::Punct(mark) => {
                    self.end(&mut path, line);
                    (colons, after) = (0, mark.as_char() == '.');
                }
                TokenTree::Group(group) => {
                    self.end(&mut path, line);
                    (colons, after) = (0, false);
                    self.tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.end(&mut path, line);
                    (colons, after) = (0, false);
                }
            }
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.name(path, line, false);
        }
    }
}

/// A name without the mark of a raw one.
fn plain(name: &syn::Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        if !attributes::is_test(attributes::of_item(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        if !attributes::is_test(attributes::of_impl_item(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'a TraitItem) {
        if !attributes::is_test(attributes::of_trait_item(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.content.is_some() {
            self.module.push(plain(&item.ident));
            self.code.modules.push(self.module.clone());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
            self.name(names, path.span().start().line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    // `pub(in crate::a)` says who may come in, and leans on nobody.
    fn visit_vis_restricted(&mut self, _: &'a syn::VisRestricted) {}
}
