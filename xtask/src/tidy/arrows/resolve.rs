//! Where a path leads: to which module of the crate, through the names that `use` lines bring in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::modules::Module;
use super::paths::Code;

/// Names that lead to other names are followed this often.
const HOPS_MAX: usize = 16;

/// The modules of one target.
pub struct Crate<'a> {
    /// The file that each module is in.
    files: BTreeMap<&'a [String], &'a str>,
    imports: BTreeMap<&'a [String], &'a BTreeMap<String, Vec<String>>>,
}

impl<'a> Crate<'a> {
    /// What is known from all files of a target.
    pub fn new(modules: &'a [&Module], codes: &'a [Code]) -> Self {
        let mut files = BTreeMap::new();
        let mut imports = BTreeMap::new();
        for (module, code) in modules.iter().zip(codes) {
            files.extend(code.modules.iter().map(|path| (path.as_slice(), module.source.path.as_str())));
            imports.extend(code.imports.iter().map(|(path, names)| (path.as_slice(), names)));
        }
        Self { files, imports }
    }

    /// A path from the crate's root on; nothing where it leads out of the crate.
    pub fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            _ if self.files.contains_key([module, path.get(..1)?].concat().as_slice()) => {
                return Some([module, path].concat());
            }
            _ => return None,
        };
        let mut rest = rest;
        while let Some(("super", more)) = rest.split_first().map(|(first, more)| (first.as_str(), more)) {
            base.pop()?;
            rest = more;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The top-level module that a path leads to; nothing for what the root itself defines.
    pub fn top_level(&self, path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        for _ in 0..HOPS_MAX {
            let first = path.get(..1)?;
            if self.files.contains_key(first) {
                return first.first().cloned();
            }
            path = self.follow(&[], &path)?;
        }
        None
    }

    /// The file that a path leads to: where the thing is defined, as far as `use` lines tell.
    pub fn file(&self, path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        let mut seen = BTreeSet::new();
        for _ in 0..HOPS_MAX {
            let depth = (0..=path.len())
                .rev()
                .find(|depth| path.get(..*depth).is_some_and(|module| self.files.contains_key(module)))?;
            let (module, rest) = path.split_at_checked(depth)?;
            match self.follow(module, rest) {
                Some(next) if seen.insert(next.clone()) => path = next,
                // A name of another crate is defined where it is brought in.
                _ => return self.files.get(module).map(|file| (*file).to_owned()),
            }
        }
        None
    }

    /// What a module's `use` lines put behind the first name of a path.
    fn follow(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let behind = self.imports.get(module)?.get(first)?;
        let mut absolute = self.absolute(module, behind)?;
        absolute.extend_from_slice(rest);
        Some(absolute)
    }
}
