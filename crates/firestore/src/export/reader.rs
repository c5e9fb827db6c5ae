//! Reads an export, one document after the other.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use prost::Message;

use super::entity::{self, Imported};
use super::log::{LogReader, Unreadable};
use super::metadata::{FORMAT, Outputs, Overall};
use super::{ExportError, Fault, RECORD_BYTES_MAX};

/// An export that is being read.
pub struct Reader {
    overall: PathBuf,
    /// The output files that are left, the next one last.
    files: Vec<PathBuf>,
    file: Option<(PathBuf, LogReader<BufReader<File>>)>,
    expected: u64,
    found: u64,
}

fn file_error(path: &Path, source: std::io::Error) -> ExportError {
    ExportError::File { path: path.to_owned(), source }
}

fn record_error(path: &Path, at: u64, fault: Fault) -> ExportError {
    ExportError::Record { path: path.to_owned(), at, fault }
}

fn unreadable(path: &Path, error: Unreadable) -> ExportError {
    match error {
        Unreadable::File(source) => file_error(path, source),
        Unreadable::Record(at, fault) => record_error(path, at, fault),
    }
}

fn log_of(path: &Path) -> Result<LogReader<BufReader<File>>, ExportError> {
    let file = File::open(path).map_err(|source| file_error(path, source))?;
    Ok(LogReader::new(BufReader::new(file)))
}

/// A file that metadata names: it is within the export, links included.
fn within(root: &Path, folder: &Path, name: &str, of: &Path) -> Result<PathBuf, ExportError> {
    let is_below =
        !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let outside = || record_error(of, 0, Fault::Outside(name.chars().take(200).collect()));
    if !is_below {
        return Err(outside());
    }
    let path = folder.join(name);
    let real = path.canonicalize().map_err(|source| file_error(&path, source))?;
    if real.starts_with(root) { Ok(path) } else { Err(outside()) }
}

impl Reader {
    /// Opens the export with this `*.overall_export_metadata`, or in the folder that has one.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let overall = if path.is_dir() { overall_in(path)? } else { path.to_owned() };
        let mut log = log_of(&overall)?;
        let mut next = || log.next().map_err(|error| unreadable(&overall, error));
        let shape = |at| record_error(&overall, at, Fault::Shape("metadata of an export"));
        match next()? {
            Some((_, version)) if version == FORMAT => {}
            _ => return Err(shape(0)),
        }
        let (at, record) = next()?.ok_or_else(|| shape(0))?;
        let parts = Overall::decode(record.as_slice()).map_err(|_| shape(at))?.parts;
        let folder = overall.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let root = folder.canonicalize().map_err(|source| file_error(folder, source))?;
        let (mut files, mut expected) = (Vec::new(), 0_u64);
        for part in parts {
            let path = within(&root, folder, &part.file, &overall)?;
            expected = expected.saturating_add(part.documents);
            files.extend(outputs(&root, &path)?);
        }
        files.reverse();
        Ok(Self { overall, files, file: None, expected, found: 0 })
    }

    /// The next document; `None` when all that the metadata names were read.
    pub fn next(&mut self) -> Result<Option<Imported>, ExportError> {
        loop {
            let Some((path, log)) = &mut self.file else {
                match self.files.pop() {
                    Some(path) => self.file = Some((path.clone(), log_of(&path)?)),
                    None if self.found == self.expected => return Ok(None),
                    None => {
                        let (path, expected, found) = (self.overall.clone(), self.expected, self.found);
                        return Err(ExportError::Count { path, expected, found });
                    }
                }
                continue;
            };
            match log.next().map_err(|error| unreadable(path, error))? {
                None => self.file = None,
                Some((at, record)) => {
                    let document = entity::decode(&record).map_err(|fault| record_error(path, at, fault))?;
                    self.found += 1;
                    return Ok(Some(document));
                }
            }
        }
    }
}

/// The one file of overall metadata in a folder.
fn overall_in(folder: &Path) -> Result<PathBuf, ExportError> {
    let failed = |source| file_error(folder, source);
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "overall_export_metadata") {
            return Ok(path);
        }
    }
    let missing =
        std::io::Error::new(std::io::ErrorKind::NotFound, "there is no `*.overall_export_metadata`");
    Err(file_error(folder, missing))
}

/// The output files that a part's metadata names.
fn outputs(root: &Path, path: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let failed = |source| file_error(path, source);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(RECORD_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(failed)?;
    let outputs = Outputs::decode(bytes.as_slice())
        .map_err(|_| record_error(path, 0, Fault::Shape("metadata of output files")))?;
    let folder = path.parent().unwrap_or(root);
    outputs.of.iter().flat_map(|of| &of.names).map(|name| within(root, folder, name, path)).collect()
}
