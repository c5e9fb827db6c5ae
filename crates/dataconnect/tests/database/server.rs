//! A PostgreSQL of the test's own, on a unix socket, that ends with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use dataconnect::sql::Statement;

/// A running server.
pub struct Server {
    folder: tempfile::TempDir,
    child: Child,
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package makes.
fn command(program: &str) -> Command {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    command
}

fn binary(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists());
    found.and_then(|file| std::fs::canonicalize(file).ok())
}

impl Server {
    /// Starts a server; `None` where the binaries are not installed.
    pub fn start() -> Option<Self> {
        let (initdb, postgres) = (binary("initdb")?, binary("postgres")?);
        binary("psql")?;
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        Command::new("chmod").args(["777", folder.path().to_str().unwrap()]).status().unwrap();
        let data = folder.path().join("data");
        let made = command(initdb.to_str().unwrap())
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let child = command(postgres.to_str().unwrap())
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "TimeZone=UTC", "-k"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { folder, child };
        for _ in 0..600 {
            if server.run("postgres", "SELECT 1").is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not answer");
    }

    /// Runs a script. `Err`: what the server said.
    pub fn run(&self, database: &str, script: &str) -> Result<String, String> {
        let mut child = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-h"])
            .arg(self.folder.path())
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A connection that is refused breaks the pipe.
        let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout).unwrap());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A connection that stays, for transactions.
pub struct Session {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Session {
    pub fn new(server: &Server, database: &str) -> Self {
        // psql writes to a pipe in blocks.
        let mut child = Command::new("stdbuf")
            .args(["-oL", "psql", "-X", "-q", "-A", "-t", "-U", "postgres", "-d", database, "-h"])
            .arg(server.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// Runs one statement: its output, or the state and the message of its error.
    pub fn run(&mut self, sql: &str) -> Result<String, (String, String)> {
        const MARK: &str = "--done--";
        let script = format!("{sql};\n\\echo {MARK} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n");
        self.child.stdin.as_mut().unwrap().write_all(script.as_bytes()).unwrap();
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "psql ended: {sql}");
            let Some(said) = line.strip_prefix(MARK) else {
                text.push_str(&line);
                continue;
            };
            let mut words = said.trim().splitn(3, ' ');
            let failed = words.next() == Some("true");
            let state = words.next().unwrap_or_default().to_owned();
            return match failed {
                true => Err((state, words.next().unwrap_or_default().to_owned())),
                false => Ok(text.trim_end_matches('\n').to_owned()),
            };
        }
    }

    /// Prepares a statement and runs it.
    pub fn execute(&mut self, statement: &Statement) -> Result<String, (String, String)> {
        // A rollback keeps what was prepared.
        let _ = self.run("DEALLOCATE ALL");
        self.run(&format!("PREPARE s AS {}", statement.text))?;
        self.run(&call(statement))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// `EXECUTE` with what is bound.
pub fn call(statement: &Statement) -> String {
    let bound = statement.parameters.iter().map(|value| match value {
        None => "NULL".to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    });
    let bound = bound.collect::<Vec<_>>().join(", ");
    if bound.is_empty() { "EXECUTE s".to_owned() } else { format!("EXECUTE s({bound})") }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast stop; the folder goes with it.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
