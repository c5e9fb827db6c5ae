//! Requests of a connection, as far as they can be understood without the data.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::has::Has;
use super::sign_in::TokenKind;
use crate::failure::Failure;
use crate::model::{Expected, Path, Verb, Write};
use crate::query::{CompoundHash, Query};

/// A message of a client.
pub enum Message {
    /// Wants a sign of life.
    Ping,
    /// A request with its number.
    Request(u64, Box<Request>),
    /// A request that cannot be understood; why.
    Refused(u64, Failure),
    /// Nothing that is answered.
    Nothing,
}

/// A request.
pub enum Request {
    /// Sets or updates.
    Write(Write),
    /// Reads once.
    Get(Path, Query),
    /// Listens.
    Listen {
        /// Where.
        path: Path,
        /// To what.
        query: Query,
        /// The query as the client wrote it.
        text: Option<String>,
        /// The client's tag, JSON.
        tag: Option<String>,
        /// What the client has.
        has: Has,
    },
    /// Stops listening.
    Unlisten {
        /// Where.
        path: Path,
        /// To what.
        query: Query,
        /// The client's tag, JSON.
        tag: Option<String>,
    },
    /// Leaves something to be written when it goes.
    OnDisconnect(Write),
    /// Takes that back.
    Cancel(Path),
    /// Signs in.
    SignIn {
        /// With what kind of token.
        kind: TokenKind,
        /// The token.
        token: String,
        /// What rules are to see instead of an administrator.
        auth_override: Option<Option<Json>>,
    },
    /// Signs out.
    SignOut,
    /// Says something that is only acknowledged.
    Acknowledged,
    /// Asks for what is not known.
    Unknown(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow)]
    d: &'a RawValue,
}

#[derive(Deserialize)]
struct Data<'a> {
    r: Option<u64>,
    #[serde(borrow)]
    a: Option<Cow<'a, str>>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    p: Option<Cow<'a, str>>,
    #[serde(borrow)]
    d: Option<&'a RawValue>,
    #[serde(borrow)]
    h: Option<Cow<'a, str>>,
    ch: Option<Json>,
    q: Option<Json>,
    t: Option<Json>,
    cred: Option<String>,
    #[serde(deserialize_with = "present")]
    authvar: Option<Json>,
    noauth: bool,
}

/// A member that is null is there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Reads a message; `None`: it is none.
pub fn read(text: &str) -> Option<Message> {
    let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
    if envelope.t == "c" {
        let control: Json = serde_json::from_str(envelope.d.get()).ok()?;
        let is_ping = control.get("t").and_then(Json::as_str) == Some("p");
        return Some(if is_ping { Message::Ping } else { Message::Nothing });
    }
    if envelope.t != "d" {
        return None;
    }
    let data: Data<'_> = serde_json::from_str(envelope.d.get()).ok()?;
    let (Some(number), Some(action)) = (data.r, data.a) else { return Some(Message::Nothing) };
    let body = data.b.map_or("{}", RawValue::get);
    let body: Body<'_> = match serde_json::from_str(body) {
        Ok(body) => body,
        Err(error) => {
            let failure = Failure::Invalid(format!("Invalid request: {error}"));
            return Some(Message::Refused(number, failure));
        }
    };
    Some(match request(&action, body) {
        Ok(request) => Message::Request(number, Box::new(request)),
        Err(failure) => Message::Refused(number, failure),
    })
}

fn request(action: &str, body: Body<'_>) -> Result<Request, Failure> {
    let path = || Path::parse(body.p.as_deref().unwrap_or_default()).map_err(Failure::from);
    let raw = body.p.as_deref().unwrap_or_default();
    let data = body.d.map_or("null", RawValue::get);
    let query = || match &body.q {
        Some(query) => Query::from_wire(query).map_err(Failure::from),
        None => Ok(Query::default()),
    };
    let tag = body.t.as_ref().map(Json::to_string);
    Ok(match action {
        "p" => {
            let mut write = Write::set(raw, data)?;
            if let Some(hash) = &body.h {
                write.verb = Verb::Transaction;
                write.expected = Some(Expected(hash.as_ref().into()));
            }
            Request::Write(write)
        }
        "m" => Request::Write(Write::update(raw, data)?),
        "g" => Request::Get(path()?, query()?),
        "q" => Request::Listen {
            path: path()?,
            query: query()?,
            text: body.q.as_ref().map(Json::to_string),
            tag,
            has: Has {
                hash: body.h.map(Cow::into_owned),
                ranges: body.ch.as_ref().and_then(CompoundHash::from_wire),
            },
        },
        "n" => Request::Unlisten { path: path()?, query: query()?, tag },
        "o" => Request::OnDisconnect(Write::set(raw, data)?),
        "om" => Request::OnDisconnect(Write::update(raw, data)?),
        "oc" => Request::Cancel(path()?),
        "auth" | "gauth" => Request::SignIn {
            kind: if action == "auth" { TokenKind::Auth } else { TokenKind::Google },
            token: body.cred.unwrap_or_default(),
            auth_override: match body.authvar {
                _ if body.noauth => Some(None),
                Some(variable) => Some(Some(variable)),
                None => None,
            },
        },
        "unauth" => Request::SignOut,
        "s" | "appcheck" | "unappcheck" | "unappeck" => Request::Acknowledged,
        other => Request::Unknown(other.to_owned()),
    })
}
