//! Statements for PostgreSQL: tables, and operations.
//!
//! Invariants:
//! - What a client sends is bound, always as text with a cast; only names of the schema and of the operation become a
//!   part of a statement, quoted.
//! - The text of a statement depends on which variables are present, not on what they hold: it can be prepared.
//! - JSON is made by PostgreSQL and passed on as text.
//!
//! Source: the reference, §12.

mod filter;
mod group;
mod native;
mod order;
mod output;
mod read;
mod relative;
mod search;
mod write;

use serde_json::{Map, Value as Json};

use crate::operation::{ExpressionFault, Selected};
use crate::schema::values::{Misfit, coerce};
use crate::schema::{Base, Column, ColumnType, Scalar, Schema, Table, View};

pub use read::{query, query_held};
pub use write::mutation;

/// Rows of one level without a `limit`.
pub const LIMIT_DEFAULT: u64 = 100;
/// Rows of one level.
pub const LIMIT_MAX: u64 = 100_000;
/// Values that one statement binds; PostgreSQL's protocol has 65,535.
pub const PARAMETERS_MAX: usize = 60_000;

/// A statement with what it binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, with `$1`…
    pub text: String,
    /// What is bound, as text; `None` is null.
    pub parameters: Vec<Option<String>>,
}

/// Why there is no statement.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// A value does not fit.
    #[error("`{path}` {misfit}")]
    Value {
        /// Where.
        path: String,
        /// Why.
        misfit: Misfit,
    },
    /// An expression has no value.
    #[error(transparent)]
    Expression(#[from] ExpressionFault),
    /// A field that is not there; the operation was validated, a variable's content was not.
    #[error("`{path}` has no field `{name}`")]
    Field {
        /// Where.
        path: String,
        /// The field.
        name: String,
    },
    /// Something that a statement cannot have.
    #[error("{0}")]
    Bound(String),
    /// Something that is not built.
    #[error("`{0}` is not supported")]
    Unsupported(String),
}

/// What the arguments of an operation come to.
pub struct Given<'g> {
    /// The variables, defaults included, checked.
    pub variables: &'g Map<String, Json>,
    /// The value of an expression of the operation.
    pub expression: &'g dyn Fn(usize) -> Result<Json, ExpressionFault>,
    /// The value of a default's expression.
    pub default: &'g dyn Fn(&str) -> Result<Json, ExpressionFault>,
    /// The request's time, RFC 3339.
    pub now: &'g str,
}

impl Given<'_> {
    /// The arguments of a field.
    pub(crate) fn arguments(&self, field: &Selected) -> Result<Map<String, Json>, Failure> {
        let mut found = Map::new();
        for (name, template) in &field.arguments {
            let value = template.value(self.variables, &mut |at| (self.expression)(at))?;
            if let Some(value) = value {
                found.insert(name.clone(), value);
            }
        }
        Ok(found)
    }

    /// Whether a field is there.
    pub fn includes(&self, field: &Selected) -> bool {
        field.conditions.iter().all(|(template, wanted)| {
            let never = &mut |_| Ok::<_, Failure>(Json::Null);
            let value = template.value(self.variables, never).ok().flatten();
            value.and_then(|value| value.as_bool()).is_some_and(|value| value == *wanted)
        })
    }
}

/// A statement that is being made.
pub(crate) struct Builder<'b> {
    pub(crate) schema: &'b Schema,
    pub(crate) given: &'b Given<'b>,
    /// Rows that are read are held until the transaction ends; of these tables, which it writes, for itself alone.
    pub(crate) held: Option<&'b [usize]>,
    parameters: Vec<Option<String>>,
    aliases: usize,
    ranking: Option<search::Ranking>,
}

impl<'b> Builder<'b> {
    pub(crate) fn new(schema: &'b Schema, given: &'b Given<'b>) -> Self {
        Self { schema, given, held: None, parameters: Vec::new(), aliases: 0, ranking: None }
    }

    /// A new alias.
    pub(crate) fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// Binds a text, or null.
    pub(crate) fn bind(&mut self, value: Option<String>, cast: &str) -> Result<String, Failure> {
        Ok(format!("{}::{cast}", self.bind_plain(value)?))
    }

    /// Binds a text, or null, of the type that its place has.
    pub(crate) fn bind_plain(&mut self, value: Option<String>) -> Result<String, Failure> {
        if self.parameters.len() >= PARAMETERS_MAX {
            return Err(Failure::Bound(format!("the statement binds more than {PARAMETERS_MAX} values")));
        }
        self.parameters.push(value);
        Ok(format!("${}", self.parameters.len()))
    }

    /// Binds a value of a base.
    pub(crate) fn bind_one(&mut self, value: &Json, base: &Base, path: &str) -> Result<String, Failure> {
        let text = match value {
            Json::Null => None,
            value => Some(self.text_of(value, base, path)?),
        };
        self.bind(text, &cast_of(base))
    }

