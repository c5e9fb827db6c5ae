//! `hearth dataconnect`: what can be done with a Data Connect project without a server.
//!
//! The Firebase CLI calls this program for the same where `DATACONNECT_EMULATOR_BINARY_PATH` names it: see
//! [`as_binary`].

mod binary;
mod build;
mod check;
mod describe;
mod generate;
mod services;

use std::process::ExitCode;

use crate::cli::{DataConnect, DataConnectSdk};
use crate::failure::Failure;

pub use binary::as_binary;
pub use check::{Found, findings};
pub use services::{Built, Services, is_in};

/// Does what is asked.
pub fn run(ask: &DataConnect) -> Result<ExitCode, Failure> {
    match ask {
        DataConnect::Schema(ask) => generate::schema(&ask.folder),
        DataConnect::Sdk(DataConnectSdk::Generate(ask)) => generate::sdks(&ask.folder),
        DataConnect::Build(ask) => build::run(&ask.folder),
    }
}
