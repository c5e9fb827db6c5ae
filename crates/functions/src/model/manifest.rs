//! The manifest that the `firebase-functions` package makes of a codebase.
//!
//! Source: `src/runtime/manifest.ts` of firebase-functions; the functions reference, A3.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::trigger::Trigger;

/// Where a function runs when it says nothing of it.
const USUAL_REGION: &str = "us-central1";
/// How long a call may take when the function says nothing of it, in seconds.
const USUAL_TIMEOUT_S: u64 = 60;
/// The longest that a function may ask for.
const TIMEOUT_S_MAX: u64 = 3600;
/// Calls at once of one instance of a function of the second generation.
const USUAL_CONCURRENCY: usize = 80;
/// Instances of a function that says nothing of their number.
const USUAL_INSTANCES: usize = 100;
/// The only version that there is.
const SPEC: &str = "v1alpha1";

/// What a codebase exports, and the parameters that it asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    #[serde(default)]
    spec_version: String,
    #[serde(default)]
    endpoints: BTreeMap<String, Json>,
    /// Parameters, as the package declares them.
    #[serde(default)]
    pub params: Vec<Json>,
}

/// What a function is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTTP requests.
    Http,
    /// The protocol of callables.
    Callable,
    /// Events, tasks, schedules or the identity service: not by clients.
    Background,
}

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Its name: the export's path joined with `-`.
    pub name: String,
    /// The export's path, with dots.
    pub entry_point: String,
    /// Where it is served.
    pub regions: Vec<String>,
    /// What calls it.
    pub kind: Kind,
    /// Whether it is of the first generation.
    pub is_first_generation: bool,
    /// How long a call may take, answer included.
    pub timeout_s: u64,
    /// Calls at once.
    pub calls_max: usize,
    /// Whether only administrators may call it.
    pub is_private: bool,
    /// Secrets that are bound to it.
    pub secrets: Vec<String>,
    /// What calls it, where that is no client.
    pub trigger: Option<Trigger>,
}

/// Why a manifest is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON of the shape.
    #[error("the manifest of the package cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another version of the format.
    #[error(
        "the manifest has the version `{0}`, and Hearth reads v1alpha1: install another version of firebase-functions"
    )]
    Version(String),
    /// A value that is neither a literal nor a parameter that is known.
    #[error(
        "the function `{function}`: `{key}` is `{value}`, which is not a number and no parameter that has one"
    )]
    Value {
        /// The function's name.
        function: String,
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
    },
}

impl Manifest {
    /// Reads the package's answer.
    pub fn read(text: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(text)?;
        match manifest.spec_version.as_str() {
            SPEC => Ok(manifest),
            other => Err(ManifestError::Version(other.to_owned())),
        }
    }

    /// The functions, with parameters put in.
    pub fn endpoints(&self, params: &BTreeMap<String, String>) -> Result<Vec<Endpoint>, ManifestError> {
        let wanted =
            self.endpoints.iter().filter(|(_, endpoint)| endpoint.get("omit") != Some(&Json::Bool(true)));
        wanted.map(|(name, endpoint)| read_endpoint(name, endpoint, params)).collect()
    }
}

