//! What a codebase is: where its source lies, what it exports, its parameters and variables.

mod codebase;
mod env;
mod manifest;
mod params;
pub mod partner;
mod schedule;
mod trigger;

pub use codebase::{Codebase, Settings};
pub use env::{EnvError, environment, parse as parse_env, secrets};
pub use manifest::{Endpoint, Kind, Manifest, ManifestError};
pub use params::{ParamError, resolve};
pub use schedule::{Schedule, ScheduleError};
pub use trigger::{EventTrigger, Trigger};
