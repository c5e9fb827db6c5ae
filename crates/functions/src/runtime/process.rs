//! A Node.js process in a process group of its own, which ends when it is dropped, and with Hearth.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

use super::StartError;
use super::output;
use super::packages::PackagesError;

/// Variables of Hearth's own environment that a process gets: the rest is not the code's business.
const INHERITED: [&str; 8] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "SHELL", "NODE_EXTRA_CA_CERTS"];

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// Used or dropped, it ends the process.
    end: Mutex<Option<oneshot::Sender<()>>>,
    exited: watch::Receiver<Option<String>>,
    /// Its last words.
    words: output::LastWords,
}

impl Process {
    /// Starts `node` with these arguments. Its output becomes lines of the log.
    pub fn start(
        codebase: &str,
        folder: &Path,
        arguments: &[&Path],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, StartError> {
        let mut command = Command::new("node");
        command.args(arguments).current_dir(folder).env_clear().envs(variables);
        for name in INHERITED {
            if let (Some(value), false) = (std::env::var_os(name), variables.contains_key(name)) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StartError::Packages(PackagesError::NoNode),
            _ => StartError::Io(error),
        })?;
        let words = output::LastWords::default();
        output::follow(codebase, &mut child, &words);
        let (end, ended) = oneshot::channel();
        let (exit, exited) = watch::channel(None);
        tokio::spawn(watch_over(child, ended, exit));
        Ok(Self { end: Mutex::new(Some(end)), exited, words })
    }

    /// Ends it, whoever still uses it.
    pub fn end(&self) {
        self.end.lock().take();
    }

    /// Whether it has ended.
    pub fn has_exited(&self) -> bool {
        self.exited.borrow().is_some()
    }

    /// Waits for its end. Returns how it ended.
    pub async fn exited(&self) -> String {
        let mut exited = self.exited.clone();
        match exited.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "ended".to_owned(),
        }
    }

    /// What it has written to its standard error last.
    pub fn last_words(&self) -> String {
        self.words.text()
    }
}

async fn watch_over(mut child: Child, ended: oneshot::Receiver<()>, exit: watch::Sender<Option<String>>) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    // Its standard input stays open as long as Hearth lives.
    let _input = child.stdin.take();
    let status = tokio::select! {
        status = child.wait() => status,
        _ = ended => {
            end(group);
            child.wait().await
        }
    };
    // What it has started ends with it.
    end(group);
    let _ = exit.send(Some(said(status)));
}

fn end(group: Option<Pid>) {
    if let Some(group) = group {
        // Nobody of the group may be there any more.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

fn said(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("was lost: {error}"),
    }
}
