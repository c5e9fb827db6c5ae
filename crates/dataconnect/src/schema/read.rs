//! From texts to drafts of tables: what is declared, before what is implied.

use apollo_compiler::Node;
use apollo_compiler::ast::{
    Definition, Directive, DirectiveList, Document, EnumTypeDefinition, FieldDefinition,
    ObjectTypeDefinition, Type, Value,
};
use apollo_compiler::parser::{Parser, SourceMap, SourceSpan};
use indexmap::IndexMap;

use super::values::constant;
use super::{Base, Column, ColumnType, Default, Direction, Enum, Scalar, View};
use crate::diagnostic::{Diagnostic, Place, Text, from_list, suggestion};
use crate::names::{lower_first, plural, snake};

/// Levels that a text may nest.
const LEVELS_MAX: usize = 200;
/// Tokens of one text.
const TOKENS_MAX: usize = 500_000;

/// A reader of texts, within bounds.
pub fn parser() -> Parser {
    Parser::new().recursion_limit(LEVELS_MAX).token_limit(TOKENS_MAX)
}

/// A reference as declared.
pub(super) struct DraftReference {
    pub name: String,
    pub target: String,
    pub required: bool,
    pub fields: Vec<String>,
    pub references: Vec<String>,
    pub constraint: Option<String>,
    pub place: Place,
}

/// An index as declared.
pub(super) struct DraftIndex {
    pub name: Option<String>,
    pub fields: Vec<String>,
    pub order: Vec<Direction>,
    pub method: Option<String>,
    pub vector_method: Option<String>,
    pub unique: bool,
    pub place: Place,
}

/// A table as declared.
pub(super) struct DraftTable {
    pub name: String,
    pub sql_name: String,
    pub singular: String,
    pub plural: String,
    pub view: Option<View>,
    pub key: Option<Vec<String>>,
    pub key_place: Place,
    pub columns: Vec<Column>,
    pub references: Vec<DraftReference>,
    pub indexes: Vec<DraftIndex>,
    pub place: Place,
}

/// Everything that is declared.
#[derive(Default)]
pub(super) struct Drafts {
    pub tables: IndexMap<String, DraftTable>,
    pub enums: IndexMap<String, Enum>,
}

/// Where things are, and what is said of them.
struct Reader<'d> {
    sources: SourceMap,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn place(&self, span: Option<SourceSpan>) -> Place {
        Place::of(span, &self.sources)
    }

    fn error(&mut self, span: Option<SourceSpan>, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic::error(self.place(span), message));
        let last = self.diagnostics.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "pushed above")]
        &mut self.diagnostics[last]
    }
}

/// Reads texts.
pub(super) fn read(texts: &[Text]) -> (Drafts, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut documents: Vec<Document> = Vec::new();
    for text in texts {
        match parser().parse_ast(text.text.to_string(), &*text.name) {
            Ok(document) => documents.push(document),
            Err(failed) => {
                diagnostics.extend(from_list(&failed.errors));
                documents.push(failed.partial);
            }
        }
    }
    let names = Names::of(&documents);
    let mut drafts = Drafts::default();
    for document in &documents {
        let mut reader = Reader { sources: document.sources.clone(), diagnostics: &mut diagnostics };
        for definition in &document.definitions {
            reader.definition(definition, &names, &mut drafts);
        }
    }
    (drafts, diagnostics)
}

/// The names of types.
struct Names {
    tables: Vec<String>,
    plain: Vec<String>,
    enums: Vec<String>,
}

impl Names {
    fn of(documents: &[Document]) -> Self {
        let mut names = Self { tables: Vec::new(), plain: Vec::new(), enums: Vec::new() };
        for definition in documents.iter().flat_map(|document| &document.definitions) {
            match definition {
                Definition::ObjectTypeDefinition(object) if is_table(&object.directives) => {
                    names.tables.push(object.name.to_string());
                }
                Definition::ObjectTypeDefinition(object) => names.plain.push(object.name.to_string()),
                Definition::EnumTypeDefinition(of) => names.enums.push(of.name.to_string()),
                _ => {}
            }
        }
        names
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let declared = self.tables.iter().chain(&self.enums).map(String::as_str);
        declared.chain(Scalar::ALL.map(Scalar::name))
    }
}

fn is_table(directives: &DirectiveList) -> bool {
    directives.has("table") || directives.has("view")
}

fn argument<'d>(directive: &'d Directive, name: &str) -> Option<&'d Node<Value>> {
    directive.specified_argument_by_name(name).filter(|value| !value.is_null())
}

fn text(directive: &Directive, name: &str) -> Option<String> {
    argument(directive, name).and_then(|value| value.as_str()).map(str::to_owned)
}

