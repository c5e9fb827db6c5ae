//! How large a write may be.

/// Leaves that are written or deleted per second, by a cautious estimate.
const LEAVES_PER_SECOND: usize = 20_000;

/// How long a write may keep the database busy, by an estimate: `writeSizeLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizeLimit {
    /// About a second.
    Tiny,
    /// About 10 seconds.
    Small,
    /// About 30 seconds.
    Medium,
    /// About a minute.
    Large,
    /// Any time.
    Unlimited,
}

impl SizeLimit {
    /// Of its name.
    pub fn parse(name: &str) -> Option<SizeLimit> {
        Some(match name {
            "tiny" => SizeLimit::Tiny,
            "small" => SizeLimit::Small,
            "medium" => SizeLimit::Medium,
            "large" => SizeLimit::Large,
            "unlimited" => SizeLimit::Unlimited,
            _ => return None,
        })
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            SizeLimit::Tiny => "tiny",
            SizeLimit::Small => "small",
            SizeLimit::Medium => "medium",
            SizeLimit::Large => "large",
            SizeLimit::Unlimited => "unlimited",
        }
    }

    /// Leaves that a write may have, those that it deletes included; `None` is any number.
    pub fn leaves_max(self) -> Option<usize> {
        let seconds = match self {
            SizeLimit::Tiny => 1,
            SizeLimit::Small => 10,
            SizeLimit::Medium => 30,
            SizeLimit::Large => 60,
            SizeLimit::Unlimited => return None,
        };
        Some(seconds * LEAVES_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_and_larger_limits_allow_more() {
        let limits = ["tiny", "small", "medium", "large"].map(|name| SizeLimit::parse(name).unwrap());
        assert!(limits.iter().map(|limit| limit.leaves_max().unwrap()).is_sorted());
        assert!(limits.iter().all(|limit| SizeLimit::parse(limit.as_str()) == Some(*limit)));
        assert_eq!(SizeLimit::parse("unlimited").unwrap().leaves_max(), None);
        assert_eq!(SizeLimit::parse("huge"), None);
    }
}
