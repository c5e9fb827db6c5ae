//! A PostgreSQL that Hearth owns: made at the first start, in the data folder.
//!
//! It runs below a shell that ends it when Hearth's end of a pipe closes: also after `kill -9`. It has a process group of its own, so
//! that Ctrl-C in a terminal reaches Hearth alone, which first lets go of what is in flight. PostgreSQL refuses to run as root; then
//! it runs as the user of its package, or as nobody, and the folder is theirs.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use super::binaries::{Binaries, VERSION_MIN};
use super::connect::{Access, Roles};

/// How long a start may take, a recovery after a crash included.
const START_SECONDS_MAX: u64 = 120;
/// How long a stop may take.
const STOP_SECONDS_MAX: u64 = 30;
/// How long the server of a Hearth that was killed has until it is told to end.
const ENDS_BY_ITSELF_SECONDS: u64 = 2;
/// How often it is looked at.
const LOOK_MILLIS: u64 = 20;
/// The longest path of a socket's folder: what the system admits, less the socket's name.
const SOCKET_FOLDER_BYTES_MAX: usize = 85;
/// Connections that the server admits: those of the pools and Hearth's own.
const CONNECTIONS_MAX: usize = 60;
/// Who owns everything.
const OWNER: &str = "hearth";
/// Who data traffic is.
const DATA: &str = "hearth_data";
/// Ends its child when its input ends; ends itself with its child.
const SUPERVISOR: &str = "exec 3<&0; \"$@\" </dev/null & child=$!; \
    { read -r _ <&3; kill -INT $child 2>/dev/null; } & wait $child";

/// Why it cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs are missing.
    #[error(
        "Data Connect needs PostgreSQL {VERSION_MIN} or newer, which is not installed here: `apt-get install postgresql` (Debian, \
         Ubuntu), `dnf install postgresql-server` (Fedora) or `brew install postgresql` (macOS); or give the URL of a server with \
         `--postgres`"
    )]
    NoBinaries,
    /// Too old.
    #[error(
        "PostgreSQL {major} is installed and Data Connect needs {VERSION_MIN} or newer; `--postgres URL` names another server"
    )]
    TooOld {
        /// What is installed.
        major: u32,
    },
    /// The data was made by another version.
    #[error(
        "the data of Data Connect was made by PostgreSQL {data}, and {installed} is installed: install `postgresql-{data}` beside \
         it, or move the data with `pg_upgrade`"
    )]
    OtherVersion {
        /// What made the data.
        data: u32,
        /// What is installed.
        installed: u32,
    },
    /// Root cannot run it, and the user it would run as cannot reach the folder.
    #[error(
        "PostgreSQL refuses to run as root, and `{user}`, as whom Hearth would run it, cannot enter `{folder}`: run Hearth as \
         another user, choose a data folder that everybody may enter, or give a server's URL with `--postgres`"
    )]
    Root {
        /// Who would run it.
        user: String,
        /// What they cannot enter.
        folder: PathBuf,
    },
    /// A file or a program.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program said no.
    #[error("{what}: {said}")]
    Said {
        /// Which.
        what: String,
        /// Its words.
        said: String,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    move |source| StartError::Io { what, source }
}

/// Where a cluster is.
#[derive(Clone, Debug)]
pub struct Cluster {
    folder: PathBuf,
    /// Whether what it says is durable must be.
    durable: bool,
    /// Who runs it, where that is not this user.
    user: Option<User>,
}

/// A running server.
pub struct Local {
    cluster: Cluster,
    child: Child,
    /// Closed, it ends the child; waiting for one would close its own.
    pipe: Option<ChildStdin>,
    /// How administrators reach it.
    pub access: Access,
    /// Who data traffic is.
    pub roles: Roles,
}

