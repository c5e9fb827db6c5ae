//! The verbs about Data Connect.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum DataConnect {
    /// Write the generated API for editors, as `.dataconnect/schema` in each service's folder
    #[command(after_help = examples!("hearth dataconnect schema"))]
    Schema(DataConnectFolder),
    /// Generate the SDKs that `connector.yaml` asks for
    #[command(subcommand)]
    Sdk(DataConnectSdk),
    /// Validate schema and operations, and print errors and metadata as the Firebase CLI reads them
    #[command(after_help = examples!("hearth dataconnect build"))]
    Build(DataConnectFolder),
}

#[derive(Debug, Subcommand)]
pub enum DataConnectSdk {
    /// For the web (`javascriptSdk`, with React hooks) and for servers (`adminNodeSdk`)
    #[command(after_help = examples!("hearth dataconnect sdk generate"))]
    Generate(DataConnectFolder),
}

/// Which services.
#[derive(Debug, Args)]
pub struct DataConnectFolder {
    /// A project's folder, or the folder of one service with its `dataconnect.yaml`
    #[arg(default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
}
