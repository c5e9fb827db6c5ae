//! Parts of a service with rules of their own: buckets, named by an entry of `storage` or by its target in `.firebaserc`.

use serde_json::Value as Json;

use super::{Entry, FirebaseRc, Project, ProjectError, RulesFile, RulesKind};

impl Project {
    /// The parts of a service, buckets, that have rules of their own.
    pub fn parts(&self, kind: &RulesKind) -> Vec<String> {
        let entries = self.entries.iter().filter(|entry| entry.kind == kind && entry.rules.is_some());
        entries.flat_map(|entry| entry.parts.iter().cloned()).collect()
    }

    /// The file of the rules for a part of a service, or for all of it that has none of its own.
    pub fn rules_for(&self, kind: &RulesKind, part: Option<&str>) -> Result<Option<RulesFile>, ProjectError> {
        let Some(part) = part else {
            let parted = |entry: &&Entry| entry.kind == kind && !entry.parts.is_empty();
            let is_whole = |entry: &Entry| entry.kind == kind && entry.parts.is_empty();
            if self.entries.iter().any(|entry| parted(&entry)) && !self.entries.iter().any(is_whole) {
                return Ok(None);
            }
            return self.rules_of(kind);
        };
        let is_for = |entry: &&Entry| entry.kind == kind && entry.parts.iter().any(|own| own == part);
        let rules = self.entries.iter().find(is_for).and_then(|entry| entry.rules.as_ref());
        rules.map(|rules| self.present(kind, rules)).transpose()
    }
}

/// The buckets that an entry of `storage` is for: the one it names, or those of its target in `.firebaserc`. A target of no
/// buckets is for one that cannot be.
pub(super) fn buckets(entry: &Json, rc: &FirebaseRc) -> Vec<String> {
    let text = |key: &str| entry.get(key).and_then(Json::as_str);
    if let Some(bucket) = text("bucket") {
        return vec![bucket.to_owned()];
    }
    let Some(target) = text("target") else { return Vec::new() };
    let of_projects = rc.targets.values().filter_map(|services| services.get("storage")?.get(target));
    let mut buckets: Vec<String> = of_projects.flatten().cloned().collect();
    if buckets.is_empty() {
        buckets.push(format!("(target {target} of no bucket)"));
    }
    buckets.dedup();
    buckets
}

/// The folders of Data Connect's services: of the entry `dataconnect`, or of several.
pub fn services(dataconnect: &Json) -> Vec<String> {
    let several = dataconnect.as_array().map_or(&[][..], Vec::as_slice);
    let entries = std::iter::once(dataconnect).chain(several).filter(|entry| entry.is_object());
    entries
        .map(|entry| entry.get("source").and_then(Json::as_str).unwrap_or("dataconnect").to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::STORAGE;
    use super::*;

    #[test]
    fn buckets_have_rules_of_their_own_and_others_those_of_the_entry_without_any() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        ["a.rules", "b.rules", "c.rules"].iter().for_each(|name| write(name, ""));
        write(".firebaserc", r#"{"targets": {"p": {"storage": {"main": ["one", "two"]}}}}"#);
        let of = |storage: &str| {
            write("firebase.json", &format!(r#"{{"storage": {storage}}}"#));
            let project = Project::read(folder.path()).unwrap();
            let shown =
                |part: Option<&str>| project.rules_for(&STORAGE, part).unwrap().map(|file| file.shown);
            let parts = project.parts(&STORAGE);
            let of_parts: Vec<_> =
                parts.iter().map(|part| (part.clone(), shown(Some(part)).unwrap())).collect();
            (shown(None), of_parts)
        };
        let part = |part: &str, file: &str| (part.to_owned(), file.to_owned());
        assert_eq!(of(r#"{"rules": "a.rules"}"#), (Some("a.rules".to_owned()), Vec::new()));
        let targets = r#"[{"target": "main", "rules": "a.rules"}, {"bucket": "three", "rules": "b.rules"}]"#;
        let expected = vec![part("one", "a.rules"), part("two", "a.rules"), part("three", "b.rules")];
        assert_eq!(of(targets), (None, expected));
        let mixed = r#"[{"bucket": "three", "rules": "b.rules"}, {"rules": "c.rules"}]"#;
        assert_eq!(of(mixed), (Some("c.rules".to_owned()), vec![part("three", "b.rules")]));
        let nowhere = of(r#"[{"target": "unknown", "rules": "a.rules"}]"#);
        assert!(nowhere.0.is_none() && nowhere.1.len() == 1, "{nowhere:?}");
    }
}
