//! Selections without fragments: what is asked for, key by key.
//!
//! A check on a spread is about the object that the spread is in; a redacted spread redacts its fields.

use apollo_compiler::Node;
use apollo_compiler::ast::{Argument, DirectiveList, Value};
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use indexmap::IndexMap;

use super::compile::{Compiler, FIELDS_MAX};
use super::native::{Native, Use};
use super::{Check, Selected, Template};
use crate::schema::values::LEVELS_MAX;

/// Fragments within fragments.
const SPREADS_MAX: usize = 100;
/// Levels of objects in a response.
const NESTING_MAX: usize = 20;

/// What a selection set comes to.
#[derive(Default)]
pub(super) struct Root {
    pub(super) fields: Vec<Selected>,
    /// Checks on the object itself, from its spreads.
    pub(super) checks: Vec<Check>,
    level: usize,
}

/// What a spread says of all its fields.
#[derive(Clone, Default)]
struct Spread {
    redacted: bool,
    conditions: Vec<(Template, bool)>,
    /// Spreads within spreads.
    depth: usize,
}

impl Compiler<'_> {
    pub(super) fn select(&mut self, set: &SelectionSet, root: &mut Root) {
        self.select_within(set, root, &Spread::default());
    }

    fn select_within(&mut self, set: &SelectionSet, root: &mut Root, spread: &Spread) {
        for selection in &set.selections {
            if self.fields > FIELDS_MAX || spread.depth > SPREADS_MAX {
                self.too_much(selection);
                return;
            }
            let directives = selection.directives();
            match selection {
                Selection::Field(field) => self.field(field, root, spread),
                Selection::FragmentSpread(named) => {
                    let Some(fragment) = named.fragment_def(self.document).cloned() else { continue };
                    let inner = self.spread(directives, root, spread);
                    let checks = self.checks(&fragment.directives);
                    root.checks.extend(checks.into_iter().map(each));
                    self.select_within(&fragment.selection_set, root, &inner);
                }
                Selection::InlineFragment(inline) => {
                    let inner = self.spread(directives, root, spread);
                    self.select_within(&inline.selection_set, root, &inner);
                }
            }
        }
    }

    /// What is more than an operation may ask; said once.
    fn too_much(&mut self, selection: &Selection) {
        if !self.bounded {
            self.bounded = true;
            let at = selection.directives().0.first().and_then(|directive| directive.location());
            let at = selection.as_field().and_then(|field| field.name.location()).or(at);
            let what = format!(
                "the operation asks for more than {FIELDS_MAX} fields, or nests fragments deeper than {SPREADS_MAX}"
            );
            self.error(at, what, "ask in several operations");
        }
    }

    fn spread(&mut self, directives: &DirectiveList, root: &mut Root, outer: &Spread) -> Spread {
        let checks = self.checks(directives);
        root.checks.extend(checks.into_iter().map(each));
        let mut conditions = outer.conditions.clone();
        conditions.extend(conditions_of(directives));
        Spread { redacted: outer.redacted || directives.has("redact"), conditions, depth: outer.depth + 1 }
    }

    fn field(&mut self, field: &Node<Field>, root: &mut Root, spread: &Spread) {
        self.fields += 1;
        let at = field.name.location();
        if root.level > NESTING_MAX {
            let what = format!("the operation nests deeper than {NESTING_MAX} levels");
            self.error(at, what, "ask in several operations");
            return;
        }
        let mut arguments = IndexMap::new();
        for argument in &field.arguments {
            if let Some(template) = self.argument(field, argument) {
                arguments.insert(argument.name.to_string(), template);
            }
        }
        self.alternatives(field, &arguments);
        self.native(field, &arguments);
        let mut inner = Root { level: root.level + 1, ..Root::default() };
        self.select_within(&field.selection_set, &mut inner, &Spread::default());
        let mut checks = self.checks(&field.directives);
        checks.append(&mut inner.checks);
        let mut conditions = spread.conditions.clone();
        conditions.extend(conditions_of(&field.directives));
        let selected = Selected {
            key: field.response_key().to_string(),
            name: field.name.to_string(),
            named: field.ty().inner_named_type().to_string(),
            list: field.ty().is_list(),
            arguments,
            conditions,
            checks,
            redacted: spread.redacted || field.directives.has("redact"),
            selection: inner.fields,
            place: self.place(at),
        };
        merge(&mut root.fields, selected);
    }

    fn argument(&mut self, field: &Field, argument: &Node<Argument>) -> Option<Template> {
        let definition = field.definition.argument_by_name(&argument.name)?;
        let ty = definition.ty.inner_named_type().to_string();
        let at = argument.value.location();
        if ty.starts_with("SQL_") && argument.name == "sql" && argument.value.as_str().is_none() {
            self.error(at, "the SQL is not a text", "SQL is written in the operation: values are `params`");
        }
        self.one_of(&argument.value, &ty, LEVELS_MAX);
        let mut expressions: Vec<(Value, usize)> = Vec::new();
        let is_expression = ty.ends_with("_Expr");
        let template = {
            let mut read = |name: &str, value: &Value| {
                let is_text = name.ends_with("_expr") || name == "_expr" || is_expression;
                (is_text && !matches!(value, Value::Object(_) | Value::List(_) | Value::Null)).then(|| {
                    expressions.push((value.clone(), expressions.len()));
                    Template::Expression(expressions.len() - 1)
                })
            };
            Template::read_within(&argument.value, "", &mut read, LEVELS_MAX)
        };
        let compiled: Vec<Option<Template>> =
            expressions.iter().map(|(value, _)| self.value_expression(value, at)).collect();
        match template {
            Ok(template) => Some(placed(template, &compiled)),
            Err(fault) => {
                self.error(at, fault.to_string(), "");
                None
            }
        }
    }

    /// Of `eq`, `eq_expr` and `eq_time` an object has one; of `f`, `f_expr`, `f_time` and `f_update` too.
    fn one_of(&mut self, value: &Node<Value>, ty: &str, levels: usize) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match &**value {
            Value::List(items) => items.iter().for_each(|item| self.one_of(item, ty, levels)),
            Value::Object(fields) => {
                let Some(ExtendedType::InputObject(input)) = self.api.graphql.types.get(ty) else { return };
                let input = input.clone();
                let mut stems: IndexMap<&str, &str> = IndexMap::new();
                for (name, inner) in fields {
                    let stem = ["_expr", "_time", "_date", "_update", "_embed"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix))
                        .filter(|stem| input.fields.contains_key(*stem))
                        .unwrap_or(name);
                    if let Some(other) = stems.insert(stem, name) {
                        let what = format!("`{ty}` has both `{other}` and `{name}`");
                        self.error(inner.location(), what, "keep one of them");
                    }
                    if let Some(of) = input.fields.get(name.as_str()) {
                        let of = of.ty.inner_named_type().to_string();
                        self.one_of(inner, &of, levels);
                    }
                }
            }
            _ => {}
        }
    }

    /// SQL is one statement of an admitted kind, with a value for each parameter.
    fn native(&mut self, field: &Field, arguments: &IndexMap<String, Template>) {
        let (Some(of), Some(Template::Constant(sql))) = (Use::of(&field.name), arguments.get("sql")) else {
            return;
        };
        let Some(text) = sql.as_str() else { return };
        let values = match arguments.get("params") {
            None => Some(0),
            Some(Template::List(items)) => Some(items.len()),
            Some(Template::Constant(serde_json::Value::Array(items))) => Some(items.len()),
            Some(_) => None,
        };
        let at = field.argument_by_name("sql").ok().and_then(|argument| argument.location());
        match (Native::read(text, of), values) {
            (Err(fault), _) => self.error(at, fault.to_string(), ""),
            (Ok(native), Some(values)) => {
                if let Err(fault) = native.fits(values) {
                    self.error(at, fault.to_string(), "");
                }
            }
            (Ok(_), None) => {
                self.error(at, "`params` is not a list", "write the values one by one: `params: [$a, $b]`");
            }
        }
    }

    /// `id`, `key` and `first` are alternatives; many rows need a condition or `all`.
    fn alternatives(&mut self, field: &Field, arguments: &IndexMap<String, Template>) {
        let at = field.name.location();
        let has = |name: &str| field.definition.argument_by_name(name).is_some();
        if has("key") && has("first") {
            let given: Vec<&str> = ["id", "id_expr", "key", "first"]
                .into_iter()
                .filter(|name| arguments.contains_key(*name))
                .collect();
            let (what, help) = match given.len() {
                1 => return,
                0 => (
                    format!("`{}` does not say which row", field.name),
                    "give one of `id`, `key` and `first`",
                ),
                _ => (
                    format!("`{}` says which row by `{}`", field.name, given.join("` and `")),
                    "they are alternatives: `first` may have any condition in its `where`",
                ),
            };
            self.error(at, what, help);
        }
        if has("all") && has("where") && !arguments.contains_key("where") && !arguments.contains_key("all") {
            let what = format!("`{}` does not say which rows", field.name);
            self.error(at, what, "give `where`, or `all: true` for every row");
        }
    }
}

