//! The names of the language: variables, methods, and what they are for.

use crate::ir::{Expr, Language};

/// The language.
#[derive(Debug)]
pub struct Rtdb;

/// There are no functions and no types to ask for.
#[derive(Clone, Copy, Debug)]
pub enum Nothing {}

impl Language for Rtdb {
    type Global = Global;
    type Function = Nothing;
    type Method = Method;
    type Type = Nothing;
}

/// A lowered expression.
pub type Condition = Expr<Rtdb>;

/// The kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// `.read`
    Read,
    /// `.write`
    Write,
    /// `.validate`
    Validate,
}

impl RuleKind {
    /// Its key.
    pub fn name(self) -> &'static str {
        match self {
            RuleKind::Read => ".read",
            RuleKind::Write => ".write",
            RuleKind::Validate => ".validate",
        }
    }
}

/// The variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Global {
    Auth,
    Now,
    Root,
    Data,
    NewData,
    Query,
}

impl Global {
    /// The variable of a name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auth" => Global::Auth,
            "now" => Global::Now,
            "root" => Global::Root,
            "data" => Global::Data,
            "newData" => Global::NewData,
            "query" => Global::Query,
            _ => return None,
        })
    }

    /// Whether it may be used in a kind of rule.
    pub fn is_in(self, rule: RuleKind) -> bool {
        match self {
            Global::NewData => rule != RuleKind::Read,
            Global::Query => rule == RuleKind::Read,
            _ => true,
        }
    }
}

/// The methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Val,
    Child,
    Parent,
    HasChild,
    HasChildren,
    Exists,
    GetPriority,
    IsNumber,
    IsString,
    IsBoolean,
    Contains,
    BeginsWith,
    EndsWith,
    Replace,
    ToLowerCase,
    ToUpperCase,
    Matches,
}

const METHODS: [(Method, &str, bool); 17] = [
    (Method::Val, "val", true),
    (Method::Child, "child", true),
    (Method::Parent, "parent", true),
    (Method::HasChild, "hasChild", true),
    (Method::HasChildren, "hasChildren", true),
    (Method::Exists, "exists", true),
    (Method::GetPriority, "getPriority", true),
    (Method::IsNumber, "isNumber", true),
    (Method::IsString, "isString", true),
    (Method::IsBoolean, "isBoolean", true),
    (Method::Contains, "contains", false),
    (Method::BeginsWith, "beginsWith", false),
    (Method::EndsWith, "endsWith", false),
    (Method::Replace, "replace", false),
    (Method::ToLowerCase, "toLowerCase", false),
    (Method::ToUpperCase, "toUpperCase", false),
    (Method::Matches, "matches", false),
];

impl Method {
    /// The method of a name, of snapshots or of text.
    pub fn named(name: &str, of_snapshot: bool) -> Option<Self> {
        METHODS.iter().find(|(_, known, of)| *known == name && *of == of_snapshot).map(|(method, ..)| *method)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        METHODS.iter().find(|(method, ..)| *method == self).map_or("", |(_, name, _)| name)
    }

    /// How many arguments it takes; `hasChildren` and `matches` have their own ways.
    pub fn arity(self) -> usize {
        match self {
            Method::Child
            | Method::HasChild
            | Method::Contains
            | Method::BeginsWith
            | Method::EndsWith
            | Method::Matches => 1,
            Method::Replace => 2,
            _ => 0,
        }
    }
}

/// The fields of `query`.
pub const QUERY_FIELDS: [&str; 9] = [
    "orderByKey",
    "orderByValue",
    "orderByPriority",
    "orderByChild",
    "startAt",
    "endAt",
    "equalTo",
    "limitToFirst",
    "limitToLast",
];
