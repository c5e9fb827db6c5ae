//! The texts of WebChannel version 8: what URLs, bodies and responses look like, and nothing about sessions.
//!
//! A client POSTs numbered *maps* and GETs numbered *arrays*; each has its own numbering. [`Parameters`] reads a URL's
//! query, [`Form`] a POST's body, [`frame`] writes a piece of a response.
//!
//! Source: `goog.labs.net.webChannel` of closure-library (`wirev8.js`, `channelrequest.js`, `webchannelbase.js`).

mod form;
mod frame;
mod parameters;

pub use form::{Form, FormError, MAPS_PER_FORM_MAX, Map};
pub use frame::{frame, write_array};
pub use parameters::{Parameters, ParametersError, Purpose};

/// Reads a name or value of a form or a query: `+` is a space, `%XX` a byte, the whole UTF-8.
fn decoded(text: &str) -> Option<String> {
    let text =
        if text.contains('+') { text.replace('+', " ").into() } else { std::borrow::Cow::Borrowed(text) };
    let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

/// The names and values of a form or a query, still encoded.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}
