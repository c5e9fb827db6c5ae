//! An index as people write it: in `firestore.indexes.json`, on the command line, in links to the console.

use std::fmt;

use base::{DatabaseName, FieldPath};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use prost::Message;
use serde_json::{Value as Json, json};

use super::{Breadth, Component, Kind, Shape};
use crate::query::nearest::DIMENSIONS_MAX;

/// Fields of one index, as documented.
const FIELDS_MAX: usize = 100;

/// What an index is on, with its directions as they were written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The id of the collections it covers.
    pub group: String,
    /// One collection, or all of the group.
    pub breadth: Breadth,
    /// The fields, outermost first; without `__name__`.
    pub fields: Vec<Component>,
    /// Whether names, which follow the fields, descend.
    pub name_descends: bool,
}

impl Spec {
    /// The index in terms of the store, where names always ascend: it is walked backwards for the other direction.
    pub fn shape(&self) -> Shape {
        let turned = |component: &Component| Component {
            field: component.field.clone(),
            kind: match component.kind {
                Kind::Ascending if self.name_descends => Kind::Descending,
                Kind::Descending if self.name_descends => Kind::Ascending,
                kind => kind,
            },
        };
        Shape {
            group: self.group.clone(),
            breadth: self.breadth,
            components: self.fields.iter().map(turned).collect(),
        }
    }

    /// An index of the store, the way round it was written.
    pub fn of(shape: &Shape, name_descends: bool) -> Self {
        let Shape { group, breadth, components } = shape.clone();
        let stored = Self { group, breadth, fields: components, name_descends };
        // Turning twice gives what was written.
        Self { fields: stored.shape().components, ..stored }
    }

    /// Names go the way of the last field, where nothing else is said.
    fn says_name(&self) -> bool {
        let (ordered, _) = self.parts();
        self.name_descends != ordered.last().is_some_and(|last| last.kind == Kind::Descending)
    }

    /// The fields before names, and the vector behind them, if there is one.
    fn parts(&self) -> (&[Component], Option<&Component>) {
        match self.fields.split_last() {
            Some((vector, ordered)) if matches!(vector.kind, Kind::Vector(_)) => (ordered, Some(vector)),
            _ => (&self.fields, None),
        }
    }

    /// The fields as they are written: with the name where it has to be said, or where all is said.
    pub fn written_fields(&self, always_name: bool) -> Vec<Component> {
        let (ordered, vector) = self.parts();
        let name = (always_name || self.says_name()).then(|| self.name());
        ordered.iter().cloned().chain(name).chain(vector.cloned()).collect()
    }

    fn name(&self) -> Component {
        Component {
            field: FieldPath::single(base::field::DOCUMENT_ID),
            kind: if self.name_descends { Kind::Descending } else { Kind::Ascending },
        }
    }

    /// An index as it was written: with `__name__` at its end, or without.
    ///
    /// Errors: what is wrong with it.
    pub fn written(group: &str, breadth: Breadth, mut fields: Vec<Component>) -> Result<Self, String> {
        let vector = fields.pop_if(|last| matches!(last.kind, Kind::Vector(_)));
        let name = fields.pop_if(|last| last.field.is_document_id());
        let direction = name.as_ref().or(fields.last()).map(|last| last.kind);
        if fields.iter().any(|field| matches!(field.kind, Kind::Vector(_))) {
            return Err("a vector stands at the end of an index".to_owned());
        }
        fields.extend(vector);
        if group.is_empty() || group.contains('/') {
            return Err(format!("`{group}` is not the id of a collection"));
        }
        if fields.is_empty() {
            return Err("an index needs a field beside `__name__`".to_owned());
        }
        if fields.len() > FIELDS_MAX {
            return Err(format!("an index has at most {FIELDS_MAX} fields"));
        }
        if fields.iter().filter(|field| field.kind == Kind::Contains).count() > 1 {
            return Err("at most one field of an index may be `CONTAINS`".to_owned());
        }
        for (at, field) in fields.iter().enumerate() {
            if field.field.is_document_id() {
                return Err("`__name__` stands at the end of an index".to_owned());
            }
            if fields.iter().skip(at + 1).any(|other| other.is_at(field)) {
                return Err(format!("`{}` stands twice in the index", field.field));
            }
        }
        let name_descends = direction == Some(Kind::Descending);
        Ok(Self { group: group.to_owned(), breadth, fields, name_descends })
    }

    /// Reads a field of the command line: `state`, `population:desc`, `tags:contains`, `embedding:vector=768`.
    ///
    /// Errors: what is wrong with it.
    pub fn field(text: &str) -> Result<Component, String> {
        let (name, kind) = match text.rsplit_once(':') {
            Some((name, "asc")) => (name, Kind::Ascending),
            Some((name, "desc")) => (name, Kind::Descending),
            Some((name, "contains")) => (name, Kind::Contains),
            Some((name, kind)) => match kind.strip_prefix("vector=").map(str::parse) {
                Some(Ok(dimension)) if (1..=DIMENSIONS_MAX).contains(&usize::from(dimension)) => {
                    (name, Kind::Vector(dimension))
                }
                Some(_) => return Err(format!("`{text}`: a vector has 1 to {DIMENSIONS_MAX} dimensions")),
                None => (text, Kind::Ascending),
            },
            None => (text, Kind::Ascending),
        };
        let field = FieldPath::parse(name).map_err(|error| {
            format!("`{text}` is not a field with `:asc`, `:desc`, `:contains` or `:vector=N`: {error}")
        })?;
        Ok(Component { field, kind })
    }

