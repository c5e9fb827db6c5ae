//! `hearth exec -- COMMAND`: a project is served while a command runs, and the command finds it.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use tokio::process::Command;

use crate::cli::{Dev, Exec};
use crate::dev::{Ports, Served};
use crate::failure::Failure;
use crate::stop::{Asked, Signals};

/// As shells have it: a command that cannot be run, one that is not there, and one that a signal ended.
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
const SIGNAL: i32 = 128;

/// Serves, runs, stops. The exit code is the command's.
pub async fn run(ask: &Exec, started: Instant) -> Result<ExitCode, Failure> {
    let mut signals = Signals::catch()?;
    let dev = Dev { ephemeral: ask.dev.data.is_none(), ..ask.dev.clone() };
    let served = Served::open(&dev, Ports::OrFree, started).await?;
    let ended = command(ask, &served, &mut signals).await;
    served.close().await?;
    ended
}

async fn command(ask: &Exec, served: &Served, signals: &mut Signals) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = ask.command.split_first() else {
        return Err(Failure::usage("say what is to run: `hearth exec -- npm test`"));
    };
    let mut child =
        match Command::new(program).args(arguments).envs(served.variables()).kill_on_drop(true).spawn() {
            Ok(child) => child,
            Err(error) => {
                let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
                let message = format!("`{}` cannot be run: {error}", program.display());
                return Err(Failure { message, code });
            }
        };
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| format!("`{}` cannot be waited for: {error}", program.display()))?;
                return Ok(code(status));
            }
            // An interrupt from the terminal reaches the command, too: it ends as it likes.
            asked = signals.next() => if asked == Asked::Stop && let Some(pid) = child.id() {
                let _ = nix::sys::signal::kill(pid_of(pid), nix::sys::signal::Signal::SIGTERM);
            }
        }
    }
}

fn pid_of(pid: u32) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or_default())
}

fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().or_else(|| Some(SIGNAL + status.signal()?)).unwrap_or(1);
    ExitCode::from(u8::try_from(number).unwrap_or(u8::MAX))
}
