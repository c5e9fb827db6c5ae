//! A URL's query: which session, which request, what was received.

use super::{decoded, pairs};

/// The version spoken.
const VERSION: &str = "8";
/// How long a value that matters may be.
const VALUE_BYTES_MAX: usize = 256;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// POST without a session: opens one.
    Open,
    /// POST in a session: sends maps.
    Send,
    /// GET in a session: receives arrays.
    Receive {
        /// `CI=0`: the response stays open; else it ends once something is in it.
        is_streaming: bool,
        /// `TO`: how long to wait for something to send, in milliseconds.
        wait_ms: Option<u64>,
    },
    /// Ends a session.
    Terminate,
}

/// What a URL's query says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// What the request is for.
    pub purpose: Purpose,
    /// `SID`; empty when there is none.
    pub session: String,
    /// `gsessionid`; empty when there is none.
    pub http_session: String,
    /// `X-HTTP-Session-Id`: the client takes a second id from the response's header of that name.
    pub wants_http_session: bool,
    /// `AID`: the highest array the client has.
    pub received: u64,
}

/// Why a query is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// A value is too long or not UTF-8.
    #[error("`{0}` is too long or not UTF-8")]
    BadText(&'static str),
    /// A value is not a number.
    #[error("`{0}` is not a number")]
    BadNumber(&'static str),
    /// `VER` is another.
    #[error("`VER` is `{0}`; this server speaks version 8 only")]
    OtherVersion(String),
    /// A GET or a terminate without a session.
    #[error("there is no `SID`")]
    NoSession,
}

impl Parameters {
    /// Reads the query of a request of this kind (`is_get`).
    pub fn read(query: &str, is_get: bool) -> Result<Self, ParametersError> {
        let mut read = Self {
            purpose: Purpose::Open,
            session: String::new(),
            http_session: String::new(),
            wants_http_session: false,
            received: 0,
        };
        let (mut version, mut kind, mut is_streaming, mut wait_ms) = (None, String::new(), true, None);
        for (name, value) in pairs(query) {
            match name {
                "VER" => version = Some(text("VER", value)?),
                "SID" => read.session = text("SID", value)?,
                "gsessionid" => read.http_session = text("gsessionid", value)?,
                "X-HTTP-Session-Id" => read.wants_http_session = true,
                "AID" => read.received = number("AID", value)?,
                "CI" => is_streaming = value == "0",
                "TO" => wait_ms = Some(number("TO", value)?),
                "TYPE" => kind = text("TYPE", value)?,
                _ => {}
            }
        }
        if let Some(version) = version.filter(|version| version != VERSION) {
            return Err(ParametersError::OtherVersion(version));
        }
        read.purpose = match (kind.as_str(), is_get, read.session.is_empty()) {
            ("terminate", _, false) => Purpose::Terminate,
            ("terminate", ..) | (_, true, true) => return Err(ParametersError::NoSession),
            (_, true, false) => Purpose::Receive { is_streaming, wait_ms },
            (_, false, true) => Purpose::Open,
            (_, false, false) => Purpose::Send,
        };
        Ok(read)
    }
}

fn text(name: &'static str, value: &str) -> Result<String, ParametersError> {
    let decoded = decoded(value).filter(|decoded| decoded.len() <= VALUE_BYTES_MAX);
    decoded.ok_or(ParametersError::BadText(name))
}

/// A number; what a client sends before it has any is -1.
fn number(name: &'static str, value: &str) -> Result<u64, ParametersError> {
    if value == "-1" {
        return Ok(0);
    }
    value.parse().map_err(|_| ParametersError::BadNumber(name))
}
