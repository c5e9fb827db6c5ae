//! REST: operations of connectors for clients, texts and impersonation for administrators.
//!
//! Clients say who they are in `X-Firebase-Auth-Token`; `Authorization` is for administrators. A token there that is a user's counts
//! for that user and admits to nothing else. Source: the reference, §3.1 and §3.2.

use std::sync::Arc;

use access::{Attestation, Caller, ClientAddress, Credential};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::post;
use base::Code;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value as Json};

use crate::DataConnect;
use crate::operation::Kind;
use crate::ops::{Ask, Impersonation, What};
use crate::status::Failure;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 10 << 20;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 1_000;
const AUTH_TOKEN: &str = "x-firebase-auth-token";

pub(super) fn router(dataconnect: Arc<DataConnect>) -> Router {
    let mut router = Router::new();
    for version in ["v1", "v1beta", "v1alpha"] {
        let below = format!("/{version}/projects/{{project}}/locations/{{location}}/services/{{*rest}}");
        router = router.route(&below, post(serve));
    }
    router.with_state(dataconnect)
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
struct Target<'p> {
    service: &'p str,
    connector: Option<&'p str>,
    verb: &'p str,
}

impl<'p> Target<'p> {
    /// `s:executeGraphql`, `s/connectors/c:executeQuery`
    fn of(rest: &'p str) -> Option<Self> {
        let (name, verb) = rest.rsplit_once(':')?;
        let (service, connector) = match name.split_once('/') {
            None => (name, None),
            Some((service, rest)) => (service, Some(rest.strip_prefix("connectors/")?)),
        };
        let is_name = |name: &str| !name.is_empty() && !name.contains('/');
        (is_name(service) && connector.is_none_or(is_name)).then_some(Self { service, connector, verb })
    }
}

async fn serve(
    State(dataconnect): State<Arc<DataConnect>>,
    Path((_, _, rest)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    match answer(dataconnect, &rest, request).await {
        Ok(body) => json(StatusCode::OK, body),
        Err(failure) => {
            let status =
                StatusCode::from_u16(failure.code().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, failure.body().to_string())
        }
    }
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn answer(dataconnect: Arc<DataConnect>, rest: &str, request: Request) -> Result<String, Failure> {
    let target =
        Target::of(rest).ok_or_else(|| Failure::not_found(format!("nothing is at `services/{rest}`")))?;
    let is_of_clients = matches!(target.verb, "executeQuery" | "executeMutation");
    let app = request.extensions().get::<Attestation>().cloned().unwrap_or_default();
    let caller = caller(&dataconnect, request.headers(), is_of_clients).await?.from_app(app);
    dataconnect.admit_app(&caller, rest)?;
    let address = request.extensions().get::<ClientAddress>().map(|client| client.0.to_string());
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
        Failure::of(Code::InvalidArgument, format!("the body has more than {BODY_BYTES_MAX} bytes"))
    })?;
    let body: Json = serde_json::from_slice(&body)
        .map_err(|error| Failure::of(Code::InvalidArgument, format!("the body is no JSON: {error}")))?;
    let Json::Object(mut body) = body else {
        return Err(Failure::of(Code::InvalidArgument, "the body is no JSON object"));
    };
    let ask = ask(&target, &mut body, caller, address.unwrap_or_default())?;
    Ok(dataconnect.call(ask).await?.body())
}

fn ask(
    target: &Target<'_>,
    body: &mut Map<String, Json>,
    caller: Caller,
    address: String,
) -> Result<Ask, Failure> {
    let unknown = || Failure::not_found(format!("there is no method `{}` here", target.verb));
    let operation = |kind: Kind, body: &mut Map<String, Json>| {
        let connector = target.connector.ok_or_else(unknown)?.to_owned();
        let name = text(body, "operationName")?.unwrap_or_default();
        Ok::<_, Failure>(What::Operation { connector, name, kind })
    };
    let graphql = |read_only: bool, body: &mut Map<String, Json>| {
        if target.connector.is_some() {
            return Err(unknown());
        }
        let query = text(body, "query")?.unwrap_or_default();
        Ok(What::Text {
            query,
            name: text(body, "operationName")?.filter(|name| !name.is_empty()),
            read_only,
        })
    };
    let (what, needs_admin) = match target.verb {
        "executeQuery" => (operation(Kind::Query, body)?, false),
        "executeMutation" => (operation(Kind::Mutation, body)?, false),
        "impersonateQuery" => (operation(Kind::Query, body)?, true),
        "impersonateMutation" => (operation(Kind::Mutation, body)?, true),
        "executeGraphql" => (graphql(false, body)?, true),
        "executeGraphqlRead" => (graphql(true, body)?, true),
        _ => return Err(unknown()),
    };
    let extensions = body.get("extensions").and_then(|extensions| extensions.get("impersonate"));
    let (impersonation, asks_details) = match needs_admin {
        true => impersonation(extensions)?,
        false => (None, false),
    };
    Ok(Ask {
        service: target.service.to_owned(),
        what,
        variables: crate::ops::variables_of(body)?,
        details: needs_admin && (impersonation.is_none() || asks_details),
        caller,
        needs_admin,
        impersonation,
        address,
    })
}

