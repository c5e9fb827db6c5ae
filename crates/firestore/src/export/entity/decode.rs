//! Records become documents.

use base::limits::DOCUMENT_BYTES_MAX;
use base::value::{TYPE_KEY, VECTOR_TYPE, VECTOR_VALUE_KEY};
use base::{DatabaseName, DocumentPath, Fields, GeoPoint, ResourcePath, Timestamp, Value};
use prost::encoding::decode_varint;

use super::{
    FIXED64, GROUP, GROUP_END, Imported, SIZED, VARINT, meaning, of_entity, of_property, of_reference,
    of_segment, of_value,
};
use crate::export::Fault;
use crate::write::{admit, check_size};

/// Maps in maps, at most; what a document may hold is checked afterwards.
const DEPTH_MAX: usize = 100;
/// What the values of one record may come to, in bytes as limits count them and at least one each: what is more is no document.
const VALUE_BYTES_MAX: usize = 2 * DOCUMENT_BYTES_MAX;
/// Fixed words of four bytes, which these messages have no use for.
const FIXED32: u64 = 5;

/// The document of a record.
pub fn decode(record: &[u8]) -> Result<Imported, Fault> {
    let mut reading = Reading { left: VALUE_BYTES_MAX };
    let (path, fields) = reading.entity(record, 0)?;
    let path = path.ok_or(Fault::Shape("document: its key has no path"))?;
    let path = ResourcePath::from_segments(path).map_err(|error| Fault::Document(error.to_string()))?;
    let path = DocumentPath::new(path).ok_or(Fault::Shape("document: its key is incomplete"))?;
    let within = |status: base::Status| Fault::Document(format!("`/{path}`: {}", status.message));
    let fields = admit(fields).map_err(within)?;
    check_size(&DatabaseName::default_of("p"), &path, &fields).map_err(within)?;
    Ok(Imported { path, fields, record_len: record.len() })
}

/// One field of a message.
enum Part<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
    Begin,
    End,
}

