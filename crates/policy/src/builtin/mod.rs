//! The pure functions behind the standard library of Firestore and Storage rules: values in, values out.
//!
//! Nothing here knows the evaluator. What has no answer is `None` or a typed error, and the evaluator turns it into
//! the text the real service gives.
//!
//! Source: Firebase's rules reference (`rules.Duration`, `rules.Timestamp`, `rules.hashing`, `rules.math` …). Where it
//! is silent, the modules say what was chosen and why.

pub mod calendar;
mod duration;
pub mod hash;
mod latlng;
pub mod number;
pub mod text;

pub use duration::Duration;
pub use latlng::{LatLng, LatLngError};
