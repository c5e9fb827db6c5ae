//! The SDK for `firebase/data-connect`.

use super::types::{ALIASES, Types};
use super::{Module, Named, Target, listed};

const PACKAGE: &str = "firebase/data-connect";

pub(super) fn declarations(types: &Types, operations: &[Named<'_>], target: &Target<'_>) -> String {
    let (queries, mutations) = kinds(operations);
    let names = listed(&[
        "ConnectorConfig, DataConnect",
        if queries { "QueryRef, QueryPromise, ExecuteQueryOptions" } else { "" },
        if mutations { "MutationRef, MutationPromise" } else { "" },
        if target.cache { "DataConnectSettings" } else { "" },
    ]);
    let mut out = format!("import {{ {names} }} from '{PACKAGE}';\n\n");
    out.push_str("export const connectorConfig: ConnectorConfig;\n");
    if target.cache {
        out.push_str("export const dataConnectSettings: DataConnectSettings;\n");
    }
    out.push_str(&format!("\n{ALIASES}\n\n"));
    for (name, values) in &types.enums {
        let values: String = values.iter().map(|value| format!("  {value} = \"{value}\",\n")).collect();
        out.push_str(&format!("export enum {name} {{\n{values}}};\n\n"));
    }
    out.push_str(&format!("\n\n{}", types.interfaces));
    out.extend(operations.iter().map(declared));
    out
}

/// Whether there are queries, and mutations.
pub(super) fn kinds(operations: &[Named<'_>]) -> (bool, bool) {
    (operations.iter().any(Named::is_query), operations.iter().any(|named| !named.is_query()))
}

fn declared(named: &Named<'_>) -> String {
    let (name, action, variables) = (named.name, &named.action, named.variables());
    let kind = if named.is_query() { "Query" } else { "Mutation" };
    let parameter = named.parameter();
    let with = listed(&["dc: DataConnect", &parameter]);
    let options = if named.is_query() { "options?: ExecuteQueryOptions" } else { "" };
    let (bare, given) = (listed(&[&parameter, options]), listed(&[&with, options]));
    let reference = format!("{kind}Ref<{name}Data, {variables}>");
    let promise = format!("{kind}Promise<{name}Data, {variables}>");
    format!(
        "interface {name}Ref {{
  /* Allow users to create refs without passing in DataConnect */
  ({parameter}): {reference};
  /* Allow users to pass in custom DataConnect instances */
  ({with}): {reference};
  operationName: string;
}}
export const {action}Ref: {name}Ref;

export function {action}({bare}): {promise};
export function {action}({given}): {promise};

"
    )
}

pub(super) fn program(
    types: &Types,
    operations: &[Named<'_>],
    target: &Target<'_>,
    module: Module,
) -> String {
    let (queries, mutations) = kinds(operations);
    let names = listed(&[
        if queries { "queryRef, executeQuery, validateArgsWithOptions" } else { "" },
        if mutations { "mutationRef, executeMutation" } else { "" },
        "validateArgs",
        if target.cache { "makeMemoryCacheProvider" } else { "" },
    ]);
    let mut out = format!("{}\n", module.import(&names, PACKAGE));
    out.push_str(&enums(types, module));
    let config = config(target, "service", module);
    let export = module.export();
    match (target.cache, module) {
        (false, _) => out.push_str(&format!("{config}\n")),
        (true, _) => {
            let settings = "dataConnectSettings";
            out.push_str(&format!(
                "{config}{export}const {settings} = {{\n  cacheSettings: {{\n    cacheProvider: makeMemoryCacheProvider()\n  }}\n}};\n"
            ));
            out.push_str(&module.exported(settings));
            out.push_str(if module == Module::CommonJs { "\n" } else { "" });
        }
    }
    out.extend(operations.iter().map(|named| reference(named, module) + &called(named, module)));
    out
}

/// The enums as objects.
pub(super) fn enums(types: &Types, module: Module) -> String {
    let all = types.enums.iter().map(|(name, values)| {
        let values: String = values.iter().map(|value| format!("  {value}: \"{value}\",\n")).collect();
        format!("{}const {name} = {{\n{values}}}\n{}\n", module.export(), module.exported(name))
    });
    all.collect()
}

/// The connector's configuration.
pub(super) fn config(target: &Target<'_>, service: &str, module: Module) -> String {
    let text = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "{}const connectorConfig = {{\n  connector: '{}',\n  {service}: '{}',\n  location: '{}'\n}};\n{}",
        module.export(),
        text(target.connector),
        text(target.service),
        text(target.location),
        module.exported("connectorConfig")
    )
}

fn reference(named: &Named<'_>, module: Module) -> String {
    let (name, action) = (named.name, &named.action);
    let make = if named.is_query() { "queryRef" } else { "mutationRef" };
    let (parameters, parts, given, sent) = match (named.has_variables, named.required) {
        (false, _) => ("dc", "dc: dcInstance", "dc, undefined", ""),
        (true, true) => {
            ("dcOrVars, vars", "dc: dcInstance, vars: inputVars", "dcOrVars, vars, true", ", inputVars")
        }
        (true, false) => {
            ("dcOrVars, vars", "dc: dcInstance, vars: inputVars", "dcOrVars, vars", ", inputVars")
        }
    };
    format!(
        "{}const {action}Ref = ({parameters}) => {{
  const {{ {parts}}} = validateArgs(connectorConfig, {given});
  dcInstance._useGeneratedSdk();
  return {make}(dcInstance, '{name}'{sent});
}}
{action}Ref.operationName = '{name}';
{}
",
        module.export(),
        module.exported(&format!("{action}Ref"))
    )
}

fn called(named: &Named<'_>, module: Module) -> String {
    let action = &named.action;
    let begin = module.function(action);
    let end = if module == Module::CommonJs { ";\n\n" } else { "\n" };
    if !named.is_query() {
        let (parameters, given) = match (named.has_variables, named.required) {
            (false, _) => ("dc", "dc, undefined"),
            (true, true) => ("dcOrVars, vars", "dcOrVars, vars, true"),
            (true, false) => ("dcOrVars, vars", "dcOrVars, vars"),
        };
        return format!(
            "{begin}({parameters}) {{
  const {{ dc: dcInstance, vars: inputVars }} = validateArgs(connectorConfig, {given});
  return executeMutation({action}Ref(dcInstance, inputVars));
}}
{end}"
        );
    }
    let (parameters, given) = match (named.has_variables, named.required) {
        (false, _) => ("dcOrOptions, options", "dcOrOptions, options, undefined,false, false"),
        (true, true) => ("dcOrVars, varsOrOptions, options", "dcOrVars, varsOrOptions, options, true, true"),
        (true, false) => {
            ("dcOrVars, varsOrOptions, options", "dcOrVars, varsOrOptions, options, true, false")
        }
    };
    format!(
        "{begin}({parameters}) {{
  
  const {{ dc: dcInstance, vars: inputVars, options: inputOpts }} = validateArgsWithOptions(connectorConfig, {given});
  return executeQuery({action}Ref(dcInstance, inputVars), inputOpts && {{ fetchPolicy: inputOpts.fetchPolicy }});
}}
{end}"
    )
}