fn read_endpoint(
    name: &str,
    endpoint: &Json,
    params: &BTreeMap<String, String>,
) -> Result<Endpoint, ManifestError> {
    let text = |key: &str| endpoint.get(key).and_then(Json::as_str);
    let number = |key: &'static str| -> Result<Option<u64>, ManifestError> {
        let value = match endpoint.get(key) {
            None | Some(Json::Null) => return Ok(None),
            Some(Json::Number(number)) => number.as_u64(),
            Some(Json::String(text)) => filled(text, params).trim().parse().ok(),
            Some(_) => None,
        };
        let shown = || endpoint.get(key).map(ToString::to_string).unwrap_or_default();
        let error = || ManifestError::Value { function: name.to_owned(), key, value: shown() };
        value.map(Some).ok_or_else(error)
    };
    let is_first_generation = text("platform") != Some("gcfv2");
    let concurrency = if is_first_generation { 1 } else { USUAL_CONCURRENCY };
    let concurrency =
        number("concurrency")?.map_or(concurrency, |number| usize::try_from(number).unwrap_or(1));
    let instances =
        number("maxInstances")?.map_or(USUAL_INSTANCES, |number| usize::try_from(number).unwrap_or(1));
    let regions = match endpoint.get("region") {
        Some(Json::Array(several)) => {
            several.iter().filter_map(Json::as_str).map(|one| filled(one, params)).collect()
        }
        Some(Json::String(one)) => vec![filled(one, params)],
        _ => Vec::new(),
    };
    let kind = match endpoint {
        _ if endpoint.get("httpsTrigger").is_some() => Kind::Http,
        _ if endpoint.get("callableTrigger").is_some() => Kind::Callable,
        _ => Kind::Background,
    };
    let invoker = endpoint.pointer("/httpsTrigger/invoker").and_then(Json::as_array);
    let secrets = endpoint.get("secretEnvironmentVariables").and_then(Json::as_array);
    let key_of = |secret: &Json| secret.get("key").and_then(Json::as_str).map(str::to_owned);
    Ok(Endpoint {
        name: name.to_owned(),
        entry_point: text("entryPoint").map_or_else(|| name.replace('-', "."), str::to_owned),
        regions: if regions.is_empty() { vec![USUAL_REGION.to_owned()] } else { regions },
        kind,
        is_first_generation,
        timeout_s: number("timeoutSeconds")?.unwrap_or(USUAL_TIMEOUT_S).clamp(1, TIMEOUT_S_MAX),
        calls_max: concurrency.saturating_mul(instances).max(1),
        is_private: invoker.is_some_and(|who| who.iter().any(|who| who == "private")),
        secrets: secrets.map(|all| all.iter().filter_map(key_of).collect()).unwrap_or_default(),
        trigger: Trigger::of(endpoint, &|text| filled(text, params)),
    })
}

/// A text with `{{ params.NAME }}` put in; what is not known stays.
fn filled(text: &str, params: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else { break };
        out.push_str(before);
        match inside.trim().strip_prefix("params.").and_then(|name| params.get(name)) {
            Some(value) => out.push_str(value),
            None => out.push_str(&format!("{{{{{inside}}}}}")),
        }
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(text: &str) -> Result<Vec<Endpoint>, ManifestError> {
        let params =
            [("N", "3"), ("R", "europe-west1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Manifest::read(text.as_bytes())?.endpoints(&params.into_iter().collect())
    }

    #[test]
    fn a_manifest_is_read_with_its_defaults_and_parameters() {
        let read = endpoints(
            r#"{"specVersion": "v1alpha1", "endpoints": {
                "a": {"platform": "gcfv1", "entryPoint": "a", "httpsTrigger": {}, "timeoutSeconds": null},
                "g-b": {"platform": "gcfv2", "entryPoint": "g.b", "callableTrigger": {}, "region": ["{{ params.R }}"],
                        "maxInstances": "{{ params.N }}", "concurrency": 2, "timeoutSeconds": 99999,
                        "secretEnvironmentVariables": [{"key": "S"}]},
                "c": {"eventTrigger": {}}, "p": {"httpsTrigger": {"invoker": ["private"]}}, "o": {"omit": true}}}"#,
        );
        let read = read.unwrap();
        let of = |name: &str| read.iter().find(|endpoint| endpoint.name == name).unwrap();
        assert_eq!(read.len(), 4);
        assert_eq!((of("a").kind, of("a").timeout_s, of("a").calls_max), (Kind::Http, 60, 100));
        assert_eq!(of("a").regions, ["us-central1"]);
        let b = of("g-b");
        assert_eq!(
            (b.kind, b.timeout_s, b.calls_max, b.entry_point.as_str()),
            (Kind::Callable, 3600, 6, "g.b")
        );
        assert_eq!(
            (b.regions.as_slice(), b.secrets.as_slice()),
            (&["europe-west1".to_owned()][..], &["S".to_owned()][..])
        );
        assert_eq!((of("c").kind, of("p").is_private), (Kind::Background, true));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(endpoints("no").is_err() && endpoints(r#"{"specVersion": "v2"}"#).is_err());
        let error = endpoints(
            r#"{"specVersion": "v1alpha1", "endpoints": {"f": {"maxInstances": "{{ params.X }}"}}}"#,
        );
        assert!(error.unwrap_err().to_string().contains("`maxInstances`"));
    }
}
