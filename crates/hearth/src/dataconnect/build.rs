//! `hearth dataconnect build`: errors and metadata as the Firebase CLI reads them.
//!
//! Source: firebase-tools, `src/dataconnect/{build,types,graphqlError}.ts`: the exit code is 0 also when there are errors;
//! one with a `warningLevel` can be acknowledged.

use std::path::Path;
use std::process::ExitCode;

use dataconnect::diagnostic::{Diagnostic, Severity};
use dataconnect::schema::{Base, Scalar};
use policy::Span;
use prove::check::check_operation;
use serde_json::{Value as Json, json};

use super::Services;
use super::describe::describe;
use crate::failure::Failure;
use crate::table::print_json;

/// Findings that let callers do more than was meant: whoever deploys has to say so.
const INSECURE: [&str; 4] =
    ["every-caller-alike", "user-id-from-caller", "open-mutation", "filter-may-vanish"];

/// Prints one JSON document.
pub fn run(folder: &Path) -> Result<ExitCode, Failure> {
    let services = Services::read(folder)?;
    print_json(&result(&services))?;
    Ok(ExitCode::SUCCESS)
}

fn result(services: &Services) -> Json {
    let mut errors: Vec<Json> = services.diagnostics.iter().map(error).collect();
    for (api, operation) in services.operations() {
        let described = describe(api, operation, &mut |_| Span::default());
        let place = &operation.place;
        errors.extend(check_operation(&described).iter().map(|found| {
            let help =
                found.help.iter().map(|help| json!({ "description": help, "reason": "", "replaceWith": "" }));
            let is_insecure = INSECURE.contains(&found.code);
            let (message, level) = match is_insecure {
                true => (format!("INSECURE: {}", found.message), "REQUIRE_ACK"),
                false => (found.message.clone(), "LOG_ONLY"),
            };
            json!({
                "message": message,
                "locations": [{ "line": place.line, "column": place.column }],
                "extensions": {
                    "file": &*place.file,
                    "warningLevel": level,
                    "workarounds": help.collect::<Vec<_>>(),
                },
            })
        }));
    }
    match errors.is_empty() {
        true => json!({ "metadata": metadata(services) }),
        false => json!({ "metadata": metadata(services), "errors": errors }),
    }
}

fn error(said: &Diagnostic) -> Json {
    let message = match &said.help {
        Some(help) => format!("{}: {help}", said.message),
        None => said.message.clone(),
    };
    let place = &said.place;
    let locations = match place.line {
        0 => json!([]),
        line => json!([{ "line": line, "column": place.column }]),
    };
    let extensions = match said.severity {
        Severity::Error => json!({ "file": &*place.file }),
        Severity::Warning => json!({ "file": &*place.file, "warningLevel": "LOG_ONLY" }),
    };
    json!({ "message": message, "locations": locations, "extensions": extensions })
}

/// Extensions of PostgreSQL that the official service installs.
fn metadata(services: &Services) -> Json {
    let apis = services.all.iter().filter_map(|built| built.api.as_ref());
    let mut columns = apis.flat_map(|api| &api.tables().tables).flat_map(|table| &table.columns);
    let has_vectors = columns.any(|column| column.ty.base == Base::Scalar(Scalar::Vector));
    let mut extensions = vec!["uuid-ossp"];
    if has_vectors {
        extensions.push("vector");
    }
    json!({ "primaryDataSource": { "postgres": { "requiredExtensions": extensions } } })
}
