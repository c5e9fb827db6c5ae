//! What a type demands of a place, as a tree of rules.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::ast::{Kind, Node, Operator, Schema, Type, TypeKind, TypeNode};
use super::expand::Bindings;
use super::generate::{Generator, Run, has_children};
use super::print;
use super::tree::Rules;
use crate::source::Span;

/// What stands where a type contains itself.
pub(super) const TYPE_RECURSION: &str = "***TYPE RECURSION***";
/// Types within types.
const TYPE_DEPTH_MAX: usize = 50;

impl Generator<'_> {
    /// The rules of a type, made once.
    pub(super) fn validator(&mut self, kind: &Type) -> Run<Rc<Rules>> {
        let Ok(key) = print::type_name(kind) else {
            return self.limit(kind.span, "this type grows without end");
        };
        if let Some(known) = self.validators.get(&key) {
            return Ok(known.clone());
        }
        if self.type_depth >= TYPE_DEPTH_MAX {
            return self.limit(kind.span, format!("types are nested more than {TYPE_DEPTH_MAX} levels deep"));
        }
        let mut recursion = Rules::default();
        recursion.add(".validate", Node::literal(TYPE_RECURSION, kind.span), kind.span);
        self.validators.insert(key.clone(), Rc::new(recursion));
        self.type_depth += 1;
        let rules = Rc::new(self.create_validator(kind)?);
        self.type_depth -= 1;
        self.validators.insert(key, rules.clone());
        Ok(rules)
    }

    fn create_validator(&mut self, kind: &Type) -> Run<Rules> {
        match &kind.kind {
            TypeKind::Name(name) => {
                let Some(schema) = self.schemas.get(name).cloned() else {
                    return self.stop(kind.span, format!("No type definition for: {name}"));
                };
                if !schema.parameters.is_empty() {
                    let message = format!("No type definition for: {name} used as non-generic type.");
                    return self.stop(kind.span, message);
                }
                self.schema_validator(&schema, kind.span)
            }
            TypeKind::Union(types) => {
                let mut union = Rules::default();
                for part in types {
                    let mut single = Rules::default();
                    let validator = self.validator(part)?;
                    self.extend(&mut single, &validator, part.span)?;
                    single.join(&mut |terms| self.join_terms(Operator::And, terms))?;
                    self.extend(&mut union, &single, part.span)?;
                }
                union.join(&mut |terms| self.join_terms(Operator::Or, terms))?;
                Ok(union)
            }
            TypeKind::Generic(name, arguments) => self.generic_validator(kind, name, arguments),
        }
    }

    fn generic_validator(&mut self, kind: &Type, name: &str, arguments: &[Type]) -> Run<Rules> {
        let schema = self.schemas.get(name).filter(|schema| !schema.parameters.is_empty());
        let Some(schema) = schema.cloned() else {
            return self.stop(kind.span, format!("No type definition for: {name} (generic)"));
        };
        if arguments.len() != schema.parameters.len() {
            let expected = schema.parameters.join(", ");
            return self.stop(kind.span, format!("Invalid generic schema usage:  expected <{expected}>"));
        }
        if let ("Map", [key, value]) = (name, arguments) {
            return self.map_validator(kind, key, value);
        }
        let bindings: HashMap<&str, &Type> =
            schema.parameters.iter().map(|parameter| &**parameter).zip(arguments).collect();
        let properties = schema.properties.iter();
        let expanded = Schema {
            derived_from: substitute(&schema.derived_from, &bindings),
            properties: properties.map(|(name, kind)| (name.clone(), substitute(kind, &bindings))).collect(),
            methods: schema.methods.clone(),
            parameters: Vec::new(),
            span: schema.span,
        };
        self.schema_validator(&expanded, kind.span)
    }

    fn map_validator(&mut self, kind: &Type, key: &Type, value: &Type) -> Run<Rules> {
        let shown = print::type_name(key).unwrap_or_default();
        let Some(mut name) = plain_name(key) else {
            return self.bad_map_key(key, &shown);
        };
        if !self.is_derived_from(key, "String", 0)? {
            return self.bad_map_key(key, &shown);
        }
        self.key_index += 1;
        let label: Rc<str> = format!("$key{}", self.key_index).into();
        let mut rules = Rules::default();
        rules.child(&label, kind.span);
        let object = self.validator(&TypeNode::name("Object", kind.span))?;
        self.extend(&mut rules, &object, kind.span)?;
        let mut entry = Rules::default();
        while &*name != "String" {
            let Some(schema) = self.schemas.get(&name).cloned() else {
                return self.bad_map_key(key, &shown);
            };
            if let Some(method) = schema.methods.get("validate") {
                let bindings =
                    Bindings::from([("this".into(), Node::literal(label.clone(), Span::default()))]);
                let exp = self.evaluate(&method.body, &bindings, &mut HashSet::new())?;
                entry.add(".validate", exp, method.whole);
            }
            let Some(next) = plain_name(&schema.derived_from) else {
                return self.bad_map_key(key, &shown);
            };
            name = next;
        }
        let value_rules = self.validator(value)?;
        self.extend(&mut entry, &value_rules, value.span)?;
        if let Some(child) = rules.child(&label, kind.span) {
            self.extend(child, &entry, kind.span)?;
        }
        Ok(rules)
    }

    fn bad_map_key<T>(&mut self, key: &Type, shown: &str) -> Run<T> {
        self.stop(key.span, format!("Map<Key, T> - Key must derive from String type.  ({shown} does not)"))
    }

    fn schema_validator(&mut self, schema: &Schema, span: Span) -> Run<Rules> {
        let wild = |name: &str| name.starts_with('$');
        let is_collection = schema.properties.len() == 1 && schema.properties.keys().all(|name| wild(name));
        let has_properties = !schema.properties.is_empty() && !is_collection;
        if has_properties && !self.is_derived_from(&schema.derived_from, "Object", 0)? {
            let shown = print::type_name(&schema.derived_from).unwrap_or_default();
            self.fatal(
                schema.span,
                format!("Type contains properties and must extend 'Object'. (is {shown})"),
            );
            return Ok(Rules::default());
        }
        let mut rules = Rules::default();
        if !schema.derived_from.is_named("Any") {
            let base = self.validator(&schema.derived_from)?;
            self.extend(&mut rules, &base, span)?;
        }
        let mut required = Vec::new();
        let mut wild_count = 0;
        for (name, kind) in &schema.properties {
            let checked = name.strip_prefix('$').unwrap_or(name);
            wild_count += usize::from(wild(name));
            let invalid = |character: char| ".#$[]/".contains(character) || character.is_ascii_control();
            if checked.contains(invalid) {
                self.fatal(
                    kind.span,
                    format!(
                        "Property names cannot contain any of: . $ # [ ] / or control characters: {name}"
                    ),
                );
            }
            rules.child(name, kind.span);
            if !wild(name) && !self.is_nullable(kind)? {
                let nowhere = Span { start: kind.span.start, end: kind.span.start };
                required.push(Node::text(name.clone(), nowhere));
            }
            let validator = self.validator(kind)?;
            if let Some(child) = rules.child(name, kind.span) {
                self.extend(child, &validator, kind.span)?;
            }
        }
        if wild_count > 1 || wild_count == 1 && !required.is_empty() {
            self.fatal(
                schema.span,
                "Types can have at most one $wild property and cannot mix with other properties.",
            );
        }
        if !required.is_empty() {
            rules.add(".validate", has_children(required, schema.span), schema.span);
        }
        if has_properties {
            let mut other = Rules { origin: schema.span, ..Rules::default() };
            other.add(".validate", Node::value(Kind::Boolean(false), schema.span), schema.span);
            if let Some(child) = rules.child(&"$other".into(), schema.span) {
                *child = other;
            }
        }
        self.add_methods(&mut rules, &schema.methods, schema.span)?;
        Ok(rules)
    }

    fn is_nullable(&mut self, kind: &Type) -> Run<bool> {
        Ok(self.is_derived_from(kind, "Null", 0)? || self.is_derived_from(kind, "Map", 0)?)
    }

    fn is_derived_from(&mut self, kind: &Type, ancestor: &str, depth: usize) -> Run<bool> {
        if ancestor == "Any" {
            return Ok(true);
        }
        self.steps += 1;
        if depth > TYPE_DEPTH_MAX {
            return self.limit(kind.span, "this type extends itself, or too many others in a row");
        }
        match &kind.kind {
            TypeKind::Name(name) | TypeKind::Generic(name, _) => {
                if &**name == ancestor {
                    return Ok(true);
                }
                if &**name == "Any" {
                    return Ok(false);
                }
                match self.schemas.get(name).map(|schema| schema.derived_from.clone()) {
                    Some(base) => self.is_derived_from(&base, ancestor, depth + 1),
                    None => Ok(false),
                }
            }
            TypeKind::Union(types) => {
                if types.iter().map(print::type_name).any(|name| name.is_err()) {
                    return self.limit(kind.span, "this type grows without end");
                }
                let mut any = false;
                for part in types {
                    any |= self.is_derived_from(part, ancestor, depth + 1)?;
                }
                Ok(any)
            }
        }
    }
}

/// The name, if the type is nothing but a name.
fn plain_name(kind: &Type) -> Option<Rc<str>> {
    match &kind.kind {
        TypeKind::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// Puts types in the place of a generic type's parameters.
fn substitute(kind: &Type, bindings: &HashMap<&str, &Type>) -> Type {
    let all = |types: &[Type]| types.iter().map(|part| substitute(part, bindings)).collect();
    match &kind.kind {
        TypeKind::Name(name) => bindings.get(&**name).map_or_else(|| kind.clone(), |bound| (*bound).clone()),
        TypeKind::Union(types) => Rc::new(TypeNode { kind: TypeKind::Union(all(types)), span: kind.span }),
        TypeKind::Generic(name, types) => {
            Rc::new(TypeNode { kind: TypeKind::Generic(name.clone(), all(types)), span: kind.span })
        }
    }
}
