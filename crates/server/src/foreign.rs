//! Keeps web pages from elsewhere out of a server on the developer's own machine. In `dev` `Bearer owner` is the
//! administrator and control routes ask for nothing, and every page that the developer's browser opens can reach the
//! ports.
//!
//! - A request for a foreign `Host` is refused: a page whose name was made to lead to this machine (DNS rebinding) counts
//!   as of the same origin for the browser, which asks nobody before it reads the answers.
//! - A foreign `Origin` does nothing that only an administrator may do. Without an `Origin` a request is no web page's, unless
//!   the browser says that it is for a page of another site: scripts (JSONP, long polling) and images have no `Origin`.
//! - Where `dev` is shared ([`Share`]), another machine does nothing that only an administrator may do, unless that was asked for.
//!
//! Source: the WHATWG's Fetch standard: a browser sends `Origin` with every request that another origin's scripts make and
//! whose answer they can read, and with every one that is neither `GET` nor `HEAD`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{Authenticate, ClientAddress, Credential, ForeignOrigin};
use axum::extract::Request;
use axum::response::Response;
use base::{Code, Status};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue};

use crate::answer::Answer;
use crate::host::is_google;
use crate::refusal::refuse;

/// How much of a header an answer repeats.
const ECHO_CHARS_MAX: usize = 100;
/// The control routes of the emulators, which ask for no credential.
const CONTROL_ROUTES: [&str; 2] = ["/emulator/", "/internal/"];
/// Whether a request is for a page of another site, as browsers say it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How a browser uses the answer.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// The feed of decisions: a web page may read a WebSocket from anywhere.
const FEED: &str = "/requests";

/// What counts as this machine's own, beyond its loopback addresses and names.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Host names, without a port.
    pub hosts: Vec<String>,
    /// Web origins: scheme, host and port, as browsers write them.
    pub origins: Vec<String>,
    /// What other machines may do.
    pub share: Share,
}

/// What other machines may do, where `dev` listens for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// Nothing as an administrator; nothing listens for them.
    #[default]
    Nobody,
    /// What users may: dev believes whoever they say they are.
    Users,
    /// Everything.
    Admins,
}

impl Local {
    fn is_host(&self, host: &str) -> bool {
        // A page can be made to have a name that leads here, but not an address.
        let is_reached_by_address = self.share != Share::Nobody && is_address(host);
        is_loopback(host)
            || is_google(host)
            || is_reached_by_address
            || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn is_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|own| own.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
            return true;
        }
        let host = origin.split_once("://").and_then(|(_, authority)| without_port(authority));
        host.is_some_and(|host| {
            is_loopback(host) || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
        })
    }
}

/// Refuses requests for hosts that are not local. Goes around everything else.
pub fn with_local_hosts(inner: impl Answer, local: Local) -> impl Answer {
    LocalHosts { inner, local }
}

/// Refuses acts of administrators whose origin is not local. Goes inside of CORS, so that the page may read why.
pub fn with_local_admins<A: Answer>(
    inner: A,
    local: Local,
    authenticate: Arc<dyn Authenticate>,
    project: &str,
) -> impl Answer + use<A> {
    LocalAdmins { inner, local, authenticate, project: project.into() }
}

struct LocalHosts<A> {
    inner: A,
    local: Local,
}

impl<A: Answer> Answer for LocalHosts<A> {
    async fn answer(&self, request: Request) -> Response {
        match foreign_host(&self.local, &request) {
            None => self.inner.answer(request).await,
            Some(host) => denied(
                request.headers(),
                format!(
                    "The Host header `{host}` does not name this machine: `hearth dev` answers requests for localhost and \
                     loopback addresses only. If the name is yours, start it with `--allow-host {host}`."
                ),
            ),
        }
    }
}

/// The host that is not local, of all that the request names.
fn foreign_host(local: &Local, request: &Request) -> Option<String> {
    let of_target = request.uri().authority().map(|authority| Some(authority.as_str()));
    let of_headers = request.headers().get_all(HOST).iter().map(|value| value.to_str().ok());
    let is_local = |named: &Option<&str>| {
        named.and_then(without_port).is_some_and(|host| local.is_host(host)) || *named == Some("")
    };
    let foreign = of_target.into_iter().chain(of_headers).find(|named| !is_local(named))?;
    Some(echo(foreign.and_then(without_port).or(foreign).unwrap_or("(not text)")))
}

