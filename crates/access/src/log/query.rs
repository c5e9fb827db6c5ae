//! Questions to the log: who, what, when, verdict.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use base::Timestamp;

use super::event::{Event, Verdict};
use super::writer::{FILE_NAME, OLD_FILES_MAX};

/// Which events are asked for; `None` and empty mean any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The uid or account.
    pub who: Option<String>,
    /// The project's id. Lines of versions that wrote none have none.
    pub project: Option<String>,
    /// The service's name.
    pub service: Option<String>,
    /// A path pattern: `*` stands for one segment, `**` for any number of them.
    pub path: Option<String>,
    /// The trace: what a call of a function led to.
    pub trace: Option<String>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// Not before this time.
    pub since: Option<Timestamp>,
}

impl Filter {
    /// Whether an event is among those asked for.
    pub fn matches(&self, event: &Event) -> bool {
        self.who.as_ref().is_none_or(|who| event.who.as_ref() == Some(who))
            && self.project.as_ref().is_none_or(|project| &event.project == project)
            && self.service.as_ref().is_none_or(|service| &event.service == service)
            && self.trace.as_deref().is_none_or(|trace| event.trace() == Some(trace))
            && self.verdict.is_none_or(|verdict| event.verdict == verdict)
            && self.path.as_ref().is_none_or(|pattern| path_matches(pattern, &event.path))
            && self.since.is_none_or(|since| Timestamp::parse(&event.time).is_ok_and(|time| time >= since))
    }
}

/// Whether a path has the shape of a pattern.
fn path_matches(pattern: &str, path: &str) -> bool {
    fn segments(text: &str) -> Vec<&str> {
        text.split('/').filter(|segment| !segment.is_empty()).collect()
    }
    fn walk(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), None) => walk(rest, path),
            (Some((&"**", rest)), Some((_, tail))) => walk(rest, path) || walk(pattern, tail),
            (Some((&"*", rest)), Some((_, tail))) => walk(rest, tail),
            (Some((head, rest)), Some((segment, tail))) => head == segment && walk(rest, tail),
            _ => false,
        }
    }
    walk(&segments(pattern), &segments(path))
}

/// Reads the log in a data folder, oldest event first, and can go on reading as it grows.
pub struct Reader {
    path: PathBuf,
    old: Vec<PathBuf>,
    current: Option<BufReader<File>>,
    partial: String,
}

impl Reader {
    /// The log of a data folder. `NotFound` when nothing was ever logged there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let old: Vec<_> =
            (1..=OLD_FILES_MAX).map(|age| super::old_file(&path, age)).filter(|file| file.exists()).collect();
        if old.is_empty() && !path.exists() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no access log at `{}`: start Hearth with this data folder first", path.display()),
            ));
        }
        Ok(Self { path, old, current: None, partial: String::new() })
    }

    /// The next event, or `None` where the log ends for now. Lines that are not events (cut by a crash) are passed over.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            let Some(reader) = &mut self.current else {
                let next = self.old.pop().unwrap_or_else(|| self.path.clone());
                self.current = Some(BufReader::new(File::open(next)?));
                continue;
            };
            let read = reader.read_line(&mut self.partial)?;
            if self.partial.ends_with('\n') {
                let event = serde_json::from_str(&self.partial).ok();
                self.partial.clear();
                if event.is_some() {
                    return Ok(event);
                }
            } else if read == 0 {
                // The end of an old file leads to the next; the end of the current one is the end for now.
                if self.old.is_empty() && !self.rolled_over()? {
                    return Ok(None);
                }
                self.partial.clear();
                self.current = None;
            }
        }
    }

    /// Whether the file being read is no longer the current one.
    fn rolled_over(&mut self) -> io::Result<bool> {
        let Some(reader) = &mut self.current else { return Ok(false) };
        let position = reader.stream_position()?;
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(metadata.len() < position),
            Err(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::path_matches;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("/movies/up", "/movies/up", true),
            ("/movies/*", "/movies/up", true),
            ("/movies/*", "/movies/up/reviews/1", false),
            ("/movies/**", "/movies/up/reviews/1", true),
            ("/movies/**", "/movies", true),
            ("/**/reviews/*", "/movies/up/reviews/1", true),
            ("/movies", "/movies/up", false),
            ("**", "", true),
        ] {
            assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
