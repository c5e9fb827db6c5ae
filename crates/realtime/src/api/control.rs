//! Control messages that belong to a transport, not to the connection behind it.
//!
//! Source: `Connection.ts` of firebase-js-sdk. A client looks at a control message only if it has `d`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

/// Bytes of the longest control message that a client sends to a transport.
const CONTROL_BYTES_MAX: usize = 128;

/// The answer to a ping.
pub const PONG: &str = r#"{"t":"c","d":{"t":"o","d":null}}"#;
/// The second transport of a session may take over.
pub const SWITCH: &str = r#"{"t":"c","d":{"t":"a","d":{}}}"#;
/// The last message on the first transport.
pub const END: &str = r#"{"t":"c","d":{"t":"n","d":{}}}"#;

/// What a client says to a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It wants a sign of life.
    Ping,
    /// It takes over the second transport.
    Switch,
    /// Nothing more will come on the first one.
    End,
}

/// Reads a message; `None` when it is for the connection.
pub fn read(message: &str) -> Option<Control> {
    if message.len() > CONTROL_BYTES_MAX {
        return None;
    }
    let message: Json = serde_json::from_str(message).ok()?;
    if message.get("t")?.as_str()? != "c" {
        return None;
    }
    match message.get("d")?.get("t")?.as_str()? {
        "p" => Some(Control::Ping),
        "a" => Some(Control::Switch),
        "n" => Some(Control::End),
        _ => None,
    }
}

/// The client never connects again: its database does not exist.
pub fn shutdown(reason: &str) -> Arc<str> {
    json!({ "t": "c", "d": { "t": "s", "d": reason } }).to_string().into()
}

/// The client gives up this transport, and connects to this host where it has no other.
pub fn reset(host: &str) -> Arc<str> {
    json!({ "t": "c", "d": { "t": "r", "d": host } }).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_are_told_from_requests() {
        assert_eq!(read(r#"{"t":"c","d":{"t":"p","d":{}}}"#), Some(Control::Ping));
        assert_eq!(read(r#"{"d":{"d":{},"t":"a"},"t":"c"}"#), Some(Control::Switch));
        assert_eq!(read(END), Some(Control::End));
        for other in [r#"{"t":"d","d":{"t":"n"}}"#, r#"{"t":"c","d":{"t":"h"}}"#, "{", "0", r#"{"t":"c"}"#] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(read(&format!("{}{END}", " ".repeat(CONTROL_BYTES_MAX))), None);
    }

    #[test]
    fn what_clients_are_sent_has_a_payload() {
        assert_eq!(&*shutdown("a \"b\""), r#"{"t":"c","d":{"t":"s","d":"a \"b\""}}"#);
        assert_eq!(&*reset("h:1"), r#"{"t":"c","d":{"t":"r","d":"h:1"}}"#);
    }
}
