//! What rules see of a request, by name and kind: the fields of `request`, `resource`, tokens and stored objects.

use policy::Service;
use policy::rules::lowered::{Function, Method};

use crate::logic::Types;

/// Values whose fields are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Request,
    Auth,
    Token,
    /// `resource`, `request.resource`, what `get()` returns.
    Document,
    /// An object of Storage.
    Object,
    Query,
    /// Nothing is known.
    Other,
}

/// A field.
pub struct Field {
    pub types: Types,
    pub shape: Shape,
    /// Whether it is there whenever the value is.
    pub always: bool,
}

const fn field(types: Types) -> Field {
    Field { types, shape: Shape::Other, always: true }
}

const fn maybe(types: Types) -> Field {
    Field { types, shape: Shape::Other, always: false }
}

impl Shape {
    /// The names of the fields, if nothing else can be there.
    pub fn names(self, service: Service) -> Option<&'static [&'static str]> {
        match (self, service) {
            (Shape::Request, Service::Firestore) => Some(&[
                "auth",
                "method",
                "path",
                "query",
                "resource",
                "time",
                "headers",
                "inTransaction",
                "fields",
            ]),
            (Shape::Request, Service::Storage) => {
                Some(&["auth", "method", "params", "path", "resource", "time"])
            }
            (Shape::Auth, _) => Some(&["uid", "token"]),
            (Shape::Document, _) => Some(&["data", "id", "__name__"]),
            (Shape::Object, _) => Some(&[
                "name",
                "bucket",
                "generation",
                "metageneration",
                "size",
                "timeCreated",
                "updated",
                "md5Hash",
                "crc32c",
                "etag",
                "contentDisposition",
                "contentEncoding",
                "contentLanguage",
                "contentType",
                "metadata",
            ]),
            (Shape::Query, _) => Some(&["limit", "offset", "orderBy"]),
            (Shape::Token | Shape::Other, _) => None,
        }
    }

    /// A field; `None` when there is none of this name.
    pub fn field(self, name: &str, service: Service) -> Option<Field> {
        if self.names(service).is_some_and(|names| !names.contains(&name)) {
            return None;
        }
        Some(match (self, name) {
            (Shape::Request, "method") => field(Types::TEXT),
            (Shape::Request, "path") => field(Types::PATH),
            (Shape::Request, "time") => field(Types::TIME),
            (Shape::Request, "query") => Field { shape: Shape::Query, ..maybe(Types::MAP) },
            (Shape::Request, "inTransaction") => field(Types::BOOL),
            (Shape::Request, "headers") => field(Types::MAP),
            (Shape::Auth, "uid") => field(Types::TEXT),
            (Shape::Auth, _) => Field { shape: Shape::Token, ..field(Types::MAP) },
            (Shape::Token, "email" | "phone_number" | "name" | "picture" | "sub" | "iss" | "aud") => {
                maybe(Types::TEXT)
            }
            (Shape::Token, "email_verified") => maybe(Types::BOOL),
            (Shape::Token, "firebase") => maybe(Types::MAP),
            (Shape::Document, "data") => field(Types::MAP),
            (Shape::Document, "id") => field(Types::TEXT),
            (Shape::Document, _) => field(Types::PATH),
            (Shape::Object, "size" | "generation" | "metageneration") => maybe(Types::INT),
            (Shape::Object, "timeCreated" | "updated") => maybe(Types::TIME),
            (Shape::Object, "metadata") => maybe(Types::MAP),
            (Shape::Object, _) => maybe(Types::TEXT),
            (Shape::Query, "limit" | "offset") => maybe(Types::INT.or(Types::NULL)),
            _ => maybe(Types::ANY),
        })
    }
}

/// What a function of the language returns.
pub fn returned(function: Function) -> (Types, Shape) {
    let types = match function {
        Function::Get | Function::GetAfter | Function::FirestoreGet => return (Types::MAP, Shape::Document),
        Function::Exists | Function::ExistsAfter | Function::FirestoreExists | Function::IsNan => Types::BOOL,
        Function::Path => Types::PATH,
        Function::Int => Types::INT,
        Function::Float | Function::Sqrt | Function::Pow => Types::FLOAT,
        Function::String => Types::TEXT,
        Function::Abs | Function::Ceil | Function::Floor | Function::Round => Types::NUMBER,
        Function::TimestampDate | Function::TimestampValue => Types::TIME,
        Function::DurationValue | Function::DurationTime | Function::DurationAbs => Types::SPAN,
        Function::LatLngValue => Types::PLACE,
        Function::Md5 | Function::Sha256 | Function::Crc32 | Function::Crc32c => Types::BYTES,
        Function::Debug => Types::ANY,
    };
    (types, Shape::Other)
}

/// The kinds of values that have a method, and what it returns.
pub fn method(method: Method) -> (Types, Types) {
    const COLLECTION: Types = Types::LIST.or(Types::SET);
    match method {
        Method::Size => {
            (Types::TEXT.or(Types::BYTES).or(Types::LIST).or(Types::SET).or(Types::MAP), Types::INT)
        }
        Method::Lower | Method::Upper | Method::Trim | Method::Replace => (Types::TEXT, Types::TEXT),
        Method::Split => (Types::TEXT, Types::LIST),
        Method::Matches => (Types::TEXT, Types::BOOL),
        Method::ToUtf8 => (Types::TEXT, Types::BYTES),
        Method::ToBase64 | Method::ToHexString => (Types::BYTES, Types::TEXT),
        Method::Concat | Method::RemoveAll => (Types::LIST, Types::LIST),
        Method::Join => (Types::LIST, Types::TEXT),
        Method::HasAll | Method::HasAny | Method::HasOnly => (COLLECTION, Types::BOOL),
        Method::ToSet => (Types::LIST, Types::SET),
        Method::Union | Method::Intersection | Method::Difference => (Types::SET, Types::SET),
        Method::Keys | Method::Values => (Types::MAP, Types::LIST),
        Method::Get => (Types::MAP, Types::ANY),
        Method::Diff => (Types::MAP, Types::DIFF),
        Method::AddedKeys
        | Method::RemovedKeys
        | Method::ChangedKeys
        | Method::AffectedKeys
        | Method::UnchangedKeys => (Types::DIFF, Types::SET),
        Method::Bind => (Types::PATH, Types::PATH),
        Method::Year
        | Method::Month
        | Method::Day
        | Method::Hours
        | Method::Minutes
        | Method::DayOfWeek
        | Method::DayOfYear
        | Method::ToMillis => (Types::TIME, Types::INT),
        Method::Seconds | Method::Nanos => (Types::TIME.or(Types::SPAN), Types::INT),
        Method::Date => (Types::TIME, Types::TIME),
        Method::Time => (Types::TIME, Types::SPAN),
        Method::Latitude | Method::Longitude => (Types::PLACE, Types::FLOAT),
        Method::Distance => (Types::PLACE, Types::FLOAT),
    }
}
