//! `firestore.indexes.json`, as the Firebase CLI writes and deploys it: indexes on several fields, and for which single fields
//! the automatic ones are others.
//!
//! Comments are allowed. What is not known is warned of with its place; what is wrong is an error, and nothing of such a
//! file counts.

use std::collections::HashMap;
use std::fmt;

use base::FieldPath;
use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value as Json;

use super::field::{FieldConfig, FieldConfigs, FieldIndex};
use super::{Breadth, Component, Kind, Spec};
use crate::query::nearest::DIMENSIONS_MAX;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFile {
    /// Indexes that it asks for: those on several fields, and those of its overrides on a whole collection group.
    pub indexes: Vec<Spec>,
    /// Fields whose automatic indexes it restricts.
    pub exemptions: Exemptions,
    /// All that it says of single fields.
    pub fields: FieldConfigs,
}

/// Fields whose automatic indexes are others than usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exemptions {
    /// Collection group and field → by value, by an array's elements.
    left: HashMap<(String, FieldPath), (bool, bool)>,
}

impl Exemptions {
    /// Those that follow from what is particular about fields.
    pub fn of(fields: &FieldConfigs) -> Self {
        let mut exemptions = Self::default();
        for ((group, field), config) in fields {
            let Some(indexes) = &config.indexes else { continue };
            let has = |wanted: fn(Kind) -> bool| {
                indexes.iter().any(|index| index.breadth == Breadth::Collection && wanted(index.kind))
            };
            let left = (has(|kind| kind != Kind::Contains), has(|kind| kind == Kind::Contains));
            if left != (true, true) {
                exemptions.left.insert((group.clone(), field.clone()), left);
            }
        }
        exemptions
    }

