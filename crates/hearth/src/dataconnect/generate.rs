//! `hearth dataconnect schema` and `sdk generate`: files that are written beside a project's own.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use dataconnect::generated::{Edition, Files, PRELUDE};
use dataconnect::project::{Connector, Sdk, SdkKind};
use dataconnect::sdk::{self, Target};

use super::{Built, Services};
use crate::failure::Failure;
use crate::table::print_text;

/// Where editors look for the generated API, in a service's folder.
const SCHEMA_FOLDER: &str = ".dataconnect/schema";

/// Writes the generated API of every service.
pub fn schema(folder: &Path) -> Result<ExitCode, Failure> {
    let services = Services::read(folder)?;
    for built in &services.all {
        let Some(api) = &built.api else { continue };
        let target = services.root.join(&built.service.folder).join(SCHEMA_FOLDER);
        write(&target.join("prelude.gql"), PRELUDE)?;
        for (name, text) in Files::of(api.tables(), Edition::CURRENT).named() {
            write(&target.join("main").join(name), text)?;
        }
        print_text(&format!("wrote {}", target.display()))?;
    }
    ended(&services)
}

/// Writes every SDK that is asked for. A connector with errors gets none.
pub fn sdks(folder: &Path) -> Result<ExitCode, Failure> {
    let services = Services::read(folder)?;
    if !services.has_errors() {
        let mut count = 0;
        for built in &services.all {
            for (at, connector) in built.service.connectors.iter().enumerate() {
                count += of_connector(&services, built, connector, at)?;
            }
        }
        if count == 0 {
            print_text("no `connector.yaml` asks for an SDK with `generate`")?;
        }
    }
    ended(&services)
}

fn of_connector(
    services: &Services,
    built: &Built,
    connector: &Connector,
    at: usize,
) -> Result<usize, Failure> {
    let (Some(api), Some(operations)) = (&built.api, built.operations.get(at)) else { return Ok(0) };
    for wanted in &connector.sdks {
        let files = match wanted.kind {
            SdkKind::Web => sdk::web(api, operations, &target(built, connector, wanted)),
            SdkKind::Admin => sdk::admin(api, operations, &target(built, connector, wanted)),
        };
        let folder = services.root.join(&connector.folder).join(&wanted.output);
        for (name, text) in files {
            write(&folder.join(name), &text)?;
        }
        print_text(&format!("wrote {} for the connector `{}`", folder.display(), connector.id))?;
    }
    Ok(connector.sdks.len())
}

fn target<'t>(built: &'t Built, connector: &'t Connector, sdk: &'t Sdk) -> Target<'t> {
    Target {
        connector: &connector.id,
        service: &built.service.id,
        location: &built.service.location,
        package: &sdk.package,
        react: sdk.react,
        cache: sdk.cache,
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("`{}` cannot be written: {error}", path.display()).into())
}

/// Reports what is wrong; the code is 1 then.
fn ended(services: &Services) -> Result<ExitCode, Failure> {
    for said in &services.diagnostics {
        eprintln!("{said}");
    }
    Ok(if services.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
