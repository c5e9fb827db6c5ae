//! `_expr` texts: CEL that gives a value.

use std::fmt;

use base::{Fields, Timestamp, Value as Stored};
use policy::cel::{self, Environment, Inputs, Map as CelMap, Program, Value};
use policy::{Source, Who};
use serde_json::{Map, Value as Json};

use crate::schema::values::LEVELS_MAX;

/// A compiled expression.
pub struct Expression {
    program: Program,
    auth: Option<usize>,
    vars: Option<usize>,
    request: Option<usize>,
    response: Option<usize>,
    count: usize,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.program.source().text).finish()
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionFault {
    /// Its evaluation failed.
    #[error("the expression `{text}` failed: {why}")]
    Failed {
        /// The expression.
        text: String,
        /// Why.
        why: String,
    },
    /// It has a value that is no JSON.
    #[error("the expression `{text}` has a value that cannot be stored: {value}")]
    NoJson {
        /// The expression.
        text: String,
        /// The value.
        value: String,
    },
}

/// What an expression may look at.
pub struct Scope<'s> {
    /// Who asks, and when.
    pub who: Who<'s>,
    /// `query` or `mutation`.
    pub kind: &'s str,
    /// The variables.
    pub variables: &'s Fields,
    /// What was answered so far.
    pub response: &'s Stored,
    /// Makes 32 hexadecimal digits.
    pub uuid: &'s (dyn Fn() -> String + Sync),
}

impl Expression {
    /// Compiles a text. `Err`: as cel-go prints it.
    pub(super) fn compile(text: &str, name: &str, environment: &Environment) -> Result<Self, String> {
        let source = Source::new(name, text);
        let compiled = cel::compile(source.clone(), environment);
        let Some(program) = compiled.program else {
            return Err(cel::report(&source, &compiled.diagnostics));
        };
        let position = |name| environment.position(name);
        let found = [position("auth"), position("vars"), position("request"), position("response")];
        let [auth, vars, request, response] = found;
        let count = found.iter().flatten().max().map_or(0, |last| last + 1);
        Ok(Self { program, auth, vars, request, response, count })
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.program.source().text
    }

    /// Its value as JSON.
    pub fn value(&self, scope: &Scope<'_>) -> Result<Json, ExpressionFault> {
        let auth = || match &scope.who.auth {
            None => Value::Null,
            Some(auth) => Value::record([
                ("uid", Value::text(auth.uid)),
                ("token", Value::Map(CelMap::Stored(auth.token))),
            ]),
        };
        let vars = || Value::Map(CelMap::Stored(scope.variables));
        let mut variables = vec![None; self.count];
        put(&mut variables, self.auth, auth());
        put(&mut variables, self.vars, vars());
        put(&mut variables, self.response, Value::from_stored(scope.response));
        put(
            &mut variables,
            self.request,
            Value::record([
                ("auth", auth()),
                ("variables", vars()),
                ("operationName", Value::text(scope.kind)),
                ("operationType", Value::text(scope.kind)),
                ("time", Value::Timestamp(scope.who.time)),
            ]),
        );
        let supplied = |name: &str, _: &[Value<'_>]| (name == "uuidV4").then(|| Value::text((scope.uuid)()));
        let inputs = Inputs { variables: &variables, supplied: Some(&supplied) };
        match self.program.evaluate(&inputs, &cel::limits(), None).outcome {
            Err(fault) => {
                Err(ExpressionFault::Failed { text: self.text().to_owned(), why: fault.to_string() })
            }
            Ok(value) => json(&value, LEVELS_MAX).ok_or_else(|| ExpressionFault::NoJson {
                text: self.text().to_owned(),
                value: cel::show(&value),
            }),
        }
    }
}

fn put<'v>(variables: &mut [Option<Value<'v>>], slot: Option<usize>, value: Value<'v>) {
    if let Some(place) = slot.and_then(|slot| variables.get_mut(slot)) {
        *place = Some(value);
    }
}

/// CEL's value as JSON. Numbers of 64 bits beyond what JSON holds exactly are text.
fn json(value: &Value<'_>, levels: usize) -> Option<Json> {
    let levels = levels.checked_sub(1)?;
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::Uint(number) => Json::from(*number),
        Value::Double(number) => serde_json::Number::from_f64(*number).map(Json::Number)?,
        Value::Str(text) => Json::String(text.as_str().to_owned()),
        Value::Timestamp(time) => Json::String(rfc3339(*time)),
        Value::List(list) => {
            Json::Array(list.iter().map(|item| json(&item, levels)).collect::<Option<Vec<_>>>()?)
        }
        Value::Map(map) => {
            let mut fields = Map::new();
            for key in map.keys() {
                let Value::Str(name) = key.value() else { return None };
                fields.insert(name.as_str().to_owned(), json(&map.get(&key)?, levels)?);
            }
            Json::Object(fields)
        }
        _ => return None,
    })
}

fn rfc3339(time: Timestamp) -> String {
    time.to_string()
}

/// JSON as policies see it.
pub fn stored(value: &Json) -> Stored {
    match value {
        Json::Null => Stored::Null,
        Json::Bool(value) => Stored::Bool(*value),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| Stored::Double(number.as_f64().unwrap_or(f64::NAN)), Stored::Integer),
        Json::String(text) => Stored::String(text.clone()),
        Json::Array(items) => Stored::Array(items.iter().map(stored).collect()),
        Json::Object(fields) => {
            Stored::Map(fields.iter().map(|(name, value)| (name.clone(), stored(value))).collect())
        }
    }
}
