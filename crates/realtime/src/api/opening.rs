//! What a request says of the connection it opens: which database, whose, from where.

use std::sync::Arc;

use access::{Attestation, ClientAddress, ForeignOrigin, Network};
use axum::http::request::Parts;
use http::HeaderMap;
use http::header::HOST;

use super::control;
use super::parameters::Parameters;
use crate::failure::Failure;
use crate::ops::{Hello, Realtime};
use crate::status;

/// The version of the protocol that is spoken.
const VERSION: &str = "5";
/// Bytes of what a connection keeps of a header.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// Labels of a host name whose first one is a database's name.
const LABELS_MIN: usize = 3;

/// The host that the client asked, which it is sent back to when it reconnects: never one of our own naming.
pub fn host(parts: &Parts) -> String {
    let of_target = parts.uri.authority().map(http::uri::Authority::as_str);
    of_target.or_else(|| text(&parts.headers, HOST.as_str())).unwrap_or("localhost").to_owned()
}

/// The database that a request is about: `ns`, or the first label of a host like `name.example.com`; in dev, where a host
/// name says nothing, the project's default one.
pub fn namespace(realtime: &Realtime, parameters: &Parameters, host: &str) -> Option<String> {
    if let Some(name) = parameters.one("ns").filter(|name| !name.is_empty()) {
        return Some(name.to_owned());
    }
    of_host(host).or_else(|| realtime.is_dev().then(|| format!("{}-default-rtdb", realtime.project())))
}

fn of_host(host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let labels = name.split('.').filter(|label| !label.is_empty()).count();
    let is_local = name.ends_with(".localhost") && labels > 1;
    let first = name.split('.').next().filter(|_| labels >= LABELS_MIN || is_local)?;
    Some(first.to_ascii_lowercase())
}

/// Where a request comes from, as limits count it.
pub fn network(parts: &Parts) -> Network {
    parts.extensions.get().copied().unwrap_or(ClientAddress([0, 0, 0, 0].into())).network()
}

/// What a connection has to know of the request that opens it.
///
/// Errors: what to answer with 400.
pub fn hello(realtime: &Realtime, parameters: &Parameters, parts: &Parts) -> Result<Hello, String> {
    if let Some(version) = parameters.one("v").filter(|version| *version != VERSION) {
        return Err(status::wrong_version(version));
    }
    let host = host(parts);
    let namespace = namespace(realtime, parameters, &host).ok_or_else(|| status::NO_NAMESPACE.to_owned())?;
    Ok(Hello {
        namespace,
        host,
        last_session: parameters.one("ls").map(str::to_owned),
        app: app(parts),
        app_token: parameters.one("ac").filter(|token| !token.is_empty()).map(str::to_owned),
        foreign: parts.extensions.get::<ForeignOrigin>().cloned(),
    })
}

/// What the head of a request says of the app.
pub fn app(parts: &Parts) -> Attestation {
    parts.extensions.get::<Attestation>().cloned().unwrap_or_default()
}

/// What a client is told that gets no connection. Only one whose database does not exist is told never to come back;
/// with anything else it is disconnected, and tries again.
pub fn refusal(failure: &Failure) -> Option<Arc<str>> {
    matches!(failure, Failure::UnknownNamespace).then(|| control::shutdown(&status::wire(failure).1))
}

/// A header that is text of a reasonable length.
pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().filter(|value| value.len() <= HEADER_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_three_labels_names_its_database() {
        for (host, name) in [
            ("myns.example.com", Some("myns")),
            ("MyNs.europe-west1.firebasedatabase.app:443", Some("myns")),
            ("myns.localhost:9000", Some("myns")),
            ("example.com", None),
            ("localhost:9000", None),
            (".localhost", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(of_host(host).as_deref(), name, "{host}");
        }
    }
}
