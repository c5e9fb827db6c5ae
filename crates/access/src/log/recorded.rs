//! Which commits the log has a line for, as far back as a crash can have left one out.
//!
//! Events reach the file in the order in which requests ended, not in that of their commits, and a crash keeps the last
//! of them from it. So the newest version alone tells nothing: what counts is which versions of the recent past are there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, Read, Seek, SeekFrom};
use std::path::Path;

use kv::Version;

use super::event::{COMMIT, Event};
use super::writer::{FILE_NAME, OLD_FILES_MAX};

/// How much of the log is read at a time, from its end backwards.
const STRETCH_BYTES: u64 = 4 * 1024 * 1024;
/// The commits of so much time must be in view: requests that end out of order do so within milliseconds.
const SPAN_MICROS: i64 = 1_000_000;

/// The names of commits elsewhere that have a line, of those that are asked for. Looks at the current file and, where some
/// are missing, at the one before it.
pub(crate) fn commits(folder: &Path, asked: &BTreeSet<String>) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let current = folder.join(FILE_NAME);
    for path in [current.clone(), super::old_file(&current, 1)] {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in io::BufReader::new(file).lines() {
            let line = line?;
            // Most lines name no commit and are not read further.
            if !line.contains("\"commit\"") {
                continue;
            }
            let event: Option<Event> = serde_json::from_str(&line).ok();
            let commit = event.as_ref().and_then(|event| event.details.get(COMMIT)?.as_str());
            found.extend(commit.filter(|commit| asked.contains(*commit)).map(str::to_owned));
        }
        if found.len() == asked.len() {
            break;
        }
    }
    Ok(found)
}

/// The recent commits that have a line.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    versions: BTreeSet<i64>,
    /// The log was read to its beginning.
    whole: bool,
}

impl Recorded {
    /// Reads the log of a data folder backwards until enough is in view.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut recorded = Self::default();
        let current = folder.join(FILE_NAME);
        let old = (1..=OLD_FILES_MAX).map(|age| super::old_file(&current, age));
        for path in std::iter::once(current.clone()).chain(old) {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            recorded.read_backwards(&mut file)?;
            if recorded.is_enough() {
                return Ok(recorded);
            }
        }
        recorded.whole = true;
        Ok(recorded)
    }

    /// The version after which every commit must have a line.
    pub(crate) fn since(&self) -> Version {
        match self.versions.first() {
            Some(&oldest) if !self.whole => Version(oldest),
            _ => Version::ZERO,
        }
    }

    /// Whether a commit has its line.
    pub(crate) fn has(&self, version: Version) -> bool {
        self.versions.contains(&version.0)
    }

    fn is_enough(&self) -> bool {
        match (self.versions.first(), self.versions.last()) {
            (Some(oldest), Some(newest)) => newest - oldest >= SPAN_MICROS,
            _ => false,
        }
    }

    fn read_backwards(&mut self, file: &mut File) -> io::Result<()> {
        let mut end = file.metadata()?.len();
        // The beginning of the stretch behind, which is the end of a line that begins in this one.
        let mut rest = Vec::new();
        while end > 0 && !self.is_enough() {
            let start = end.saturating_sub(STRETCH_BYTES);
            file.seek(SeekFrom::Start(start))?;
            let mut stretch = Vec::new();
            file.take(end - start).read_to_end(&mut stretch)?;
            stretch.append(&mut rest);
            let lines = match stretch.iter().position(|&byte| byte == b'\n') {
                Some(newline) if start > 0 => {
                    let lines = stretch.split_off(newline);
                    rest = stretch;
                    lines
                }
                None if start > 0 => {
                    rest = stretch;
                    Vec::new()
                }
                _ => stretch,
            };
            let events =
                lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
            self.versions.extend(events.filter_map(|event: Event| event.version));
            end = start;
        }
        Ok(())
    }
}
