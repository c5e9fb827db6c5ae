//! `hearth`: the command line, configuration and wiring. Decides nothing about data or access itself.

mod cli;
mod dev;
mod house;
mod jsonc;
mod log;
mod project;
mod screen;
mod serve;
mod service_account;
mod stop;
mod watch;

use std::future::Future;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::cli::{Cli, ServiceAccount, Verb};

// Small and steady under many threads; the system's allocator keeps more memory after bursts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HEARTH_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .without_time()
        .init();
    let outcome = match &cli.verb {
        Verb::Dev(ask) => block_on(dev::run(ask, started)),
        Verb::Serve(ask) => block_on(serve::run(ask, started)),
        Verb::Log(ask) => log::run(ask),
        Verb::ServiceAccount(ServiceAccount::Create(ask)) => block_on(service_account::create(ask)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the asynchronous runtime cannot start: {error}"))?
        .block_on(work)
}
