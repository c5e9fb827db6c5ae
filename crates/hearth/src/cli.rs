//! The command line: what can be asked, in the words of `--help`. What it means is elsewhere.

/// What the help of a verb ends with: commands to try, and where the pages are.
macro_rules! examples {
    ($($example:literal),+ $(,)?) => {
        concat!(
            "Examples:",
            $("\n  ", $example,)+
            "\n\nDocumentation: docs/cli.md in the source, /usr/share/doc/hearth/docs in the Debian package"
        )
    };
}

mod administration;
#[cfg(test)]
mod documented;
mod emulator;
mod format;
mod partner;
mod rules;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use server::TrustedProxy;

pub use administration::{
    AddIndex, Indexes, IndexesOutput, KeyFile, Keys, KeysOutput, NewIndex, ServiceAccount,
};

pub use format::{Form, Format};

pub use emulator::{Edition, Emulator, Launcher, not_loopback};

pub use partner::{AddPartner, Partner, ReportPartner};

pub use rules::{Bolt, Check, CompileBolt, Explain, LanguageName, Test};

use crate::failure::EXIT_CODES;
use crate::limits::LimitFlags;
use crate::paint::Color;
use crate::services::Row;

/// A server for Firebase apps: Authentication and Cloud Firestore.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
    #[command(flatten)]
    pub tone: Tone,
}

/// How much is said, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Tone {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more; twice for debug output
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Tone {
    /// What of the program's own remarks is told, as `HEARTH_LOG` would say it.
    pub fn level(&self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => "warn,function=info",
            (false, 1) => "info",
            (false, _) => "debug",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a Firebase project on this machine, for development and tests
    Dev(Dev),
    /// Run a command, such as tests, against a running project
    Exec(Exec),
    /// Run a project in production
    Serve(Serve),
    /// Run with the flags of the official Firestore emulator, data in memory
    Emulator(Emulator),
    /// Make the Firebase CLI start Hearth as its Firestore emulator: eval "$(hearth launcher)"
    Launcher(Launcher),
    /// Lint rules: of a project, of files, or snippets in a document
    Check(Check),
    /// Run rules tests written in Markdown
    Test(Test),
    /// Explain why a request is allowed or denied
    Explain(Explain),
    /// Compile Bolt files
    #[command(subcommand)]
    Bolt(Bolt),
    /// Search the access log: who did what, by which rule
    Log(Log),
    /// Manage service accounts for the Admin SDKs
    #[command(subcommand)]
    ServiceAccount(ServiceAccount),
    /// Manage partners: other businesses whose servers call this project's functions
    #[command(subcommand)]
    Partner(Partner),
    /// Manage the keys that sign ID tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Back up all data, also while the server runs
    Backup(Backup),
    /// Restore a backup into a new data folder, at any time that it covers
    Restore(Restore),
    /// Verify a data folder; the server must not be running
    Verify(Verify),
    /// Manage Firestore's indexes
    #[command(subcommand)]
    Indexes(Indexes),
    /// Print shell completions: hearth completions bash
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages, one for each command: hearth man /usr/local/share/man/man1
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
#[command(after_help = examples!("hearth dev", "hearth dev --only firestore --ephemeral", "hearth dev --import seed --export-on-exit"))]
pub struct Dev {
    /// The folder with `firebase.json` (default: this one, or the nearest above that has one)
    pub project_dir: Option<PathBuf>,
    /// Services to run (default: all)
    #[arg(long, value_delimiter = ',', value_parser = service())]
    pub only: Vec<&'static Row>,
    /// The data folder (default: `.hearth` in the project folder)
    #[arg(long, conflicts_with = "ephemeral")]
    pub data: Option<PathBuf>,
    /// Keep data in memory only
    #[arg(long)]
    pub ephemeral: bool,
    /// Start with an export made by `--export-on-exit` or `firebase emulators:export`
    #[arg(long, value_name = "DIR")]
    pub import: Option<PathBuf>,
    /// Export everything on exit, in the format of `firebase emulators:export` (default folder: that of `--import`)
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "")]
    pub export_on_exit: Option<PathBuf>,
    /// The project's id (default: from `.firebaserc`, else `demo-hearth`)
    #[arg(long)]
    pub project: Option<String>,
    /// The address to listen on. One that other machines reach, such as 0.0.0.0, needs `--share`
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: std::net::IpAddr,
    /// What other machines (a phone, a container) may do, with `--host`: dev believes every token
    #[arg(long, value_enum, value_name = "WHAT")]
    pub share: Option<ShareName>,
    #[arg(long, value_delimiter = ',', value_parser = port, help = ports_help())]
    pub ports: Vec<(PortOf, u16)>,
    /// Further host names that requests may use, besides localhost and loopback addresses
    #[arg(long, value_delimiter = ',', value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Reject queries whose index is missing, as production does, instead of creating it
    #[arg(long)]
    pub strict_indexes: bool,
    /// A PostgreSQL for Data Connect: postgres://USER:PASSWORD@HOST/DATABASE (or the environment variable HEARTH_POSTGRES; default:
    /// one of Hearth's own, in the data folder)
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// Web origins that may act as administrators, besides those on localhost
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Print one line of JSON when ready, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// What other machines may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShareName {
    /// Be any user they say they are
    Users,
    /// Everything: also be the administrator, with `Bearer owner`, and use the control routes
    Admins,
}

