//! The service over its routes: what is promised, as tests.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod attacks;
mod firebase;
mod full;
mod gcs;
mod house;
mod lives;
mod rules;
mod xml;
