//! Reading messages: values into fields, and every fault with the path to it.
//!
//! A fault of grammar ends the reading. A fault of meaning (an unknown name, a wrong type) is noted
//! and reading goes on, so that a client sees all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::syntax::{Kind, Scalar, Syntax};
use super::{ECHO_BYTES_MAX, FAULTS_MAX, Json, JsonError};
use crate::weight::{self, Made};

/// The outcome of reading: an error ends it.
pub type Read<T> = Result<T, JsonError>;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// A step from a message to one of its values.
#[derive(Clone, Copy)]
enum Step {
    Field(&'static str),
    Element(usize),
}

/// A type as errors name it.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Scalar(&'static str),
    /// A message or enum, by its full name.
    Named(&'static str),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(name) => f.write_str(name),
            Type::Named(name) => write!(f, "type.googleapis.com/{name}"),
        }
    }
}

/// A place in a JSON text and the path to it from the message that is read.
///
/// Methods that read a value give `None` for `null` and for a value whose fault was noted.
pub struct Reader<'a> {
    syntax: Syntax<'a>,
    path: Vec<Step>,
    faults: Vec<String>,
    /// What of the message has been made so far.
    made: Made,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Read<Self> {
        Ok(Self { syntax: Syntax::new(text)?, path: Vec::new(), faults: Vec::new(), made: Made::begin() })
    }

    /// Reads the whole text as one message.
    pub(super) fn root<M: Json>(mut self) -> Read<M> {
        if self.syntax.kind()? != Kind::Object {
            self.syntax.skip()?;
            self.syntax.end()?;
            self.fault_name("", "Root element must be a message.")?;
            return Err(self.into_error());
        }
        let message = self.message()?;
        self.syntax.end()?;
        match message {
            Some(message) if self.faults.is_empty() => Ok(message),
            _ => Err(self.into_error()),
        }
    }

    fn into_error(self) -> JsonError {
        JsonError::new(self.faults.join("\n"))
    }

    pub(super) fn fault(&mut self, fault: String) -> Read<()> {
        self.faults.push(fault);
        if self.faults.len() < FAULTS_MAX { Ok(()) } else { Err(JsonError::new(self.faults.join("\n"))) }
    }

    /// So much more is about to be made.
    pub(super) fn make(&mut self, bytes: usize) -> Read<()> {
        Ok(self.made.add(bytes)?)
    }

    /// A name that does not belong where the path is.
    fn fault_name(&mut self, name: &str, reason: &str) -> Read<()> {
        let place = place(&self.path);
        self.fault(format!("Invalid JSON payload received. Unknown name \"{}\"{place}: {reason}", echo(name)))
    }

    /// The value at the path is not of its type.
    pub(super) fn fault_value(&mut self, kind: Type, detail: &str) -> Read<()> {
        self.fault(format!("Invalid value{} ({kind}), {}", place(&self.path), echo(detail)))
    }

    /// The field the path ends in, and the place of the message that has it.
    fn field_and_parent(&self) -> (&'static str, String) {
        let last = self.path.iter().rposition(|step| matches!(step, Step::Field(_)));
        let parent = place(self.path.get(..last.unwrap_or(0)).unwrap_or_default());
        match last.and_then(|at| self.path.get(at)) {
            Some(Step::Field(name)) => (name, parent),
            _ => ("", parent),
        }
    }

    /// An object or list, passed over, where one value belongs.
    fn not_scalar(&mut self) -> Read<()> {
        let kind = self.syntax.kind()?;
        self.syntax.skip()?;
        if kind == Kind::List {
            return self.not_repeated();
        }
        let (field, parent) = self.field_and_parent();
        self.fault(format!("Invalid value{parent} ({field}), Starting an object on a scalar field"))
    }

    fn not_repeated(&mut self) -> Read<()> {
        let (field, place) = self.field_and_parent();
        self.fault(format!(
            "Invalid JSON payload received. Unknown name \"{field}\"{place}: \
             Proto field is not repeating, cannot start list."
        ))
    }

    /// Reads a value that belongs to this field.
    pub(super) fn field<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        self.path.push(Step::Field(field));
        let value = read(self)?;
        self.path.pop();
        Ok(value)
    }

    fn element<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.path.push(Step::Element(index));
        let value = read(self)?;
        self.path.pop();
        Ok(value)
    }

    /// Reads a value into one member of a oneof.
    pub(super) fn oneof<T, O>(
        &mut self,
        oneof: &str,
        field: &'static str,
        into: &mut Option<O>,
        read: impl FnOnce(&mut Self) -> Read<Option<T>>,
        member: fn(T) -> O,
    ) -> Read<()> {
        let Some(value) = self.field(field, read)? else { return Ok(()) };
        if into.is_some() {
            let place = place(&self.path);
            let name = camel(field);
            return self.fault(format!(
                "Invalid value{place} (oneof), oneof field '{oneof}' is already set. Cannot set '{name}'"
            ));
        }
        *into = Some(member(value));
        Ok(())
    }

    /// Reads a list; one value alone is taken for a list of one.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        into: &mut Vec<T>,
        mut read: impl FnMut(&mut Self) -> Read<Option<T>>,
    ) -> Read<()> {
        self.field(field, |json| match json.syntax.kind()? {
            Kind::Null => json.ignore(),
            Kind::List => json.elements(|json| {
                json.refuse_null()?;
                json.make(weight::element(size_of::<T>(), into.len()))?;
                into.extend(read(json)?);
                Ok(())
            }),
            _ => json.element(0, |json| {
                into.extend(read(json)?);
                Ok(())
            }),
        })
    }

    /// Reads an object whose names are keys.
    pub(super) fn map<T>(
        &mut self,
        field: &'static str,
        into: &mut BTreeMap<String, T>,
        mut read: impl FnMut(&mut Self) -> Read<Option<T>>,
    ) -> Read<()> {
        self.field(field, |json| {
            let mut index = 0;
            json.object(Type::Scalar("map"), |json, key| {
                if into.contains_key(&*key) {
                    json.syntax.skip()?;
                    return json
                        .fault_name(&key, &format!("Repeated map key: '{}' is already set.", echo(&key)));
                }
                let value = json.element(index, |json| {
                    json.field("value", |json| {
                        json.refuse_null()?;
                        read(json)
                    })
                })?;
                index += 1;
                if let Some(value) = value {
                    json.make(
                        weight::entry(weight::node(size_of::<T>()), into.len()) + weight::text(key.len()),
                    )?;
                    into.insert(key.into_owned(), value);
                }
                Ok(())
            })?;
            Ok(())
        })
    }

    /// Notes a fault when `null` stands where a list or map needs a value. The `null` stays unread.
    fn refuse_null(&mut self) -> Read<()> {
        if self.syntax.kind()? == Kind::Null {
            self.fault_value(Type::Scalar("value"), "null")
        } else {
            Ok(())
        }
    }

    /// Reads an object name by name; `false` when it is `null` or no object.
    pub(super) fn object(
        &mut self,
        kind: Type,
        mut entry: impl FnMut(&mut Self, Cow<'a, str>) -> Read<()>,
    ) -> Read<bool> {
        match self.syntax.kind()? {
            Kind::Object => {
                let mut name = self.syntax.open_object()?;
                while let Some(present) = name {
                    entry(self, present)?;
                    name = self.syntax.next_name()?;
                }
                return Ok(true);
            }
            Kind::Null => self.ignore()?,
            Kind::List => self.not_scalar()?,
            _ => {
                let start = self.syntax.at();
                self.syntax.skip()?;
                let text = self.syntax.since(start);
                self.fault_value(kind, text)?;
            }
        }
        Ok(false)
    }

    /// Reads a list element by element. A list must come next.
    pub(super) fn elements(&mut self, mut read: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        let mut index = 0;
        let mut more = self.syntax.open_list()?;
        while more {
            self.element(index, &mut read)?;
            index += 1;
            more = self.syntax.next_element()?;
        }
        Ok(())
    }

    pub(super) fn kind(&mut self) -> Read<Kind> {
        self.syntax.kind()
    }

    pub(super) fn message<M: Json>(&mut self) -> Read<Option<M>> {
        let mut message = M::default();
        let present = self.object(Type::Named(M::NAME), |json, name| {
            if message.read_field(&name, json)? {
                return Ok(());
            }
            json.syntax.skip()?;
            json.fault_name(&name, "Cannot find field.")
        })?;
        Ok(present.then_some(message))
    }

    /// Passes over a value that is not kept.
    pub(super) fn ignore(&mut self) -> Read<()> {
        self.syntax.skip()
    }

    fn scalar<T>(&mut self, kind: Type, convert: impl FnOnce(&Scalar<'a>) -> Option<T>) -> Read<Option<T>> {
        // Passes over white space, so that `start` is where the value begins.
        self.syntax.kind()?;
        let start = self.syntax.at();
        let Some(scalar) = self.syntax.scalar()? else {
            self.not_scalar()?;
            return Ok(None);
        };
        if scalar == Scalar::Null {
            return Ok(None);
        }
        let value = convert(&scalar);
        if value.is_none() {
            let text = self.syntax.since(start);
            self.fault_value(kind, text)?;
        }
        Ok(value)
    }

    pub(super) fn string(&mut self) -> Read<Option<String>> {
        let text = self.scalar(Type::Scalar("TYPE_STRING"), |scalar| match scalar {
            Scalar::String(text) => Some(text.clone().into_owned()),
            _ => None,
        })?;
        self.make(weight::text(text.as_ref().map_or(0, String::len)))?;
        Ok(text)
    }

    pub(super) fn bool(&mut self) -> Read<Option<bool>> {
        self.scalar(Type::Scalar("TYPE_BOOL"), |scalar| match scalar {
            Scalar::Bool(value) => Some(*value),
            Scalar::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    pub(super) fn int32(&mut self) -> Read<Option<i32>> {
        self.scalar(Type::Scalar("TYPE_INT32"), |scalar| i32::try_from(integer(scalar)?).ok())
    }

    pub(super) fn int64(&mut self) -> Read<Option<i64>> {
        self.scalar(Type::Scalar("TYPE_INT64"), integer)
    }

    pub(super) fn double(&mut self) -> Read<Option<f64>> {
        self.scalar(Type::Scalar("TYPE_DOUBLE"), |scalar| match scalar {
            Scalar::Number(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
            Scalar::String(text) => match &**text {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                text => text.parse().ok().filter(|value: &f64| value.is_finite()),
            },
            _ => None,
        })
    }

    pub(super) fn bytes(&mut self) -> Read<Option<Bytes>> {
        let text = self.scalar(Type::Scalar("TYPE_BYTES"), |scalar| match scalar {
            Scalar::String(text) => Some(text.clone()),
            _ => None,
        })?;
        let Some(text) = text else { return Ok(None) };
        self.make(weight::text(text.len()))?;
        let engine = if text.contains(['-', '_']) { &BASE64_URL } else { &BASE64 };
        match engine.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(_) => {
                self.fault_value(
                    Type::Scalar("TYPE_BYTES"),
                    &format!("Base64 decoding failed for \"{}\"", echo(&text)),
                )?;
                Ok(None)
            }
        }
    }

    /// Reads an enum by name or number; numbers without a name are kept.
    pub(super) fn enumeration<E: Into<i32>>(
        &mut self,
        name: &'static str,
        from_name: fn(&str) -> Option<E>,
    ) -> Read<Option<i32>> {
        self.scalar(Type::Named(name), |scalar| match scalar {
            Scalar::String(text) => from_name(text).map(Into::into),
            Scalar::Number(_) => i32::try_from(integer(scalar)?).ok(),
            _ => None,
        })
    }

    /// Reads `google.protobuf.NullValue`, for which `null` is the value.
    pub(super) fn null(&mut self) -> Read<Option<i32>> {
        if self.syntax.kind()? == Kind::Null {
            self.ignore()?;
            return Ok(Some(0));
        }
        self.scalar(Type::Named("google.protobuf.NullValue"), |scalar| match scalar {
            Scalar::String(text) if text == "NULL_VALUE" => Some(0),
            Scalar::Number("0") => Some(0),
            _ => None,
        })
    }

    /// Reads a text that has a form of its own, such as a timestamp.
    pub(super) fn formatted<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Read<Option<T>> {
        let kind = Type::Named(name);
        let text = self.scalar(kind, |scalar| match scalar {
            Scalar::String(text) => Some(text.clone()),
            _ => None,
        })?;
        let Some(text) = text else { return Ok(None) };
        match parse(&text) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => {
                let (field, _) = self.field_and_parent();
                self.fault_value(kind, &format!("Field '{}', {reason}", camel(field)))?;
                Ok(None)
            }
        }
    }
}

/// A whole number as digits, or as a decimal or exponent that comes to one.
fn integer(scalar: &Scalar<'_>) -> Option<i64> {
    let text = match scalar {
        Scalar::Number(text) => text,
        Scalar::String(text) => &**text,
        _ => return None,
    };
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    // Digits alone that did not fit would only be rounded into the range.
    if !text.contains(['.', 'e', 'E']) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // 2^63 is the first double that no longer fits.
    let fits =
        value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    fits.then_some(value as i64)
}

/// The path as errors show it: ` at 'document.fields[0].value'`; nothing for the whole message.
fn place(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Element(index) => {
                let _infallible = write!(text, "[{index}]");
            }
        }
    }
    if text.is_empty() { text } else { format!(" at '{text}'") }
}

/// A field's name in JSON, from its name in the protocol file.
fn camel(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut upper = false;
    for character in field.chars() {
        if character == '_' {
            upper = true;
        } else {
            name.push(if upper { character.to_ascii_uppercase() } else { character });
            upper = false;
        }
    }
    name
}

/// As much of what came from outside as an error may repeat.
pub(super) fn echo(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ECHO_BYTES_MAX)).unwrap_or(text)
}
