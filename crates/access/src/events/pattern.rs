//! Patterns of paths, as Eventarc and the triggers of the first generation have them: `demo/{id}`, `{x=**}`, `*`, `users/**`.

/// A pattern, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Segment>);

/// A segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text.
    Literal(String),
    /// One segment that begins and ends so.
    One(String, String),
    /// Any number of segments, none included.
    Rest,
}

impl Segment {
    fn of(text: &str) -> Self {
        let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let glob = match inside {
            Some(captured) => captured.split_once('=').map_or("*", |(_, glob)| glob),
            None => text,
        };
        match glob.split_once('*') {
            Some(("", "*")) => Segment::Rest,
            Some((before, after)) => Segment::One(before.to_owned(), after.to_owned()),
            None => Segment::Literal(text.to_owned()),
        }
    }

    /// Whether it is this segment of a path.
    pub fn matches(&self, segment: &str) -> bool {
        match self {
            Segment::Literal(text) => text == segment,
            Segment::One(before, after) => {
                segment.strip_prefix(before.as_str()).is_some_and(|rest| rest.ends_with(after.as_str()))
            }
            Segment::Rest => true,
        }
    }
}

/// The segments of a path; slashes at its ends are none of it.
fn segments(path: &str) -> Vec<&str> {
    let path = path.trim_matches('/');
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

impl Pattern {
    /// Reads a pattern. Every text is one.
    pub fn new(text: &str) -> Self {
        Self(segments(text).into_iter().map(Segment::of).collect())
    }

    /// Its segments.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether a path has its form. Takes at most pattern × path steps.
    pub fn matches(&self, path: &str) -> bool {
        let path = segments(path);
        let (mut at, mut of) = (0, 0);
        // Where the last `**` was, and how much of the path it has taken.
        let mut rest: Option<(usize, usize)> = None;
        while let Some(segment) = path.get(at) {
            match self.0.get(of) {
                Some(Segment::Rest) => {
                    rest = Some((of, at));
                    of += 1;
                }
                Some(own) if own.matches(segment) => (at, of) = (at + 1, of + 1),
                _ => match &mut rest {
                    Some((star, taken)) => {
                        *taken += 1;
                        (at, of) = (*taken, *star + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0.get(of..).unwrap_or_default().iter().all(|left| *left == Segment::Rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_their_patterns() {
        for (pattern, path, expected) in [
            ("demo/{id}", "demo/a", true),
            ("/demo/{id}/", "demo/a", true),
            ("demo/{id}", "demo/a/b/c", false),
            ("demo/{id}", "demo", false),
            ("demo/a", "demo/b", false),
            ("demo/{id=*}", "demo/a", true),
            ("demo/{rest=**}", "demo/a/b/c", true),
            ("demo/**", "demo", true),
            ("**/c/{id}", "a/b/c/d", true),
            ("**/c/{id}", "a/b/c/d/e", false),
            ("**/x/**/y", "a/x/b/x/c/y", true),
            ("users-*", "users-1", true),
            ("users-*", "people-1", false),
            ("*", "any-instance", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = Pattern::new(&"**/a/".repeat(50));
        assert!(!pattern.matches(&"a/".repeat(40)));
        assert!(pattern.matches(&"a/".repeat(200)));
    }
}
