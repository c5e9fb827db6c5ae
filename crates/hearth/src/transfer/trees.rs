//! The trees of the Realtime Database.

use std::path::Path;

use async_trait::async_trait;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};

use super::{Portable, Site, TransferError, ask, make, read, unreadable, write};

const FOLDER: &str = "database_export";
/// Values of one write of an import; a larger tree is written in parts.
const VALUES_MAX: usize = 50_000;
/// About the bytes of one.
const BYTES_MAX: usize = 8 << 20;

/// `database_export/NAME.json`, a file for each database.
pub struct Trees;

#[async_trait]
impl Portable for Trees {
    async fn export(&self, site: &Site<'_>, folder: &Path) -> Result<Json, TransferError> {
        let trees = folder.join(FOLDER);
        make(&trees)?;
        let databases = ask(&site.routes, "GET", "/.inspect/databases.json", &Json::Null).await?;
        let names = databases.as_array().into_iter().flatten();
        for name in names.filter_map(|database| database.get("name").and_then(Json::as_str)) {
            let path = format!("/.json?ns={name}&format=export");
            write(&trees.join(format!("{name}.json")), &ask(&site.routes, "GET", &path, &Json::Null).await?)?;
        }
        Ok(json!({"path": FOLDER}))
    }

    async fn import(&self, site: &Site<'_>, folder: &Path, section: &Json) -> Result<(), TransferError> {
        let Some(path) = section.get("path").and_then(Json::as_str) else { return Ok(()) };
        let folder = folder.join(path);
        let files = std::fs::read_dir(&folder).map_err(|source| unreadable(&folder, source))?;
        for file in files {
            let path = file.map_err(|source| unreadable(&folder, source))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else {
                continue;
            };
            put(site, name, "", &Json::Null).await?;
            put_in_parts(site, name, "", &read(&path)?).await?;
        }
        Ok(())
    }
}

fn url(name: &str, path: &str) -> String {
    let path = if path.is_empty() { "/" } else { path };
    format!("{path}.json?ns={name}&disableTriggers=true&writeSizeLimit=unlimited&print=silent")
}

async fn put(site: &Site<'_>, name: &str, path: &str, value: &Json) -> Result<(), TransferError> {
    let url = url(name, path);
    if value.is_null() {
        return ask(&site.routes, "DELETE", &url, &Json::Null).await.map(drop);
    }
    ask(&site.routes, "PUT", &url, value).await.map(drop)
}

/// Writes a tree, a large one in parts: small children together, large ones by themselves. Recursion is as deep as the tree,
/// which JSON bounds.
async fn put_in_parts(site: &Site<'_>, name: &str, path: &str, value: &Json) -> Result<(), TransferError> {
    let members = match value {
        Json::Object(members) if weigh(value).is_none() && !members.contains_key(".value") => members,
        _ => return put(site, name, path, value).await,
    };
    let (mut together, mut weight) = (Map::new(), Weight::default());
    for (key, child) in members.iter().filter(|(key, _)| *key != ".priority") {
        match weigh(child) {
            None => {
                let path = format!("{path}/{}", utf8_percent_encode(key, NON_ALPHANUMERIC));
                Box::pin(put_in_parts(site, name, &path, child)).await?;
            }
            Some(more) => {
                if !weight.takes(more) {
                    patch(site, name, path, std::mem::take(&mut together)).await?;
                    weight = Weight::default();
                }
                weight.values += more.values;
                weight.bytes += more.bytes + key.len();
                together.insert(key.clone(), child.clone());
            }
        }
    }
    patch(site, name, path, together).await?;
    match members.get(".priority") {
        Some(priority) => put(site, name, &format!("{path}/.priority"), priority).await,
        None => Ok(()),
    }
}

async fn patch(
    site: &Site<'_>,
    name: &str,
    path: &str,
    children: Map<String, Json>,
) -> Result<(), TransferError> {
    if children.is_empty() {
        return Ok(());
    }
    let url = url(name, path);
    ask(&site.routes, "PATCH", &url, &Json::Object(children)).await.map(drop)
}

/// How much a tree is.
#[derive(Clone, Copy, Default)]
struct Weight {
    values: usize,
    bytes: usize,
}

impl Weight {
    fn takes(self, more: Weight) -> bool {
        self.values + more.values <= VALUES_MAX && self.bytes + more.bytes <= BYTES_MAX
    }
}

/// What a tree weighs; `None`: more than one write takes.
fn weigh(value: &Json) -> Option<Weight> {
    fn add(value: &Json, weight: &mut Weight) -> bool {
        weight.values += 1;
        weight.bytes += 8;
        match value {
            Json::Object(members) => {
                members.iter().all(|(key, child)| {
                    weight.bytes += key.len();
                    add(child, weight)
                }) && weight.takes(Weight::default())
            }
            Json::Array(items) => items.iter().all(|item| add(item, weight)),
            Json::String(text) => {
                weight.bytes += text.len();
                weight.takes(Weight::default())
            }
            _ => weight.takes(Weight::default()),
        }
    }
    let mut weight = Weight::default();
    add(value, &mut weight).then_some(weight)
}
