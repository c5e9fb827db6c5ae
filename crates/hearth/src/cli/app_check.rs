//! What administrators can ask of App Check.

use clap::{Args, Subcommand, ValueEnum};

use super::Span;
use crate::admin::Folder;

#[derive(Debug, Subcommand)]
pub enum AppCheck {
    /// Show, for every service, what its requests' tokens were worth, and whether it is safe to enforce App Check
    Status(AppCheckStatus),
    /// Have a service require an App Check token, count who has none, or not ask
    Enforce(Enforce),
    /// Manage the apps whose tokens are accepted
    #[command(subcommand)]
    App(AppVerb),
    /// Manage debug tokens: for developers' machines and CI
    #[command(subcommand)]
    DebugToken(DebugToken),
}

#[derive(Debug, Args)]
pub struct AppCheckOutput {
    #[command(flatten)]
    pub folder: Folder,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct AppCheckStatus {
    /// Only the requests of this time, up to 7d; counted by the hour
    #[arg(long, default_value = "7d", value_name = "DURATION")]
    pub since: Span,
    #[command(flatten)]
    pub output: AppCheckOutput,
}

#[derive(Debug, Args)]
pub struct Enforce {
    /// firestore, database, storage, auth, dataconnect or functions
    pub service: String,
    /// What it requires
    #[arg(value_enum)]
    pub mode: Mode,
    #[command(flatten)]
    pub output: AppCheckOutput,
}

/// What a service requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Nothing; nothing is counted
    Off,
    /// Nothing; requests are counted, so that it is known what enforcement would refuse
    Unenforced,
    /// A token of a registered app: other requests are refused
    Enforced,
}

#[derive(Debug, Subcommand)]
pub enum AppVerb {
    /// Register an app
    Add(AddApp),
    /// List the apps
    List(AppCheckOutput),
    /// Remove an app with its debug tokens: its tokens are refused at once
    Remove(OneApp),
    /// Refuse all tokens that an app has obtained so far; its clients obtain others
    Revoke(OneApp),
}

#[derive(Debug, Args)]
pub struct AddApp {
    /// The app's name, for people
    pub name: String,
    /// The app's id (`appId` of its Firebase config); a new one is made where none is given
    #[arg(long, value_name = "APP_ID")]
    pub id: Option<String>,
    /// The platform, part of a new id
    #[arg(long, default_value = "web", value_parser = ["web", "ios", "android"])]
    pub platform: String,
    /// How long its tokens live, from 30m to 7d
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<Span>,
    #[command(flatten)]
    pub output: AppCheckOutput,
}

#[derive(Debug, Args)]
pub struct OneApp {
    /// The app's id
    #[arg(value_name = "APP_ID")]
    pub id: String,
    #[command(flatten)]
    pub output: AppCheckOutput,
}

#[derive(Debug, Subcommand)]
pub enum DebugToken {
    /// Create a debug token and print it; it cannot be shown again
    Add(AddDebugToken),
    /// List the debug tokens of an app
    List(OneApp),
    /// Delete a debug token
    Remove(RemoveDebugToken),
}

#[derive(Debug, Args)]
pub struct AddDebugToken {
    /// The app's id
    #[arg(value_name = "APP_ID")]
    pub app: String,
    /// Whose it is, for people
    #[arg(long, default_value = "")]
    pub name: String,
    /// The token that the SDK has printed in the browser's console (default: a new one)
    #[arg(long, value_name = "UUID")]
    pub token: Option<String>,
    #[command(flatten)]
    pub output: AppCheckOutput,
}

#[derive(Debug, Args)]
pub struct RemoveDebugToken {
    /// The app's id
    #[arg(value_name = "APP_ID")]
    pub app: String,
    /// The debug token's id, as `debug-token list` shows it
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub output: AppCheckOutput,
}
