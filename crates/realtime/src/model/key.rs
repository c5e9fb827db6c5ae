//! Keys and their order.
//!
//! Source: the JS SDK's `nameCompare`: keys that are 32-bit integers come first, by number; then the others by UTF-16
//! code units.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use smol_str::SmolStr;

use super::order::utf16_order;

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 768;

/// A child's name. Its order is that of the Realtime Database; equal are only keys with the same text (`1` and `01` are
/// two keys, next to each other).
#[derive(Clone)]
pub struct Key {
    text: SmolStr,
    /// Its number if it is a 32-bit integer.
    number: Option<i32>,
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has no characters.
    #[error("a key is empty")]
    Empty,
    /// It has more bytes than [`KEY_BYTES_MAX`].
    #[error("a key has {0} bytes, the limit is {KEY_BYTES_MAX}")]
    TooLong(usize),
    /// It has a character that keys may not have.
    #[error("the key `{}` contains {character:?}; keys may not contain . $ # [ ] / or control characters", key.escape_debug())]
    Character {
        /// The key.
        key: SmolStr,
        /// The first such character.
        character: char,
    },
}

impl Key {
    /// The key with this text.
    pub fn new(text: &str) -> Result<Key, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong(text.len()));
        }
        let forbidden =
            |byte: u8| byte < 0x20 || matches!(byte, b'.' | b'$' | b'#' | b'[' | b']' | b'/' | 0x7f);
        if let Some(byte) = text.bytes().find(|byte| forbidden(*byte)) {
            return Err(KeyError::Character { key: SmolStr::new(text), character: char::from(byte) });
        }
        Ok(Self::unchecked(text))
    }

    /// A key for comparing with others: any text.
    pub(crate) fn unchecked(text: &str) -> Key {
        Key { text: SmolStr::new(text), number: number(text) }
    }

    /// The key of an array's element.
    pub(crate) fn index(index: u32) -> Key {
        Key::unchecked(index.to_string().as_str())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The order of a key and a text that would be one.
    pub(crate) fn compare_text(&self, text: &str) -> Ordering {
        compare(self.number, &self.text, number(text), text)
    }

    /// Appends bytes whose order is that of the keys, none of them the beginning of another.
    ///
    /// A 32-bit integer is `02`, the number with its sign bit flipped (4 bytes, big-endian), the length of the text
    /// (2 bytes) and the text; another key is `03` and the text in CESU-8, which keeps the order of UTF-16. Both end
    /// with `01`, which no key contains.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(number) = self.number {
            out.push(0x02);
            out.extend_from_slice(&(number ^ i32::MIN).to_be_bytes());
            out.extend_from_slice(&u16::try_from(self.text.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(self.text.as_bytes());
        } else {
            out.push(0x03);
            cesu8(&self.text, out);
        }
        out.push(0x01);
    }

    /// Takes one key from the front. `None` when the bytes are not what [`Key::encode`] writes.
    pub fn decode(bytes: &mut &[u8]) -> Option<Key> {
        let (tag, rest) = bytes.split_first()?;
        let (key, rest) = match tag {
            0x02 => {
                let (order, rest) = rest.split_at_checked(4)?;
                let (length, rest) = rest.split_at_checked(2)?;
                let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
                let (text, rest) = rest.split_at_checked(length)?;
                let key = Key::unchecked(std::str::from_utf8(text).ok()?);
                let number = i32::from_be_bytes(order.try_into().ok()?) ^ i32::MIN;
                (key.number == Some(number)).then_some((key, rest.strip_prefix(&[0x01])?))?
            }
            0x03 => {
                let end = rest.iter().position(|byte| *byte == 0x01)?;
                let (text, rest) = rest.split_at(end);
                let key = Key::unchecked(&from_cesu8(text)?);
                key.number.is_none().then_some((key, rest.strip_prefix(&[0x01])?))?
            }
            _ => return None,
        };
        *bytes = rest;
        Some(key)
    }
}

/// Supplementary characters as two surrogates of three bytes each.
fn cesu8(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().any(|byte| byte >= 0xf0) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut buffer = [0; 4];
    for character in text.chars() {
        if u32::from(character) < 0x1_0000 {
            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            let low = |shift: u16| u8::try_from((*unit >> shift) & 0x3f).unwrap_or_default() | 0x80;
            out.extend_from_slice(&[0xed, low(6), low(0)]);
        }
    }
}

fn from_cesu8(bytes: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| matches!(pair, [0xed, low] if *low >= 0xa0)) {
        let (plain, pair) = rest.split_at(at);
        out.push_str(std::str::from_utf8(plain).ok()?);
        let (pair, after) = pair.split_at_checked(6)?;
        let [0xed, high, low, 0xed, high_of_low, low_of_low] = *pair else { return None };
        let unit = |a: u8, b: u8| 0xd000 | (u16::from(a & 0x3f) << 6) | u16::from(b & 0x3f);
        let units = [unit(high, low), unit(high_of_low, low_of_low)];
        out.push_str(&String::from_utf16(&units).ok()?);
        rest = after;
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(out)
}

/// The number of a text that is a 32-bit integer: `^-?0*\d{1,10}$` and in range.
fn number(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.len() > 10 {
        return None;
    }
    let number = if significant.is_empty() { 0 } else { significant.parse::<i64>().ok()? };
    i32::try_from(if digits.len() < text.len() { -number } else { number }).ok()
}

fn compare(left_number: Option<i32>, left: &str, right_number: Option<i32>, right: &str) -> Ordering {
    match (left_number, right_number) {
        (None, None) => utf16_order(left, right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(a), Some(b)) => {
            a.cmp(&b).then_with(|| left.len().cmp(&right.len())).then_with(|| left.cmp(right))
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.number, &self.text, other.number, &other.text)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, out)
    }
}
