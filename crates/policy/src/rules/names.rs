//! The standard library by name: which functions, methods and types there are, and their signatures.
//!
//! One table serves the compiler (does this name exist?) and the run-time texts (what was expected?).

use crate::ir::Language;

use super::Service;

/// Firestore and Storage Security Rules.
#[derive(Clone, Copy, Debug)]
pub struct Rules;

impl Language for Rules {
    type Global = Global;
    type Function = Function;
    type Method = Method;
    type Type = Type;
}

/// Predefined variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    /// `request`
    Request,
    /// `resource`
    Resource,
    /// `request.auth`
    RequestAuth,
    /// `request.resource`
    RequestResource,
}

macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum $enum { $($variant,)* }

        impl $enum {
            /// Finds it by name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Its name in rules.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

named! {
    /// Functions of the language.
    Function {
        Get = "get", Exists = "exists", GetAfter = "getAfter", ExistsAfter = "existsAfter",
        FirestoreGet = "firestore.get", FirestoreExists = "firestore.exists",
        Path = "path", Int = "int", Float = "float", String = "string", Debug = "debug",
        Abs = "math.abs", Ceil = "math.ceil", Floor = "math.floor", Round = "math.round", Sqrt = "math.sqrt",
        Pow = "math.pow", IsNan = "math.isNaN",
        TimestampDate = "timestamp.date", TimestampValue = "timestamp.value",
        DurationValue = "duration.value", DurationTime = "duration.time", DurationAbs = "duration.abs",
        LatLngValue = "latlng.value",
        Md5 = "hashing.md5", Sha256 = "hashing.sha256", Crc32 = "hashing.crc32", Crc32c = "hashing.crc32c",
    }
}

named! {
    /// Methods of the language's values.
    Method {
        Size = "size", Lower = "lower", Upper = "upper", Trim = "trim", Split = "split", Replace = "replace",
        Matches = "matches", ToUtf8 = "toUtf8", ToBase64 = "toBase64", ToHexString = "toHexString",
        Concat = "concat", HasAll = "hasAll", HasAny = "hasAny", HasOnly = "hasOnly", Join = "join",
        RemoveAll = "removeAll", ToSet = "toSet", Union = "union", Intersection = "intersection",
        Difference = "difference", Keys = "keys", Values = "values", Get = "get", Diff = "diff",
        AddedKeys = "addedKeys", RemovedKeys = "removedKeys", ChangedKeys = "changedKeys",
        AffectedKeys = "affectedKeys", UnchangedKeys = "unchangedKeys", Bind = "bind",
        Year = "year", Month = "month", Day = "day", Hours = "hours", Minutes = "minutes", Seconds = "seconds",
        Nanos = "nanos", DayOfWeek = "dayOfWeek", DayOfYear = "dayOfYear", Date = "date", Time = "time",
        ToMillis = "toMillis", Latitude = "latitude", Longitude = "longitude", Distance = "distance",
    }
}

named! {
    /// Types that `is` knows.
    Type {
        Bool = "bool", Int = "int", Float = "float", Number = "number", String = "string", List = "list",
        Map = "map", Timestamp = "timestamp", Duration = "duration", Path = "path", LatLng = "latlng",
        Bytes = "bytes", Set = "set", MapDiff = "map_diff", Vector = "vector", Constraint = "constraint",
    }
}

/// The namespaces of functions.
pub const NAMESPACES: [&str; 6] = ["math", "timestamp", "duration", "latlng", "hashing", "firestore"];

impl Function {
    /// Whether a service has it.
    pub fn is_in(self, service: Service) -> bool {
        match self {
            Self::Get | Self::Exists | Self::GetAfter | Self::ExistsAfter => service == Service::Firestore,
            Self::FirestoreGet | Self::FirestoreExists => service == Service::Storage,
            _ => true,
        }
    }

    /// Whether it reads a document.
    pub fn reads(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::Exists
                | Self::GetAfter
                | Self::ExistsAfter
                | Self::FirestoreGet
                | Self::FirestoreExists
        )
    }
}

