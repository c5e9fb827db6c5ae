//! targaryen, in a Node.js process that is asked for one batch at a time, in turn with the others.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The process.
pub struct Targaryen {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it calls itself, with its version and Node's.
    pub name: String,
}

impl Targaryen {
    /// Starts it; `None` where Node.js or the package is not installed.
    pub fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/targaryen/measure.js");
        let command = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.ok()?;
        let (ask, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut this = Self { child, ask, answers, name: String::new() };
        this.name = this.line().filter(|name| !name.is_empty())?;
        Some(this)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }

    /// Does a case so many times: the nanoseconds it took and how many were allowed.
    pub fn batch(&mut self, case: &str, rounds: u32) -> Option<(u64, u32)> {
        writeln!(self.ask, "{case} {rounds}").ok()?;
        let line = self.line()?;
        let (taken, allowed) = line.split_once(' ')?;
        Some((taken.parse().ok()?, allowed.parse().ok()?))
    }
}

impl Drop for Targaryen {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
