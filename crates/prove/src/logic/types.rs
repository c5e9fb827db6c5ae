//! What kinds of values an expression can have, as far as rules tell.

use base::Value;

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u16);

/// Each kind and how it is called in a sentence.
const NAMES: [(Types, &str); 14] = [
    (Types::NULL, "null"),
    (Types::BOOL, "a boolean"),
    (Types::INT, "a number"),
    (Types::FLOAT, "a number"),
    (Types::TEXT, "text"),
    (Types::LIST, "a list"),
    (Types::MAP, "a map"),
    (Types::SET, "a set"),
    (Types::TIME, "a timestamp"),
    (Types::SPAN, "a duration"),
    (Types::PATH, "a path"),
    (Types::PLACE, "a place on earth"),
    (Types::BYTES, "bytes"),
    (Types::DIFF, "a difference of maps"),
];

impl Types {
    pub const NONE: Self = Self(0);
    pub const NULL: Self = Self(1);
    pub const BOOL: Self = Self(1 << 1);
    pub const INT: Self = Self(1 << 2);
    pub const FLOAT: Self = Self(1 << 3);
    pub const NUMBER: Self = Self(1 << 2 | 1 << 3);
    pub const TEXT: Self = Self(1 << 4);
    pub const LIST: Self = Self(1 << 5);
    pub const MAP: Self = Self(1 << 6);
    pub const SET: Self = Self(1 << 7);
    pub const TIME: Self = Self(1 << 8);
    pub const SPAN: Self = Self(1 << 9);
    pub const PATH: Self = Self(1 << 10);
    pub const PLACE: Self = Self(1 << 11);
    pub const BYTES: Self = Self(1 << 12);
    pub const DIFF: Self = Self(1 << 13);
    pub const ANY: Self = Self((1 << 14) - 1);

    /// Those in either.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in this one and not in the other.
    pub const fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether something can be in both.
    pub fn meets(self, other: Self) -> bool {
        !self.and(other).is_empty()
    }

    /// Whether all of this is in the other.
    pub fn within(self, other: Self) -> bool {
        self.but(other).is_empty()
    }

    /// The kinds that a value can be equal to: an integer equals a float.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOL,
            Value::Integer(_) | Value::Double(_) => Self::NUMBER,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Map(_) => Self::MAP,
            Value::Timestamp(_) => Self::TIME,
            Value::Bytes(_) => Self::BYTES,
            _ => Self::ANY,
        }
    }

    /// `text or null`
    pub fn name(self) -> String {
        if self == Self::ANY {
            return "anything".to_owned();
        }
        let mut names: Vec<&str> =
            NAMES.iter().filter(|(kind, _)| kind.within(self)).map(|(_, name)| *name).collect();
        names.dedup();
        if names.first() == Some(&"null") && names.len() > 1 {
            names.rotate_left(1);
        }
        names.join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::Types;

    #[test]
    fn sets_of_kinds_have_names() {
        assert_eq!(Types::NULL.or(Types::MAP).name(), "a map or null");
        assert_eq!(Types::NUMBER.name(), "a number");
        assert_eq!(Types::ANY.name(), "anything");
        assert!(Types::INT.within(Types::NUMBER) && !Types::NUMBER.within(Types::INT));
    }
}
