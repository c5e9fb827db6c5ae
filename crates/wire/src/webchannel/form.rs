//! The body of a POST: maps with their numbers and, in the first, the headers of the request.

use super::{decoded, pairs};

/// Maps of one body. Clients put in at most so many.
pub const MAPS_PER_FORM_MAX: usize = 1000;
/// Headers of one body.
const HEADERS_MAX: usize = 64;
/// Numbers of maps are exact in a client's arithmetic up to here.
const ID_MAX: u64 = 1 << 53;
/// The member of a map that holds a message as JSON.
const MESSAGE: &str = "__data__";

/// A map: what a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its number in the session, from 0.
    pub id: u64,
    /// The message, JSON text that has not been read. Empty for a map without one; it counts all the same.
    pub message: String,
}

/// What a body holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Names and values of the headers that came in the body instead of the request's head, to save a preflight.
    pub headers: Vec<(String, String)>,
    /// In no particular order; no number twice.
    pub maps: Vec<Map>,
}

/// Why a body is not understood. Nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A name or value is not UTF-8.
    #[error("the form is not UTF-8")]
    NotUtf8,
    /// `count` or `ofs` is not a number, or too large for one.
    #[error("`{0}` is not a number in its range")]
    BadNumber(&'static str),
    /// More maps than [`MAPS_PER_FORM_MAX`], or more headers than are ever sent.
    #[error("there are more than {max} {what} in one request")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A map's number is missing, or there twice.
    #[error("the form announces {announced} maps and has {found}")]
    OtherCount {
        /// `count`.
        announced: usize,
        /// Different numbers found.
        found: usize,
    },
}

impl Form {
    /// Reads `headers=…&count=K&ofs=B&req0___data__=…&…`. An empty body is an empty form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let text = std::str::from_utf8(body).map_err(|_| FormError::NotUtf8)?;
        let (mut form, mut announced, mut offset) = (Self::default(), 0, 0);
        for (name, value) in pairs(text) {
            match name {
                "count" => announced = number("count", value)?,
                "ofs" => offset = number("ofs", value)?,
                "headers" | "$httpHeaders" => form.read_headers(value)?,
                _ => form.read_member(name, value)?,
            }
        }
        let found = form.maps.len();
        if announced != found as u64 {
            let announced = usize::try_from(announced).unwrap_or(usize::MAX);
            return Err(FormError::OtherCount { announced, found });
        }
        for map in &mut form.maps {
            let id = offset.checked_add(map.id).filter(|id| *id <= ID_MAX);
            map.id = id.ok_or(FormError::BadNumber("ofs"))?;
        }
        Ok(form)
    }

    fn read_headers(&mut self, value: &str) -> Result<(), FormError> {
        let lines = decoded(value).ok_or(FormError::NotUtf8)?;
        for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
            if self.headers.len() == HEADERS_MAX {
                return Err(FormError::TooMany { what: "headers", max: HEADERS_MAX });
            }
            self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(())
    }

    /// `reqN_NAME=VALUE`; what is named otherwise means nothing.
    fn read_member(&mut self, name: &str, value: &str) -> Result<(), FormError> {
        let Some((id, member)) = name.strip_prefix("req").and_then(|rest| rest.split_once('_')) else {
            return Ok(());
        };
        let id = number("req", id)?;
        // The members of one map follow one another.
        if self.maps.last().is_none_or(|map| map.id != id) {
            if self.maps.len() == MAPS_PER_FORM_MAX {
                return Err(FormError::TooMany { what: "messages", max: MAPS_PER_FORM_MAX });
            }
            if self.maps.iter().any(|map| map.id == id) {
                return Err(FormError::BadNumber("req"));
            }
            self.maps.push(Map { id, message: String::new() });
        }
        if member == MESSAGE
            && let Some(map) = self.maps.last_mut()
        {
            map.message = decoded(value).ok_or(FormError::NotUtf8)?;
        }
        Ok(())
    }

    /// The value of a header, by its name in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn number(name: &'static str, text: &str) -> Result<u64, FormError> {
    let number = text.parse().ok().filter(|number| *number <= ID_MAX && !text.starts_with('+'));
    number.ok_or(FormError::BadNumber(name))
}