/// A list of texts; one text is a list of one.
fn texts(directive: &Directive, name: &str) -> Vec<String> {
    match argument(directive, name).map(|value| &**value) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::List(items)) => {
            items.iter().filter_map(|item| item.as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn word(directive: &Directive, name: &str) -> Option<String> {
    argument(directive, name).and_then(|value| value.as_enum()).map(ToString::to_string)
}

impl Reader<'_> {
    fn definition(&mut self, definition: &Definition, names: &Names, drafts: &mut Drafts) {
        match definition {
            Definition::ObjectTypeDefinition(object) if is_table(&object.directives) => {
                let table = self.table(object, names);
                if drafts.tables.contains_key(&table.name) {
                    self.error(
                        object.name.location(),
                        format!("the type `{}` is declared twice", object.name),
                    );
                    return;
                }
                drafts.tables.insert(table.name.clone(), table);
            }
            Definition::ObjectTypeDefinition(object) => {
                let name = &object.name;
                let what = format!("the type `{name}` is neither a table nor a view");
                self.error(name.location(), what).help = Some(format!("write `type {name} @table`"));
            }
            Definition::EnumTypeDefinition(of) => self.enumeration(of, drafts),
            other => {
                let what = "a schema declares types with `@table` or `@view`, and enums";
                self.error(other.name().map_or(other.location(), |name| name.location()), what);
            }
        }
    }

    fn enumeration(&mut self, of: &EnumTypeDefinition, drafts: &mut Drafts) {
        if of.name.contains('_') {
            let what = format!("the enum `{}` has an underscore in its name", of.name);
            self.error(of.name.location(), what).help = Some("use PascalCase".to_owned());
        }
        let mut values: Vec<String> = Vec::new();
        for value in &of.values {
            if values.iter().any(|known| *known == *value.value) {
                let what = format!("the value `{}` of the enum `{}` is there twice", value.value, of.name);
                self.error(value.value.location(), what);
                continue;
            }
            values.push(value.value.to_string());
        }
        let place = self.place(of.name.location());
        let read = Enum { name: of.name.to_string(), values, place };
        if drafts.enums.insert(of.name.to_string(), read).is_some() {
            self.error(of.name.location(), format!("the enum `{}` is declared twice", of.name));
        }
    }

    fn table(&mut self, object: &ObjectTypeDefinition, names: &Names) -> DraftTable {
        let name = object.name.to_string();
        let is_view = object.directives.has("view");
        let directive = object.directives.get(if is_view { "view" } else { "table" });
        let said = |argument: &str| directive.and_then(|directive| text(directive, argument));
        if name.starts_with('_') || name.contains('_') {
            self.error(object.name.location(), format!("the type `{name}` has an underscore in its name"))
                .help = Some("the generated API has names such as `Movie_Data`".to_owned());
        }
        let singular = said("singular").unwrap_or_else(|| lower_first(&name));
        let sql_name = said("name").unwrap_or_else(|| snake(&name));
        let view = is_view.then(|| match said("sql") {
            Some(sql) => View::Sql(sql),
            None => View::Named(sql_name.clone()),
        });
        if is_view && said("sql").is_some() && said("name").is_some() {
            self.error(object.name.location(), format!("the view `{name}` has both `name` and `sql`")).help =
                Some("a view is either in the database, by `name`, or a statement, by `sql`".to_owned());
        }
        let key = directive.map(|directive| texts(directive, "key")).filter(|key| !key.is_empty());
        let key_at = directive.and_then(|directive| argument(directive, "key")).and_then(Node::location);
        let mut table = DraftTable {
            sql_name,
            plural: said("plural").unwrap_or_else(|| plural(&singular)),
            singular,
            view,
            key,
            key_place: self.place(key_at.or_else(|| object.name.location())),
            columns: Vec::new(),
            references: Vec::new(),
            indexes: Vec::new(),
            place: self.place(object.name.location()),
            name,
        };
        for directive in &object.directives.0 {
            table.indexes.extend(self.index(directive, None));
        }
        for field in &object.fields {
            self.field(field, names, &mut table);
        }
        table
    }

    fn index(&mut self, directive: &Node<Directive>, field: Option<&str>) -> Option<DraftIndex> {
        let unique = directive.name == "unique";
        if !unique && directive.name != "index" {
            return None;
        }
        let order = match argument(directive, "order").map(|value| &**value) {
            Some(Value::List(items)) => items.iter().filter_map(|item| item.as_enum()).collect(),
            Some(Value::Enum(one)) => vec![one],
            _ => Vec::new(),
        };
        let order = order.into_iter().map(|word| match word.as_str() {
            "DESC" => Direction::Desc,
            _ => Direction::Asc,
        });
        let fields = match field {
            Some(field) => vec![field.to_owned()],
            None => texts(directive, "fields"),
        };
        if fields.is_empty() {
            let what = format!("`@{}` on a type needs `fields`", directive.name);
            self.error(directive.location(), what);
            return None;
        }
        Some(DraftIndex {
            name: text(directive, if unique { "indexName" } else { "name" }),
            fields,
            order: order.collect(),
            method: word(directive, "type"),
            vector_method: word(directive, "vector_method"),
            unique,
            place: self.place(directive.location()),
        })
    }

    fn field(&mut self, field: &Node<FieldDefinition>, names: &Names, table: &mut DraftTable) {
        let name = field.name.to_string();
        let at = field.name.location();
        if name.starts_with('_') {
            self.error(at, format!("the field `{}.{name}` begins with an underscore", table.name)).help =
                Some("such names belong to the generated API".to_owned());
            return;
        }
        if table.columns.iter().any(|column| column.name == name)
            || table.references.iter().any(|reference| reference.name == name)
        {
            self.error(at, format!("the field `{}.{name}` is declared twice", table.name));
            return;
        }
        for directive in &field.directives.0 {
            table.indexes.extend(self.index(directive, Some(&name)));
        }
        let inner = field.ty.inner_named_type().as_str();
        if names.tables.iter().any(|known| known == inner) {
            self.reference(field, table);
        } else if let Some(scalar) = Scalar::named(inner) {
            self.column(field, Base::Scalar(scalar), table);
        } else if names.enums.iter().any(|known| known == inner) {
            self.column(field, Base::Enum(inner.to_owned()), table);
        } else {
            let what = match names.plain.iter().any(|known| known == inner) {
                true => {
                    format!("the type `{inner}` of `{}.{name}` is neither a table nor a view", table.name)
                }
                false => format!("the type `{inner}` of `{}.{name}` is not declared", table.name),
            };
            let help = suggestion(inner, names.all()).map(|near| format!("did you mean `{near}`?"));
            self.error(inner_location(field), what).help = help;
        }
    }

    fn reference(&mut self, field: &Node<FieldDefinition>, table: &mut DraftTable) {
        let target = field.ty.inner_named_type().to_string();
        if field.ty.is_list() {
            let what =
                format!("`{}.{}` is a list of references, which no column can hold", table.name, field.name);
            let near = lower_first(&table.name);
            self.error(field.name.location(), what).help = Some(format!(
                "declare the reverse side: a field `{near}: {}!` in `{target}` gives `{}` here",
                table.name,
                format_args!("{}_on_{near}", plural(&lower_first(&target))),
            ));
            return;
        }
        let directive = field.directives.get("ref");
        table.references.push(DraftReference {
            name: field.name.to_string(),
            target,
            required: field.ty.is_non_null(),
            fields: directive.map(|directive| texts(directive, "fields")).unwrap_or_default(),
            references: directive.map(|directive| texts(directive, "references")).unwrap_or_default(),
            constraint: directive.and_then(|directive| text(directive, "constraintName")),
            place: self.place(field.name.location()),
        });
    }

    fn column(&mut self, field: &Node<FieldDefinition>, base: Base, table: &mut DraftTable) {
        let list = match &field.ty {
            Type::List(item) | Type::NonNullList(item) => {
                if item.is_list() {
                    let what = format!("`{}.{}` is a list of lists", table.name, field.name);
                    self.error(field.name.location(), what);
                    return;
                }
                Some(item.is_non_null())
            }
            _ => None,
        };
        let ty = ColumnType { base, list, required: field.ty.is_non_null() };
        let col = field.directives.get("col");
        let size = col.and_then(|col| argument(col, "size")).and_then(|size| size.to_i32());
        let size = size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0);
        if ty.base == Base::Scalar(Scalar::Vector) && size.is_none() {
            let what = format!("the vector `{}.{}` has no size", table.name, field.name);
            self.error(field.name.location(), what).help = Some("write `@col(size: 768)`".to_owned());
        }
        let searchable = field.directives.get("searchable");
        if searchable.is_some() && (ty.base != Base::Scalar(Scalar::String) || ty.list.is_some()) {
            let what =
                format!("`@searchable` is for `String`, and `{}.{}` is `{ty}`", table.name, field.name);
            self.error(field.name.location(), what);
        }
        let language = searchable.map(|found| text(found, "language").unwrap_or_else(|| "english".into()));
        table.columns.push(Column {
            name: field.name.to_string(),
            sql_name: col.and_then(|col| text(col, "name")).unwrap_or_else(|| snake(&field.name)),
            default: self.default(field, &ty, table),
            data_type: col.and_then(|col| text(col, "dataType")),
            size,
            searchable: language,
            implied: None,
            place: self.place(field.name.location()),
            ty,
        });
    }

    fn default(&mut self, field: &FieldDefinition, ty: &ColumnType, table: &DraftTable) -> Option<Default> {
        let directive = field.directives.get("default")?;
        let value = directive.specified_argument_by_name("value");
        let (expr, sql) = (text(directive, "expr"), text(directive, "sql"));
        let given = usize::from(value.is_some()) + usize::from(expr.is_some()) + usize::from(sql.is_some());
        if given != 1 {
            let what = format!(
                "`@default` of `{}.{}` has {given} of `value`, `expr` and `sql`",
                table.name, field.name
            );
            self.error(directive.location(), what).help = Some("exactly one is needed".to_owned());
            return None;
        }
        if let Some(value) = value {
            return match constant(value, ty) {
                Ok(json) => Some(Default::Value(json)),
                Err(why) => {
                    let what = format!("the default of `{}.{}` {why}", table.name, field.name);
                    self.error(value.location(), what);
                    None
                }
            };
        }
        expr.map(Default::Expr).or(sql.map(Default::Sql))
    }
}

fn inner_location(field: &FieldDefinition) -> Option<SourceSpan> {
    field.ty.inner_named_type().location().or_else(|| field.name.location())
}
