//! The engine of listeners: what a commit changes of what clients listen to. No I/O.
//!
//! A [`View`](view::View) is one query, whoever listens to it. The [`hub::Hub`] finds the views that a commit touches by an
//! index of interest, evaluates each once, and leaves what changed in the [`Outbox`](outbox::Outbox) of every stream that
//! listens. A stream takes out all of it at one version ([`Hub::cut`](hub::Hub::cut)), has its grants decided again where
//! they are stale, and sends.
//!
//! Invariants:
//! - A cut has whole commits: every change up to its version and none after it.
//! - What waits for a client is its newest state, once for each document; it is bounded, and beyond the bound dropped: the
//!   stream then resumes from what it has sent.
//! - Nothing of the store is held for a stream.

pub mod bloom;
pub mod hub;
pub mod image;
mod interest;
#[cfg(test)]
mod interest_tests;
pub mod outbox;
mod ranges;
pub mod replay;
pub mod response;
pub mod target;
pub mod token;
pub mod view;
pub mod window;

pub use hub::Hub;
pub use response::Response;
pub use token::ResumeTokens;