/// Puts compiled expressions where their positions stand.
fn placed(template: Template, compiled: &[Option<Template>]) -> Template {
    match template {
        Template::Expression(at) => match compiled.get(at) {
            Some(Some(template)) => template.clone(),
            _ => Template::Constant(serde_json::Value::Null),
        },
        Template::List(items) => {
            Template::List(items.into_iter().map(|item| placed(item, compiled)).collect())
        }
        Template::Object(fields) => Template::Object(
            fields.into_iter().map(|(name, template)| (name, placed(template, compiled))).collect(),
        ),
        plain => plain,
    }
}

fn each(check: Check) -> Check {
    Check { each: true, ..check }
}

fn conditions_of(directives: &DirectiveList) -> Vec<(Template, bool)> {
    let mut found = Vec::new();
    for (name, wanted) in [("include", true), ("skip", false)] {
        let condition = directives.get(name).and_then(|directive| directive.specified_argument_by_name("if"));
        let template = condition.and_then(|value| match &**value {
            Value::Variable(name) => Some(Template::Variable(name.to_string())),
            Value::Boolean(value) => Some(Template::Constant((*value).into())),
            _ => None,
        });
        found.extend(template.map(|template| (template, wanted)));
    }
    found
}

/// Fields of one key are one field; validation has seen that they agree.
fn merge(fields: &mut Vec<Selected>, new: Selected) {
    let Some(known) = fields.iter_mut().find(|known| known.key == new.key) else {
        fields.push(new);
        return;
    };
    known.redacted |= new.redacted;
    known.checks.extend(new.checks);
    if known.conditions != new.conditions {
        // It is there when one of them is. Only equal conditions are kept.
        known.conditions.retain(|condition| new.conditions.contains(condition));
    }
    for field in new.selection {
        merge(&mut known.selection, field);
    }
}