/// Takes free ports where the usual ones are taken. Data is in memory unless `--data` is given.
#[derive(Debug, Args)]
#[command(after_help = examples!("hearth exec -- npm test", "hearth exec --only firestore -- pytest tests"))]
pub struct Exec {
    #[command(flatten)]
    pub dev: Dev,
    /// The command and its arguments; the variables that SDKs read are set
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(after_help = examples!("hearth serve --data /var/lib/hearth --project my-app --key-file /etc/hearth/key"))]
pub struct Serve {
    /// The folder with `firebase.json` and the rules
    #[arg(default_value = ".")]
    pub project_dir: PathBuf,
    /// The address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// The data folder
    #[arg(long)]
    pub data: PathBuf,
    /// The project's id (default: from `.firebaserc`)
    #[arg(long)]
    pub project: Option<String>,
    /// A file with the key that encrypts the signing keys: 32 random bytes in base64 (or the environment variable HEARTH_KEY)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// A PEM certificate chain; without one, put a TLS proxy in front
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's PEM key
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Web origins that browsers may call from (default: any; access is by token, not by cookie)
    #[arg(long, value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// Where clients reach this server: links in e-mails begin with it (default: `https://PROJECT.firebaseapp.com`)
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` says where a request comes from: addresses or networks such as 10.0.0.0/8 (default:
    /// none)
    #[arg(long, value_delimiter = ',', value_name = "NETWORK")]
    pub trusted_proxy: Vec<TrustedProxy>,
    /// Sign-ups per address and hour; 0 is unlimited
    #[arg(long, default_value_t = identity::limits::SIGN_UPS_PER_ADDRESS_HOUR, value_name = "NUMBER")]
    pub sign_ups_per_hour: u32,
    /// How far reads of the past, resumed listeners and `hearth restore --at` reach back, in minutes
    #[arg(long, default_value_t = 60, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(5..))]
    pub history_minutes: u32,
    /// The most that is kept for them, in MiB: beyond it they reach back less
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..))]
    pub history_mib: u32,
    /// Keep in the access log what rules decide on (claims, the data of writes, queries), so that `hearth explain --request` can
    /// ask them again: users' data, up to 4 KiB of each request
    #[arg(long)]
    pub log_requests: bool,
    /// A PostgreSQL for Data Connect: postgres://USER:PASSWORD@HOST/DATABASE (or the environment variable HEARTH_POSTGRES; default:
    /// one of Hearth's own, in the data folder)
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// Print one line of JSON when ready, and nothing else
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: LimitFlags,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// The data folder, of a server that runs or of one that does not
    #[arg(long)]
    pub data: PathBuf,
    /// The folder of the backup; it must not be there yet, or be empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The folder of the backup
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The data folder to make; it must hold no data
    #[arg(long, value_name = "DATA")]
    pub to: PathBuf,
    /// The time to restore, such as 2026-11-24T15:00:00Z (default: the newest that the backup has)
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The data folder
    #[arg(long)]
    pub data: PathBuf,
    /// Accept what is there as complete, so that the server starts again: for a folder without a backup. What is missing stays
    /// missing
    #[arg(long)]
    pub accept: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples!("hearth log --verdict deny --since 10m", "hearth log --data /var/lib/hearth --who ann --follow"))]
pub struct Log {
    /// The data folder
    #[arg(long, default_value = ".hearth")]
    pub data: PathBuf,
    /// Only what this user (uid) or service account did
    #[arg(long)]
    pub who: Option<String>,
    /// Only this project
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Only this service: firestore, identity
    #[arg(long)]
    pub service: Option<String>,
    /// Only paths of this shape; `*` is one segment, `**` any number
    #[arg(long)]
    pub path: Option<String>,
    /// Only what this trace led to: a call of a function, and every read and write of its code
    #[arg(long, value_name = "ID")]
    pub trace: Option<String>,
    /// Only this verdict
    #[arg(long)]
    pub verdict: Option<VerdictName>,
    /// Not older than this: `90s`, `10m`, `24h`, `7d`, or a time such as 2026-11-24T15:00:00Z
    #[arg(long)]
    pub since: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Follow new events
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last N events
    #[arg(long, short = 'n', value_name = "N")]
    pub lines: Option<usize>,
    /// Times in UTC (default: the local time zone)
    #[arg(long)]
    pub utc: bool,
}

/// A duration such as `90s`, `10m`, `24h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(u32);

impl Span {
    /// Its seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a duration such as 90s, 10m, 24h or 7d");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerdictName {
    Allow,
    Deny,
    Error,
    Admin,
}

/// Reads the name of a service that has a socket of its own.
fn service() -> impl TypedValueParser<Value = &'static Row> {
    let names = Row::listening().map(|(row, _)| row.name);
    PossibleValuesParser::new(names).try_map(|name| listening(&name))
}

