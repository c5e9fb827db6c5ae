//! The SDK for `firebase-admin/data-connect`.

use super::types::{ALIASES, Types};
use super::{Module, Named, Target, listed, web};

const PACKAGE: &str = "firebase-admin/data-connect";

pub(super) fn declarations(types: &Types, operations: &[Named<'_>]) -> String {
    let mut out = format!(
        "import {{ ConnectorConfig, DataConnect, OperationOptions, ExecuteOperationResponse }} from '{PACKAGE}';\n\nexport const connectorConfig: ConnectorConfig;\n\n{ALIASES}\n\n"
    );
    for (name, values) in &types.enums {
        let values: String = values.iter().map(|value| format!("  {value} = \"{value}\",\n")).collect();
        out.push_str(&format!("export enum {name} {{\n{values}}}\n\n"));
    }
    out.push_str(&types.interfaces);
    out.extend(operations.iter().map(declared));
    out
}

fn declared(named: &Named<'_>) -> String {
    let (name, action) = (named.name, &named.action);
    let kind = if named.is_query() { "Query" } else { "Mutation" };
    let about = format!(
        "/** Generated Node Admin SDK operation action function for the '{name}' {kind}. Allow users to"
    );
    let bare = listed(&[&named.parameter(), "options?: OperationOptions"]);
    let answer = format!("Promise<ExecuteOperationResponse<{name}Data>>");
    format!(
        "{about} execute without passing in DataConnect. */
export function {action}(dc: DataConnect, {bare}): {answer};
{about} pass in custom DataConnect instances. */
export function {action}({bare}): {answer};

"
    )
}

pub(super) fn program(
    types: &Types,
    operations: &[Named<'_>],
    target: &Target<'_>,
    module: Module,
) -> String {
    let mut out = format!("{}\n", module.import("validateAdminArgs", PACKAGE));
    out.push_str(&web::enums(types, module));
    out.push_str(&format!("{}\n", web::config(target, "serviceId", module)));
    out.extend(operations.iter().map(|named| function(named, module)));
    out
}

fn function(named: &Named<'_>, module: Module) -> String {
    let (name, action) = (named.name, &named.action);
    let execute = if named.is_query() { "executeQuery" } else { "executeMutation" };
    let (parameters, parts, given, sent) = match named.has_variables {
        false => (
            "dcOrOptions, options",
            "dc: dcInstance, options: inputOpts",
            "dcOrOptions, options, undefined".to_owned(),
            "undefined",
        ),
        true => (
            "dcOrVarsOrOptions, varsOrOptions, options",
            "dc: dcInstance, vars: inputVars, options: inputOpts",
            format!("dcOrVarsOrOptions, varsOrOptions, options, true, {}", named.required),
            "inputVars",
        ),
    };
    format!(
        "{}function {action}({parameters}) {{
  const {{ {parts}}} = validateAdminArgs(connectorConfig, {given});
  dcInstance.useGen(true);
  return dcInstance.{execute}('{name}', {sent}, inputOpts);
}}
{}
",
        module.export(),
        module.exported(action)
    )
}
