//! What the binary decides.

/// What the binary decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project's id.
    pub project: String,
    /// Its number.
    pub project_number: String,
}
