//! `hearth.toml`: what a project says to Hearth that `firebase.json` has no place for.

use std::collections::BTreeMap;
use std::path::Path;

use access::Enforcement;
use functions::ops::{AppGuard, GuardText};
use serde::Deserialize;

/// The file's name, in the project's folder.
pub const FILE_NAME: &str = "hearth.toml";

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[functions.NAME]`
    pub guards: Vec<GuardText>,
    /// `[app-check]`: what services require, by their short names.
    pub app_check: BTreeMap<&'static str, Enforcement>,
    /// `[functions.params]`
    pub params: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    functions: Functions,
    #[serde(default, rename = "app-check")]
    app_check: BTreeMap<String, String>,
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
    #[serde(default, rename = "app-check")]
    app_check: Option<AppGuard>,
}

/// Reads the file of a project's folder; `None` where there is none.
pub fn read(folder: &Path) -> Result<Option<Settings>, String> {
    match std::fs::read_to_string(folder.join(FILE_NAME)) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{FILE_NAME} cannot be read: {error}")),
    }
}

fn parse(text: &str) -> Result<Settings, String> {
    let file: File = toml::from_str(text).map_err(|error| format!("{FILE_NAME}: {error}"))?;
    let guard = |(function, Guard { require, methods, app_check })| GuardText {
        function,
        require,
        methods,
        app_check,
    };
    let app_check =
        file.app_check.iter().map(|(name, mode)| enforcement(name, mode)).collect::<Result<_, _>>()?;
    let Functions { params, guards } = file.functions;
    Ok(Settings { guards: guards.into_iter().map(guard).collect(), app_check, params })
}

/// `firestore = "enforced"`
fn enforcement(name: &str, mode: &str) -> Result<(&'static str, Enforcement), String> {
    let service = attest::service_of(name).map(attest::short_name);
    let service = service.ok_or_else(|| {
        format!("{FILE_NAME}: [app-check] `{name}` is no service that App Check protects: firestore, database, storage, auth, dataconnect or functions")
    })?;
    let enforcement = match mode {
        "off" => Enforcement::Off,
        "unenforced" => Enforcement::Unenforced,
        "enforced" => Enforcement::Enforced,
        _ => {
            return Err(format!(
                "{FILE_NAME}: [app-check] {name} is `{mode}`: it is off, unenforced or enforced"
            ));
        }
    };
    Ok((service, enforcement))
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
            app_check: None,
        };
        assert_eq!(settings.guards, [guard]);
    }

    #[test]
    fn a_key_that_nothing_reads_is_an_error_because_a_guard_may_hang_on_it() {
        for text in ["[functions.f]\nrequires = \"false\"", "[function.f]\nrequire = \"false\"", "nonsense"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("hearth.toml: "), "{error}");
        }
    }
}
