//! Writes an export: into a folder of its own beside the place, which is renamed when all is written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use base::{DatabaseName, DocumentPath, Fields, Timestamp};
use prost::Message;

use super::log::LogWriter;
use super::metadata::{About, FILE, FOLDER, FORMAT, Files, Nothing, Of, Outputs, Overall, Part};
use super::{ExportError, FILE_DOCUMENTS_MAX, entity};

/// An export that is being written. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    name: String,
    place: PathBuf,
    /// Where it is written; none once it is finished.
    partial: Option<PathBuf>,
    database: DatabaseName,
    began: Timestamp,
    file: Option<(PathBuf, LogWriter<BufWriter<File>>)>,
    in_file: u64,
    files: Vec<String>,
    written: Written,
}

/// What an export came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents.
    pub documents: u64,
    /// Bytes of the output files.
    pub bytes: u64,
}

impl std::fmt::Debug for LogWriter<BufWriter<File>> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogWriter({} bytes)", self.len)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExportError + '_ {
    |source| ExportError::File { path: path.to_owned(), source }
}

/// The metadata file of the export of this name in its folder.
fn overall_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.overall_export_metadata"))
}

impl Writer {
    /// Begins the export `name` in a directory. One of the same name is replaced at the end.
    ///
    /// Errors: a directory that is not there, a name that is a path, something of that name that is no export.
    pub fn begin(
        directory: &Path,
        name: &str,
        database: DatabaseName,
        began: Timestamp,
    ) -> Result<Self, ExportError> {
        if !directory.is_dir() {
            return Err(ExportError::NoDirectory { path: directory.to_owned() });
        }
        let is_name = Path::new(name).file_name().is_some_and(|file| file == name);
        if !is_name || name.contains('\0') {
            return Err(ExportError::BadName(name.chars().take(100).collect()));
        }
        let place = directory.join(name);
        if place.exists() && !overall_file(&place, name).is_file() {
            return Err(ExportError::InTheWay { path: place });
        }
        let partial = directory.join(format!(".{name}.{}.partial", began.micros()));
        fs::create_dir(&partial).map_err(failed(&partial))?;
        Ok(Self {
            name: name.to_owned(),
            place,
            partial: Some(partial),
            database,
            began,
            file: None,
            in_file: 0,
            files: Vec::new(),
            written: Written::default(),
        })
    }

    fn partial(&self) -> &Path {
        self.partial.as_deref().unwrap_or(&self.place)
    }

    /// Appends a document.
    pub fn push(&mut self, path: &DocumentPath, fields: &Fields) -> Result<(), ExportError> {
        let record = entity::encode(&self.database, path, fields)
            .ok_or_else(|| ExportError::TooLarge { name: path.name_in(&self.database) })?;
        if self.in_file == FILE_DOCUMENTS_MAX {
            self.end_file()?;
        }
        if self.file.is_none() {
            let folder = self.partial().join(FOLDER);
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
            let name = format!("output-{}", self.files.len());
            let path = folder.join(&name);
            let file = File::create_new(&path).map_err(failed(&path))?;
            self.file = Some((path, LogWriter::new(BufWriter::new(file))));
            self.files.push(name);
        }
        if let Some((path, log)) = &mut self.file {
            log.push(&record).map_err(failed(path))?;
        }
        self.in_file += 1;
        self.written.documents += 1;
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), ExportError> {
        let Some((path, log)) = self.file.take() else { return Ok(()) };
        self.written.bytes += log.len;
        log.into_inner().flush().map_err(failed(&path))?;
        self.in_file = 0;
        Ok(())
    }

    /// Writes the metadata and gives the export its name.
    pub fn finish(mut self, ended: Timestamp) -> Result<Written, ExportError> {
        self.end_file()?;
        let mut overall = Overall::default();
        if !self.files.is_empty() {
            let about = About { name: self.name.clone(), began: self.began.micros(), ended: ended.micros() };
            let files = Files { of: Some(Nothing {}), names: std::mem::take(&mut self.files) };
            let outputs = Outputs { about: Some(about), of: vec![files] };
            let path = self.partial().join(FOLDER).join(FILE);
            fs::write(&path, outputs.encode_to_vec()).map_err(failed(&path))?;
            let Written { documents, bytes } = self.written;
            overall.parts.push(Part {
                of: Some(Of::ALL),
                file: format!("{FOLDER}/{FILE}"),
                documents,
                bytes,
            });
        }
        let mut log = LogWriter::new(Vec::new());
        let path = overall_file(self.partial(), &self.name);
        log.push(FORMAT)
            .and_then(|()| log.push(&overall.encode_to_vec()))
            .and_then(|()| fs::write(&path, log.into_inner()))
            .map_err(failed(&path))?;
        if self.place.exists() {
            fs::remove_dir_all(&self.place).map_err(failed(&self.place))?;
        }
        fs::rename(self.partial(), &self.place).map_err(failed(&self.place))?;
        self.partial = None;
        Ok(self.written)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(partial) = self.partial.take()
            && let Err(error) = fs::remove_dir_all(&partial)
        {
            tracing::warn!(%error, partial = %partial.display(), "an unfinished export could not be removed");
        }
    }
}
