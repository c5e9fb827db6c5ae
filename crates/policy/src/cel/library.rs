//! The functions of CEL and of its extensions, with what they take and give.
//!
//! A declaration is text: `(int, string) bool` for `f(1, 'a')`, `string:(int) bool` for `'a'.f(1)`. A single
//! capital letter is any type, the same one wherever it stands in the declaration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::types::Type;

/// What one overload takes and gives. A receiver is its first parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// Whether it is called on a receiver.
    pub receiver: bool,
    /// The types of the arguments.
    pub parameters: Vec<Type>,
    /// The type of the result.
    pub result: Type,
}

/// A function's overloads.
#[derive(Debug)]
pub struct Declared {
    /// Which function.
    pub function: Function,
    /// What it may be called with.
    pub overloads: Vec<Overload>,
}

macro_rules! functions {
    ($($variant:ident $name:literal [$($overload:literal)*])*) => {
        /// A function of the library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($variant),* }

        const DECLARATIONS: &[(Function, &str, &[&str])] =
            &[$((Function::$variant, $name, &[$($overload),*])),*];
    };
}

functions! {
    Size "size" ["(string) int" "(bytes) int" "(list<A>) int" "(map<A,B>) int" "string:() int" "bytes:() int" "list<A>:() int" "map<A,B>:() int"]
    Contains "contains" ["string:(string) bool"]
    StartsWith "startsWith" ["string:(string) bool"]
    EndsWith "endsWith" ["string:(string) bool"]
    Matches "matches" ["string:(string) bool" "(string,string) bool"]
    Bool "bool" ["(bool) bool" "(string) bool"]
    Int "int" ["(int) int" "(uint) int" "(double) int" "(string) int" "(timestamp) int"]
    Uint "uint" ["(uint) uint" "(int) uint" "(double) uint" "(string) uint"]
    Double "double" ["(double) double" "(int) double" "(uint) double" "(string) double"]
    String "string" ["(string) string" "(bool) string" "(int) string" "(uint) string" "(double) string" "(bytes) string" "(timestamp) string" "(duration) string" "(ip) string" "(cidr) string"]
    Bytes "bytes" ["(bytes) bytes" "(string) bytes"]
    Timestamp "timestamp" ["(timestamp) timestamp" "(string) timestamp" "(int) timestamp"]
    Duration "duration" ["(duration) duration" "(string) duration"]
    Dyn "dyn" ["(A) dyn"]
    Type "type" ["(A) type<A>"]
    FullYear "getFullYear" ["timestamp:() int" "timestamp:(string) int"]
    Month "getMonth" ["timestamp:() int" "timestamp:(string) int"]
    DayOfYear "getDayOfYear" ["timestamp:() int" "timestamp:(string) int"]
    DayOfMonth "getDayOfMonth" ["timestamp:() int" "timestamp:(string) int"]
    Date "getDate" ["timestamp:() int" "timestamp:(string) int"]
    DayOfWeek "getDayOfWeek" ["timestamp:() int" "timestamp:(string) int"]
    Hours "getHours" ["timestamp:() int" "timestamp:(string) int" "duration:() int"]
    Minutes "getMinutes" ["timestamp:() int" "timestamp:(string) int" "duration:() int"]
    Seconds "getSeconds" ["timestamp:() int" "timestamp:(string) int" "duration:() int"]
    Milliseconds "getMilliseconds" ["timestamp:() int" "timestamp:(string) int" "duration:() int"]

    CharAt "charAt" ["string:(int) string"]
    IndexOf "indexOf" ["string:(string) int" "string:(string,int) int"]
    LastIndexOf "lastIndexOf" ["string:(string) int" "string:(string,int) int"]
    LowerAscii "lowerAscii" ["string:() string"]
    UpperAscii "upperAscii" ["string:() string"]
    Replace "replace" ["string:(string,string) string" "string:(string,string,int) string"]
    Split "split" ["string:(string) list<string>" "string:(string,int) list<string>"]
    Substring "substring" ["string:(int) string" "string:(int,int) string"]
    Trim "trim" ["string:() string"]
    Reverse "reverse" ["string:() string" "list<A>:() list<A>"]
    Join "join" ["list<string>:() string" "list<string>:(string) string"]
    Format "format" ["string:(list<dyn>) string"]
    Quote "strings.quote" ["(string) string"]

    Ceil "math.ceil" ["(double) double"]
    Floor "math.floor" ["(double) double"]
    Round "math.round" ["(double) double"]
    Trunc "math.trunc" ["(double) double"]
    Abs "math.abs" ["(int) int" "(uint) uint" "(double) double"]
    Sign "math.sign" ["(int) int" "(uint) uint" "(double) double"]
    Sqrt "math.sqrt" ["(int) double" "(uint) double" "(double) double"]
    IsNan "math.isNaN" ["(double) bool"]
    IsInf "math.isInf" ["(double) bool"]
    IsFinite "math.isFinite" ["(double) bool"]
    BitAnd "math.bitAnd" ["(int,int) int" "(uint,uint) uint"]
    BitOr "math.bitOr" ["(int,int) int" "(uint,uint) uint"]
    BitXor "math.bitXor" ["(int,int) int" "(uint,uint) uint"]
    BitNot "math.bitNot" ["(int) int" "(uint) uint"]
    BitShiftLeft "math.bitShiftLeft" ["(int,int) int" "(uint,int) uint"]
    BitShiftRight "math.bitShiftRight" ["(int,int) int" "(uint,int) uint"]
    Greatest "math.greatest" []
    Least "math.least" []

    Base64Encode "base64.encode" ["(bytes) string"]
    Base64Decode "base64.decode" ["(string) bytes"]

    SetsContains "sets.contains" ["(list<A>,list<A>) bool"]
    SetsEquivalent "sets.equivalent" ["(list<A>,list<A>) bool"]
    SetsIntersects "sets.intersects" ["(list<A>,list<A>) bool"]

    OptionalNone "optional.none" ["() optional<A>"]
    OptionalOf "optional.of" ["(A) optional<A>"]
    OptionalOfNonZero "optional.ofNonZeroValue" ["(A) optional<A>"]
    OptionalHasValue "hasValue" ["optional<A>:() bool"]
    OptionalValue "value" ["optional<A>:() A"]
    OptionalOr "or" ["optional<A>:(optional<A>) optional<A>"]
    OptionalOrValue "orValue" ["optional<A>:(A) A"]

    Ip "ip" ["(string) ip" "cidr:() ip"]
    IsIp "isIP" ["(string) bool"]
    IsCanonical "ip.isCanonical" ["(string) bool"]
    Family "family" ["ip:() int"]
    IsUnspecified "isUnspecified" ["ip:() bool"]
    IsLoopback "isLoopback" ["ip:() bool"]
    IsGlobalUnicast "isGlobalUnicast" ["ip:() bool"]
    IsLinkLocalMulticast "isLinkLocalMulticast" ["ip:() bool"]
    IsLinkLocalUnicast "isLinkLocalUnicast" ["ip:() bool"]
    Cidr "cidr" ["(string) cidr"]
    IsCidr "isCIDR" ["(string) bool"]
    ContainsIp "containsIP" ["cidr:(ip) bool" "cidr:(string) bool"]
    ContainsCidr "containsCIDR" ["cidr:(cidr) bool" "cidr:(string) bool"]
    Masked "masked" ["cidr:() cidr"]
    PrefixLength "prefixLength" ["cidr:() int"]
}

