//! The service over its routes: what is promised, as tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod attacks;
mod firebase;
mod gcs;
mod house;
mod lives;
mod rules;
