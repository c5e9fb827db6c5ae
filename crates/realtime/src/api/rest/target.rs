//! What a path of the REST API is about. Pure, no I/O.

use percent_encoding::percent_decode_str;

use crate::model::{Path, PathError};
use crate::status;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A value.
    Value(Path),
    /// A value's priority.
    Priority(Path),
    /// A setting of the database: the path after `.settings/`.
    Setting(String),
    /// What is known about databases: the path after `.inspect/`.
    Inspection(String),
}

/// Why a path is about nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It does not end in `.json`.
    #[error("{}", status::NO_JSON)]
    NoJson,
    /// It is no path of a database.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A segment has a slash in it, or is not UTF-8.
    #[error("Invalid path: Invalid token in path: `{0}` is no key")]
    Segment(String),
}

impl Target {
    /// Reads the path of an URL. Segments are decoded one by one: an encoded slash separates nothing.
    pub fn read(path: &str) -> Result<Self, TargetError> {
        let mut segments = Vec::new();
        for segment in path.split('/') {
            let decoded = percent_decode_str(segment).decode_utf8();
            let decoded = decoded.map_err(|_| TargetError::Segment(segment.to_owned()))?.into_owned();
            if decoded.contains('/') {
                return Err(TargetError::Segment(decoded));
            }
            segments.push(decoded);
        }
        let mut last = segments.pop().unwrap_or_default();
        let first = segments.iter().find(|segment| !segment.is_empty()).cloned();
        if first.as_deref() == Some(".inspect") {
            segments.push(last);
            return Ok(Target::Inspection(below(&segments)));
        }
        let Some(length) = last.strip_suffix(".json").map(str::len) else { return Err(TargetError::NoJson) };
        last.truncate(length);
        if first.as_deref() == Some(".settings") {
            segments.push(last);
            return Ok(Target::Setting(below(&segments)));
        }
        if last == ".priority" {
            return Ok(Target::Priority(Path::parse(&segments.join("/"))?));
        }
        segments.push(last);
        Ok(Target::Value(Path::parse(&segments.join("/"))?))
    }
}

/// The path below its first segment.
fn below(segments: &[String]) -> String {
    let segments: Vec<&str> =
        segments.iter().map(String::as_str).filter(|segment| !segment.is_empty()).skip(1).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(path: &str) -> String {
        match Target::read(path) {
            Ok(Target::Value(path)) => path.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_end_in_json() {
        for (path, expected) in [
            ("/.json", "/"),
            ("/a/b.json", "/a/b"),
            ("/a/b/.json", "/a/b"),
            ("//a//b.json", "/a/b"),
            ("/a%20b/%C5%BE.json", "/a b/ž"),
            ("/a%2Ejson.json", "Err(Path(Key(Character { key: \"a.json\", character: '.' })))"),
            ("/a.json.json", "Err(Path(Key(Character { key: \"a.json\", character: '.' })))"),
            ("/a", "Err(NoJson)"),
            ("/", "Err(NoJson)"),
            ("/a.jso", "Err(NoJson)"),
            ("/a%2Fb.json", "Err(Segment(\"a/b.json\"))"),
            ("/a/%FF.json", "Err(Segment(\"%FF.json\"))"),
        ] {
            assert_eq!(value(path), expected, "{path}");
        }
    }

    #[test]
    fn tricks_are_no_paths() {
        for path in [
            "/../a.json",
            "/a/../b.json",
            "/./a.json",
            "/$a.json",
            "/a/[0].json",
            "/a%23.json",
            "/%00.json",
            "/.info/connected.json",
        ] {
            let refused = Target::read(path).unwrap_err().to_string();
            assert!(refused.starts_with("Invalid path: Invalid token in path"), "{path}: {refused}");
        }
    }

    #[test]
    fn what_begins_with_a_dot_is_not_data() {
        assert_eq!(Target::read("/a/.priority.json"), Ok(Target::Priority(Path::parse("a").unwrap())));
        assert_eq!(Target::read("/.settings/rules.json"), Ok(Target::Setting("rules".to_owned())));
        assert_eq!(Target::read("//%2Esettings/rules.json"), Ok(Target::Setting("rules".to_owned())));
        assert_eq!(Target::read("/.inspect/coverage"), Ok(Target::Inspection("coverage".to_owned())));
        assert_eq!(
            Target::read("/.inspect/databases.json"),
            Ok(Target::Inspection("databases.json".to_owned()))
        );
        assert!(Target::read("/a/.settings/rules.json").is_err());
    }
}