    /// Whether a field has no automatic index of this kind.
    pub fn exempt(&self, group: &str, component: &Component) -> bool {
        if self.left.is_empty() {
            return false;
        }
        let left = self.left.get(&(group.to_owned(), component.field.clone()));
        left.is_some_and(|(by_value, by_element)| match component.kind {
            Kind::Contains => !by_element,
            Kind::Ascending | Kind::Descending => !by_value,
            Kind::Vector(_) => false,
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}

/// Something to be said of a place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// Reads a file. Returns what it says with warnings, or its errors.
pub fn parse(text: &str) -> Result<(IndexFile, Vec<Remark>), Vec<Remark>> {
    let mut reader = Reader { text, file: IndexFile::default(), warnings: Vec::new(), errors: Vec::new() };
    match parse_to_ast(text, &CollectOptions::default(), &options()) {
        Err(error) => reader.errors.push(reader.at(error.range().start, error.kind().to_string())),
        Ok(parsed) => match &parsed.value {
            Some(Value::Object(object)) => {
                reader.file(object);
                reader.file.exemptions = Exemptions::of(&reader.file.fields);
            }
            Some(other) => {
                reader.error(other, "the file must be an object with `indexes` and `fieldOverrides`")
            }
            None => {}
        },
    }
    for remarks in [&mut reader.errors, &mut reader.warnings] {
        remarks.sort_by_key(|remark| (remark.line, remark.column));
    }
    if reader.errors.is_empty() { Ok((reader.file, reader.warnings)) } else { Err(reader.errors) }
}

/// Adds an index to the text of a file (empty for one that is not there yet), leaving the rest as it is; `None` when it has
/// the index already.
///
/// Errors: those of [`parse`].
pub fn add(text: &str, spec: &Spec) -> Result<Option<String>, Vec<Remark>> {
    let (file, _) = parse(text)?;
    if file.indexes.iter().any(|index| index.shape() == spec.shape()) {
        return Ok(None);
    }
    let text =
        if text.trim().is_empty() { "{\n  \"indexes\": [],\n  \"fieldOverrides\": []\n}\n" } else { text };
    let root = CstRootNode::parse(text, &options()).map_err(|error| {
        vec![Remark {
            line: error.line_display(),
            column: error.column_display(),
            text: error.kind().to_string(),
        }]
    })?;
    let object = root.object_value_or_set();
    if let ([only], Breadth::Group, false) =
        (spec.fields.as_slice(), spec.breadth, spec.shape().has_vectors())
    {
        let entry = override_entry(&spec.group, only);
        object.array_value_or_set("fieldOverrides").append(input(&entry));
    } else {
        object.array_value_or_set("indexes").append(input(&spec.json()));
    }
    Ok(Some(root.to_string()))
}

/// An index of a whole group on one field is written as an override of the field, beside its automatic ones.
fn override_entry(group: &str, component: &Component) -> Json {
    let of_group = match component.kind {
        Kind::Ascending => serde_json::json!({ "queryScope": "COLLECTION_GROUP", "order": "ASCENDING" }),
        Kind::Descending => serde_json::json!({ "queryScope": "COLLECTION_GROUP", "order": "DESCENDING" }),
        Kind::Contains | Kind::Vector(_) => {
            serde_json::json!({ "queryScope": "COLLECTION_GROUP", "arrayConfig": "CONTAINS" })
        }
    };
    serde_json::json!({
        "collectionGroup": group,
        "fieldPath": component.field.to_string(),
        "indexes": [
            { "queryScope": "COLLECTION", "order": "ASCENDING" },
            { "queryScope": "COLLECTION", "order": "DESCENDING" },
            { "queryScope": "COLLECTION", "arrayConfig": "CONTAINS" },
            of_group,
        ],
    })
}

fn input(json: &Json) -> CstInputValue {
    match json {
        Json::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
        Json::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Json::String(text) => CstInputValue::String(text.clone()),
        Json::Number(number) => CstInputValue::Number(number.to_string()),
        Json::Bool(truth) => CstInputValue::Bool(*truth),
        Json::Null => CstInputValue::Null,
    }
}

/// JSON with comments and trailing commas, as the Firebase CLI takes it.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

struct Reader<'t> {
    text: &'t str,
    file: IndexFile,
    warnings: Vec<Remark>,
    errors: Vec<Remark>,
}

/// The text of a member of an object.
enum Member<'t> {
    Absent,
    Wrong,
    Text(&'t str),
}

impl<'t> Reader<'t> {
    fn at(&self, offset: usize, text: String) -> Remark {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Remark { line, column, text }
    }

    fn error(&mut self, place: &impl Ranged, text: impl Into<String>) {
        self.errors.push(self.at(place.range().start, text.into()));
    }

    fn warn(&mut self, place: &impl Ranged, text: impl Into<String>) {
        self.warnings.push(self.at(place.range().start, text.into()));
    }

    /// Warns of members that are not known.
    fn only(&mut self, object: &Object<'_>, known: &[&str]) {
        for property in &object.properties {
            let name = property.name.as_str();
            if !known.contains(&name) {
                self.warn(property, format!("`{name}` is not known here: it is left out"));
            }
        }
    }

    fn file(&mut self, object: &Object<'_>) {
        self.only(object, &["indexes", "fieldOverrides"]);
        for index in self.objects(object, "indexes") {
            self.index(index);
        }
        for field in self.objects(object, "fieldOverrides") {
            self.field_override(field);
        }
    }

    /// The objects in a list, which may be absent.
    fn objects<'a>(&mut self, object: &'a Object<'a>, name: &str) -> Vec<&'a Object<'a>> {
        let Some(Array { elements, .. }) = self.list(object, name) else { return Vec::new() };
        let mut objects = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                Value::Object(object) => objects.push(object),
                other => self.error(other, format!("an entry of `{name}` must be an object")),
            }
        }
        objects
    }

    fn list<'a>(&mut self, object: &'a Object<'a>, name: &str) -> Option<&'a Array<'a>> {
        match object.get(name).map(|property| &property.value) {
            None => None,
            Some(Value::Array(list)) => Some(list),
            Some(other) => {
                self.error(other, format!("`{name}` must be a list"));
                None
            }
        }
    }

    fn text<'a>(&mut self, object: &'a Object<'a>, name: &str) -> Member<'a> {
        match object.get(name) {
            None => Member::Absent,
            Some(ObjectProp { value: Value::StringLit(text), .. }) => Member::Text(&text.value),
            Some(ObjectProp { value, .. }) => {
                self.error(value, format!("`{name}` must be text"));
                Member::Wrong
            }
        }
    }

    fn required<'a>(&mut self, object: &'a Object<'a>, name: &str) -> Option<&'a str> {
        match self.text(object, name) {
            Member::Text(text) => Some(text),
            Member::Wrong => None,
            Member::Absent => {
                self.error(object, format!("`{name}` is missing"));
                None
            }
        }
    }

    fn scope(&mut self, object: &Object<'_>) -> Option<Breadth> {
        match self.text(object, "queryScope") {
            Member::Absent | Member::Text("COLLECTION") => Some(Breadth::Collection),
            Member::Text("COLLECTION_GROUP") => Some(Breadth::Group),
            Member::Text(other) => {
                self.error(
                    object,
                    format!("`queryScope` is `{other}`: it must be COLLECTION or COLLECTION_GROUP"),
                );
                None
            }
            Member::Wrong => None,
        }
    }

    /// `order` or `arrayConfig` of an object; `None` after an error.
    fn kind(&mut self, object: &Object<'_>) -> Option<Kind> {
        if let Some(vector) = object.get("vectorConfig") {
            return self.vector(object, vector);
        }
        let (order, array) = (self.text(object, "order"), self.text(object, "arrayConfig"));
        match (order, array) {
            (Member::Text("ASCENDING"), Member::Absent) => Some(Kind::Ascending),
            (Member::Text("DESCENDING"), Member::Absent) => Some(Kind::Descending),
            (Member::Absent, Member::Text("CONTAINS")) => Some(Kind::Contains),
            (Member::Wrong, _) | (_, Member::Wrong) => None,
            _ => {
                let text = "a field has either `order` (ASCENDING or DESCENDING) or `arrayConfig` (CONTAINS)";
                self.error(object, text);
                None
            }
        }
    }

    /// `vectorConfig` of a field: its dimension, and `flat`, the only kind there is.
    fn vector(&mut self, object: &Object<'_>, config: &ObjectProp<'_>) -> Option<Kind> {
        let wrong =
            "`vectorConfig` has a `dimension` from 1 to 2048 and `flat`, and the field has nothing else";
        let is_alone = object.get("order").is_none() && object.get("arrayConfig").is_none();
        let Value::Object(vector) = &config.value else {
            self.error(config, wrong);
            return None;
        };
        self.only(vector, &["dimension", "flat"]);
        let dimension = match vector.get("dimension").map(|dimension| &dimension.value) {
            Some(Value::NumberLit(number)) => number.value.parse().ok(),
            _ => None,
        };
        match dimension.filter(|dimension| (1..=DIMENSIONS_MAX).contains(&usize::from(*dimension))) {
            Some(dimension) if is_alone && vector.get("flat").is_some() => Some(Kind::Vector(dimension)),
            _ => {
                self.error(config, wrong);
                None
            }
        }
    }

    fn index(&mut self, object: &Object<'_>) {
        self.only(
            object,
            &[
                "collectionGroup",
                "collectionId",
                "queryScope",
                "fields",
                "apiScope",
                "density",
                "multikey",
                "unique",
            ],
        );
        let group = match object.get("collectionId") {
            Some(_) => self.required(object, "collectionId"),
            None => self.required(object, "collectionGroup"),
        };
        let breadth = self.scope(object);
        if object.get("fields").is_none() {
            self.error(object, "`fields` is missing");
        }
        let mut fields = Vec::new();
        let mut is_whole = true;
        for field in self.objects(object, "fields") {
            self.only(field, &["fieldPath", "order", "arrayConfig", "vectorConfig", "mode"]);
            let path = self.required(field, "fieldPath");
            let kind = self.kind(field);
            match path.and_then(|path| self.path(field, path)).zip(kind) {
                Some((field, kind)) => fields.push(Component { field, kind }),
                None => is_whole = false,
            }
        }
        let (Some(group), Some(breadth), true) = (group, breadth, is_whole) else { return };
        match Spec::written(group, breadth, fields) {
            Ok(spec) if self.file.indexes.iter().any(|index| index.shape() == spec.shape()) => {
                self.warn(object, format!("the index {spec} is in the file twice"));
            }
            Ok(spec) => self.file.indexes.push(spec),
            Err(why) if self.errors.is_empty() => self.error(object, why),
            Err(_) => {}
        }
    }

    fn path(&mut self, place: &Object<'_>, text: &str) -> Option<FieldPath> {
        FieldPath::parse(text)
            .map_err(|error| self.error(place, format!("`fieldPath` `{text}` is not one: {error}")))
            .ok()
    }

    fn field_override(&mut self, object: &Object<'_>) {
        self.only(object, &["collectionGroup", "fieldPath", "indexes", "ttl"]);
        let ttl = match object.get("ttl").map(|property| &property.value) {
            None => false,
            Some(Value::BooleanLit(ttl)) => ttl.value,
            Some(other) => return self.error(other, "`ttl` must be true or false"),
        };
        let group = self.required(object, "collectionGroup");
        let path = self.required(object, "fieldPath");
        if path == Some("*") {
            return self.warn(object, "an override of every field (`*`) is not supported: it is left out");
        }
        let path = path.and_then(|path| self.path(object, path));
        let mut indexes = Vec::new();
        for index in self.objects(object, "indexes") {
            self.only(
                index,
                &["queryScope", "order", "arrayConfig", "apiScope", "density", "multikey", "unique"],
            );
            if let Some((breadth, kind)) = self.scope(index).zip(self.kind(index)) {
                indexes.push(FieldIndex { breadth, kind });
            }
        }
        let (Some(group), Some(path)) = (group, path) else { return };
        // An override without `indexes` is about something else, such as `ttl`.
        let config = FieldConfig { indexes: object.get("indexes").map(|_| indexes), ttl };
        for spec in config.specs(group, &path) {
            if self.file.indexes.iter().all(|index| index.shape() != spec.shape()) {
                self.file.indexes.push(spec);
            }
        }
        if group.is_empty() || group.contains('/') {
            return self.error(object, format!("`{group}` is not the id of a collection"));
        }
        self.file.fields.insert((group.to_owned(), path), config);
    }
}
