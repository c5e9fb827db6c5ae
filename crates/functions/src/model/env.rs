//! Variables of a codebase from its `.env` files.
//!
//! Source: the syntax of `firebase-tools` (`src/functions/env.ts`): `KEY=value`, quotes, `#` comments, escapes in double quotes.

use std::collections::BTreeMap;
use std::path::Path;

/// Variables that code may not be given: they belong to the runtime.
const RESERVED_PREFIXES: [&str; 4] = ["X_GOOGLE_", "FIREBASE_", "EXT_", "KIT_"];
/// The same by their whole names.
const RESERVED: [&str; 14] = [
    "FIREBASE_CONFIG",
    "CLOUD_RUNTIME_CONFIG",
    "ENTRY_POINT",
    "GCP_PROJECT",
    "GCLOUD_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "FUNCTION_TRIGGER_TYPE",
    "FUNCTION_NAME",
    "FUNCTION_MEMORY_MB",
    "FUNCTION_TIMEOUT_SEC",
    "FUNCTION_IDENTITY",
    "FUNCTION_REGION",
    "FUNCTION_TARGET",
    "PORT",
];

/// Why the variables cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// A file is there and cannot be read.
    #[error("`{file}` cannot be read: {source}")]
    Unreadable {
        /// Its name.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A function binds a secret that is not there.
    #[error(
        "the secret `{name}`: {source}; `hearth serve --secrets DIR` names a folder with a file `{name}`"
    )]
    Secret {
        /// Its name.
        name: String,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// A line is no variable.
    #[error("{file}:{line}: `{text}` is not a variable such as KEY=value")]
    Syntax {
        /// The file's name.
        file: String,
        /// From 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A name belongs to the runtime.
    #[error("{file}: `{name}` is reserved for the runtime: choose another name")]
    Reserved {
        /// The file's name.
        file: String,
        /// The variable.
        name: String,
    },
}

/// The variables of a codebase: `.env`, then `.env.PROJECT`, then in dev `.env.local`; later files win.
pub fn environment(source: &Path, project: &str, is_dev: bool) -> Result<BTreeMap<String, String>, EnvError> {
    let mut variables = BTreeMap::new();
    let local = is_dev.then(|| ".env.local".to_owned());
    for file in [".env".to_owned(), format!(".env.{project}")].into_iter().chain(local) {
        for (name, value) in read(source, &file)? {
            let is_reserved = RESERVED.contains(&name.as_str())
                || name.starts_with("K_")
                || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if is_reserved {
                return Err(EnvError::Reserved { file, name });
            }
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// The secrets of a codebase on this machine: `.secret.local`.
pub fn secrets(source: &Path) -> Result<BTreeMap<String, String>, EnvError> {
    Ok(read(source, ".secret.local")?.into_iter().collect())
}

/// A secret that a function binds, in production: a file of its name, as systemd's and Kubernetes' credentials are.
pub fn bound_secret(folder: Option<&Path>, name: &str) -> Result<String, EnvError> {
    let missing = |source| EnvError::Secret { name: name.to_owned(), source };
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let folder = folder.filter(|_| is_name).ok_or_else(|| missing(std::io::ErrorKind::NotFound.into()))?;
    let text = std::fs::read_to_string(folder.join(name)).map_err(missing)?;
    Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
}

fn read(source: &Path, file: &str) -> Result<Vec<(String, String)>, EnvError> {
    match std::fs::read_to_string(source.join(file)) {
        Ok(text) => parse(file, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(EnvError::Unreadable { file: file.to_owned(), source }),
    }
}

/// The variables of a text, in its order.
pub fn parse(file: &str, text: &str) -> Result<Vec<(String, String)>, EnvError> {
    let mut variables = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let first = rest.lines().next().unwrap_or_default();
        let syntax = || EnvError::Syntax { file: file.to_owned(), line, text: first.to_owned() };
        let trimmed = first.trim();
        let mut used = first.len();
        if !(trimmed.is_empty() || trimmed.starts_with('#')) {
            let (name, value) = first.split_once('=').ok_or_else(syntax)?;
            let name = name.trim();
            let name = name.strip_prefix("export ").unwrap_or(name).trim();
            let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name {
                return Err(syntax());
            }
            let start = first.len() - value.len() + (value.len() - value.trim_start().len());
            let from = rest.get(start..).unwrap_or_default();
            let quote = from.chars().next().filter(|quote| ['"', '\''].contains(quote));
            let value = match quote {
                Some(quote) => {
                    let inside = from.get(1..).unwrap_or_default();
                    let end = closing(inside, quote).ok_or_else(syntax)?;
                    used = start + 1 + end + 1;
                    used += rest.get(used..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
                    let inside = inside.get(..end).unwrap_or_default();
                    if quote == '"' { unescaped(inside) } else { inside.to_owned() }
                }
                None => value.split(" #").next().unwrap_or_default().trim().to_owned(),
            };
            variables.push((name.to_owned(), value));
        }
        let taken = rest.get(..used).unwrap_or_default();
        line += taken.matches('\n').count() + 1;
        let after = rest.get(used..).unwrap_or_default();
        rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or_default();
    }
    Ok(variables)
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return Some(at);
        }
        is_escaped = c == '\\' && !is_escaped && quote == '"';
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_people_write_them() {
        let text = "\u{feff}# a comment\nA=1\n export B = two words # why\r\nC='it # is'\nD=\"a\\n\\\"b\\\"\nc\" # end\n\nE=";
        let expected = [("A", "1"), ("B", "two words"), ("C", "it # is"), ("D", "a\n\"b\"\nc"), ("E", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse(".env", text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_variable_is_named_with_its_line() {
        for (text, line) in [("A=1\nnonsense\n", 2), ("A=\"x\ny\"\n\n1B=2", 4), ("A='open", 1)] {
            let error = parse(".env", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!(".env:{line}: ")), "{error}");
        }
    }

    #[test]
    fn a_secret_is_a_file_of_its_name_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("KEY"), "value\n").unwrap();
        assert_eq!(bound_secret(Some(folder.path()), "KEY").unwrap(), "value");
        for (folder, name) in [(Some(folder.path()), "OTHER"), (Some(folder.path()), "../KEY"), (None, "KEY")]
        {
            assert!(bound_secret(folder, name).unwrap_err().to_string().contains("--secrets"));
        }
    }

    #[test]
    fn later_files_win_and_reserved_names_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(".env", "A=1\nB=1\nC=1");
        write(".env.demo-p", "B=2\nC=2");
        write(".env.local", "C=3");
        let variables = environment(folder.path(), "demo-p", true).unwrap();
        assert_eq!(variables.values().map(String::as_str).collect::<Vec<_>>(), ["1", "2", "3"]);
        let of_production = environment(folder.path(), "demo-p", false).unwrap();
        assert_eq!(of_production["C"], "2");
        for name in ["FIREBASE_X", "PORT", "K_SERVICE", "GCLOUD_PROJECT"] {
            write(".env.local", &format!("{name}=1"));
            let error = environment(folder.path(), "demo-p", true).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
