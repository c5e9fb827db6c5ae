//! Listing objects.

use access::Caller;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use globset::GlobMatcher;
use kv::Scan;
use policy::request::Method;

use super::Storage;
use super::decide::Ask;
use crate::model::{BucketName, Object, PrefixRange, bucket_key, decode, object_of};
use crate::status::Failure;

/// Entries of one page.
const PAGE_MAX: usize = 1000;
/// Rows that are read at a time.
const ROWS_MAX: usize = 200;
/// Bytes that are read at a time.
const ROWS_BYTES_MAX: usize = 1 << 20;
/// Scans of one page: where names with a delimiter need more, the page is shorter.
const SCANS_MAX: usize = 2000;

/// What to list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The bucket.
    pub bucket: BucketName,
    /// How names begin.
    pub prefix: String,
    /// What ends a folder's name; empty: there are no folders.
    pub delimiter: String,
    /// Entries at most.
    pub entries_max: Option<usize>,
    /// Where a page before ended.
    pub page_token: Option<String>,
    /// Names from here on.
    pub start: String,
    /// Names before this; empty: all.
    pub end: String,
    /// Objects with such names only.
    pub glob: Option<GlobMatcher>,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Objects.
    pub items: Vec<Object>,
    /// Folders.
    pub prefixes: Vec<String>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<String>,
}

impl Storage {
    /// A page of the objects of a bucket. The rules decide once about the prefix.
    pub async fn list(&self, caller: &Caller, listing: &Listing) -> Result<Listed, Failure> {
        let folder = listing.prefix.strip_suffix('/').unwrap_or(&listing.prefix);
        let path: Vec<String> = match folder {
            "" => Vec::new(),
            folder => folder.split('/').map(str::to_owned).collect(),
        };
        let resource = format!("/b/{}/o/{folder}", listing.bucket);
        let mut session = self.gate.begin(caller, Self::operation("list", resource)).await?;
        let ask = Ask { method: Method::List, bucket: &listing.bucket, path, resource: None, new: None };
        if let Err(refusal) = self.decide(&mut session, ask).await {
            session.finish();
            return Err(refusal.into());
        }
        let is_there = session.get(&bucket_key(&listing.bucket)).await?.is_some();
        self.require_bucket(&listing.bucket, is_there)?;
        let page = page(session.reads(), listing).await?;
        session.finish();
        Ok(page)
    }
}

async fn page(reads: &mut access::Reads, listing: &Listing) -> Result<Listed, Failure> {
    let start = match &listing.page_token {
        None => listing.start.clone().into_bytes(),
        Some(token) => {
            URL_SAFE_NO_PAD.decode(token).map_err(|_| Failure::Bad("Invalid page token.".to_owned()))?
        }
    };
    let names = PrefixRange { bucket: &listing.bucket, prefix: &listing.prefix };
    let entries_max = listing.entries_max.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let mut page = Listed::default();
    let mut start = Some(start);
    for _ in 0..SCANS_MAX {
        let Some(from) = start.take() else { return Ok(page) };
        let mut range = names.from(&from);
        if !listing.end.is_empty() {
            range = names.before(range, listing.end.as_bytes());
        }
        let scan = Scan { reverse: false, rows_max: ROWS_MAX, bytes_max: ROWS_BYTES_MAX };
        let found = reads.look(&range, scan).await?;
        let mut inside: Option<String> = None;
        for row in &found.rows {
            let Some(name) = object_of(&row.key) else { continue };
            if listing.glob.as_ref().is_some_and(|glob| !glob.is_match(name)) {
                continue;
            }
            if inside.as_ref().is_some_and(|folder| name.starts_with(folder.as_str())) {
                continue;
            }
            if page.items.len() + page.prefixes.len() >= entries_max {
                page.next = Some(URL_SAFE_NO_PAD.encode(name));
                return Ok(page);
            }
            inside = folder_of(name, listing);
            match &inside {
                Some(folder) => page.prefixes.push(folder.clone()),
                None => page.items.push(decode(row)?),
            }
        }
        if found.next.is_some() {
            start = match (&inside, found.rows.last().and_then(|row| object_of(&row.key))) {
                (Some(folder), _) => Some(names.behind(folder)),
                (None, Some(last)) => Some([last.as_bytes(), &[0]].concat()),
                (None, None) => None,
            };
        }
    }
    page.next = start.map(|start| URL_SAFE_NO_PAD.encode(start));
    Ok(page)
}

/// The folder that an object is in, as the listing sees it.
fn folder_of(name: &str, listing: &Listing) -> Option<String> {
    if listing.delimiter.is_empty() {
        return None;
    }
    let rest = name.get(listing.prefix.len()..)?;
    let end = listing.prefix.len() + rest.find(&listing.delimiter)? + listing.delimiter.len();
    name.get(..end).map(str::to_owned)
}
