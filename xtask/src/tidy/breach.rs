//! One thing that the house forbids, found in one place.

use std::fmt;

/// The place, what was observed and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The file, from the repository's folder on.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What was observed and what to do about it.
    pub message: String,
}

impl Breach {
    /// A breach at a line.
    pub fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Breaches, one under the other.
pub struct Lines<'a>(pub &'a [Breach]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, breach) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{breach}")?;
        }
        Ok(())
    }
}
