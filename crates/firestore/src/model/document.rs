//! A document's row: one format byte ‖ eight bytes of the version that created it ‖ its fields as protocol bytes.
//!
//! Fields are kept as the wire has them, names in order, so that reading for a client needs no conversion and equal
//! documents have equal bytes. A creating version of zero stands for the row's own: whoever creates a document does
//! not know its version yet.

use std::collections::BTreeMap;

use base::{Code, DatabaseName, DocumentPath, Fields, Status};
use bytes::{BufMut, Bytes, BytesMut};
use kv::{Row, Version};
use prost::Message;
use wire::v1;

use super::{body, value};

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 9;

/// A document as it lies in the store, not decoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The commit that created it.
    pub created: Version,
    /// The commit that last changed it.
    pub updated: Version,
    body: Bytes,
}

/// The row's value of a document; `created` is `None` when this very commit creates it.
pub fn encode(created: Option<Version>, body: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(HEADER_LEN + body.len());
    row.put_u8(FORMAT);
    row.put_i64(created.unwrap_or(Version::ZERO).0);
    row.put_slice(body);
    row.freeze()
}

/// Fields as they are stored. Equal fields give equal bytes.
pub fn encode_fields(fields: &Fields) -> Bytes {
    body::encode(fields).into()
}

fn unreadable(what: &str) -> Status {
    tracing::error!(what, "a stored document cannot be read");
    Status::new(Code::DataLoss, "A stored document cannot be read.")
}

impl Stored {
    /// Reads a row's header. An unreadable row is a fault, never a missing document.
    pub fn from_row(row: &Row) -> Result<Self, Status> {
        let mut body = row.value.clone();
        if body.first() != Some(&FORMAT) || body.len() < HEADER_LEN {
            return Err(unreadable("unknown row format"));
        }
        let header = body.split_to(HEADER_LEN);
        let created = header.get(1..).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        let created = match created {
            Some(0) => row.version,
            Some(version) => Version(version),
            None => return Err(unreadable("no creating version")),
        };
        Ok(Self { created, updated: row.version, body })
    }

    /// The same in memory of its own: what a row was read from may be much larger.
    #[must_use]
    pub fn detached(self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), ..self }
    }

    /// The fields' protocol bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The fields as the wire has them.
    pub fn wire_fields(&self) -> Result<BTreeMap<String, v1::Value>, Status> {
        let document = v1::Document::decode(self.body.clone()).map_err(|_| unreadable("broken fields"))?;
        Ok(document.fields)
    }

    /// The fields.
    pub fn fields(&self) -> Result<Fields, Status> {
        value::fields_from_wire(self.wire_fields()?).map_err(|_| unreadable("broken value"))
    }

    /// Those of these top-level fields that there are; the others are passed over, not read. For filters and indexes,
    /// which look at a field or two of many documents.
    pub fn fields_named(&self, names: &[String]) -> Result<Fields, Status> {
        let broken = || unreadable("broken fields");
        let mut fields = Fields::new();
        let mut body = &*self.body;
        while !body.is_empty() {
            let (name, value) = body::take_field(&mut body).ok_or_else(broken)?;
            if names.iter().any(|wanted| wanted.as_bytes() == name) {
                let name = std::str::from_utf8(name).map_err(|_| broken())?;
                let value = v1::Value::decode(value).map_err(|_| broken())?;
                fields.insert(name.to_owned(), value::from_wire(value).map_err(|_| broken())?);
            }
        }
        Ok(fields)
    }

    /// The document for a client, with these fields.
    pub fn to_wire(
        &self,
        database: &DatabaseName,
        path: &DocumentPath,
        fields: BTreeMap<String, v1::Value>,
    ) -> v1::Document {
        v1::Document {
            name: path.name_in(database),
            fields,
            create_time: Some(value::version_to_wire(self.created)),
            update_time: Some(value::version_to_wire(self.updated)),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{GeoPoint, Timestamp, Value};

    use super::*;

    fn fields() -> Fields {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Integer(i64::MIN),
            Value::Double(-0.0),
            Value::Timestamp(Timestamp { seconds: -1, nanos: 5_000 }),
            Value::String("é\0".into()),
            Value::Bytes(vec![0, 255]),
            Value::Reference("projects/p/databases/d/documents/a/b".into()),
            Value::GeoPoint(GeoPoint { latitude: -90.0, longitude: 180.0 }),
            Value::Array(vec![Value::Integer(0), Value::Map(Fields::new())]),
            Value::Map([(String::new(), Value::Null)].into()),
        ];
        values.into_iter().enumerate().map(|(index, value)| (format!("f{index}"), value)).collect()
    }

    fn row(value: Bytes) -> Row {
        Row { key: kv::Key::new(kv::Keyspace(0x10), b"k"), value, version: Version(7) }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let body = encode_fields(&fields());
        let stored = Stored::from_row(&row(encode(None, &body))).unwrap();
        assert_eq!((stored.created, stored.updated), (Version(7), Version(7)));
        assert_eq!(stored.fields().unwrap(), fields());
        assert_eq!(stored.body(), &encode_fields(&stored.fields().unwrap()));
        let stored = Stored::from_row(&row(encode(Some(Version(3)), &body))).unwrap();
        assert_eq!((stored.created, stored.updated), (Version(3), Version(7)));
    }

    #[test]
    fn the_bytes_are_the_messages() {
        let mut all = fields();
        let long: String = "x".repeat(20_000);
        let inner = Value::Map(
            [("deep".into(), Value::Array(vec![Value::String(long), Value::Map(fields())]))].into(),
        );
        all.insert("nested".into(), inner);
        all.insert("t".into(), Value::Timestamp(Timestamp { seconds: 0, nanos: 0 }));
        all.insert("n".into(), Value::Integer(-1));
        all.insert("f".into(), Value::Bool(false));
        all.insert("".into(), Value::Array(vec![]));
        let message = v1::Document { fields: value::fields_to_wire(all.clone()), ..Default::default() };
        assert_eq!(encode_fields(&all), message.encode_to_vec());
    }

    #[test]
    fn some_fields_are_read_without_the_others() {
        let mut all = fields();
        all.insert(String::new(), Value::Null);
        let stored = Stored::from_row(&row(encode(None, &encode_fields(&all)))).unwrap();
        for names in [&[][..], &["f2"], &["f9", "absent", "f10"], &[""], &["f"]] {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let expected: Fields = all
                .iter()
                .filter(|(name, _)| names.contains(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            assert_eq!(stored.fields_named(&names).unwrap(), expected, "{names:?}");
        }
        let whole = encode_fields(&all);
        for cut in [1, whole.len() / 2, whole.len() - 1] {
            let stored = Stored::from_row(&row(encode(None, &whole[..cut]))).unwrap();
            assert_eq!(stored.fields_named(&["absent".to_owned()]).unwrap_err().code, Code::DataLoss);
        }
    }

    #[test]
    fn garbage_is_data_loss() {
        for bytes in [&b""[..], b"\x01short", b"\x02\0\0\0\0\0\0\0\0"] {
            assert_eq!(
                Stored::from_row(&row(Bytes::copy_from_slice(bytes))).unwrap_err().code,
                Code::DataLoss
            );
        }
        let stored = Stored::from_row(&row(encode(None, b"\xff\xff"))).unwrap();
        assert_eq!(stored.fields().unwrap_err().code, Code::DataLoss);
    }
}
