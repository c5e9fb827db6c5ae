//! Dev or serve: decided once, at start, as a type.
//!
//! Whatever exists only for development (unsigned tokens, `Bearer owner`, open rules) demands a [`DevPermit`] to be
//! made. `serve` never holds one, so such code cannot be reached there.

/// How this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `hearth dev`: a laptop or CI, loopback only.
    Dev(DevPermit),
    /// `hearth serve`: production.
    Serve,
}

/// Proof that this process was started for development.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevPermit(());

impl DevPermit {
    /// Only the command line's `dev` verb and tests call this.
    pub fn for_development_only() -> Self {
        Self(())
    }
}

impl Mode {
    /// The permit, in dev.
    pub fn dev(&self) -> Option<DevPermit> {
        match self {
            Mode::Dev(permit) => Some(*permit),
            Mode::Serve => None,
        }
    }
}
