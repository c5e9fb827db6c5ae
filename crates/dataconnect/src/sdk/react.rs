//! React hooks around the SDK for the web.

use super::web::kinds;
use super::{Module, Named, listed};

const HOOKS: &str = "@tanstack-query-firebase/react/data-connect";

pub(super) fn declarations(operations: &[Named<'_>]) -> String {
    let types: Vec<String> = operations
        .iter()
        .map(|named| match named.has_variables {
            true => format!("{0}Data, {0}Variables", named.name),
            false => format!("{}Data", named.name),
        })
        .collect();
    let mut out = format!("import {{ {} }} from '../';\n", types.join(", "));
    let (queries, mutations) = kinds(operations);
    let names = listed(&[
        if queries { "UseDataConnectQueryResult, useDataConnectQueryOptions" } else { "" },
        if mutations { "UseDataConnectMutationResult, useDataConnectMutationOptions" } else { "" },
    ]);
    out.push_str(&format!("import {{ {names}}} from '{HOOKS}';\n"));
    let names = listed(&[
        if queries { "UseQueryResult" } else { "" },
        if mutations { "UseMutationResult" } else { "" },
    ]);
    out.push_str(&format!("import {{ {names}}} from '@tanstack/react-query';\n"));
    out.push_str("import { DataConnect } from 'firebase/data-connect';\n");
    out.push_str("import { FirebaseError } from 'firebase/app';\n\n\n");
    out.extend(operations.iter().map(declared));
    out
}

fn declared(named: &Named<'_>) -> String {
    let (name, variables) = (named.name, named.variables());
    let (parameters, result) = match named.is_query() {
        true => {
            let options = format!("options?: useDataConnectQueryOptions<{name}Data>");
            let result = format!("UseDataConnectQueryResult<{name}Data, {variables}>");
            (listed(&[&named.parameter(), &options]), result)
        }
        false => {
            let sent = match (named.has_variables, named.required) {
                (false, _) => "void".to_owned(),
                (true, true) => variables.clone(),
                (true, false) => format!("{variables} | void"),
            };
            let options =
                format!("options?: useDataConnectMutationOptions<{name}Data, FirebaseError, {sent}>");
            (options, format!("UseDataConnectMutationResult<{name}Data, {variables}>"))
        }
    };
    format!(
        "export function use{name}({parameters}): {result};\nexport function use{name}(dc: DataConnect, {parameters}): {result};\n\n"
    )
}

pub(super) fn program(operations: &[Named<'_>], module: Module) -> String {
    let references: String = operations.iter().map(|named| format!("{}Ref, ", named.action)).collect();
    let main = if module == Module::CommonJs { "../index.cjs.js" } else { "../../esm/index.esm.js" };
    let mut out = module.import(&format!("{references}connectorConfig"), main);
    let (queries, mutations) = kinds(operations);
    let names = listed(&[if mutations { "validateArgs" } else { "" }, "CallerSdkTypeEnum"]);
    out.push_str(&module.import(&names, "firebase/data-connect"));
    let names = listed(&[
        if queries { "useDataConnectQuery" } else { "" },
        if mutations { "useDataConnectMutation" } else { "" },
        if queries { "validateReactArgs" } else { "" },
    ]);
    out.push_str(&module.import(&names, HOOKS));
    out.push('\n');
    out.extend(operations.iter().map(|named| hook(named, module)));
    out
}

fn hook(named: &Named<'_>, module: Module) -> String {
    let (begin, action) = (module.function(&format!("use{}", named.name)), &named.action);
    if !named.is_query() {
        let vars = if named.has_variables { ("vars", ", vars") } else { ("", "") };
        return format!(
            "{begin}(dcOrOptions, options) {{
  const {{ dc: dcInstance, vars: inputOpts }} = validateArgs(connectorConfig, dcOrOptions, options);
  function refFactory({}) {{
    return {action}Ref(dcInstance{});
  }}
  return useDataConnectMutation(refFactory, inputOpts, CallerSdkTypeEnum.GeneratedReact);
}}

",
            vars.0, vars.1
        );
    }
    let (parameters, parts, given, sent) = match named.has_variables {
        false => (
            "dcOrOptions, options",
            "dc: dcInstance, options: inputOpts",
            "dcOrOptions, options".to_owned(),
            "",
        ),
        true => (
            "dcOrVars, varsOrOptions, options",
            "dc: dcInstance, vars: inputVars, options: inputOpts",
            format!("dcOrVars, varsOrOptions, options, true, {}", named.required),
            ", inputVars",
        ),
    };
    format!(
        "{begin}({parameters}) {{
  const {{ {parts} }} = validateReactArgs(connectorConfig, {given});
  const ref = {action}Ref(dcInstance{sent});
  return useDataConnectQuery(ref, inputOpts, CallerSdkTypeEnum.GeneratedReact);
}}

"
    )
}