/// The types of operators.
const OPERATORS: &[(&str, &[&str])] = &[
    (
        "_+_",
        &[
            "(int,int) int",
            "(uint,uint) uint",
            "(double,double) double",
            "(string,string) string",
            "(bytes,bytes) bytes",
            "(list<A>,list<A>) list<A>",
            "(timestamp,duration) timestamp",
            "(duration,timestamp) timestamp",
            "(duration,duration) duration",
        ],
    ),
    (
        "_-_",
        &[
            "(int,int) int",
            "(uint,uint) uint",
            "(double,double) double",
            "(timestamp,timestamp) duration",
            "(timestamp,duration) timestamp",
            "(duration,duration) duration",
        ],
    ),
    ("_*_", &["(int,int) int", "(uint,uint) uint", "(double,double) double"]),
    ("_/_", &["(int,int) int", "(uint,uint) uint", "(double,double) double"]),
    ("_%_", &["(int,int) int", "(uint,uint) uint"]),
    ("-_", &["(int) int", "(double) double"]),
    ("!_", &["(bool) bool"]),
    ("_&&_", &["(bool,bool) bool"]),
    ("_||_", &["(bool,bool) bool"]),
    ("_==_", &["(A,A) bool"]),
    ("_!=_", &["(A,A) bool"]),
    ("@in", &["(A,list<A>) bool", "(A,map<A,B>) bool"]),
    ("_?_:_", &["(bool,A,A) A"]),
    (
        "_[_]",
        &[
            "(list<A>,int) A",
            "(map<A,B>,A) B",
            "(optional<list<A>>,int) optional<A>",
            "(optional<map<A,B>>,A) optional<B>",
        ],
    ),
    (
        "_[?_]",
        &[
            "(list<A>,int) optional<A>",
            "(map<A,B>,A) optional<B>",
            "(optional<list<A>>,int) optional<A>",
            "(optional<map<A,B>>,A) optional<B>",
        ],
    ),
    ("_<_", ORDER),
    ("_<=_", ORDER),
    ("_>_", ORDER),
    ("_>=_", ORDER),
];

