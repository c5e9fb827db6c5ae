//! `hearth.toml`: what a project says to Hearth that `firebase.json` has no place for.

use std::collections::BTreeMap;
use std::path::Path;

use functions::ops::GuardText;
use serde::Deserialize;

/// The file's name, in the project's folder.
pub const FILE_NAME: &str = "hearth.toml";

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[functions.NAME]`
    pub guards: Vec<GuardText>,
    /// `[functions.params]`
    pub params: BTreeMap<String, String>,
    /// `[dataconnect] postgres`
    pub postgres: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    functions: Functions,
    #[serde(default)]
    dataconnect: DataConnect,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct DataConnect {
    postgres: Option<String>,
}

#[derive(Deserialize, Default)]
struct Functions {
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(flatten)]
    guards: BTreeMap<String, Guard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    require: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    rate: Option<String>,
    #[serde(default)]
    api_keys: bool,
    run_as: Option<String>,
}

/// Reads the file of a project's folder; `None` where there is none.
pub fn read(folder: &Path) -> Result<Option<Settings>, String> {
    match std::fs::read_to_string(folder.join(FILE_NAME)) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{FILE_NAME} cannot be read: {error}")),
    }
}

/// The URL of a PostgreSQL: of the command line, of the environment (ours, then the official emulator's), of the file.
pub fn postgres(folder: &Path, asked: Option<&str>) -> Result<Option<String>, String> {
    if let Some(url) = asked {
        return Ok(Some(url.to_owned()));
    }
    let of_environment = ["HEARTH_POSTGRES", "FIREBASE_DATACONNECT_POSTGRESQL_STRING"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
    match of_environment {
        Some(url) => Ok(Some(url)),
        None => Ok(read(folder)?.and_then(|settings| settings.postgres)),
    }
}

fn parse(text: &str) -> Result<Settings, String> {
    let file: File = toml::from_str(text).map_err(|error| format!("{FILE_NAME}: {error}"))?;
    let guard = |(function, guard)| {
        let Guard { require, methods, rate, api_keys, run_as } = guard;
        GuardText { function, require, methods, rate, api_keys, run_as }
    };
    let Functions { params, guards } = file.functions;
    let postgres = file.dataconnect.postgres;
    Ok(Settings { guards: guards.into_iter().map(guard).collect(), params, postgres })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_and_parameters_are_read() {
        let text = "[functions.params]\nREGION = \"r\"\n[functions.fetchData]\nrequire = \"auth != null\"\nmethods = [\"POST\"]";
        let settings = parse(text).unwrap();
        assert_eq!(settings.params["REGION"], "r");
        let guard = GuardText {
            function: "fetchData".to_owned(),
            require: Some("auth != null".to_owned()),
            methods: vec!["POST".to_owned()],
            ..GuardText::default()
        };
        assert_eq!(settings.guards, [guard]);
        let settings = parse("[dataconnect]\npostgres = \"postgres://db\"").unwrap();
        assert_eq!(settings.postgres.as_deref(), Some("postgres://db"));
    }

    #[test]
    fn a_key_that_nothing_reads_is_an_error_because_a_guard_may_hang_on_it() {
        for text in ["[functions.f]\nrequires = \"false\"", "[function.f]\nrequire = \"false\"", "nonsense"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("hearth.toml: "), "{error}");
        }
    }
}