fn listening(name: &str) -> Result<&'static Row, String> {
    let found = Row::listening().find(|(row, _)| row.name == name);
    found.map(|(row, _)| row).ok_or_else(|| format!("there is no service `{name}`"))
}

/// Whose port is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PortOf {
    /// One service's.
    Of(&'static Row),
    /// That of every service that is not asked for by name: a free one.
    All,
}

fn port(text: &str) -> Result<(PortOf, u16), String> {
    let (name, port) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form service=port"))?;
    let port = port.parse().map_err(|_| format!("`{port}` is not a port (0 to 65535)"))?;
    match (name, port) {
        ("all", 0) => Ok((PortOf::All, 0)),
        ("all", port) => Err(format!("`all={port}`: services cannot share a port; `all=0` picks free ones")),
        (name, port) => Ok((PortOf::Of(listening(name)?), port)),
    }
}

fn ports_help() -> String {
    let usual: Vec<String> = Row::listening().map(|(row, port)| format!("{}={port}", row.name)).collect();
    format!(
        "Ports other than those of `firebase.json`, as `{}`; 0 picks a free one, and `all=0` one for every service",
        usual.join(",")
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert_eq!(port("auth=0"), Ok((PortOf::Of(listening("auth").unwrap()), 0)));
        assert_eq!(port("all=0"), Ok((PortOf::All, 0)));
        assert!(port("all=1").is_err());
        assert!(port("auth").is_err());
        assert!(port("auth=x").is_err());
        assert!(port("mail=1").is_err());
    }
}
