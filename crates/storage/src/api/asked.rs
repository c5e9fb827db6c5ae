//! A request, taken apart once for all surfaces.

use access::{Caller, ClientAddress, ForeignOrigin, Network, Principal};
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use futures_util::StreamExt;
use http::header::HOST;
use http::{HeaderMap, Method, Uri};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use crate::Storage;
use crate::files::ReceiveError;
use crate::model::{BucketName, ObjectName};
use crate::ops::{self, Conditions, Expected, Wanted};
use crate::status::Failure;

/// Bytes of a JSON body.
const JSON_BYTES_MAX: usize = 256 * 1024;
/// What stands before paths when Google's hosts lead here, and the JSON API's own beginnings.
const PREFIXES: [&str; 7] = [
    "/firebasestorage.googleapis.com",
    "/storage.googleapis.com",
    "/www.googleapis.com",
    "/upload",
    "/download",
    "/storage/v1",
    "/v0",
];

/// Whose words are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v0`.
    Firebase,
    /// Cloud Storage's JSON API.
    Json,
    /// Objects at `/BUCKET/NAME`.
    ByPath,
}

/// A request.
pub struct Asked {
    pub method: Method,
    pub headers: HeaderMap,
    pub query: Vec<(String, String)>,
    /// The segments behind the surface's prefix, decoded.
    pub path: Vec<String>,
    /// The path as it came.
    pub raw_path: String,
    pub caller: Caller,
    pub network: Network,
    /// `http://host:port`, as the client has reached this server.
    pub origin: String,
    /// Behind a lock, so that a request can be shared; it is taken once.
    body: Mutex<Body>,
}

impl Asked {
    /// Takes a request apart. Errors: a path that is no text.
    pub fn of(storage: &Storage, request: Request, surface: Surface) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let extensions = &parts.extensions;
        let caller = extensions.get::<Caller>().cloned().unwrap_or_else(Caller::unauthenticated);
        let is_foreign = extensions.get::<ForeignOrigin>().is_some();
        let address = extensions.get::<ClientAddress>().copied();
        let network = address.unwrap_or(ClientAddress([0, 0, 0, 0].into())).network();
        let raw_query = parts.uri.query().unwrap_or_default();
        if percent_decode_str(raw_query).decode_utf8().is_err() {
            return Err(Failure::Bad("The query is not UTF-8.".to_owned()));
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Failure::Bad("The query cannot be read.".to_owned()))?;
        let raw_path = parts.uri.path().to_owned();
        let mut path = raw_path.as_str();
        for prefix in PREFIXES.iter().filter(|_| surface != Surface::ByPath) {
            path = path.strip_prefix(prefix).unwrap_or(path);
        }
        if surface == Surface::ByPath {
            path = path.strip_prefix("/storage.googleapis.com").unwrap_or(path);
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8().map(|text| text.into_owned());
        let path = path.split('/').map(decode).collect::<Result<Vec<String>, _>>();
        let path = path.map_err(|_| Failure::Bad("The path is not UTF-8.".to_owned()))?;
        let origin = origin(&parts.uri, &parts.headers, storage.is_dev());
        let Query(query) = query;
        let mut asked = Self {
            method: parts.method,
            headers: parts.headers,
            query,
            path,
            raw_path,
            caller,
            network,
            origin,
            body: Mutex::new(body),
        };
        if surface != Surface::Firebase && !is_foreign {
            asked.admit(storage);
        }
        Ok(asked)
    }

    /// In dev who shows no credential to Cloud Storage's own API is its administrator, as at the emulator: its client for
    /// Node sends none to an endpoint of one's own. A web page from elsewhere is not.
    fn admit(&mut self, storage: &Storage) {
        if storage.gate().mode().dev().is_some() && matches!(self.caller.who, Principal::Unauthenticated) {
            self.caller = Caller::admin("owner");
        }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A query parameter, if it is not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A query parameter or header that is a number.
    pub fn number(name: &str, value: Option<&str>) -> Result<Option<u64>, Failure> {
        let parse = |value: &str| value.trim().parse();
        value.map(parse).transpose().map_err(|_| Failure::Bad(format!("{name} is not a number.")))
    }

    /// A segment of the path.
    pub fn segment(&self, index: usize) -> Option<&str> {
        self.path.get(index).map(String::as_str)
    }

    /// The segments from one on, joined again.
    pub fn rest(&self, from: usize) -> Option<String> {
        let rest = self.path.get(from..).filter(|rest| !rest.is_empty())?;
        Some(rest.join("/"))
    }

    /// The preconditions.
    pub fn conditions(&self) -> Result<Conditions, Failure> {
        let mut conditions = Conditions::default();
        for (name, value) in &self.query {
            conditions.set(name, value)?;
        }
        Ok(conditions)
    }

    /// An object that is asked for.
    pub fn wanted(&self, bucket: &str, name: &str) -> Result<Wanted, Failure> {
        let generation = Self::number("generation", self.parameter("generation"))?;
        Ok(Wanted {
            bucket: BucketName::new(bucket)?,
            name: ObjectName::new(name)?,
            generation: generation.and_then(|generation| i64::try_from(generation).ok()),
            conditions: self.conditions()?,
            token: None,
        })
    }

    /// Digests in headers: `x-goog-hash: crc32c=…,md5=…` and `content-md5`.
    pub fn expected(&self) -> Expected {
        let mut expected = Expected { md5: self.header("content-md5").map(str::to_owned), crc32c: None };
        let hashes = self.headers.get_all("x-goog-hash").iter().filter_map(|value| value.to_str().ok());
        for hash in hashes.flat_map(|value| value.split(',')) {
            match hash.trim().split_once('=') {
                Some(("md5", value)) => expected.md5 = Some(value.to_owned()),
                Some(("crc32c", value)) => expected.crc32c = Some(value.to_owned()),
                _ => {}
            }
        }
        expected
    }

    /// Errors: the client brings a key of its own to encrypt the object with, which would not happen.
    pub fn refuse_encryption(&self) -> Result<(), Failure> {
        let has = |name: &str| self.headers.contains_key(name);
        if has("x-goog-encryption-key") || has("x-goog-copy-source-encryption-key") {
            let text =
                "Customer-supplied encryption keys are not supported: the object would not be encrypted.";
            return Err(Failure::Bad(text.to_owned()));
        }
        Ok(())
    }

    /// How many bytes the body is said to have.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length").and_then(|length| length.parse().ok())
    }

    /// The body as JSON; `null` when it is empty.
    pub async fn json(&mut self) -> Result<Json, Failure> {
        let body = std::mem::take(self.body.get_mut());
        let bytes = to_bytes(body, JSON_BYTES_MAX).await.map_err(|error| {
            Failure::Bad(format!(
                "The request's JSON could not be read (at most {JSON_BYTES_MAX} bytes): {error}"
            ))
        })?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| Failure::Bad(format!("Invalid JSON: {error}")))
    }

    /// The body as a stream.
    pub fn bytes(&mut self) -> ops::Body {
        let body = std::mem::take(self.body.get_mut()).into_data_stream();
        Box::pin(body.map(|piece| piece.map_err(|error| ReceiveError::Broken(error.to_string()))))
    }
}

fn origin(uri: &Uri, headers: &HeaderMap, is_dev: bool) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(HOST.as_str()));
    let host = host.unwrap_or("localhost");
    let scheme = match text("x-forwarded-proto") {
        Some(scheme @ ("http" | "https")) => scheme,
        _ => uri.scheme_str().unwrap_or(if is_dev { "http" } else { "https" }),
    };
    format!("{scheme}://{host}")
}