fn text(body: &mut Map<String, Json>, name: &str) -> Result<Option<String>, Failure> {
    match body.shift_remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if name == "query" || text.len() <= NAME_BYTES_MAX => Ok(Some(text)),
        Some(_) => Err(Failure::of(
            Code::InvalidArgument,
            format!("`{name}` is no text of at most {NAME_BYTES_MAX} bytes"),
        )),
    }
}

fn impersonation(of: Option<&Json>) -> Result<(Option<Impersonation>, bool), Failure> {
    let Some(of) = of.filter(|of| !of.is_null()) else { return Ok((None, false)) };
    let details = of.get("includeDebugDetails").and_then(Json::as_bool).unwrap_or_default();
    match (of.get("authClaims"), of.get("unauthenticated").and_then(Json::as_bool)) {
        (Some(Json::Object(claims)), None | Some(false)) => {
            Ok((Some(Impersonation::User(claims.clone())), details))
        }
        (None | Some(Json::Null), Some(true)) => Ok((Some(Impersonation::Unauthenticated), details)),
        (None | Some(Json::Null), None | Some(false)) if details => Ok((None, true)),
        _ => Err(Failure::of(
            Code::InvalidArgument,
            "`extensions.impersonate` has either `authClaims` with a `sub`, or `unauthenticated: true`",
        )),
    }
}

/// Who asks. A client's token is a user's: whoever sends an administrator's in its place is refused.
async fn caller(
    dataconnect: &DataConnect,
    headers: &HeaderMap,
    is_of_clients: bool,
) -> Result<Caller, Failure> {
    let bad = |message: &str| Failure::of(Code::Unauthenticated, format!("unauthenticated: {message}"));
    let authenticate = async |credential: Credential<'_>| {
        let found = dataconnect.authenticate().caller(dataconnect.project(), credential).await;
        found.map_err(|status| match status.code {
            Code::Unauthenticated => bad(&status.message),
            _ => Failure::Status(status),
        })
    };
    if let Some(token) = headers.get(AUTH_TOKEN).filter(|_| is_of_clients) {
        let token = token.to_str().map_err(|_| bad("the token is no text"))?;
        let caller = authenticate(Credential::Bearer(token)).await?;
        if caller.is_admin() {
            return Err(bad("X-Firebase-Auth-Token is for the ID tokens of users"));
        }
        return Ok(caller);
    }
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(Caller::unauthenticated()) };
    let header = header.to_str().map_err(|_| bad("the Authorization header is no text"))?;
    authenticate(Credential::from_header(header)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_services_and_connectors() {
        let service = Target { service: "s", connector: None, verb: "executeGraphql" };
        assert_eq!(Target::of("s:executeGraphql"), Some(service));
        let connector = Target { service: "s", connector: Some("c"), verb: "executeQuery" };
        assert_eq!(Target::of("s/connectors/c:executeQuery"), Some(connector));
        for rest in ["", "s", ":x", "s/c:x", "s/connectors/:x", "s/connectors/a/b:x"] {
            assert_eq!(Target::of(rest), None, "{rest}");
        }
    }

    #[test]
    fn impersonation_is_one_or_the_other() {
        let of = |json: Json| impersonation(Some(&json));
        assert_eq!(
            of(serde_json::json!({"unauthenticated": true})),
            Ok((Some(Impersonation::Unauthenticated), false))
        );
        assert!(matches!(
            of(serde_json::json!({"authClaims": {"sub": "a"}})),
            Ok((Some(Impersonation::User(_)), false))
        ));
        for json in [
            r#"{}"#,
            r#"{"unauthenticated": false}"#,
            r#"{"authClaims": {}, "unauthenticated": true}"#,
            r#"{"authClaims": 1}"#,
        ] {
            assert!(of(serde_json::from_str(json).unwrap()).is_err(), "{json}");
        }
    }
}
