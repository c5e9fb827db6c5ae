//! `hearth`: the command line, configuration and wiring. Decides nothing about data or access itself.

mod acts;
mod admin;
mod annotate;
mod backup;
mod bolt;
mod check;
mod cli;
mod dev;
mod emulator;
mod exec;
mod explain;
mod failure;
mod house;
mod indexes;
mod jsonc;
mod keys;
mod launcher;
mod limits;
mod log;
mod paint;
mod partner;
mod project;
mod restore;
mod rules;
mod screen;
mod sealing;
mod serve;
mod service_account;
mod services;
mod settings;
mod stop;
mod table;
mod test;
mod texts;
mod transfer;
mod verify;
mod watch;

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};

use crate::cli::{Bolt, Cli, Verb};
use crate::failure::Failure;
use crate::launcher::Called;

// Small and steady under many threads; the system's allocator keeps more memory after bursts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let arguments = match launcher::called(&arguments) {
        Called::AsHearth => arguments,
        Called::AsEmulator(flags) => {
            ["hearth", "emulator"].map(OsString::from).into_iter().chain(flags).collect()
        }
        Called::Answered(code) => return code,
    };
    let as_json = failure::is_json(&arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if as_json && error.use_stderr() => {
            return Failure::usage(error.to_string().trim_end().trim_start_matches("error: ")).report(true);
        }
        Err(error) => error.exit(),
    };
    paint::ask(cli.tone.color, cli.tone.quiet);
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(paint::stderr_has_color())
        .with_target(cli.tone.verbose > 0)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HEARTH_LOG")
                .unwrap_or_else(|_| cli.tone.level().into()),
        )
        .without_time()
        .init();
    let outcome = match &cli.verb {
        Verb::Dev(ask) => block_on(dev::run(ask, started)),
        Verb::Exec(ask) => return ended(block_on(exec::run(ask, started)), as_json),
        Verb::Serve(ask) => block_on(serve::run(ask, started)),
        Verb::Emulator(ask) => block_on(emulator::run(ask)),
        Verb::Launcher(ask) => launcher::run(ask),
        Verb::Log(ask) => log::run(ask),
        Verb::Check(ask) => return about_rules(check::run(ask), as_json),
        Verb::Test(ask) => return about_rules(test::run(ask), as_json),
        Verb::Explain(ask) => match &ask.logged {
            Some(id) => block_on(explain::request::run(ask, id)),
            None => return about_rules(explain::run(ask), as_json),
        },
        Verb::Bolt(Bolt::Compile(ask)) => return about_rules(bolt::compile(ask), as_json),
        Verb::Indexes(verb) => block_on(indexes::run(verb)),
        Verb::Keys(verb) => block_on(keys::run(verb)),
        Verb::Partner(verb) => block_on(partner::run(verb)),
        Verb::ServiceAccount(verb) => block_on(service_account::run(verb)),
        Verb::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "hearth", &mut std::io::stdout());
            Ok(())
        }
        Verb::Man { folder } => man(folder),
        Verb::Backup(ask) => block_on(backup::run(ask)),
        Verb::Restore(ask) => restore::run(ask),
        Verb::Verify(ask) => verify::run(ask),
    };
    ended(outcome.map(|()| ExitCode::SUCCESS), as_json)
}

/// Writes what the flags say as man pages.
fn man(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)).map_err(
        |error| Failure::usage(format!("the pages cannot be written to `{}`: {error}", folder.display())),
    )
}

/// The exit code of a verb about rules: 2 says that it could not do its work, as the command line's own errors do.
fn about_rules(outcome: Result<ExitCode, String>, as_json: bool) -> ExitCode {
    ended(outcome.map_err(Failure::usage), as_json)
}

/// The exit code; a failure is reported.
fn ended(outcome: Result<ExitCode, Failure>, as_json: bool) -> ExitCode {
    outcome.unwrap_or_else(|failure| failure.report(as_json))
}

fn block_on<T, E: Into<Failure>>(work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the asynchronous runtime cannot start: {error}"))?
        .block_on(work)
        .map_err(E::into)
}