    /// The entry of `firestore.indexes.json`.
    pub fn json(&self) -> Json {
        let fields: Vec<Json> = self.written_fields(false).iter().map(field_json).collect();
        json!({ "collectionGroup": self.group, "queryScope": self.scope(), "fields": fields })
    }

    /// The fields as the Admin API lists them, `__name__` always at their end.
    pub fn whole_fields_json(&self) -> Vec<Json> {
        self.fields.iter().chain([&self.name()]).map(field_json).collect()
    }

    /// The name of the scope, as Firebase has it.
    pub fn scope(&self) -> &'static str {
        match self.breadth {
            Breadth::Collection => "COLLECTION",
            Breadth::Group => "COLLECTION_GROUP",
        }
    }

    /// The arguments of `hearth indexes add` for it.
    pub fn arguments(&self) -> String {
        let mut text = quoted(&self.group);
        for component in &self.written_fields(false) {
            let suffix = match component.kind {
                Kind::Ascending => String::new(),
                Kind::Descending => ":desc".to_owned(),
                Kind::Contains => ":contains".to_owned(),
                Kind::Vector(dimension) => format!(":vector={dimension}"),
            };
            text.push(' ');
            text.push_str(&quoted(&format!("{}{suffix}", component.field)));
        }
        if self.breadth == Breadth::Group {
            text.push_str(" --group");
        }
        text
    }

    /// Where the console makes it.
    pub fn link(&self, database: &DatabaseName) -> String {
        let within = match database.database.as_str() {
            "(default)" => "firestore".to_owned(),
            id => format!("firestore/databases/{id}"),
        };
        let console =
            format!("https://console.firebase.google.com/v1/r/project/{}/{within}", database.project);
        let of_group = format!(
            "projects/{}/databases/{}/collectionGroups/{}",
            database.project, database.database, self.group
        );
        if let ([only], Breadth::Group) = (self.fields.as_slice(), self.breadth) {
            let field =
                message::Field { name: format!("{of_group}/fields/{}", only.field), index_config: None };
            return format!("{console}/indexes?create_exemption={}", URL_SAFE.encode(field.encode_to_vec()));
        }
        let index = message::Index {
            name: format!("{of_group}/indexes/_"),
            query_scope: match self.breadth {
                Breadth::Collection => 1,
                Breadth::Group => 2,
            },
            fields: self.written_fields(true).iter().map(message::IndexField::of).collect(),
        };
        format!("{console}/indexes?create_composite={}", URL_SAFE.encode(index.encode_to_vec()))
    }
}

/// The fields of an entry in the file.
fn field_json(component: &Component) -> Json {
    let field = component.field.to_string();
    match component.kind {
        Kind::Ascending => json!({ "fieldPath": field, "order": "ASCENDING" }),
        Kind::Descending => json!({ "fieldPath": field, "order": "DESCENDING" }),
        Kind::Contains => json!({ "fieldPath": field, "arrayConfig": "CONTAINS" }),
        Kind::Vector(dimension) => {
            json!({ "fieldPath": field, "vectorConfig": { "dimension": dimension, "flat": {} } })
        }
    }
}

/// Quoted for a shell, where that is needed.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:@=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `cities (state ASC, population DESC)`.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |component: &Component| {
            let kind = match component.kind {
                Kind::Ascending => "ASC".to_owned(),
                Kind::Descending => "DESC".to_owned(),
                Kind::Contains => "CONTAINS".to_owned(),
                Kind::Vector(dimension) => format!("VECTOR<{dimension}>"),
            };
            format!("{} {kind}", component.field)
        };
        let fields: Vec<String> = self.written_fields(false).iter().map(word).collect();
        write!(f, "{} ({})", self.group, fields.join(", "))
    }
}

/// What a link to the console carries: the beginnings of `google.firestore.admin.v1.Index` and `Field`.
mod message {
    use super::{Component, Kind};

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Index {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(int32, tag = "2")]
        pub query_scope: i32,
        #[prost(message, repeated, tag = "3")]
        pub fields: Vec<IndexField>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct IndexField {
        #[prost(string, tag = "1")]
        pub field_path: String,
        #[prost(int32, optional, tag = "2")]
        pub order: Option<i32>,
        #[prost(int32, optional, tag = "3")]
        pub array_config: Option<i32>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Field {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, optional, tag = "2")]
        pub index_config: Option<String>,
    }

    impl IndexField {
        pub fn of(component: &Component) -> Self {
            let (order, array_config) = match component.kind {
                Kind::Ascending => (Some(1), None),
                Kind::Descending => (Some(2), None),
                Kind::Contains => (None, Some(1)),
                Kind::Vector(_) => (None, None),
            };
            Self { field_path: component.field.to_string(), order, array_config }
        }
    }
}
