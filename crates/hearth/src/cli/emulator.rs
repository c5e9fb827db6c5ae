//! What takes the place of the official emulator's jar.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The flags of the official emulator, as the Firebase CLI passes them.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub struct Emulator {
    /// The address to listen on; loopback only
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// The port
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// A further port for the console's list of requests (also served on the first)
    #[arg(long = "websocket_port", alias = "websocket-port", value_name = "PORT")]
    pub websocket_port: Option<u16>,
    /// A file with the rules (default: everything is allowed)
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// The project's id
    #[arg(long = "project_id", alias = "project-id", default_value = "demo-hearth", value_name = "ID")]
    pub project_id: String,
    /// An export to start with: its `*.overall_export_metadata`
    #[arg(long = "seed_from_export", alias = "seed-from-export", value_name = "FILE")]
    pub seed_from_export: Option<PathBuf>,
    /// The edition; only Standard is supported
    #[arg(
        long = "database-edition",
        alias = "database_edition",
        default_value = "standard",
        value_name = "EDITION"
    )]
    pub database_edition: Edition,
    /// Where functions run; triggers are registered and not fired yet
    #[arg(long = "functions_emulator", alias = "functions-emulator", value_name = "HOST:PORT")]
    pub functions_emulator: Option<String>,
    /// Accepted; projects are always separate
    #[arg(long = "single_project_mode", alias = "single-project-mode", num_args = 0..=1, value_name = "BOOL")]
    pub single_project_mode: Option<Option<String>>,
    /// Accepted; the one port speaks WebChannel, too
    #[arg(long = "webchannel_port", alias = "webchannel-port", value_name = "PORT")]
    pub webchannel_port: Option<u16>,
}

impl Emulator {
    /// The address to listen on; `localhost` is one.
    pub fn address(&self) -> Result<IpAddr, String> {
        let host = if self.host == "localhost" { "127.0.0.1" } else { &self.host };
        let address: IpAddr =
            host.parse().map_err(|_| format!("`--host {}` is not an address", self.host))?;
        if address.is_loopback() { Ok(address) } else { Err(not_loopback(address)) }
    }
}

/// Why only this machine may reach a server for development.
pub fn not_loopback(host: IpAddr) -> String {
    format!(
        "`--host {host}` is not a loopback address: other machines reach it, and dev accepts every token. `hearth dev --host {host} \
         --share users` lets others (a phone, a container) be any user, `--share admins` lets them do everything; `hearth serve` is \
         for everybody else"
    )
}

/// Firestore's editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Edition {
    /// Standard.
    Standard,
    /// Enterprise.
    Enterprise,
}

/// Where to write the launcher.
#[derive(Debug, Args)]
pub struct Launcher {
    /// The folder (default: `hearth-launcher` in the user's cache folder)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
