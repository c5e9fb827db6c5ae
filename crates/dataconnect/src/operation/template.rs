//! Arguments as templates: literals with variables and expressions in them.
//!
//! An omitted variable removes the field that it is the value of; an explicit null stays. Source: the reference, §7.

use apollo_compiler::ast::Value;
use serde_json::{Map, Value as Json};

use crate::schema::values::LEVELS_MAX;

/// An argument's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// A value without variables.
    Constant(Json),
    /// A variable.
    Variable(String),
    /// An expression, by its position in the operation.
    Expression(usize),
    /// A list.
    List(Vec<Template>),
    /// An object.
    Object(Vec<(String, Template)>),
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// Too deep.
    #[error("the value nests deeper than {LEVELS_MAX} levels")]
    Deep,
}

impl Template {
    /// Reads a literal. `expression` makes the template of an `_expr` text; `name` is the field that the value is of.
    pub(super) fn read_within(
        value: &Value,
        name: &str,
        expression: &mut dyn FnMut(&str, &Value) -> Option<Template>,
        levels: usize,
    ) -> Result<Self, TemplateFault> {
        let levels = levels.checked_sub(1).ok_or(TemplateFault::Deep)?;
        if let Some(template) = expression(name, value) {
            return Ok(template);
        }
        Ok(match value {
            Value::Variable(name) => Template::Variable(name.to_string()),
            Value::List(items) => {
                let items = items.iter().map(|item| Self::read_within(item, "", expression, levels));
                Template::List(items.collect::<Result<Vec<_>, _>>()?).simple()
            }
            Value::Object(fields) => {
                let mut read = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    let template = Self::read_within(value, name, expression, levels)?;
                    read.push((name.to_string(), template));
                }
                Template::Object(read).simple()
            }
            plain => Template::Constant(crate::schema::values::literal(plain).unwrap_or(Json::Null)),
        })
    }

    /// A list or an object of constants is a constant.
    fn simple(self) -> Self {
        let constant = |template: &Template| match template {
            Template::Constant(json) => Some(json.clone()),
            _ => None,
        };
        match &self {
            Template::List(items) => {
                let constants: Option<Vec<Json>> = items.iter().map(constant).collect();
                constants.map_or(self, |items| Template::Constant(Json::Array(items)))
            }
            Template::Object(fields) => {
                let one = |(name, template): &(String, Template)| Some((name.clone(), constant(template)?));
                let constants: Option<Map<String, Json>> = fields.iter().map(one).collect();
                constants.map_or(self, |fields| Template::Constant(Json::Object(fields)))
            }
            _ => self,
        }
    }

    /// The value, or `None` when its variable is omitted. `expression` gives the value of an expression.
    pub fn value<E>(
        &self,
        variables: &Map<String, Json>,
        expression: &mut dyn FnMut(usize) -> Result<Json, E>,
    ) -> Result<Option<Json>, E> {
        Ok(match self {
            Template::Constant(json) => Some(json.clone()),
            Template::Variable(name) => variables.get(name).cloned(),
            Template::Expression(at) => Some(expression(*at)?),
            Template::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.value(variables, expression)?);
                }
                Some(Json::Array(list))
            }
            Template::Object(fields) => {
                let mut map = Map::new();
                for (name, template) in fields {
                    if let Some(value) = template.value(variables, expression)? {
                        map.insert(name.clone(), value);
                    }
                }
                Some(Json::Object(map))
            }
        })
    }

    /// Whether something is left of a condition when only these variables are given.
    pub fn remains(&self, is_given: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Template::Variable(name) => is_given(name),
            Template::Object(fields) => fields.iter().any(|(_, template)| template.remains(is_given)),
            Template::List(items) => items.iter().any(|template| template.remains(is_given)),
            Template::Constant(json) => !matches!(json, Json::Object(fields) if fields.is_empty()),
            Template::Expression(_) => true,
        }
    }

    /// Every variable in it.
    pub fn variables<'t>(&'t self, found: &mut Vec<&'t str>) {
        match self {
            Template::Variable(name) => found.push(name),
            Template::List(items) => items.iter().for_each(|item| item.variables(found)),
            Template::Object(fields) => fields.iter().for_each(|(_, template)| template.variables(found)),
            Template::Constant(_) | Template::Expression(_) => {}
        }
    }
}
