//! What a client says of an object's metadata: with bytes, or later. `null` clears.
//!
//! Source: `src/emulator/storage/metadata.ts` of firebase-tools; the limits are Cloud Storage's.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::object::{Headers, Object, TOKENS_KEY};

/// Bytes of all custom metadata, keys and values.
const CUSTOM_BYTES_MAX: usize = 8 * 1024;
/// Bytes of one header.
const HEADER_BYTES_MAX: usize = 1024;
/// Download tokens of one object.
const TOKENS_MAX: usize = 100;
/// Bytes of one of them.
const TOKEN_BYTES_MAX: usize = 200;

/// A change of metadata. An outer `None` leaves what is there, an inner one clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Patch {
    headers: BTreeMap<String, Option<String>>,
    custom: Option<Option<BTreeMap<String, Option<String>>>>,
}

/// Why metadata is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It is no JSON object.
    #[error("The metadata is not a JSON object.")]
    NotAnObject,
    /// A value of another type than its field has.
    #[error("Invalid value for field '{0}'.")]
    Invalid(String),
    /// A value that no header can have.
    #[error(
        "Invalid value for field '{0}': it has control characters or more than {HEADER_BYTES_MAX} bytes."
    )]
    NoHeader(String),
    /// More of it than the limit.
    #[error("The custom metadata has {0} bytes, the limit is {CUSTOM_BYTES_MAX}.")]
    TooMuch(usize),
    /// More tokens than the limit.
    #[error("An object has at most {TOKENS_MAX} download tokens of {TOKEN_BYTES_MAX} bytes each.")]
    TooManyTokens,
}

const HEADERS: [&str; 7] = [
    "contentType",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "cacheControl",
    "customTime",
    "storageClass",
];

impl Patch {
    /// Reads the metadata of a request. Fields that a client cannot set are passed over.
    pub fn from_json(json: &Json) -> Result<Self, MetadataError> {
        if json.is_null() {
            return Ok(Self::default());
        }
        let json = json.as_object().ok_or(MetadataError::NotAnObject)?;
        let mut patch = Self::default();
        for name in HEADERS {
            match json.get(name) {
                None => {}
                Some(Json::Null) => drop(patch.headers.insert(name.to_owned(), None)),
                Some(Json::String(text)) => patch.set(name, text)?,
                Some(_) => return Err(MetadataError::Invalid(name.to_owned())),
            }
        }
        match json.get("metadata") {
            None => {}
            Some(Json::Null) => patch.custom = Some(None),
            Some(Json::Object(custom)) => patch.custom = Some(Some(custom_of(custom)?)),
            Some(_) => return Err(MetadataError::Invalid("metadata".to_owned())),
        }
        Ok(patch)
    }

    /// The content type, as a header gives it.
    pub fn of_content_type(content_type: &str) -> Result<Self, MetadataError> {
        let mut patch = Self::default();
        patch.set("contentType", content_type)?;
        Ok(patch)
    }

    /// Sets a header.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), MetadataError> {
        let text = text.trim();
        if text.len() > HEADER_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(MetadataError::NoHeader(name.to_owned()));
        }
        self.headers.insert(name.to_owned(), Some(text.to_owned()));
        Ok(())
    }

    /// Sets the content type where there is none yet.
    pub fn or_content_type(&mut self, content_type: &str) -> Result<(), MetadataError> {
        if self.headers.get("contentType").is_none_or(Option::is_none) {
            self.set("contentType", content_type)?;
        }
        Ok(())
    }

    /// The same with empty texts where custom keys are cleared: there is nothing yet to clear them from.
    #[must_use]
    pub fn of_new(mut self) -> Self {
        for value in self.custom.iter_mut().flatten().flat_map(BTreeMap::values_mut) {
            value.get_or_insert_default();
        }
        self
    }

    /// Sets a custom key.
    pub fn set_custom(&mut self, key: &str, value: &str) {
        let custom = self.custom.get_or_insert_default().get_or_insert_default();
        custom.insert(key.to_owned(), Some(value.to_owned()));
    }

    /// Changes an object's metadata. Neither its metageneration nor its time is touched.
    pub fn apply(&self, object: &mut Object) -> Result<(), MetadataError> {
        for (name, value) in &self.headers {
            if let Some(place) = place_of(&mut object.headers, name) {
                place.clone_from(value);
            }
        }
        match &self.custom {
            None => {}
            Some(None) => object.custom.clear(),
            Some(Some(custom)) => {
                for (key, value) in custom {
                    match value {
                        Some(value) => drop(object.custom.insert(key.clone(), value.clone())),
                        None => drop(object.custom.remove(key)),
                    }
                }
            }
        }
        if let Some(tokens) = object.custom.remove(TOKENS_KEY) {
            for token in tokens.split(',').filter(|token| !token.is_empty()) {
                if !object.tokens.iter().any(|known| known == token) {
                    object.tokens.push(token.to_owned());
                }
            }
        }
        let is_long = |token: &String| token.len() > TOKEN_BYTES_MAX;
        if object.tokens.len() > TOKENS_MAX || object.tokens.iter().any(is_long) {
            return Err(MetadataError::TooManyTokens);
        }
        let bytes = object.custom.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > CUSTOM_BYTES_MAX {
            return Err(MetadataError::TooMuch(bytes));
        }
        Ok(())
    }
}

fn custom_of(json: &Map<String, Json>) -> Result<BTreeMap<String, Option<String>>, MetadataError> {
    let of = |(key, value): (&String, &Json)| {
        let text = match value {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        (key.clone(), text)
    };
    let custom: BTreeMap<_, _> = json.iter().map(of).collect();
    let bytes = custom.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, String::len)).sum();
    // Tokens count, too, until they are set apart; no more than all of them together can come.
    if bytes > CUSTOM_BYTES_MAX + TOKENS_MAX * TOKEN_BYTES_MAX {
        return Err(MetadataError::TooMuch(bytes));
    }
    Ok(custom)
}

fn place_of<'h>(headers: &'h mut Headers, name: &str) -> Option<&'h mut Option<String>> {
    Some(match name {
        "contentType" => &mut headers.content_type,
        "contentEncoding" => &mut headers.content_encoding,
        "contentDisposition" => &mut headers.content_disposition,
        "contentLanguage" => &mut headers.content_language,
        "cacheControl" => &mut headers.cache_control,
        "customTime" => &mut headers.custom_time,
        "storageClass" => &mut headers.storage_class,
        _ => return None,
    })
}
