//! Variables that a client sends: each is checked against its type before anything runs.
//!
//! Omitted is not null. What only an operation's text may say, such as `uid_expr`, no variable may. Source: the
//! reference, §4 and §8.

use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value as Json};

use super::{Allowed, Api, Operation, Variable};
use crate::schema::values::{LEVELS_MAX, coerce, shown};
use crate::schema::{Base, Scalar};

/// Why a variable is refused, as the client reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableFault {
    /// The operation has no such variable.
    #[error("the variable `${0}` is not one of the operation's")]
    Unknown(String),
    /// It is non-null and not there.
    #[error("the variable `${0}` is missing")]
    Missing(String),
    /// It is non-null and null.
    #[error("the variable `${0}` is null")]
    Null(String),
    /// Its value does not fit.
    #[error("the variable `${name}` is invalid: `{path}` {why}")]
    Invalid {
        /// The variable.
        name: String,
        /// Where in it.
        path: String,
        /// Why.
        why: String,
    },
}

/// Where a value does not fit, and why.
struct Wrong {
    path: String,
    why: String,
}

impl Wrong {
    fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

impl Api {
    /// The variables of a call with defaults. Every fault of them is said.
    pub fn variables(
        &self,
        operation: &Operation,
        mut given: Map<String, Json>,
    ) -> Result<Map<String, Json>, Vec<VariableFault>> {
        let mut faults = Vec::new();
        let mut variables = Map::new();
        for variable in &operation.variables {
            let name = &variable.name;
            match (given.shift_remove(name), &variable.default) {
                (None, Some(default)) => {
                    variables.insert(name.clone(), default.clone());
                }
                (None, None) if variable.required => faults.push(VariableFault::Missing(name.clone())),
                (None, None) => {}
                (Some(Json::Null), _) if variable.required => faults.push(VariableFault::Null(name.clone())),
                (Some(Json::Null), _) => {
                    variables.insert(name.clone(), Json::Null);
                }
                (Some(value), _) => match self.fitting(variable, value) {
                    Ok(value) => {
                        variables.insert(name.clone(), value);
                    }
                    Err(Wrong { path, why }) => {
                        faults.push(VariableFault::Invalid { name: name.clone(), path, why });
                    }
                },
            }
        }
        faults.extend(given.keys().map(|name| VariableFault::Unknown(name.clone())));
        if faults.is_empty() { Ok(variables) } else { Err(faults) }
    }

    fn fitting(&self, variable: &Variable, value: Json) -> Result<Json, Wrong> {
        if let Some(allowed) = &variable.allowed {
            allowed.admits(&value, &variable.name, LEVELS_MAX)?;
        }
        let ty = Type::parse(&variable.ty, "variable").map_err(|_| Wrong::new("", "has an unknown type"))?;
        self.value(&ty, value, &variable.name, LEVELS_MAX)
    }

    fn value(&self, ty: &Type, value: Json, path: &str, levels: usize) -> Result<Json, Wrong> {
        let levels = levels
            .checked_sub(1)
            .ok_or_else(|| Wrong::new(path, format!("nests deeper than {LEVELS_MAX} levels")))?;
        if value.is_null() {
            return if ty.is_non_null() { Err(Wrong::new(path, "is null")) } else { Ok(value) };
        }
        match (ty, value) {
            (Type::List(item) | Type::NonNullList(item), Json::Array(items)) => {
                let items = items.into_iter().enumerate();
                let items =
                    items.map(|(at, value)| self.value(item, value, &format!("{path}[{at}]"), levels));
                Ok(Json::Array(items.collect::<Result<_, _>>()?))
            }
            (Type::List(item) | Type::NonNullList(item), one) => {
                Ok(Json::Array(vec![self.value(item, one, path, levels)?]))
            }
            (Type::Named(name) | Type::NonNullNamed(name), value) => self.named(name, value, path, levels),
        }
    }

    fn named(&self, name: &str, value: Json, path: &str, levels: usize) -> Result<Json, Wrong> {
        match self.graphql.types.get(name) {
            Some(ExtendedType::Enum(of)) => match value.as_str() {
                Some(word) if of.values.contains_key(word) => Ok(value),
                _ => Err(Wrong::new(path, format!("is {}, which is no `{name}`", shown(&value)))),
            },
            Some(ExtendedType::InputObject(input)) => {
                let Json::Object(fields) = value else {
                    return Err(Wrong::new(path, format!("is {}, not a `{name}`", shown(&value))));
                };
                let mut read = Map::new();
                for (key, value) in fields {
                    let field = input.fields.get(key.as_str());
                    let field = field.filter(|field| !field.directives.has("fdc_forbiddenInVariables"));
                    let inner = format!("{path}.{key}");
                    let Some(field) = field else {
                        return Err(Wrong::new(
                            &inner,
                            format!("is no field of `{name}` that a variable may have"),
                        ));
                    };
                    read.insert(key, self.value(&field.ty, value, &inner, levels)?);
                }
                Ok(Json::Object(read))
            }
            _ => match Scalar::named(name) {
                Some(scalar) => coerce(value, &Base::Scalar(scalar), &|_, _| false)
                    .map(|value| number(scalar, value))
                    .map_err(|misfit| Wrong::new(path, misfit.to_string())),
                None => Err(Wrong::new(path, format!("has the type `{name}`, which no variable may have"))),
            },
        }
    }
}

/// A number of 64 bits comes as text and is compared as a number.
fn number(scalar: Scalar, value: Json) -> Json {
    match (scalar, value.as_str().and_then(|text| text.parse::<i64>().ok())) {
        (Scalar::Int64, Some(number)) => number.into(),
        _ => value,
    }
}

impl Allowed {
    /// Whether a value has only what is allowed.
    fn admits(&self, value: &Json, path: &str, levels: usize) -> Result<(), Wrong> {
        let levels = levels.checked_sub(1).ok_or_else(|| Wrong::new(path, "nests too deep"))?;
        match value {
            Json::Array(items) => {
                let max = usize::try_from(self.max).unwrap_or(usize::MAX);
                if items.len() > max {
                    let why = format!("has {} rows; `@allow` admits {max}", items.len());
                    return Err(Wrong::new(path, why));
                }
                items.iter().try_for_each(|item| self.admits(item, path, levels))
            }
            Json::Object(fields) => fields.iter().try_for_each(|(name, value)| {
                let inner = format!("{path}.{name}");
                match self.fields.get(name) {
                    None => Err(Wrong::new(&inner, "is not among the fields that `@allow` names")),
                    Some(allowed) if allowed.fields.is_empty() => Ok(()),
                    Some(allowed) => allowed.admits(value, &inner, levels),
                }
            }),
            _ => Ok(()),
        }
    }
}
