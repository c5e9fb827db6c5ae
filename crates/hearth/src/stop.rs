//! The signals that end the process, or have it read its rules again.

use tokio::signal::unix::{SignalKind, signal};

/// What was asked by signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop.
    Stop,
    /// SIGHUP: read the rules again.
    Hangup,
}

/// Waits for SIGTERM or SIGINT.
pub async fn requested() {
    while requested_or_hangup().await == Signal::Hangup {}
}

/// Waits for SIGTERM, SIGINT or SIGHUP.
pub async fn requested_or_hangup() -> Signal {
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        // Without handlers the system's own defaults end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => Signal::Stop,
        _ = tokio::signal::ctrl_c() => Signal::Stop,
        _ = hangup.recv() => Signal::Hangup,
    }
}