struct LocalAdmins<A> {
    inner: A,
    local: Local,
    authenticate: Arc<dyn Authenticate>,
    project: String,
}

impl<A: Answer> Answer for LocalAdmins<A> {
    async fn answer(&self, mut request: Request) -> Response {
        let elsewhere = || other_machine(&self.local, &request);
        let Some(origin) = foreign_origin(&self.local, request.headers()).or_else(elsewhere) else {
            return self.inner.answer(request).await;
        };
        // Clones share the headers' bytes; the request itself cannot be held while the callers are looked up.
        let credentials: Vec<HeaderValue> =
            request.headers().get_all(AUTHORIZATION).iter().cloned().collect();
        let is_admin = is_control(request.uri().path()) || self.is_any_admin(&credentials).await;
        let foreign = ForeignOrigin(origin);
        if is_admin {
            return refuse(request.headers().get(CONTENT_TYPE), &foreign.refusal());
        }
        request.extensions_mut().insert(foreign);
        self.inner.answer(request).await
    }
}

impl<A: Answer> LocalAdmins<A> {
    async fn is_any_admin(&self, credentials: &[HeaderValue]) -> bool {
        for value in credentials {
            let Ok(value) = value.to_str() else { continue };
            let credential = Credential::from_header(value);
            // What is no good credential is refused further inside, in the service's own words.
            if let Ok(caller) = self.authenticate.caller(&self.project, credential).await
                && caller.is_admin()
            {
                return true;
            }
        }
        false
    }
}

fn foreign_origin(local: &Local, headers: &HeaderMap) -> Option<String> {
    if !headers.contains_key(ORIGIN) {
        return foreign_referer(local, headers);
    }
    let mut origins = headers.get_all(ORIGIN).iter().map(|value| value.to_str().ok());
    let foreign = origins.find(|origin| !origin.is_some_and(|origin| local.is_origin(origin)))?;
    Some(echo(foreign.unwrap_or("(not text)")))
}

/// The address of another machine that may not do everything.
fn other_machine(local: &Local, request: &Request) -> Option<String> {
    if local.share == Share::Admins {
        return None;
    }
    match request.extensions().get::<ClientAddress>() {
        Some(ClientAddress(address)) => Some(address.to_canonical()).filter(|address| !address.is_loopback()),
        // Nobody knows where it comes from: where all come from this machine that does not matter.
        None => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).filter(|_| local.share == Share::Users),
    }
    .map(|address| address.to_string())
}

/// The page that has a script or an image loaded from here: a browser sends no `Origin` with that, but says that it is for
/// another site. Who follows a link is not such a page.
fn foreign_referer(local: &Local, headers: &HeaderMap) -> Option<String> {
    let text =
        |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_for_page =
        matches!(text(&FETCH_SITE), "cross-site" | "same-site") && text(&FETCH_MODE) != "navigate";
    if !is_for_page {
        return None;
    }
    let referer = text(&REFERER);
    let path =
        referer.find("://").and_then(|scheme| referer.get(scheme + 3..)?.find('/').map(|at| scheme + 3 + at));
    let origin = path.and_then(|path| referer.get(..path)).unwrap_or(referer);
    (!local.is_origin(origin))
        .then(|| echo(if origin.is_empty() { "(a page of another site)" } else { origin }))
}

fn is_control(path: &str) -> bool {
    let begins = |with: &&str| path.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    CONTROL_ROUTES.iter().any(begins)
        || path.eq_ignore_ascii_case(FEED)
        // Services decode segments before they compare.
        || path.split('/').nth(1).is_some_and(|first| first.contains('%'))
}

fn denied(headers: &HeaderMap, message: String) -> Response {
    refuse(headers.get(CONTENT_TYPE), &Status::new(Code::PermissionDenied, message))
}

/// Whether only this machine is reached by this host, whatever name servers say.
fn is_loopback(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse().is_ok_and(is_loopback_address);
    }
    if let Ok(address) = host.parse() {
        return is_loopback_address(address);
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether a host is an address, in the form of a `Host` header.
fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse::<IpAddr>().is_ok()
}

