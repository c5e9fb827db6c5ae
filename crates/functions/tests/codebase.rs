//! A small codebase run for real: with the packages that `suites/node` installs, or not at all where they are missing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::{AccessLog, Authenticate, Caller, Credential, DevPermit, Gate, Mode};
use axum::body::Body;
use base::{Status, SystemClock};
use functions::Functions;
use functions::api::router;
use functions::model::{Codebase, Settings};
use functions::ops::{GuardText, Guards};
use http::Request;
use http_body_util::BodyExt;
use kv::{Mem, Options, Store};
use tower::ServiceExt;

const CODE: &str = r#"
const { onRequest } = require("firebase-functions/v2/https");
const { defineString } = require("firebase-functions/params");
const name = defineString("NAME", { default: "of the default" });
exports.hello = onRequest((req, res) => res.json({ url: req.url, name: name.value(), env: process.env.OWN }));
exports.spin = onRequest({ timeoutSeconds: 1 }, () => { for (;;); });
exports.pid = onRequest((req, res) => res.send(String(process.pid)));
"#;

struct Nobody;

#[async_trait::async_trait]
impl Authenticate for Nobody {
    async fn caller(&self, _: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        Ok(match credential {
            Credential::Bearer("owner") => Caller::admin("owner"),
            _ => Caller::unauthenticated(),
        })
    }
}

/// The packages, where they are installed.
fn packages() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/node/node_modules");
    if path.join("firebase-functions").is_dir() && which_node() {
        return path.canonicalize().ok();
    }
    eprintln!("skipped: Node.js or the packages of suites/node are not installed (`./x setup`)");
    None
}

fn which_node() -> bool {
    std::process::Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success())
}

async fn functions(folder: &Path, guards: Vec<GuardText>) -> Arc<Functions> {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let mode = Mode::Dev(DevPermit::for_development_only());
    let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
    let functions = Functions::new(gate, "demo-p", Arc::new(Nobody));
    functions
        .set_guards(Guards::compile("hearth.toml", guards).unwrap_or_else(|errors| panic!("{errors:?}")));
    let settings = Settings {
        project: "demo-p".to_owned(),
        folder: folder.to_owned(),
        codebases: vec![Codebase { name: "default".to_owned(), source: folder.to_owned() }],
        ..Settings::default()
    };
    tokio::spawn(Arc::clone(&functions).run(settings));
    // The codebases are there once the task has begun.
    tokio::time::sleep(Duration::from_millis(50)).await;
    functions
}

async fn ask(functions: &Arc<Functions>, path: &str) -> (u16, String) {
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = router(Arc::clone(functions)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codebase_runs_with_its_variables_and_behind_its_guard() {
    let Some(packages) = packages() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).unwrap();
    std::fs::write(folder.path().join("index.js"), CODE).unwrap();
    std::fs::write(folder.path().join("package.json"), r#"{"main": "index.js"}"#).unwrap();
    std::fs::write(folder.path().join(".env"), "OWN=mine").unwrap();
    let guard = GuardText {
        function: "pid".to_owned(),
        require: Some("auth != null".to_owned()),
        ..GuardText::default()
    };
    let functions = functions(folder.path(), vec![guard]).await;

    let (status, body) = ask(&functions, "/demo-p/us-central1/hello/a?b=c").await;
    assert_eq!((status, body.as_str()), (200, r#"{"url":"/a?b=c","name":"of the default","env":"mine"}"#));
    assert_eq!(ask(&functions, "/demo-p/us-central1/pid").await.0, 403);
    assert_eq!(ask(&functions, "/demo-p/us-central1/hell").await.0, 404);
    assert_eq!(ask(&functions, "/other/us-central1/hello").await.0, 404);

    // Code that never gives its thread back ends with its time, and its worker is replaced.
    let (status, body) = ask(&functions, "/demo-p/us-central1/spin").await;
    assert_eq!(status, 504, "{body}");
    let back = async {
        while ask(&functions, "/demo-p/us-central1/hello").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("the worker is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_package_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let functions = functions(folder.path(), Vec::new()).await;
    let (status, body) = ask(&functions, "/demo-p/us-central1/hello").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("`firebase-functions` is not installed"), "{body}");
}
