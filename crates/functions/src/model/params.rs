//! The values of a codebase's parameters.
//!
//! The official command line asks for missing ones and writes them into `.env.local`; Hearth writes nothing into the project.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A parameter without a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter `{name}` has no value: {remedy}")]
pub struct ParamError {
    /// Its name.
    pub name: String,
    remedy: String,
}

/// A value for every parameter: of `known` (the codebase's variables and secrets), of `[functions.params]`, or its default.
pub fn resolve(
    declared: &[Json],
    known: &BTreeMap<String, String>,
    configured: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ParamError> {
    let mut values = BTreeMap::new();
    for param in declared {
        let Some(name) = param.get("name").and_then(Json::as_str) else { continue };
        let default = param.get("default").filter(|default| !default.is_null());
        let default =
            default.map(|default| default.as_str().map_or_else(|| default.to_string(), str::to_owned));
        let value = known.get(name).or_else(|| configured.get(name)).cloned().or(default);
        let is_secret = param.get("type").and_then(Json::as_str) == Some("secret");
        let value = value.ok_or_else(|| ParamError {
            name: name.to_owned(),
            remedy: match is_secret {
                true => format!("put `{name}=…` into `.secret.local` beside the code"),
                false => format!("put `{name}=…` into `.env.local` beside the code, or `{name} = \"…\"` under [functions.params] of hearth.toml"),
            },
        })?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_from_files_then_the_configuration_then_defaults() {
        let declared = [
            json!({"name": "A", "type": "string", "default": "d"}),
            json!({"name": "B", "type": "int", "default": 3}),
        ];
        let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let values = resolve(&declared, &one("A", "file"), &one("A", "configured")).unwrap();
        assert_eq!((values["A"].as_str(), values["B"].as_str()), ("file", "3"));
        let secret = [json!({"name": "S", "type": "secret"})];
        let error = resolve(&secret, &BTreeMap::new(), &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("`S`") && error.contains(".secret.local"), "{error}");
    }
}