impl Cluster {
    /// In a folder of a data folder. `durable`: what is acknowledged survives a power cut.
    ///
    /// Errors: Hearth runs as root, and nobody else may enter the folder.
    pub fn in_folder(folder: &Path, durable: bool) -> Result<Self, StartError> {
        let shown = folder.display();
        fs::create_dir_all(folder).map_err(io(format!("`{shown}` cannot be made")))?;
        let folder = folder.canonicalize().map_err(io(format!("`{shown}` cannot be read")))?;
        let user = if geteuid().is_root() { Some(other_user()?) } else { None };
        if let Some(user) = &user {
            if let Some(data) = folder.parent().filter(|data| !enters(user, data)) {
                let_in(user, data).map_err(io(format!(
                    "`{}` cannot be opened to `{}`",
                    data.display(),
                    user.name
                )))?;
            }
            let closed = folder.ancestors().skip(1).find(|above| !enters(user, above));
            if let Some(closed) = closed {
                return Err(StartError::Root { user: user.name.clone(), folder: closed.to_owned() });
            }
        }
        Ok(Self { folder, durable, user })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The socket's folder: in the cluster's, or where its path is short enough.
    fn socket(&self) -> PathBuf {
        let own = self.folder.join("socket");
        if own.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX {
            return own;
        }
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(self.folder.as_os_str().as_encoded_bytes());
        let name = hex::encode(digest.first_chunk::<8>().unwrap_or(&[0; 8]));
        std::env::temp_dir().join(format!("hearth-pg-{name}"))
    }

    /// A folder that only who runs the server may enter.
    fn private(&self, folder: &Path) -> Result<(), StartError> {
        let shown = folder.display();
        fs::create_dir_all(folder).map_err(io(format!("`{shown}` cannot be made")))?;
        let owner = fs::symlink_metadata(folder).map_err(io(format!("`{shown}` cannot be read")))?;
        let wanted = self.user.as_ref().map_or_else(|| geteuid().as_raw(), |user| user.uid.as_raw());
        if owner.uid() != wanted && (owner.uid() != geteuid().as_raw() || owner.is_symlink()) {
            let said = "it belongs to another user".to_owned();
            return Err(StartError::Said { what: format!("`{shown}` cannot be used"), said });
        }
        if let Some(user) = &self.user {
            chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .map_err(io(format!("`{shown}` cannot be given to `{}`", user.name)))?;
        }
        fs::set_permissions(folder, Permissions::from_mode(0o700))
            .map_err(io(format!("`{shown}` cannot be closed to others")))
    }

    /// A program, as who runs the server.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command
    }

    /// The password, made at the first start.
    fn password(&self) -> Result<String, StartError> {
        let path = self.folder.join("password");
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io(format!("`{}` cannot be read", path.display()))(error));
            }
            _ => {}
        }
        let bytes: [u8; 24] = base::id::random_bytes()
            .map_err(|error| StartError::Said { what: "no password".to_owned(), said: error.to_string() })?;
        let password = hex::encode(bytes);
        let written = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(password.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(io(format!("`{}` cannot be written", path.display())))?;
        Ok(password)
    }

    /// Starts it, and makes it first where there is none.
    pub async fn start(&self) -> Result<Local, StartError> {
        self.private(&self.folder)?;
        self.private(&self.socket())?;
        let data = self.data();
        let password = self.password()?;
        let version = fs::read_to_string(data.join("PG_VERSION")).ok();
        let version = version.and_then(|text| text.trim().split('.').next()?.parse().ok());
        let binaries = Binaries::find(version)?;
        if version.is_none() {
            self.make(&binaries, &password).await?;
        }
        self.end_earlier().await?;
        let mut child = self.spawn(&binaries)?;
        let pipe = child.stdin.take();
        let access = Access::local(&self.socket(), OWNER, &password);
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let client = loop {
            match access.connect().await {
                Ok(client) => break client,
                Err(error) => {
                    tracing::debug!(?error, "PostgreSQL does not answer yet");
                    let ended = child.try_wait().ok().flatten().is_some();
                    if ended || Instant::now() > until {
                        let said = if ended { self.last_words() } else { error.to_string() };
                        return Err(StartError::Said { what: "PostgreSQL does not start".to_owned(), said });
                    }
                    sleep(Duration::from_millis(LOOK_MILLIS)).await;
                }
            }
        };
        let role = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DATA}') THEN \
             CREATE ROLE {DATA} LOGIN NOSUPERUSER PASSWORD '{password}'; END IF; END $$"
        );
        client.batch_execute(&role).await.map_err(|error| StartError::Said {
            what: "the role of data traffic cannot be made".to_owned(),
            said: super::fault_of(&error).message,
        })?;
        let roles = Roles { data: Some((DATA.to_owned(), password)) };
        Ok(Local { cluster: self.clone(), child, pipe, access, roles })
    }

    /// Makes the cluster under another name first: a crash leaves none that is half made.
    async fn make(&self, binaries: &Binaries, password: &str) -> Result<(), StartError> {
        let (data, draft) = (self.data(), self.folder.join("data.new"));
        let file = self.folder.join("initial");
        for path in [&data, &draft] {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io(format!("`{}` cannot be removed", path.display()))(error));
                }
                _ => {}
            }
        }
        // `initdb` reads it as who runs the server.
        fs::write(&file, password).map_err(io(format!("`{}` cannot be written", file.display())))?;
        if let Some(user) = &self.user {
            chown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .map_err(io(format!("`{}` cannot be given away", file.display())))?;
        }
        fs::set_permissions(&file, Permissions::from_mode(0o600))
            .map_err(io(format!("`{}` cannot be closed", file.display())))?;
        let mut command = self.command(&binaries.program("initdb"));
        command.args(["-U", OWNER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--data-checksums"]);
        command.arg(if self.durable { "--no-instructions" } else { "--no-sync" });
        command.arg("--pwfile").arg(&file).arg("-D").arg(&draft);
        let made = command.output().await.map_err(io("initdb cannot be run"))?;
        let removed = fs::remove_file(&file);
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).trim().to_owned();
            return Err(StartError::Said { what: "initdb failed".to_owned(), said });
        }
        removed.map_err(io(format!("`{}` cannot be removed", file.display())))?;
        fs::rename(&draft, &data).map_err(io(format!("`{}` cannot be named", data.display())))
    }

    fn spawn(&self, binaries: &Binaries) -> Result<Child, StartError> {
        let log = self.folder.join("server.log");
        let out = File::create(&log).map_err(io(format!("`{}` cannot be written", log.display())))?;
        let errors = out.try_clone().map_err(io("a file cannot be shared"))?;
        let durable = if self.durable { "on" } else { "off" };
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", SUPERVISOR, "sh"]).arg(binaries.program("postgres")).arg("-D").arg(self.data());
        command.arg("-k").arg(self.socket());
        for (name, value) in [
            ("listen_addresses", ""),
            ("unix_socket_permissions", "0700"),
            ("max_connections", &CONNECTIONS_MAX.to_string()),
            ("shared_buffers", "64MB"),
            ("fsync", durable),
            ("synchronous_commit", durable),
            ("full_page_writes", durable),
            ("TimeZone", "UTC"),
            ("log_timezone", "UTC"),
            // What clients do wrong is no news here: a line for each would fill the disk.
            ("log_min_messages", "fatal"),
            ("log_min_error_statement", "panic"),
            // What sorts and hashes of one connection may put on the disk.
            ("temp_file_limit", "1GB"),
        ] {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::piped()).stdout(out).stderr(errors).process_group(0).kill_on_drop(false);
        command.spawn().map_err(io("PostgreSQL cannot be run"))
    }

    /// The server of an earlier Hearth that was killed is about to end; one that does not is told to.
    async fn end_earlier(&self) -> Result<(), StartError> {
        let file = self.data().join("postmaster.pid");
        let pid = || -> Option<i32> { fs::read_to_string(&file).ok()?.lines().next()?.trim().parse().ok() };
        let begun = Instant::now();
        let mut asked = false;
        while let Some(pid) = pid().filter(|pid| self.is_server(*pid)) {
            if begun.elapsed() > Duration::from_secs(STOP_SECONDS_MAX) {
                let said = format!("the process {pid} does not end");
                return Err(StartError::Said { what: "another PostgreSQL has the data".to_owned(), said });
            }
            if !asked && begun.elapsed() > Duration::from_secs(ENDS_BY_ITSELF_SECONDS) {
                asked = true;
                let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
            }
            sleep(Duration::from_millis(LOOK_MILLIS)).await;
        }
        Ok(())
    }

    /// Whether a process is a server on this cluster, and not one that got its number later.
    fn is_server(&self, pid: i32) -> bool {
        if kill(Pid::from_raw(pid), None).is_err() {
            return false;
        }
        match fs::read(format!("/proc/{pid}/cmdline")) {
            Ok(line) => String::from_utf8_lossy(&line).contains(&*self.data().to_string_lossy()),
            // Systems without /proc: what is alive is believed to be it.
            Err(_) => !Path::new("/proc/self").exists(),
        }
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}