/// The fields of a message, in their order.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn next(&mut self) -> Result<Option<(u64, Part<'a>)>, Fault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let part = match tag & 7 {
            VARINT => Part::Varint(self.varint()?),
            FIXED64 => Part::Fixed(u64::from_le_bytes(
                self.take(8)?.try_into().map_err(|_| Fault::Shape("entity: a number is cut short"))?,
            )),
            SIZED => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Part::Bytes(self.take(length)?)
            }
            GROUP => Part::Begin,
            GROUP_END => Part::End,
            FIXED32 => {
                self.take(4)?;
                Part::Varint(0)
            }
            _ => return Err(Fault::Shape("entity: a field has no known kind")),
        };
        Ok(Some((tag >> 3, part)))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        decode_varint(&mut self.0).map_err(|_| Fault::Shape("entity: a number is not one"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Fault::Shape("entity: a field is longer than its message"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next field of a group; `None` at its end.
    fn within(&mut self, group: u64) -> Result<Option<(u64, Part<'a>)>, Fault> {
        match self.next()? {
            Some((number, Part::End)) if number == group => Ok(None),
            Some(part) => Ok(Some(part)),
            None => Err(Fault::Shape("entity: a group has no end")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Fault::Shape("entity: a text is not UTF-8"))
}

/// A property as it is read.
#[derive(Default)]
struct Property<'a> {
    meaning: u64,
    name: String,
    is_multiple: bool,
    value: &'a [u8],
}

/// The decoding of one record, and how much more it may hold.
struct Reading {
    left: usize,
}

impl Reading {
    fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(bytes.max(1)).ok_or(Fault::Shape("document: it holds too much"))?;
        Ok(())
    }

    fn entity(&mut self, record: &[u8], depth: usize) -> Result<(Option<Vec<String>>, Fields), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::Shape("document: maps are nested too deeply"));
        }
        let (mut path, mut fields) = (None, Fields::new());
        let mut parts = Parts(record);
        while let Some((number, part)) = parts.next()? {
            match (number, part) {
                (of_entity::KEY, Part::Bytes(key)) => path = key_path(key)?,
                (of_entity::INDEXED | of_entity::UNINDEXED, Part::Bytes(bytes)) => {
                    let property = property(bytes)?;
                    self.add(&mut fields, property, depth)?;
                }
                (_, Part::Begin | Part::End) => return Err(Fault::Shape("entity: it has a group")),
                _ => {}
            }
        }
        Ok((path, fields))
    }

    /// Puts a property into its field: a value, or one more of an array or a vector.
    fn add(&mut self, fields: &mut Fields, property: Property<'_>, depth: usize) -> Result<(), Fault> {
        let Property { meaning: means, name, is_multiple, value } = property;
        if means == meaning::EMPTY_ARRAY {
            self.charge(name.len())?;
            fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            return Ok(());
        }
        let value = self.value(value, means, depth)?;
        let own_bytes = if matches!(value, Value::Map(_)) { 1 } else { value.size() };
        self.charge(own_bytes)?;
        if means == meaning::VECTOR {
            let vector = fields.entry(name).or_insert_with(empty_vector);
            return match vector {
                Value::Map(parts) => match parts.get_mut(VECTOR_VALUE_KEY) {
                    Some(Value::Array(items)) => {
                        items.push(value);
                        Ok(())
                    }
                    _ => Err(Fault::Shape("document: a field has values of two kinds")),
                },
                _ => Err(Fault::Shape("document: a field has values of two kinds")),
            };
        }
        if is_multiple {
            return match fields.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(items) => {
                    items.push(value);
                    Ok(())
                }
                _ => Err(Fault::Shape("document: a field is an array and a value")),
            };
        }
        self.charge(name.len())?;
        match fields.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(Fault::Shape("document: a field has two values")),
        }
    }

    fn value(&mut self, bytes: &[u8], means: u64, depth: usize) -> Result<Value, Fault> {
        let mut parts = Parts(bytes);
        let mut value = Value::Null;
        while let Some((number, part)) = parts.next()? {
            value = match (number, part) {
                (of_value::INTEGER, Part::Varint(integer)) if means == meaning::TIMESTAMP => {
                    let at = Timestamp::from_micros(integer.cast_signed());
                    let at = Timestamp::new(at.seconds, at.nanos);
                    Value::Timestamp(at.map_err(|_| Fault::Shape("document: a time is out of range"))?)
                }
                (of_value::INTEGER, Part::Varint(integer)) => Value::Integer(integer.cast_signed()),
                (of_value::BOOLEAN, Part::Varint(truth)) => Value::Bool(truth != 0),
                (of_value::DOUBLE, Part::Fixed(bits)) => Value::Double(f64::from_bits(bits)),
                (of_value::STRING, Part::Bytes(bytes)) => match means {
                    meaning::ENTITY => Value::Map(self.entity(bytes, depth + 1)?.1),
                    meaning::BYTES | meaning::SHORT_BYTES => Value::Bytes(bytes.to_vec()),
                    _ => Value::String(text(bytes)?),
                },
                (of_value::POINT, Part::Begin) => point(&mut parts)?,
                (of_value::REFERENCE, Part::Begin) => reference(&mut parts)?,
                _ => return Err(Fault::Shape("document: a value has no known kind")),
            };
        }
        Ok(value)
    }
}

fn empty_vector() -> Value {
    let kind = (TYPE_KEY.to_owned(), Value::String(VECTOR_TYPE.to_owned()));
    Value::Map([kind, (VECTOR_VALUE_KEY.to_owned(), Value::Array(Vec::new()))].into())
}

