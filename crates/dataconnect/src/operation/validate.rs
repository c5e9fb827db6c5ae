//! The API as a GraphQL schema, and documents validated against it.

use std::collections::HashMap;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Type;
use apollo_compiler::parser::SourceMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid, WithErrors};

use policy::cel::{Environment, Place as CelPlace};

use super::Expression;
use crate::diagnostic::{Diagnostic, Place, Text, from_list, suggestion};
use crate::generated::{Edition, Files, PRELUDE};
use crate::schema::{Default, Schema, parser};

/// The API of a schema.
#[derive(Debug)]
pub struct Api {
    pub(super) schema: Schema,
    pub(super) graphql: Valid<apollo_compiler::Schema>,
    defaults: HashMap<String, Expression>,
}

/// Compiles the defaults that are computed when a row is inserted.
fn defaults(schema: &Schema) -> Result<HashMap<String, Expression>, Vec<Diagnostic>> {
    let environment = Environment::data_connect(CelPlace::Value, Vec::new());
    let (mut found, mut wrong) = (HashMap::new(), Vec::new());
    for column in schema.tables.iter().flat_map(|table| &table.columns) {
        let Some(Default::Expr(text)) = &column.default else { continue };
        match Expression::compile(text, "<input>", &environment) {
            Ok(expression) => drop(found.insert(text.clone(), expression)),
            Err(report) => wrong.push(Diagnostic::error(column.place.clone(), report)),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

impl Api {
    /// The API of a schema without errors, and the texts that it was read from. `Err`: what is wrong.
    pub fn new(schema: Schema, texts: &[Text]) -> Result<Self, Vec<Diagnostic>> {
        let mut builder = apollo_compiler::Schema::builder();
        let files = Files::of(&schema, Edition::CURRENT);
        parser().parse_into_schema_builder(PRELUDE, "prelude.gql", &mut builder);
        for text in texts {
            parser().parse_into_schema_builder(text.text.to_string(), &*text.name, &mut builder);
        }
        for (name, text) in files.named() {
            if !text.is_empty() {
                parser().parse_into_schema_builder(text, name, &mut builder);
            }
        }
        let graphql = builder.build().and_then(apollo_compiler::Schema::validate);
        let graphql = graphql.map_err(|failed| from_list(&failed.errors))?;
        let defaults = defaults(&schema)?;
        Ok(Self { schema, graphql, defaults })
    }

    /// The expression of a default that the database does not compute, by its text.
    pub fn default(&self, text: &str) -> Option<&Expression> {
        self.defaults.get(text)
    }

    /// The API and the author's types as one GraphQL schema.
    pub(crate) fn graphql(&self) -> &apollo_compiler::Schema {
        &self.graphql
    }

    /// The type of a field of an object.
    pub(crate) fn field_type(&self, parent: &str, field: &str) -> Option<Type> {
        let ExtendedType::Object(object) = self.graphql.types.get(parent)? else { return None };
        Some(object.fields.get(field)?.ty.clone())
    }

    /// Validates the texts of one connector together: fragments are visible across them.
    /// `named`: an operation must have a name.
    pub(super) fn validate(
        &self,
        texts: &[Text],
        named: bool,
    ) -> (Option<Valid<ExecutableDocument>>, Vec<Diagnostic>) {
        let mut errors = DiagnosticList::new(SourceMap::default());
        let mut builder = ExecutableDocument::builder(Some(&self.graphql), &mut errors);
        let mut diagnostics = Vec::new();
        for text in texts {
            // Only a text that parses is looked at further: what is missing of another one would be said twice.
            match parser().parse_ast(text.text.to_string(), &*text.name) {
                Ok(document) => builder.add_ast_document(&document, true),
                Err(failed) => diagnostics.extend(from_list(&failed.errors)),
            }
        }
        let document = builder.build();
        let unnamed = document.operations.anonymous.as_ref().filter(|_| named);
        diagnostics.extend(unnamed.map(|operation| {
            let place = Place::of(operation.location(), &document.sources);
            Diagnostic::error(place, "an operation of a connector has no name")
                .help("clients call it by its name")
        }));
        let broken = !diagnostics.is_empty() || !errors.is_empty();
        diagnostics.extend(self.explained(&errors));
        let (document, list) = match document.validate(&self.graphql) {
            Ok(document) => (document, None),
            Err(WithErrors { partial, errors }) => (Valid::assume_valid(partial), Some(errors)),
        };
        let mut found = list.as_ref().map(|list| self.explained(list)).unwrap_or_default();
        if broken {
            // A fragment that is missing may be in the text that does not parse.
            found.retain(|said| !diagnostics.contains(said));
        }
        diagnostics.append(&mut found);
        let usable = diagnostics.is_empty();
        (usable.then_some(document), diagnostics)
    }

    /// The compiler's list without what Data Connect allows, and with suggestions.
    fn explained(&self, list: &DiagnosticList) -> Vec<Diagnostic> {
        let said = list.iter().zip(from_list(list)).filter(|(diagnostic, _)| {
            // A connector's fragments may wait for a use; variables may be used in expressions only.
            !matches!(diagnostic.error.unstable_error_name(), Some("UnusedFragment" | "UnusedVariable"))
        });
        // Any JSON, and values of SQL, may have variables of any type at any depth.
        let has_variable = |said: &Diagnostic| {
            let any = ["Any", "SQL_Params"].map(|scalar| format!("{scalar} cannot represent value: $"));
            any.iter().any(|begin| said.message.starts_with(begin))
        };
        let said = said.map(|(_, said)| said).filter(|said| !has_variable(said));
        said.map(|said| self.with_suggestion(said)).collect()
    }

    /// Messages quote the type and the name that it does not have.
    fn with_suggestion(&self, said: Diagnostic) -> Diagnostic {
        let quoted: Vec<&str> = said.message.split(['"', '`']).skip(1).step_by(2).collect();
        let Some(known) = quoted.iter().find_map(|name| self.names_of(name.trim_matches(['[', ']', '!'])))
        else {
            return said;
        };
        let missing = quoted.iter().find(|name| !known.iter().any(|known| known == *name));
        let near = missing.and_then(|name| suggestion(name, known.iter().map(String::as_str)));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        match help {
            Some(help) if said.help.is_none() => said.help(help),
            _ => said,
        }
    }

    fn names_of(&self, ty: &str) -> Option<Vec<String>> {
        match self.graphql.types.get(ty)? {
            ExtendedType::Object(object) => Some(object.fields.keys().map(ToString::to_string).collect()),
            ExtendedType::InputObject(input) => Some(input.fields.keys().map(ToString::to_string).collect()),
            _ => None,
        }
    }
}
