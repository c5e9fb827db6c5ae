//! Generated SDKs: for the web, with React hooks, and for servers.
//!
//! They are files in memory, by name; whoever asks writes them. Source: SDKs that the official tool generated for public
//! projects; what is printed here equals them but for how lines are indented. Their README files are left out.

mod admin;
mod package;
mod react;
mod types;
mod web;

use crate::names::lower_first;
use crate::operation::{Api, Kind, Operation, Operations};

/// What a generated SDK is called and where it calls.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The connector.
    pub connector: &'t str,
    /// The service.
    pub service: &'t str,
    /// Its location.
    pub location: &'t str,
    /// The package's name.
    pub package: &'t str,
    /// Whether React hooks are wanted.
    pub react: bool,
    /// Whether the client caches.
    pub cache: bool,
}

/// The files of an SDK by their names in its folder.
pub type Files = Vec<(&'static str, String)>;

/// An SDK for `firebase/data-connect`.
pub fn web(api: &Api, operations: &Operations, target: &Target<'_>) -> Files {
    let operations = Named::all(operations);
    let types = types::all(api, &operations);
    let mut files = vec![
        ("index.d.ts", web::declarations(&types, &operations, target)),
        ("index.cjs.js", web::program(&types, &operations, target, Module::CommonJs)),
        ("esm/index.esm.js", web::program(&types, &operations, target, Module::Es)),
        ("esm/package.json", package::ES.to_owned()),
        ("package.json", package::web(target)),
    ];
    if target.react {
        files.extend([
            ("react/index.d.ts", react::declarations(&operations)),
            ("react/index.cjs.js", react::program(&operations, Module::CommonJs)),
            ("react/esm/index.esm.js", react::program(&operations, Module::Es)),
            ("react/esm/package.json", package::ES.to_owned()),
            ("react/package.json", package::react(target)),
        ]);
    }
    files
}

/// An SDK for `firebase-admin/data-connect`.
pub fn admin(api: &Api, operations: &Operations, target: &Target<'_>) -> Files {
    let operations = Named::all(operations);
    let types = types::all(api, &operations);
    vec![
        ("index.d.ts", admin::declarations(&types, &operations)),
        ("index.cjs.js", admin::program(&types, &operations, target, Module::CommonJs)),
        ("esm/index.esm.js", admin::program(&types, &operations, target, Module::Es)),
        ("esm/package.json", package::ES.to_owned()),
        ("package.json", package::admin(target)),
    ]
}

/// How a program exports and imports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Module {
    /// `require`.
    CommonJs,
    /// `import`.
    Es,
}

impl Module {
    fn import(self, names: &str, from: &str) -> String {
        match self {
            Module::CommonJs => format!("const {{ {names} }} = require('{from}');\n"),
            Module::Es => format!("import {{ {names} }} from '{from}';\n"),
        }
    }

    /// Before a constant that is exported.
    fn export(self) -> &'static str {
        if self == Module::Es { "export " } else { "" }
    }

    /// After it.
    fn exported(self, name: &str) -> String {
        if self == Module::Es { String::new() } else { format!("exports.{name} = {name};\n") }
    }

    /// The beginning of a function that is exported.
    fn function(self, name: &str) -> String {
        match self {
            Module::CommonJs => format!("exports.{name} = function {name}"),
            Module::Es => format!("export function {name}"),
        }
    }
}

/// An operation with the names of what is made of it.
struct Named<'o> {
    operation: &'o Operation,
    /// `ListMovies`.
    name: &'o str,
    /// `listMovies`.
    action: String,
    /// Whether it has variables.
    has_variables: bool,
    /// Whether one of them must be given.
    required: bool,
}

impl<'o> Named<'o> {
    /// What new SDKs have.
    fn all(operations: &'o Operations) -> Vec<Self> {
        let operations = operations.values().filter(|operation| !operation.retired);
        let named = operations.map(|operation| Self {
            operation,
            name: &operation.name,
            action: lower_first(&operation.name),
            has_variables: !operation.variables.is_empty(),
            required: operation.variables.iter().any(types::is_required),
        });
        named.collect()
    }

    fn is_query(&self) -> bool {
        self.operation.kind == Kind::Query
    }

    /// `vars?: ListMoviesVariables`; nothing without variables.
    fn parameter(&self) -> String {
        match (self.has_variables, self.required) {
            (false, _) => String::new(),
            (true, true) => format!("vars: {}Variables", self.name),
            (true, false) => format!("vars?: {}Variables", self.name),
        }
    }

    /// `ListMoviesVariables`, or `undefined`.
    fn variables(&self) -> String {
        if self.has_variables { format!("{}Variables", self.name) } else { "undefined".to_owned() }
    }
}

fn listed(parts: &[&str]) -> String {
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.copied().collect::<Vec<_>>().join(", ")
}
