//! Whether objects have their bytes: rows held against files, without a server.
//!
//! A file that no row names is no fault: what a crash leaves, and what is about to be collected.

use std::collections::BTreeMap;

use kv::{Keyspace, Row};

use crate::files::{Files, FilesError, digest_of};
use crate::model::{BlobName, Object, Uses, decode};

/// Faults that are listed.
const LISTED_MAX: usize = 100;
/// The rows that [`Objects::see`] is to be shown.
pub const KEYSPACES: [Keyspace; 2] = [access::keyspace::OBJECTS, access::keyspace::BLOBS];

/// What rows say of files.
#[derive(Default)]
pub struct Objects {
    wanted: BTreeMap<BlobName, Wanted>,
    objects: u64,
    faults: Faults,
}

#[derive(Default)]
struct Wanted {
    /// Objects that use it.
    used: u64,
    /// Objects that use it, as its own row counts.
    counted: u64,
    size: u64,
    /// One of the objects.
    example: String,
}

#[derive(Default)]
struct Faults {
    listed: Vec<String>,
    count: u64,
}

impl Faults {
    fn push(&mut self, fault: String) {
        self.count += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(fault);
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects.
    pub objects: u64,
    /// Files that were held against their names.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that no object uses.
    pub unused: u64,
    /// Objects whose bytes are not there.
    pub missing: u64,
    /// How many faults there are.
    pub faults: u64,
    /// The first of them.
    pub listed: Vec<String>,
}

impl Objects {
    /// Takes in a row.
    pub fn see(&mut self, row: &Row) {
        let kind = row.key.keyspace();
        if kind == access::keyspace::OBJECTS {
            match decode::<Object>(row) {
                Ok(object) => self.object(object),
                Err(_) => self.faults.push(format!("the row of the object `{}` cannot be read", row.key)),
            }
        } else if kind == access::keyspace::BLOBS {
            let name = <[u8; 32]>::try_from(row.key.as_bytes()).map(BlobName);
            match (name, decode::<Uses>(row)) {
                (Ok(name), Ok(uses)) => self.wanted.entry(name).or_default().counted = uses.count,
                _ => self.faults.push(format!("the row of the file `{}` cannot be read", row.key)),
            }
        }
    }

    fn object(&mut self, object: Object) {
        self.objects += 1;
        let wanted = self.wanted.entry(object.blob).or_default();
        let name = format!("{}/{}", object.bucket, object.name);
        if wanted.used > 0 && wanted.size != object.size {
            let (first, second) = (&wanted.example, (wanted.size, object.size));
            let text =
                format!("`{first}` and `{name}` have one file and {} and {} bytes", second.0, second.1);
            self.faults.push(text);
        }
        wanted.used += 1;
        wanted.size = object.size;
        wanted.example = name;
    }

    /// Reads all files and holds them against the rows. Errors: a file cannot be read.
    pub async fn check(mut self, files: &dyn Files) -> Result<Found, FilesError> {
        let mut found = Found { objects: self.objects, ..Found::default() };
        for first in 0..=u8::MAX {
            for name in files.blobs(first).await? {
                let blob = files.open(&name).await?;
                let digest = digest_of(blob.as_ref()).await?;
                found.files += 1;
                found.bytes += digest.size;
                let wanted = self.wanted.remove(&name);
                let example = wanted.as_ref().map_or("no object", |wanted| &wanted.example).to_owned();
                if digest.blob != name {
                    self.faults.push(format!(
                        "the file `{name}`, of `{example}`, has other bytes than were written"
                    ));
                }
                match wanted {
                    Some(wanted) if wanted.used > 0 => self.faults.of(&name, &wanted, Some(digest.size)),
                    _ => found.unused += 1,
                }
            }
        }
        for (name, wanted) in self.wanted.iter().filter(|(_, wanted)| wanted.used > 0 || wanted.counted > 0) {
            found.missing += wanted.used;
            self.faults.of(name, wanted, None);
        }
        found.faults = self.faults.count;
        found.listed = self.faults.listed;
        Ok(found)
    }
}

impl Faults {
    fn of(&mut self, name: &BlobName, wanted: &Wanted, size: Option<u64>) {
        let Wanted { used, counted, example, .. } = wanted;
        match size {
            None if *used > 0 => {
                self.push(format!(
                    "the file `{name}` is missing: the bytes of `{example}` ({used} objects use it)"
                ));
            }
            Some(size) if size != wanted.size => {
                let text = format!("the file `{name}` has {size} bytes, `{example}` has {}", wanted.size);
                self.push(text);
            }
            _ => {}
        }
        if used != counted {
            self.push(format!("the file `{name}` is used by {used} objects, its row counts {counted}"));
        }
    }
}
