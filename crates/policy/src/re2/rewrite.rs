//! What a match is replaced with: RE2's rewrite strings, read once and applied per match.
//!
//! Source: `RE2::CheckRewriteString` and `RE2::Rewrite`, whose error texts are kept.

/// The replacement text is not a rewrite string for this pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// A lone backslash ends the text.
    #[error("Rewrite schema error: '\\' not allowed at end.")]
    TrailingBackslash,
    /// A backslash before anything but a digit or a backslash.
    #[error("Rewrite schema error: '\\' must be followed by a digit or '\\'.")]
    BadEscape,
    /// A group the pattern does not have.
    #[error(
        "Rewrite schema requests {requested} matches, but the regexp only has {groups} parenthesized subexpressions."
    )]
    NoSuchGroup {
        /// The highest group asked for.
        requested: usize,
        /// How many groups the pattern has.
        groups: usize,
    },
}

enum Part {
    Text(String),
    Group(usize),
}

pub(super) struct Rewrite(Vec<Part>);

impl Rewrite {
    pub(super) fn parse(text: &str, groups: usize) -> Result<Self, RewriteError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut requested = 0;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                literal.push(c);
                continue;
            }
            match chars.next() {
                None => return Err(RewriteError::TrailingBackslash),
                Some('\\') => literal.push('\\'),
                Some(digit) => {
                    let group = digit.to_digit(10).ok_or(RewriteError::BadEscape)? as usize;
                    requested = requested.max(group);
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Group(group));
                }
            }
        }
        if requested > groups {
            return Err(RewriteError::NoSuchGroup { requested, groups });
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    pub(super) fn append<'t>(&self, out: &mut String, group: impl Fn(usize) -> &'t str) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(number) => out.push_str(group(*number)),
            }
        }
    }
}