fn is_loopback_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// The host of `host:port`, where the port is one and the host could be one.
fn without_port(authority: &str) -> Option<&str> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end)?;
    let port = rest.strip_prefix(':').unwrap_or(rest);
    (!host.contains('@') && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

fn echo(header: &str) -> String {
    header.chars().take(ECHO_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use access::Caller;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::any;
    use http_body_util::BodyExt;

    use super::*;
    use crate::answer::Routes;

    struct Owner;

    #[async_trait::async_trait]
    impl Authenticate for Owner {
        async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status> {
            match credential {
                Credential::Bearer("owner") => Ok(Caller::admin(project)),
                Credential::Bearer("bad") => Err(Status::new(Code::Unauthenticated, "bad")),
                _ => Ok(Caller::unauthenticated()),
            }
        }
    }

    fn routes(share: Share) -> impl Answer {
        let (hosts, origins) = (vec!["dev.test".to_owned()], vec!["https://app.test:8443".to_owned()]);
        let local = Local { hosts, origins, share };
        let routes = Routes::from(Router::new().fallback(any(async || "in")));
        let routes = with_local_admins(routes, local.clone(), Arc::new(Owner), "p");
        with_local_hosts(routes, local)
    }

    async fn ask(method: &str, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        ask_from(None, Share::Nobody, method, uri, headers).await
    }

    async fn ask_from(
        address: Option<&str>,
        share: Share,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut request = http::Request::builder().method(method).uri(uri);
        if let Some(address) = address {
            request = request.extension(ClientAddress(address.parse().unwrap()));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = routes(share).answer(request.body(Body::empty()).unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn only_local_hosts_are_answered() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "app.localhost:80",
            "localhost.",
            "127.0.0.1:8080",
            "127.8.9.1",
            "0.0.0.0:1",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:1",
            "dev.test:99",
            "DEV.test",
            "identitytoolkit.googleapis.com",
            "firestore.googleapis.com:443",
        ] {
            assert_eq!(ask("GET", "/", &[("host", host)]).await.0, 200, "{host}");
            assert_eq!(ask("GET", &format!("http://{host}/"), &[]).await.0, 200, "{host} as a target");
        }
        assert_eq!(ask("GET", "/", &[]).await.0, 200, "no browser leaves it out");
        for host in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test:8080",
            "notlocalhost",
            "10.0.0.1",
            "[::2]:80",
            "evil.test:x@localhost",
            "localhost@evil.test",
            "localhost:80:80",
            "googleapis.com.evil.test",
            "[::1",
        ] {
            let (status, text) = ask("GET", "/", &[("host", host)]).await;
            assert_eq!(status, 403, "{host}");
            assert!(text.contains("Host header") && text.contains("--allow-host"), "{text}");
        }
        assert_eq!(ask("GET", "http://evil.test/", &[("host", "localhost")]).await.0, 403);
        assert_eq!(ask("GET", "http://localhost/", &[("host", "evil.test")]).await.0, 403);
        assert_eq!(ask("GET", "/", &[("host", "localhost"), ("host", "evil.test")]).await.0, 403);
    }

    #[tokio::test]
    async fn other_machines_do_what_was_asked_for_and_no_more() {
        let owner: &[(&str, &str)] = &[("authorization", "Bearer owner"), ("host", "192.0.2.1:8080")];
        let user: &[(&str, &str)] = &[("authorization", "Bearer user"), ("host", "192.0.2.1:8080")];
        for (address, share, credential, path, expected) in [
            (Some("127.0.0.1"), Share::Users, owner, "/v1/x", 200),
            (Some("::ffff:127.0.0.1"), Share::Users, owner, "/v1/x", 200),
            (Some("192.0.2.9"), Share::Users, user, "/v1/x", 200),
            (Some("192.0.2.9"), Share::Users, owner, "/v1/x", 403),
            (Some("2001:db8::1"), Share::Users, owner, "/v1/x", 403),
            (Some("192.0.2.9"), Share::Users, user, "/emulator/v1/projects/p/accounts", 403),
            (Some("192.0.2.9"), Share::Users, user, "/requests", 403),
            (None, Share::Users, owner, "/v1/x", 403),
            (Some("192.0.2.9"), Share::Admins, owner, "/v1/x", 200),
            (Some("192.0.2.9"), Share::Admins, owner, "/emulator/v1/projects/p/accounts", 200),
            // Nothing listens for them; if something did, neither the name nor the right would be theirs.
            (Some("192.0.2.9"), Share::Nobody, user, "/v1/x", 403),
        ] {
            let (status, text) = ask_from(address, share, "GET", path, credential).await;
            assert_eq!(status, expected, "{address:?} {share:?} {path}: {text}");
        }
        let local = &[("authorization", "Bearer owner"), ("host", "localhost")];
        let (status, text) = ask_from(Some("192.0.2.9"), Share::Nobody, "GET", "/v1/x", local).await;
        assert!(status == 403 && text.contains("another machine (192.0.2.9)"), "{status} {text}");
        let renamed = &[("host", "evil.test:8080")];
        assert_eq!(ask_from(Some("127.0.0.1"), Share::Admins, "GET", "/v1/x", renamed).await.0, 403);
    }

    #[tokio::test]
    async fn only_local_origins_act_as_administrators() {
        let owner = ("authorization", "Bearer owner");
        let clear = "/emulator/v1/projects/p/accounts";
        for origin in [
            "http://localhost",
            "http://localhost:5173",
            "https://127.0.0.1:3000",
            "http://[::1]:1",
            "http://x.localhost",
            "capacitor://localhost",
            "https://app.test:8443",
            "http://dev.test:1",
        ] {
            assert_eq!(ask("GET", "/v1/x", &[("origin", origin), owner]).await.0, 200, "{origin}");
            assert_eq!(ask("DELETE", clear, &[("origin", origin)]).await.0, 200, "{origin}");
        }
        assert_eq!(ask("DELETE", clear, &[owner]).await.0, 200, "no web page's");
        for origin in [
            "https://evil.test",
            "http://localhost.evil.test",
            "null",
            "",
            "https://app.test",
            "http://localhost@evil.test",
            "https://identitytoolkit.googleapis.com",
            "file://",
        ] {
            let (status, text) = ask("GET", "/v1/x", &[("origin", origin), owner]).await;
            assert_eq!(status, 403, "{origin}");
            assert!(text.contains("Origin header") && text.contains("--allow-origin"), "{text}");
            for path in [clear, "/requests", "/%65mulator/v1/projects/p/accounts", "/EMULATOR/v1/x"] {
                assert_eq!(ask("DELETE", path, &[("origin", origin)]).await.0, 403, "{origin} {path}");
            }
            for other in [("x-none", ""), ("authorization", "Bearer bad"), ("authorization", "Bearer user")] {
                assert_eq!(
                    ask("GET", "/v1/x", &[("origin", origin), other]).await.0,
                    200,
                    "{origin} {other:?}"
                );
            }
        }
        let script = |site, mode| [("sec-fetch-site", site), ("sec-fetch-mode", mode)];
        let of_page =
            |site, mode, referer| [&script(site, mode)[..], &[("referer", referer), owner]].concat();
        for (site, mode, referer, expected) in [
            ("cross-site", "no-cors", "https://evil.test/page", 403),
            ("cross-site", "no-cors", "", 403),
            ("same-site", "no-cors", "https://evil.test/http://localhost/", 403),
            ("cross-site", "no-cors", "http://127.0.0.1:3000/page", 200),
            ("same-site", "no-cors", "http://localhost:5173/", 200),
            ("same-origin", "no-cors", "", 200),
            ("cross-site", "navigate", "https://docs.test/", 200),
        ] {
            assert_eq!(
                ask("GET", "/v1/x", &of_page(site, mode, referer)).await.0,
                expected,
                "{site} {mode} {referer}"
            );
        }
        let two = [("origin", "http://localhost"), ("origin", "https://evil.test"), owner];
        assert_eq!(ask("GET", "/v1/x", &two).await.0, 403);
        let second = [("origin", "https://evil.test"), ("authorization", "Bearer user"), owner];
        assert_eq!(ask("GET", "/v1/x", &second).await.0, 403);
    }
}