const SIGNATURES: &[&str] = &[
    "get(path)",
    "exists(path)",
    "getAfter(path)",
    "existsAfter(path)",
    "firestore.get(path)",
    "firestore.exists(path)",
    "path(string)",
    "int(int)",
    "int(float)",
    "int(string)",
    "float(int)",
    "float(float)",
    "float(string)",
    "string(int)",
    "string(float)",
    "string(null)",
    "string(string)",
    "string(bool)",
    "string(path)",
    "debug(any)",
    "math.abs(int)",
    "math.abs(float)",
    "math.ceil(float)",
    "math.floor(float)",
    "math.round(float)",
    "math.sqrt(float)",
    "math.pow(float, float)",
    "math.isNaN(float)",
    "timestamp.date(int, int, int)",
    "timestamp.value(int)",
    "timestamp.value(string)",
    "duration.value(int, string)",
    "duration.time(int, int, int, int)",
    "duration.abs(duration)",
    "latlng.value(float, float)",
    "hashing.md5(string)",
    "hashing.md5(bytes)",
    "hashing.sha256(string)",
    "hashing.sha256(bytes)",
    "hashing.crc32(string)",
    "hashing.crc32(bytes)",
    "hashing.crc32c(string)",
    "hashing.crc32c(bytes)",
    "string.size()",
    "string.lower()",
    "string.upper()",
    "string.trim()",
    "string.split(string)",
    "string.replace(string, string)",
    "string.matches(string)",
    "string.toUtf8()",
    "bytes.size()",
    "bytes.toBase64()",
    "bytes.toHexString()",
    "list.size()",
    "list.concat(list)",
    "list.hasAll(list)",
    "list.hasAny(list)",
    "list.hasOnly(list)",
    "list.join(string)",
    "list.removeAll(list)",
    "list.toSet()",
    "set.size()",
    "set.hasAll(list)",
    "set.hasAll(set)",
    "set.hasAny(list)",
    "set.hasAny(set)",
    "set.hasOnly(list)",
    "set.hasOnly(set)",
    "set.union(set)",
    "set.intersection(set)",
    "set.difference(set)",
    "map.size()",
    "map.keys()",
    "map.values()",
    "map.get(string, any)",
    "map.get(list, any)",
    "map.diff(map)",
    "map_diff.addedKeys()",
    "map_diff.removedKeys()",
    "map_diff.changedKeys()",
    "map_diff.affectedKeys()",
    "map_diff.unchangedKeys()",
    "path.bind(map)",
    "timestamp.year()",
    "timestamp.month()",
    "timestamp.day()",
    "timestamp.hours()",
    "timestamp.minutes()",
    "timestamp.seconds()",
    "timestamp.nanos()",
    "timestamp.dayOfWeek()",
    "timestamp.dayOfYear()",
    "timestamp.date()",
    "timestamp.time()",
    "timestamp.toMillis()",
    "duration.seconds()",
    "duration.nanos()",
    "latlng.latitude()",
    "latlng.longitude()",
    "latlng.distance(latlng)",
];

/// The signatures of a function (`math.abs`) or of a type's method (`set.difference`) as methods have it. Timestamps and
/// durations have functions and methods of one name; the methods there take no arguments.
pub fn signatures(qualified: &str) -> impl Iterator<Item = &'static str> + '_ {
    SIGNATURES.iter().copied().filter(move |signature| {
        signature.strip_prefix(qualified).is_some_and(|arguments| arguments.starts_with('('))
    })
}

/// The signatures of a method, of every type that has it.
pub fn method_signatures(name: &str) -> impl Iterator<Item = &'static str> + '_ {
    SIGNATURES.iter().copied().filter(move |signature| {
        let method =
            signature.split_once('.').filter(|(of, _)| !NAMESPACES.contains(of) || is_method(signature));
        method.and_then(|(_, method)| method.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    })
}

/// Timestamps, durations and places have methods without arguments, and packages with functions.
fn is_method(signature: &str) -> bool {
    signature.ends_with("()") || signature == "latlng.distance(latlng)"
}

/// How many arguments a signature has.
pub fn argument_count(signature: &str) -> usize {
    if signature.ends_with("()") { 0 } else { signature.matches(", ").count() + 1 }
}
