//! The real binary, running while a test asks it.

#![allow(dead_code, reason = "each test program uses a part")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A project's folder with these rules for Firestore.
pub fn project(rules: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("firestore.rules"), rules).unwrap();
    std::fs::write(folder.path().join("firebase.json"), r#"{"firestore":{"rules":"firestore.rules"}}"#)
        .unwrap();
    folder
}

/// A running Hearth; killed when dropped.
pub struct Running {
    pub child: Child,
    /// What `--json` says when it is ready.
    pub ready: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts it with these arguments, `--json` among them, and waits until it is ready.
    pub fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        Self { child, ready }
    }

    /// `hearth dev` of project `p` on free ports.
    pub fn dev(folder: &Path, flags: &[&str]) -> Self {
        let base = ["dev", "--ports", "all=0", "--project", "p", "--json"];
        Self::start(&[&base, flags].concat(), folder)
    }

    /// `hearth serve` of project `p` on a free port.
    pub fn serve(folder: &Path, flags: &[&str]) -> Self {
        let base = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--project", "p", "--json"];
        Self::start(&[&base, flags].concat(), folder)
    }

    /// Where a service listens; `serve` has one port for all.
    pub fn port(&self, service: &str) -> u16 {
        let ports = &self.ready["ports"];
        let port = ports.get(service).or_else(|| ports.get("serve")).unwrap();
        u16::try_from(port.as_u64().unwrap()).unwrap()
    }

    /// Sends it a signal: `-TERM`, `-HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for the end; its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(12) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }

    /// Asks it to stop, and waits for that.
    pub fn stop(mut self) {
        self.signal("-TERM");
        assert_eq!(self.ends(), Some(0));
    }
}
