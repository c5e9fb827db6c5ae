//! `package.json` of generated SDKs.

use serde_json::{Map, Value as Json, json};

use super::Target;

/// Says that a folder's programs are ES modules.
pub(super) const ES: &str = "{\"type\":\"module\"}";

fn package(name: &str, version: &str, description: String) -> Map<String, Json> {
    let all = json!({
        "name": name,
        "version": version,
        "author": "Firebase <firebase-support@google.com> (https://firebase.google.com/)",
        "description": description,
        "license": "Apache-2.0",
        "engines": {"node": " >=18.0"},
        "typings": "index.d.ts",
    });
    all.as_object().cloned().unwrap_or_default()
}

fn main(module_first: bool) -> [(&'static str, &'static str); 3] {
    let (module, main) = (("module", "esm/index.esm.js"), ("main", "index.cjs.js"));
    let browser = ("browser", "esm/index.esm.js");
    if module_first { [module, main, browser] } else { [main, module, browser] }
}

fn printed(mut package: Map<String, Json>, mains: bool, rest: Json) -> String {
    package.extend(main(mains).map(|(key, value)| (key.to_owned(), value.into())));
    package.extend(rest.as_object().cloned().unwrap_or_default());
    serde_json::to_string_pretty(&package).unwrap_or_default()
}

fn map(entries: Vec<(&str, Json)>) -> Json {
    Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

pub(super) fn web(target: &Target<'_>) -> String {
    let main = json!({
        "types": "./index.d.ts", "require": "./index.cjs.js", "default": "./esm/index.esm.js",
    });
    let mut exports = vec![(".", main)];
    let mut peers = vec![("firebase", json!("^12.11.0"))];
    if target.react {
        let react = json!({
            "types": "./react/index.d.ts",
            "require": "./react/index.cjs.js",
            "import": "./react/esm/index.esm.js",
            "default": "./react/esm/index.esm.js",
        });
        exports.push(("./react", react));
        peers.push(("@tanstack-query-firebase/react", json!("^2.0.0")));
    }
    exports.push(("./package.json", json!("./package.json")));
    let package = package(target.package, "1.0.0", format!("Generated SDK For {}", target.connector));
    printed(package, true, json!({"exports": map(exports), "peerDependencies": map(peers)}))
}

pub(super) fn react(target: &Target<'_>) -> String {
    let name = format!("{}-react", target.package);
    let package = package(&name, "1.0.0", format!("Generated SDK For {}", target.connector));
    let peers = json!({"@tanstack-query-firebase/react": "^2.0.0"});
    printed(package, false, json!({"peerDependencies": peers}))
}

pub(super) fn admin(target: &Target<'_>) -> String {
    let exports = json!({
        ".": {"types": "./index.d.ts", "require": "./index.cjs.js", "default": "./esm/index.esm.js"},
        "./package.json": "./package.json",
    });
    let package = package(target.package, "0.0.1", format!("Generated Admin SDK For {}", target.connector));
    printed(package, true, json!({"exports": exports, "peerDependencies": {"firebase-admin": "^13.4.0"}}))
}