const ORDER: &[&str] = &[
    "(bool,bool) bool",
    "(int,int) bool",
    "(int,uint) bool",
    "(int,double) bool",
    "(uint,uint) bool",
    "(uint,int) bool",
    "(uint,double) bool",
    "(double,double) bool",
    "(double,int) bool",
    "(double,uint) bool",
    "(string,string) bool",
    "(bytes,bytes) bool",
    "(timestamp,timestamp) bool",
    "(duration,duration) bool",
];

static FUNCTIONS: LazyLock<BTreeMap<&'static str, Declared>> = LazyLock::new(|| {
    let declared = DECLARATIONS.iter().map(|(function, name, overloads)| {
        let overloads = overloads.iter().filter_map(|text| Overload::parse(text)).collect();
        (*name, Declared { function: *function, overloads })
    });
    declared.collect()
});

static OPERATOR_TYPES: LazyLock<BTreeMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
    let parsed = |texts: &[&str]| texts.iter().filter_map(|text| Overload::parse(text)).collect();
    OPERATORS.iter().map(|(name, texts)| (*name, parsed(texts))).collect()
});

/// A function of the library by its name.
pub fn function(name: &str) -> Option<&'static Declared> {
    FUNCTIONS.get(name)
}

/// All names of functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.keys().copied()
}

/// The types of an operator.
pub fn operator(name: &str) -> &'static [Overload] {
    OPERATOR_TYPES.get(name).map_or(&[], Vec::as_slice)
}

impl Overload {
    /// Reads a declaration; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (receiver, rest) = text.split_once('(')?;
        let (parameters, result) = rest.rsplit_once(')')?;
        let receiver = receiver.trim().strip_suffix(':');
        let mut types = Vec::new();
        if let Some(receiver) = receiver {
            types.push(parse_type(&mut &*receiver)?);
        }
        let mut rest = parameters.trim();
        while !rest.is_empty() {
            types.push(parse_type(&mut rest)?);
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        let result = parse_type(&mut result.trim())?;
        Some(Self { receiver: receiver.is_some(), parameters: types, result })
    }
}

fn parse_type(text: &mut &str) -> Option<Type> {
    let length = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(length)?;
    *text = rest;
    let mut arguments = Vec::new();
    if let Some(rest) = text.strip_prefix('<') {
        *text = rest;
        while !text.starts_with('>') {
            arguments.push(parse_type(text)?);
            *text = text.strip_prefix(',').unwrap_or(text).trim_start();
        }
        *text = text.get(1..)?;
    }
    let mut arguments = arguments.into_iter();
    Some(match name {
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "ip" => Type::Named("net.IP"),
        "cidr" => Type::Named("net.CIDR"),
        "list" => Type::list(arguments.next()?),
        "map" => {
            let key = arguments.next()?;
            Type::map(key, arguments.next()?)
        }
        "type" => Type::Type(Box::new(arguments.next()?)),
        "optional" => Type::optional(arguments.next()?),
        _ => {
            let letter = name.bytes().next().filter(|b| b.is_ascii_uppercase() && name.len() == 1)?;
            Type::Param(usize::from(letter - b'A'))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_is_readable() {
        for (_, name, overloads) in DECLARATIONS {
            for text in *overloads {
                assert!(Overload::parse(text).is_some(), "{name}: {text}");
            }
        }
        for (name, overloads) in OPERATORS {
            for text in *overloads {
                assert!(Overload::parse(text).is_some(), "{name}: {text}");
            }
        }
    }
}
