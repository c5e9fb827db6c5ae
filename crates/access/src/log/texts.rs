//! The texts of the rules that the log's lines name: `access.rules/FINGERPRINT.json` in the data folder, one file for each text that
//! was in force, so that a decision can be made again by the rules of its time.
//!
//! Bounded: beyond [`TEXTS_MAX`] the one that was loaded longest ago goes. A file whose text is not the one that its name says is
//! none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use policy::Source;
use serde::{Deserialize, Serialize};

/// The folder in the data folder.
const FOLDER_NAME: &str = "access.rules";
/// Texts that are kept; each has 256 KiB at most.
pub const TEXTS_MAX: usize = 100;

/// A file's content.
#[derive(Serialize, Deserialize)]
struct Text<'a> {
    name: std::borrow::Cow<'a, str>,
    text: std::borrow::Cow<'a, str>,
}

/// Keeps a text. One that is there becomes the newest.
pub(super) fn keep(folder: &Path, source: &Source, fingerprint: &str) -> io::Result<()> {
    let folder = folder.join(FOLDER_NAME);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{fingerprint}.json"));
    let text = Text { name: (&*source.name).into(), text: (&*source.text).into() };
    // Under another name first: a file is whole or not there.
    let mut file = tempfile_in(&folder, fingerprint)?;
    file.1.write_all(&serde_json::to_vec(&text)?)?;
    fs::rename(&file.0, &path)?;
    forget_oldest(&folder)
}

/// The text of this fingerprint; `None` where it is not kept (any more) or is another one.
pub fn read(folder: &Path, fingerprint: &str) -> io::Result<Option<Source>> {
    if !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let path = folder.join(FOLDER_NAME).join(format!("{fingerprint}.json"));
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(Text { name, text }) = serde_json::from_slice(&bytes) else { return Ok(None) };
    let source = Source::new(name.into_owned(), text.into_owned());
    Ok(Some(source).filter(|source| source.fingerprint() == fingerprint))
}

/// A new file for its owner's eyes only.
fn tempfile_in(folder: &Path, fingerprint: &str) -> io::Result<(PathBuf, fs::File)> {
    let path = folder.join(format!("{fingerprint}.{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    Ok((path, file))
}

fn forget_oldest(folder: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    let Some(count) = files.len().checked_sub(TEXTS_MAX) else { return Ok(()) };
    files.sort();
    for (_, path) in files.into_iter().take(count) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_fingerprint_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let source = |text: &str| Source::new("a.rules", text);
        let keep = |text: &str| keep(folder.path(), &source(text), &source(text).fingerprint()).unwrap();
        keep("first");
        assert_eq!(read(folder.path(), &source("first").fingerprint()).unwrap(), Some(source("first")));
        assert_eq!(read(folder.path(), &source("other").fingerprint()).unwrap(), None);
        assert_eq!(read(folder.path(), "../../etc/passwd").unwrap(), None);
        for number in 0..TEXTS_MAX + 20 {
            keep(&number.to_string());
        }
        let kept = fs::read_dir(folder.path().join(FOLDER_NAME)).unwrap().count();
        assert_eq!(kept, TEXTS_MAX);
    }

    #[test]
    fn a_text_that_was_changed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::new("a.rules", "allow nothing");
        let fingerprint = source.fingerprint();
        keep(folder.path(), &source, &fingerprint).unwrap();
        let path = folder.path().join(FOLDER_NAME).join(format!("{fingerprint}.json"));
        fs::write(&path, r#"{"name": "a.rules", "text": "allow everything"}"#).unwrap();
        assert_eq!(read(folder.path(), &fingerprint).unwrap(), None);
        fs::write(&path, "{").unwrap();
        assert_eq!(read(folder.path(), &fingerprint).unwrap(), None);
    }
}
