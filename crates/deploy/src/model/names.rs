//! The names of rulesets and releases, and what paths of the API are about.

use base::Status;

use crate::status;

/// Characters of a project's id.
const PROJECT_LEN_MAX: usize = 64;
/// Characters of a release's name below `releases/`.
const RELEASE_LEN_MAX: usize = 256;
/// Characters of a ruleset's id.
const RULESET_LEN: usize = 36;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `projects/P`
    Project,
    /// `projects/P/rulesets`
    Rulesets,
    /// `projects/P/rulesets/ID`
    Ruleset(String),
    /// `projects/P/releases`
    Releases,
    /// `projects/P/releases/NAME`
    Release(String),
}

/// A path: its project, what it names there, and the verb behind the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The project.
    pub project: String,
    /// What it names.
    pub target: Target,
    /// `test` in `…:test`.
    pub verb: Option<String>,
}

impl Path {
    /// Reads `projects/P/…`.
    pub fn parse(path: &str) -> Option<Self> {
        let (path, verb) = match path.rsplit_once(':') {
            Some((path, verb)) if !verb.contains('/') => (path, Some(verb.to_owned())),
            _ => (path, None),
        };
        let (project, rest) = match path.strip_prefix("projects/")?.split_once('/') {
            Some((project, rest)) => (project, Some(rest)),
            None => (path.strip_prefix("projects/")?, None),
        };
        if !is_name(project, PROJECT_LEN_MAX) {
            return None;
        }
        let target = match rest.map(|rest| rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)))) {
            None => Target::Project,
            Some(("rulesets", None)) => Target::Rulesets,
            Some(("rulesets", Some(id))) if is_ruleset_id(id) => Target::Ruleset(id.to_owned()),
            Some(("releases", None)) => Target::Releases,
            Some(("releases", Some(name))) if is_release(name) => Target::Release(name.to_owned()),
            _ => return None,
        };
        Some(Self { project: project.to_owned(), target, verb })
    }
}

fn is_name(name: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_ruleset_id(id: &str) -> bool {
    is_name(id, RULESET_LEN) && !id.contains('/')
}

fn is_release(name: &str) -> bool {
    is_name(name, RELEASE_LEN_MAX) && name.split('/').all(|part| !part.is_empty())
}

/// The id in a ruleset's full name, which must be of this project.
pub fn ruleset_id(project: &str, name: &str) -> Result<String, Status> {
    match Path::parse(name) {
        Some(Path { project: own, target: Target::Ruleset(id), verb: None }) if own == project => Ok(id),
        _ => Err(status::bad_ruleset_name(project, name)),
    }
}

/// The name below `releases/` in a release's full name, which must be of this project.
pub fn release_name(project: &str, name: &str) -> Result<String, Status> {
    match Path::parse(name) {
        Some(Path { project: own, target: Target::Release(name), verb: None }) if own == project => Ok(name),
        _ => Err(status::bad_release_name(project, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let parsed = |path: &str| Path::parse(path).map(|path| (path.project, path.target, path.verb));
        let p = || "p".to_owned();
        assert_eq!(parsed("projects/p:test"), Some((p(), Target::Project, Some("test".to_owned()))));
        assert_eq!(parsed("projects/p/rulesets"), Some((p(), Target::Rulesets, None)));
        assert_eq!(
            parsed("projects/p/rulesets/1-2:test"),
            Some((p(), Target::Ruleset("1-2".to_owned()), Some("test".to_owned())))
        );
        let release = "firebase.storage/p.appspot.com";
        assert_eq!(
            parsed(&format!("projects/p/releases/{release}")),
            Some((p(), Target::Release(release.to_owned()), None))
        );
        for wrong in [
            "",
            "p",
            "projects/",
            "projects//rulesets",
            "projects/p/rulesets/",
            "projects/p/rulesets/a/b",
            "projects/p/releases/",
            "projects/p/releases/a//b",
            "projects/p/releases/a\nb",
            "projects/p/databases/d",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        assert!(ruleset_id("p", "projects/q/rulesets/1").is_err());
        assert_eq!(release_name("p", "projects/p/releases/cloud.firestore").unwrap(), "cloud.firestore");
    }
}