    /// Binds a list of values of a base.
    pub(crate) fn bind_list(&mut self, value: &Json, base: &Base, path: &str) -> Result<String, Failure> {
        let cast = format!("{}[]", cast_of(base));
        let text = match value {
            Json::Null => None,
            Json::Array(items) => Some(self.array(items, base, path)?),
            one => Some(self.array(std::slice::from_ref(one), base, path)?),
        };
        self.bind(text, &cast)
    }

    fn text_of(&self, value: &Json, base: &Base, path: &str) -> Result<String, Failure> {
        let is_value = |name: &str, value: &str| {
            self.schema.enums.get(name).is_some_and(|of| of.values.iter().any(|known| known == value))
        };
        let misfit = |misfit| Failure::Value { path: path.to_owned(), misfit };
        let value = coerce(value.clone(), base, &is_value).map_err(misfit)?;
        Ok(match (base, value) {
            (Base::Scalar(Scalar::Any), value) => no_nul(value.to_string(), path)?,
            (Base::Scalar(Scalar::Vector), Json::Array(items)) => self.plain_array(&items),
            (_, Json::String(text)) => text,
            (_, value) => value.to_string(),
        })
    }

    fn plain_array(&self, items: &[Json]) -> String {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        format!("{{{}}}", items.join(","))
    }

    /// An array as PostgreSQL reads it: every item in quotes.
    fn array(&self, items: &[Json], base: &Base, path: &str) -> Result<String, Failure> {
        let mut out = String::from("{");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            if item.is_null() && *base != Base::Scalar(Scalar::Any) {
                out.push_str("NULL");
                continue;
            }
            let text = self.text_of(item, base, path)?;
            out.push('"');
            for letter in text.chars() {
                if matches!(letter, '"' | '\\') {
                    out.push('\\');
                }
                out.push(letter);
            }
            out.push('"');
        }
        out.push('}');
        Ok(out)
    }

    /// Binds a value of a column's type.
    pub(crate) fn bind_column(
        &mut self,
        value: &Json,
        ty: &ColumnType,
        path: &str,
    ) -> Result<String, Failure> {
        match ty.list {
            None => self.bind_one(value, &ty.base, path),
            Some(_) => self.bind_list(value, &ty.base, path),
        }
    }

    pub(crate) fn statement(self, text: String) -> Statement {
        Statement { text, parameters: self.parameters }
    }

    pub(crate) fn table(&self, at: usize) -> Result<&'b Table, Failure> {
        self.schema.tables.get(at).ok_or_else(|| Failure::Bound(format!("there is no table {at}")))
    }
}

/// PostgreSQL's JSON has no NUL.
fn no_nul(text: String, path: &str) -> Result<String, Failure> {
    if text.contains("\\u0000") {
        return Err(Failure::Bound(format!("`{path}` has a NUL, which the database cannot hold")));
    }
    Ok(text)
}

/// A quoted name.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted text. Only for names of the schema and of operations.
pub(crate) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A column of an alias.
pub(crate) fn column_of(alias: &str, column: &Column) -> String {
    format!("{alias}.{}", quoted(&column.sql_name))
}

/// The column that full-text search looks at.
pub(crate) const SEARCH_COLUMN: &str = "_hearth_ts";

/// Whether a default's expression is one that the database computes.
pub(crate) fn is_uuid(expr: &str) -> bool {
    expr.trim() == "uuidV4()"
}

/// What rows of a table or a view come from.
pub(crate) fn source(table: &Table) -> String {
    match &table.view {
        Some(View::Sql(sql)) => format!("({sql}\n)"),
        Some(View::Named(name)) => quoted(name),
        None => quoted(&table.sql_name),
    }
}

/// The name of an enum's type.
pub(crate) fn enum_name(name: &str) -> String {
    crate::names::snake(name)
}

/// What a bound text is cast to.
pub(crate) fn cast_of(base: &Base) -> String {
    match base {
        Base::Enum(name) => quoted(&enum_name(name)),
        Base::Scalar(scalar) => match scalar {
            Scalar::Uuid => "uuid",
            Scalar::String => "text",
            Scalar::Int => "int4",
            Scalar::Int64 => "int8",
            Scalar::Float => "float8",
            Scalar::Boolean => "bool",
            Scalar::Date => "date",
            Scalar::Timestamp => "timestamptz",
            Scalar::Any => "jsonb",
            Scalar::Vector => "float4[]",
        }
        .to_owned(),
    }
}

/// The object that a value must be.
pub(crate) fn object<'v>(value: &'v Json, path: &str) -> Result<&'v Map<String, Json>, Failure> {
    value.as_object().ok_or_else(|| Failure::Value {
        path: path.to_owned(),
        misfit: Misfit::Type {
            observed: crate::schema::values::shown(value),
            wanted: "an object".to_owned(),
        },
    })
}

/// The list that a value must be; one value is a list of one.
pub(crate) fn items(value: &Json) -> &[Json] {
    match value {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}
