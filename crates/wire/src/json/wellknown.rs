//! Google's well-known types, each with a JSON form of its own: timestamps, durations, free-form objects.

use std::collections::BTreeMap;
use std::mem::size_of;

use prost_types::value::Kind as Member;
use prost_types::{Duration, ListValue, Struct, Timestamp, Value};

use super::reader::Type;
use super::syntax::Kind;
use super::{Json, Read, Reader, Writer};
use crate::time;
use crate::weight::{element, entry, node, text};

const NANOS: i32 = 1_000_000_000;
/// Durations reach ten thousand years either way.
const DURATION_SECONDS_MAX: u64 = 315_576_000_000;

/// `google.protobuf.Empty`.
impl Json for () {
    const NAME: &'static str = "google.protobuf.Empty";

    fn read_field(&mut self, _: &str, _: &mut Reader<'_>) -> Read<bool> {
        Ok(false)
    }

    fn write_fields(&self, _: &mut Writer<'_>) {}
}

impl Reader<'_> {
    pub(super) fn timestamp(&mut self) -> Read<Option<Timestamp>> {
        self.formatted("google.protobuf.Timestamp", |text| match base::Timestamp::parse(text) {
            Ok(at) => Ok(time::to_wire(at)),
            Err(_) => Err(format!("Invalid time format: {text}")),
        })
    }

    pub(super) fn duration(&mut self) -> Read<Option<Duration>> {
        self.formatted("google.protobuf.Duration", |text| match text.strip_suffix('s') {
            None => Err("Illegal duration format; duration must end with 's'".to_owned()),
            Some(number) => parse_duration(number)
                .ok_or_else(|| "Invalid duration format, failed to parse seconds".to_owned()),
        })
    }

    pub(super) fn structure(&mut self) -> Read<Option<Struct>> {
        let mut fields = BTreeMap::new();
        let present = self.object(Type::Named("google.protobuf.Struct"), |json, name| {
            if let Some(value) = json.value()? {
                json.make(entry(node(size_of::<Value>()), fields.len()) + text(name.len()))?;
                fields.insert(name.into_owned(), value);
            }
            Ok(())
        })?;
        Ok(present.then_some(Struct { fields }))
    }

    fn value(&mut self) -> Read<Option<Value>> {
        let kind = match self.kind()? {
            Kind::Object => self.structure()?.map(Member::StructValue),
            Kind::List => {
                let mut values = Vec::new();
                self.elements(|json| {
                    json.make(element(size_of::<Value>(), values.len()))?;
                    values.extend(json.value()?);
                    Ok(())
                })?;
                Some(Member::ListValue(ListValue { values }))
            }
            Kind::String => self.string()?.map(Member::StringValue),
            Kind::Number => self.double()?.map(Member::NumberValue),
            Kind::True | Kind::False => self.bool()?.map(Member::BoolValue),
            Kind::Null => self.null()?.map(Member::NullValue),
        };
        Ok(kind.map(|kind| Value { kind: Some(kind) }))
    }
}

impl Writer<'_> {
    /// A moment outside the years 1 to 9999 has no JSON form and becomes `null`.
    pub(super) fn timestamp(&mut self, value: &Timestamp) {
        match time::from_wire(value) {
            Ok(at) => self.quoted(at),
            Err(_) => self.null(),
        }
    }

    pub(super) fn duration(&mut self, value: &Duration) {
        let sign = if value.seconds < 0 || value.nanos < 0 { "-" } else { "" };
        let (seconds, nanos) = (value.seconds.unsigned_abs(), value.nanos.unsigned_abs());
        if nanos == 0 {
            self.quoted(format_args!("{sign}{seconds}s"));
        } else if nanos % 1_000_000 == 0 {
            self.quoted(format_args!("{sign}{seconds}.{:03}s", nanos / 1_000_000));
        } else if nanos % 1000 == 0 {
            self.quoted(format_args!("{sign}{seconds}.{:06}s", nanos / 1000));
        } else {
            self.quoted(format_args!("{sign}{seconds}.{nanos:09}s"));
        }
    }

    pub(super) fn structure(&mut self, value: &Struct) {
        self.map(&value.fields, Self::value);
    }

    fn value(&mut self, value: &Value) {
        match &value.kind {
            None | Some(Member::NullValue(_)) => self.null(),
            Some(Member::NumberValue(number)) => self.double(number),
            Some(Member::StringValue(text)) => self.string(text),
            Some(Member::BoolValue(value)) => self.bool(value),
            Some(Member::StructValue(fields)) => self.structure(fields),
            Some(Member::ListValue(list)) => self.list(&list.values, Self::value),
        }
    }
}

/// Seconds with up to nine digits behind the point.
fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: u64 = whole.parse().ok().filter(|seconds| *seconds <= DURATION_SECONDS_MAX)?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok().filter(|nanos| *nanos < NANOS)?;
    let seconds = i64::try_from(seconds).ok()?;
    Some(if negative { Duration { seconds: -seconds, nanos: -nanos } } else { Duration { seconds, nanos } })
}
