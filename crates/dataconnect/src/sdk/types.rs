//! TypeScript's types of variables, answers, keys and enums.

use std::collections::BTreeMap;

use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;

use super::Named;
use crate::operation::{Api, Kind, Selected, Variable};
use crate::schema::Table;

/// The types of a connector.
pub(super) struct Types {
    /// Enums with their values, by name.
    pub(super) enums: Vec<(String, Vec<String>)>,
    /// The interfaces, in their order.
    pub(super) interfaces: String,
}

pub(super) const ALIASES: &str = "export type TimestampString = string;\nexport type UUIDString = string;\nexport type Int64String = string;\nexport type DateString = string;\n";

/// Whether a caller must give a variable.
pub(super) fn is_required(variable: &Variable) -> bool {
    variable.required && variable.default.is_none()
}

pub(super) fn all(api: &Api, operations: &[Named<'_>]) -> Types {
    let schema = api.tables();
    let mut writer = Writer { api, interfaces: BTreeMap::new() };
    for table in schema.tables.iter().filter(|table| !table.key.is_empty()) {
        writer.key(table);
    }
    for named in operations {
        writer.operation(named);
    }
    let enums = schema.enums.values().map(|of| (of.name.clone(), of.values.clone()));
    let interfaces = writer.interfaces.into_values().map(|text| format!("{text}\n"));
    Types { enums: enums.collect(), interfaces: interfaces.collect() }
}

struct Writer<'w> {
    api: &'w Api,
    interfaces: BTreeMap<String, String>,
}

impl Writer<'_> {
    fn interface(&mut self, name: &str, body: &str) {
        self.interfaces.insert(name.to_owned(), format!("export interface {name} {{\n{body}}}\n"));
    }

    fn key(&mut self, table: &Table) {
        let name = format!("{}_Key", table.name);
        // In the order of the table, whatever that of the key.
        let of_key = |(at, column)| table.key.contains(&at).then_some(column);
        let columns = table.columns.iter().enumerate().filter_map(of_key);
        let mut body: String = columns
            .map(|column| format!("  {}: {};\n", column.name, scalar(column.ty.base.name())))
            .collect();
        body.push_str(&format!("  __typename?: '{name}';\n"));
        self.interface(&name, &body);
    }

    fn operation(&mut self, named: &Named<'_>) {
        let root = if named.operation.kind == Kind::Query { "Query" } else { "Mutation" };
        let mut body = String::new();
        self.fields(root, &named.operation.selection, 1, &mut body);
        self.interface(&format!("{}Data", named.name), &body);
        if !named.has_variables {
            return;
        }
        let mut body = String::new();
        for variable in &named.operation.variables {
            let Ok(ty) = Type::parse(&variable.ty, "variable") else { continue };
            body.push_str(&self.member(&variable.name, &ty, !is_required(variable), 1));
            self.input(&variable.named);
        }
        self.interface(&format!("{}Variables", named.name), &body);
    }

    /// A field of an input: one that may be left out may be null too.
    fn member(&self, name: &str, ty: &Type, optional: bool, level: usize) -> String {
        let (mark, null) = if optional { ("?", " | null") } else { ("", "") };
        format!("{}{name}{mark}: {}{null};\n", "  ".repeat(level), self.value(ty))
    }

    /// A type without its own nullability.
    fn value(&self, ty: &Type) -> String {
        match ty {
            Type::Named(name) | Type::NonNullNamed(name) => scalar(name).to_owned(),
            Type::List(item) | Type::NonNullList(item) if item.is_non_null() => {
                format!("{}[]", self.value(item))
            }
            Type::List(item) | Type::NonNullList(item) => format!("({} | null)[]", self.value(item)),
        }
    }

    /// The type of a variable that is an object, and those of its fields.
    fn input(&mut self, name: &str) {
        let Some(ExtendedType::InputObject(input)) = self.api.graphql().types.get(name).cloned() else {
            return;
        };
        if self.interfaces.contains_key(name) {
            return;
        }
        self.interface(name, "");
        let mut body = String::new();
        let fields = input.fields.values();
        for field in fields.filter(|field| !field.directives.has("fdc_forbiddenInVariables")) {
            body.push_str(&self.member(&field.name, &field.ty, !field.ty.is_non_null(), 1));
            self.input(field.ty.inner_named_type());
        }
        self.interface(name, &body);
    }

    /// What a client sees of a selection.
    fn fields(&self, parent: &str, selection: &[Selected], level: usize, out: &mut String) {
        for field in selection.iter().filter(|field| !field.redacted) {
            let (ty, optional) = match self.api.field_type(parent, &field.name) {
                Some(ty) => (self.selected(&ty, field, level), !ty.is_non_null()),
                None => ("string".to_owned(), false),
            };
            let optional = optional || !field.conditions.is_empty();
            // An object that is not there is left out, a value is null.
            let is_object = !field.selection.is_empty() && !field.list;
            let null = if optional && !is_object { " | null" } else { "" };
            let mark = if optional { "?" } else { "" };
            out.push_str(&format!("{}{}{mark}: {ty}{null};\n", "  ".repeat(level), field.key));
        }
    }

    fn selected(&self, ty: &Type, field: &Selected, level: usize) -> String {
        match ty {
            Type::Named(name) | Type::NonNullNamed(name) if field.selection.is_empty() => {
                // A mutation answers with the key of its row.
                let key = name.strip_suffix("_KeyOutput").map(|table| format!("{table}_Key"));
                key.unwrap_or_else(|| scalar(name).to_owned())
            }
            Type::Named(name) | Type::NonNullNamed(name) => {
                let mut body = String::new();
                self.fields(name, &field.selection, level + 1, &mut body);
                let key = if self.has_key(name, &field.selection) {
                    format!(" & {name}_Key")
                } else {
                    String::new()
                };
                format!("{{\n{body}{}}}{key}", "  ".repeat(level))
            }
            Type::List(item) | Type::NonNullList(item) => {
                let inner = self.selected(item, field, level);
                match (field.selection.is_empty(), item.is_non_null()) {
                    (true, true) => format!("{inner}[]"),
                    (_, true) => format!("({inner})[]"),
                    (_, false) => format!("({inner} | null)[]"),
                }
            }
        }
    }

    /// Whether a selection has every field of its table's key.
    fn has_key(&self, name: &str, selection: &[Selected]) -> bool {
        let Some((_, table)) = self.api.tables().table(name) else { return false };
        let has = |name: &str| {
            selection.iter().any(|field| field.key == name && field.name == name && !field.redacted)
        };
        !table.key.is_empty() && table.key_columns().all(|column| has(&column.name))
    }
}

/// The type of a scalar, an enum or an object.
fn scalar(name: &str) -> &str {
    match name {
        "UUID" => "UUIDString",
        "Timestamp" => "TimestampString",
        "Date" => "DateString",
        "Int64" => "Int64String",
        "String" | "ID" => "string",
        "Int" | "Float" => "number",
        "Boolean" => "boolean",
        "Vector" => "number[]",
        "Any" => "unknown",
        "Void" => "null",
        name if name.ends_with("_Expr") => "never",
        name => name,
    }
}
