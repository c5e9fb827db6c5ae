//! Modules lean on one another one way only: their arrows never run in a circle.
//!
//! `policy` is strict: each of its top-level modules is a room. Elsewhere the rooms are folders, and a circle
//! of files is a breach when it crosses folders. What is compiled for tests only draws no arrows, and a face
//! that re-exports what its folder holds does not lean on it.

mod circles;
mod paths;
mod resolve;

use std::collections::BTreeMap;

use circles::Arrow;
use paths::{Code, Named};
use resolve::Crate;

use super::breach::Breach;
use super::modules::{self, Module};
use super::repository::Repository;

/// The packages whose top-level modules are rooms.
const STRICT: [&str; 1] = ["policy"];

/// Every circle.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let modules = modules::modules(repository);
    let mut targets: BTreeMap<&str, Vec<&Module>> = BTreeMap::new();
    for module in modules.iter().filter(|module| !module.test) {
        targets.entry(module.root).or_default().push(module);
    }
    targets.values().flat_map(|modules| breaches(modules)).collect()
}

fn breaches(modules: &[&Module]) -> Vec<Breach> {
    let codes: Vec<_> = modules.iter().map(|module| paths::read(module)).collect();
    let whole = Crate::new(modules, &codes);
    let strict = modules.iter().any(|module| STRICT.contains(&module.package.name.as_str()));
    let mut arrows = Vec::new();
    for (module, code) in modules.iter().zip(&codes) {
        arrows.extend(code.named.iter().filter_map(|named| arrow(&whole, module, code, named, strict)));
    }
    let crosses = |from: &str, to: &str| strict || folders_differ(modules, from, to);
    circles::find(&arrows, crosses).iter().map(|circle| breach(circle)).collect()
}

/// The arrow that a path draws; nothing where it stays at home or leaves the crate.
fn arrow(whole: &Crate, module: &Module, code: &Code, named: &Named, strict: bool) -> Option<Arrow> {
    let to = whole.absolute(&named.module, &named.path)?;
    let (from, to) = if strict {
        (named.module.first()?.clone(), whole.top_level(&to)?)
    } else if code.is_face_of(&named.path) && named.reexport {
        return None;
    } else {
        (module.source.path.clone(), whole.file(&to)?)
    };
    (from != to).then(|| Arrow {
        from,
        to,
        file: module.source.path.clone(),
        line: named.line,
        text: module.source.line(named.line).to_owned(),
    })
}

/// Whether two files are of different folders. A module's face belongs to the folder of its children, and has
/// no other folder than what lies below it.
fn folders_differ(modules: &[&Module], from: &str, to: &str) -> bool {
    let home = |file: &str| {
        let module = modules.iter().find(|module| module.source.path == file)?;
        let depth = if module.declares { module.path.len() } else { module.path.len().saturating_sub(1) };
        Some((module.declares, module.path.get(..depth)?))
    };
    let (Some((from_face, from)), Some((to_face, to))) = (home(from), home(to)) else { return false };
    from != to && !(from_face && to.starts_with(from)) && !(to_face && from.starts_with(to))
}

fn breach(circle: &[(&Arrow, usize)]) -> Breach {
    let (file, line) = circle.first().map_or(("", 1), |(arrow, _)| (arrow.file.as_str(), arrow.line));
    let names: Vec<_> = circle.iter().map(|(arrow, _)| arrow.from.as_str()).collect();
    let first = names.first().copied().unwrap_or_default();
    let mut message = format!(
        "{} modules in a circle: {} → {first}: cut one of the arrows, the last of the list costs least",
        circle.len(),
        names.join(" → ")
    );
    for (arrow, places) in circle {
        let more = if *places > 1 { format!(" (and {} more)", places - 1) } else { String::new() };
        message.push_str(&format!(
            "\n    {} → {}: {}:{}: {}{more}",
            arrow.from, arrow.to, arrow.file, arrow.line, arrow.text
        ));
    }
    Breach::new(file, line, message)
}

#[cfg(test)]
mod tests;