impl Local {
    /// Waits until it ends by itself, which it should not.
    pub async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        let how = status.map(|status| status.to_string()).unwrap_or_else(|error| error.to_string());
        let words = self.cluster.last_words();
        if words.is_empty() { how } else { format!("{how}: {words}") }
    }

    /// Ends it: what is in flight is rolled back.
    pub async fn stop(mut self) {
        drop(self.pipe.take());
        if timeout(Duration::from_secs(STOP_SECONDS_MAX), self.child.wait()).await.is_err() {
            tracing::error!("PostgreSQL has not ended within {STOP_SECONDS_MAX} s");
        }
    }
}

/// The user of PostgreSQL's package, else nobody.
fn other_user() -> Result<User, StartError> {
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    found.ok_or_else(|| StartError::Said {
        what: "PostgreSQL refuses to run as root".to_owned(),
        said: "there is no user `postgres` or `nobody`".to_owned(),
    })
}

/// Whether a user may enter a folder.
fn enters(user: &User, folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| {
        let mode = found.mode();
        mode & 0o001 != 0
            || (found.uid() == user.uid.as_raw() && mode & 0o100 != 0)
            || (found.gid() == user.gid.as_raw() && mode & 0o010 != 0)
    })
}

/// Lets a user's group pass through the data folder, which is root's alone. It may not list it, and what others might open in it
/// is closed to them.
fn let_in(user: &User, data: &Path) -> io::Result<()> {
    let found = fs::metadata(data)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
        return Ok(());
    }
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let mode = entry.metadata()?.mode();
        fs::set_permissions(entry.path(), Permissions::from_mode(mode & 0o700))?;
    }
    chown(data, None, Some(user.gid.as_raw()))?;
    fs::set_permissions(data, Permissions::from_mode(0o710))
}
