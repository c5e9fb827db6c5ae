//! A PostgreSQL of the test's own, on a unix socket, that ends with the test.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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

    /// Prepares a statement and runs it with what it binds.
    pub fn execute(&self, database: &str, statement: &Statement) -> Result<String, String> {
        let bound = statement.parameters.iter().map(|value| match value {
            None => "NULL".to_owned(),
            Some(text) => format!("'{}'", text.replace('\'', "''")),
        });
        let bound = bound.collect::<Vec<_>>().join(", ");
        let call = if bound.is_empty() { "EXECUTE s".to_owned() } else { format!("EXECUTE s({bound})") };
        let script = format!("PREPARE s AS {};\n{call};", statement.text);
        let out = self.run(database, &script).map_err(|said| format!("{said}\n{}", statement.text))?;
        Ok(out.trim_end_matches('\n').to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast stop; the folder goes with it.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
