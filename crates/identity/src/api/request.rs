//! Reading requests: JSON with field names in either spelling, forms, queries.

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use wire::weight;

use crate::limits::JSON_DEPTH_MAX;
use crate::model::config::EMULATOR_FIELDS;
use crate::model::settings::is_field;
use crate::status::{Refused, body_too_large, unparsable, wrong_shape};

/// Keys below these are data, not field names.
const MAPS: [&str; 2] = ["testPhoneNumbers", "customParameter"];

/// A JSON object: the body of a request. Field names are in camel case and nothing in it is null.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Json>);

impl Fields {
    /// Reads a body; an empty one is an empty object.
    pub fn parse(body: &[u8]) -> Result<Self, Refused> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        weight::json::charge_tree(body).map_err(|_| body_too_large())?;
        let json: Json = serde_json::from_slice(body).map_err(|error| unparsable(&error.to_string()))?;
        match normal(json, 0)? {
            Json::Object(fields) => Ok(Self(fields)),
            _ => Err(wrong_shape("The body is not an object.")),
        }
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Reads the fields of a verb.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Refused> {
        serde_json::from_value(Json::Object(self.0)).map_err(|error| wrong_shape(&error.to_string()))
    }

    /// The changes of a configuration: the paths of a mask, or all that was sent.
    pub fn changes(&self, mask: Option<&str>) -> Result<Vec<(String, Option<Json>)>, Refused> {
        let paths: Vec<String> = match mask.filter(|mask| !mask.is_empty()) {
            Some(mask) => mask.split(',').map(camel).collect(),
            None => self.0.keys().filter(|name| *name != "name").cloned().collect(),
        };
        let known = |path: &str| is_field(path) && path.split('.').count() <= JSON_DEPTH_MAX;
        if let Some(path) = paths.iter().find(|path| !known(path)) {
            return Err(wrong_shape(&format!("Unknown field `{path}`.")));
        }
        Ok(paths.into_iter().map(|path| (path.clone(), self.at(&path).cloned())).collect())
    }

    /// The changes that the emulator's own endpoint takes.
    pub fn emulator_changes(&self) -> Vec<(String, Option<Json>)> {
        EMULATOR_FIELDS
            .iter()
            .filter_map(|path| self.at(path).map(|value| ((*path).to_owned(), Some(value.clone()))))
            .collect()
    }

    fn at(&self, path: &str) -> Option<&Json> {
        let mut names = path.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}

/// Field names in camel case, nulls gone: absent and null are the same.
fn normal(json: Json, depth: usize) -> Result<Json, Refused> {
    if depth > JSON_DEPTH_MAX {
        return Err(wrong_shape("The body is nested too deeply."));
    }
    match json {
        Json::Object(fields) => {
            let mut normalized = Map::new();
            for (name, value) in fields {
                if value.is_null() {
                    continue;
                }
                let name = camel(&name);
                let value = if MAPS.contains(&name.as_str()) { value } else { normal(value, depth + 1)? };
                normalized.insert(name, value);
            }
            Ok(Json::Object(normalized))
        }
        Json::Array(items) => Ok(Json::Array(
            items
                .into_iter()
                .filter(|item| !item.is_null())
                .map(|item| normal(item, depth + 1))
                .collect::<Result<_, _>>()?,
        )),
        other => Ok(other),
    }
}

fn camel(name: &str) -> String {
    if !name.contains('_') {
        return name.to_owned();
    }
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' && !camel.is_empty() {
            upper = true;
        } else if upper {
            camel.extend(character.to_uppercase());
            upper = false;
        } else {
            camel.push(character);
        }
    }
    camel
}

/// The parameters of a query or a form, in order; of several of one name the first counts.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn parse(text: &str) -> Self {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A form as if it had been a JSON body.
    pub fn into_fields(self) -> Fields {
        let mut fields = Map::new();
        for (name, value) in self.0 {
            fields.entry(camel(&name)).or_insert(Json::String(value));
        }
        Fields(fields)
    }
}

/// Whether a body is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_one_and_nulls_are_absent() {
        let body = br#"{"id_token":"t","returnSecureToken":true,"tenantId":null,
            "sign_in":{"allow_duplicate_emails":true},"test_phone_numbers":{"+1_2":"3"}}"#;
        let fields = Fields::parse(body).unwrap();
        assert_eq!(
            Json::Object(fields.0),
            json!({
                "idToken": "t", "returnSecureToken": true, "signIn": { "allowDuplicateEmails": true },
                "testPhoneNumbers": { "+1_2": "3" },
            })
        );
        assert!(Fields::parse(b" ").unwrap().0.is_empty());
        assert_eq!(Fields::parse(b"{").unwrap_err().reason, "parseError");
        assert_eq!(Fields::parse(b"[]").unwrap_err().reason, "invalid");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        assert!(Fields::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn forms_are_decoded() {
        let form =
            Parameters::parse("grant_type=refresh_token&refresh_token=a%2Bb+c&refresh_token=second&flag");
        assert_eq!(form.get("refresh_token"), Some("a+b c"));
        assert_eq!(form.get("flag"), Some(""));
        assert_eq!(form.get("none"), None);
        assert_eq!(form.into_fields().text("refreshToken"), Some("a+b c"));
    }

    #[test]
    fn a_mask_names_what_changes() {
        let fields = Fields::parse(br#"{"signIn":{"anonymous":{"enabled":true}},"name":"x"}"#).unwrap();
        let changes = fields.changes(Some("signIn.anonymous.enabled,email_privacy_config")).unwrap();
        assert_eq!(
            changes,
            [
                ("signIn.anonymous.enabled".to_owned(), Some(json!(true))),
                ("emailPrivacyConfig".to_owned(), None)
            ]
        );
        assert_eq!(fields.changes(None).unwrap().len(), 1);
        assert!(fields.changes(Some("passwordHashes")).is_err());
    }
}
