//! Statements of SQL that an operation has as text.
//!
//! Values are bound without a cast: PostgreSQL takes their types from where they stand.

use serde_json::{Map, Value as Json};

use super::{Builder, Failure, no_nul, quoted};
use crate::operation::{Native, Selected, Template, Use};

impl Builder<'_> {
    /// `_select` and `_selectFirst` as one JSON value.
    pub(super) fn native_query(&mut self, root: &Selected) -> Result<String, Failure> {
        let (native, bound) = self.native(root, Use::Select)?;
        let rows = self.alias();
        let text = native.query(&|number| parameter(&bound, number));
        Ok(match root.name.as_str() {
            "_selectFirst" => format!("(SELECT row_to_json({rows}) FROM ({text}) {rows} LIMIT 1)"),
            _ => format!("(SELECT coalesce(json_agg(row_to_json({rows})), '[]'::json) FROM ({text}) {rows})"),
        })
    }

    /// `_execute` and its kin as a statement.
    pub(super) fn native_mutation(&mut self, root: &Selected, of: Use) -> Result<String, Failure> {
        let (native, bound) = self.native(root, of)?;
        let rows = quoted(&self.alias());
        let with = native.named(&rows, &|number| parameter(&bound, number));
        let answer = match root.name.as_str() {
            "_execute" => format!("SELECT count(*)::text FROM {rows}"),
            "_executeReturning" => {
                format!("SELECT coalesce(json_agg(row_to_json({rows})), '[]'::json)::text FROM {rows}")
            }
            _ => format!("SELECT coalesce((SELECT row_to_json({rows}) FROM {rows} LIMIT 1)::text, 'null')"),
        };
        Ok(format!("{with} {answer}"))
    }

    /// The text, and what stands for each of its parameters.
    fn native(&mut self, root: &Selected, of: Use) -> Result<(Native, Vec<String>), Failure> {
        let none = Map::new();
        let never = &mut |_| Ok::<_, Failure>(Json::Null);
        let text = match root.arguments.get("sql") {
            Some(template) => template.value(&none, never)?,
            None => None,
        };
        let text = text.as_ref().and_then(Json::as_str).unwrap_or_default();
        let native = Native::read(text, of).map_err(|fault| Failure::Bound(fault.to_string()))?;
        let values = match root.arguments.get("params") {
            None => Vec::new(),
            Some(Template::List(items)) => {
                items.iter().map(|item| self.value_of(item)).collect::<Result<_, _>>()?
            }
            Some(template) => match self.value_of(template)? {
                Json::Array(items) => items,
                Json::Null => Vec::new(),
                one => vec![one],
            },
        };
        native.fits(values.len()).map_err(|fault| Failure::Bound(fault.to_string()))?;
        let mut bound = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            bound.push(self.bind_plain(text_of(value, &format!("params[{at}]"))?)?);
        }
        Ok((native, bound))
    }

    /// An omitted variable is null: `$2` stays the second.
    fn value_of(&self, template: &Template) -> Result<Json, Failure> {
        if let Template::Object(fields) = template
            && let [(name, inner)] = fields.as_slice()
            && name == "_expr"
        {
            return self.value_of(inner);
        }
        let value = template.value(self.given.variables, &mut |at| (self.given.expression)(at))?;
        Ok::<_, Failure>(value.unwrap_or(Json::Null))
    }
}

fn parameter(bound: &[String], number: usize) -> String {
    number.checked_sub(1).and_then(|at| bound.get(at)).cloned().unwrap_or_else(|| "NULL".to_owned())
}

/// A value as PostgreSQL reads it whatever its type: a list of plain values as an array, an object as JSON.
fn text_of(value: &Json, path: &str) -> Result<Option<String>, Failure> {
    let is_plain = |item: &Json| !item.is_array() && !item.is_object();
    let text = match value {
        Json::Null => return Ok(None),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.iter().all(is_plain) => {
            let item = |item: &Json| match item {
                Json::Null => "NULL".to_owned(),
                Json::String(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                plain => plain.to_string(),
            };
            format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    };
    if text.contains('\0') {
        return Err(Failure::Bound(format!("`{path}` has a NUL, which the database cannot hold")));
    }
    no_nul(text, path).map(Some)
}