fn property(bytes: &[u8]) -> Result<Property<'_>, Fault> {
    let mut property = Property::default();
    let mut parts = Parts(bytes);
    while let Some((number, part)) = parts.next()? {
        match (number, part) {
            (of_property::MEANING, Part::Varint(meaning)) => property.meaning = meaning,
            (of_property::NAME, Part::Bytes(name)) => property.name = text(name)?,
            (of_property::MULTIPLE, Part::Varint(multiple)) => property.is_multiple = multiple != 0,
            (of_property::VALUE, Part::Bytes(value)) => property.value = value,
            (_, Part::Begin | Part::End) => return Err(Fault::Shape("entity: a property has a group")),
            _ => {}
        }
    }
    Ok(property)
}

fn key_path(key: &[u8]) -> Result<Option<Vec<String>>, Fault> {
    let mut parts = Parts(key);
    while let Some((number, part)) = parts.next()? {
        if let (of_reference::PATH, Part::Bytes(path)) = (number, part) {
            let (mut parts, mut segments) = (Parts(path), Vec::new());
            while let Some(part) = parts.next()? {
                match part {
                    (of_segment::IN_PATH, Part::Begin) => {
                        let of = (of_segment::KIND, of_segment::ID, of_segment::NAME);
                        segment(&mut parts, of_segment::IN_PATH, of, &mut segments)?;
                    }
                    _ => return Err(Fault::Shape("entity: its path has no segments")),
                }
            }
            return Ok(Some(segments));
        }
    }
    Ok(None)
}

/// Reads a segment up to its end: a collection's id, and a document's.
fn segment(
    parts: &mut Parts<'_>,
    group: u64,
    (kind, id, name): (u64, u64, u64),
    segments: &mut Vec<String>,
) -> Result<(), Fault> {
    let (mut collection, mut document) = (None, None);
    while let Some((number, part)) = parts.within(group)? {
        match part {
            Part::Bytes(bytes) if number == kind => collection = Some(text(bytes)?),
            Part::Varint(value) if number == id => document = Some(format!("__id{}__", value.cast_signed())),
            Part::Bytes(bytes) if number == name => document = Some(text(bytes)?),
            _ => return Err(Fault::Shape("entity: a segment of a path has no known form")),
        }
    }
    segments.extend(collection);
    segments.extend(document);
    Ok(())
}

fn point(parts: &mut Parts<'_>) -> Result<Value, Fault> {
    let mut point = GeoPoint::default();
    while let Some((number, part)) = parts.within(of_value::POINT)? {
        match (number, part) {
            (of_value::X, Part::Fixed(bits)) => point.latitude = f64::from_bits(bits),
            (of_value::Y, Part::Fixed(bits)) => point.longitude = f64::from_bits(bits),
            _ => return Err(Fault::Shape("document: a geographic point has no known form")),
        }
    }
    let is_on_earth = point.latitude.abs() <= 90.0 && point.longitude.abs() <= 180.0;
    if is_on_earth {
        Ok(Value::GeoPoint(point))
    } else {
        Err(Fault::Shape("document: a geographic point is out of range"))
    }
}

/// A reference keeps the project and the database that it names.
fn reference(parts: &mut Parts<'_>) -> Result<Value, Fault> {
    let (mut project, mut database, mut segments) = (String::new(), "(default)".to_owned(), Vec::new());
    while let Some((number, part)) = parts.within(of_value::REFERENCE)? {
        match (number, part) {
            (of_reference::APP, Part::Bytes(app)) => {
                let app = text(app)?;
                project = app.split_once('~').map_or(app.as_str(), |(_, project)| project).to_owned();
            }
            (of_reference::SEGMENT, Part::Begin) => {
                let of = (of_segment::VALUE_KIND, of_segment::VALUE_ID, of_segment::VALUE_NAME);
                segment(parts, of_reference::SEGMENT, of, &mut segments)?;
            }
            (of_reference::DATABASE, Part::Bytes(name)) => database = text(name)?,
            (_, Part::Begin | Part::End) => {
                return Err(Fault::Shape("document: a reference has no known form"));
            }
            _ => {}
        }
    }
    Ok(Value::Reference(format!("projects/{project}/databases/{database}/documents/{}", segments.join("/"))))
}
