//! The path a request is about, and how patterns match it.
//!
//! A query's path has unknown segments: the document's id, and for collection groups the collections above. A pattern
//! matches only when it matches every path the query can reach.

use crate::request::{Request, Scope};
use crate::value::{FaultKind, Str, Val};

use super::Service;

/// One segment of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'v> {
    /// This one.
    Known(&'v str),
    /// Any one.
    Any,
    /// Any number, none included.
    Many,
}

/// The whole path from the root: `databases`, the database, `documents`, and so on.
#[derive(Clone, Debug)]
pub struct Target<'v> {
    service: Service,
    database: &'v str,
    path: &'v [String],
    /// Where `Many` stands, counted in `path`.
    many: Option<usize>,
    /// Segments behind `path`.
    tail: [Option<Segment<'v>>; 2],
}

/// Segments before the path's own: `/databases/{database}/documents`, `/b/{bucket}/o`.
pub const PREFIX_LEN: usize = 3;

impl<'v> Target<'v> {
    /// The path of a request: of one document, or of any that a query can return.
    pub fn new(service: Service, request: &Request<'v>, is_any: bool) -> Self {
        let mut target =
            Self { service, database: request.database, path: request.path, many: None, tail: [None, None] };
        let Some(query) = request.query.filter(|_| is_any) else { return target };
        let last = Segment::Any;
        match query.scope {
            Scope::Collection => target.tail = [Some(last), None],
            Scope::CollectionGroup => {
                target.many = Some(request.path.len().saturating_sub(1));
                target.tail = [Some(last), None];
            }
            Scope::Children => target.tail = [Some(Segment::Any), Some(last)],
            Scope::Descendants => {
                target.many = Some(request.path.len());
                target.tail = [Some(Segment::Any), Some(last)];
            }
        }
        target
    }

    /// How many segments, `Many` counted as one.
    pub fn len(&self) -> usize {
        PREFIX_LEN + self.path.len() + usize::from(self.many.is_some()) + self.tail.iter().flatten().count()
    }

    /// The segment at an index.
    pub fn get(&self, index: usize) -> Option<Segment<'v>> {
        let (root, documents) = match self.service {
            Service::Firestore => ("databases", "documents"),
            Service::Storage => ("b", "o"),
        };
        match index {
            0 => return Some(Segment::Known(root)),
            1 => return Some(Segment::Known(self.database)),
            2 => return Some(Segment::Known(documents)),
            _ => {}
        }
        let mut index = index - PREFIX_LEN;
        match self.many {
            Some(many) if index == many => return Some(Segment::Many),
            Some(many) if index > many => index -= 1,
            _ => {}
        }
        if let Some(segment) = self.path.get(index) {
            return Some(Segment::Known(segment));
        }
        self.tail.get(index - self.path.len()).copied().flatten()
    }

    /// The index of `Many`.
    fn many_index(&self) -> Option<usize> {
        self.many.map(|many| many + PREFIX_LEN)
    }
}

/// A segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternSegment {
    /// This text.
    Text(Box<str>),
    /// A variable for one segment.
    One,
    /// A variable for several.
    Glob,
}

/// The pattern of a `match`, those around it included.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// Its segments.
    pub segments: Vec<PatternSegment>,
    /// Where its variables are, in order, with their names.
    pub captures: Vec<(usize, Box<str>)>,
    /// The index of the glob.
    pub glob: Option<usize>,
    /// Whether the glob needs a segment (version 1) or may be empty (version 2).
    pub glob_len_min: usize,
}

impl Pattern {
    /// Whether every path of the target matches.
    pub fn matches(&self, target: &Target<'_>) -> bool {
        let (own, theirs) = (self.segments.len(), target.len());
        let Some(glob) = self.glob else {
            return own == theirs && target.many.is_none() && self.pairs(target, 0..own, 0);
        };
        let after = own - glob - 1;
        if theirs < glob + after {
            return false;
        }
        // Segments that are certainly there for the glob: all it covers, `Many` aside.
        let mut certain = theirs - glob - after;
        if let Some(many) = target.many_index() {
            if many < glob || many >= theirs - after {
                return false;
            }
            certain -= 1;
        }
        certain >= self.glob_len_min
            && self.pairs(target, 0..glob, 0)
            && self.pairs(target, glob + 1..own, theirs - after)
    }

    /// Whether these segments of the pattern match those of the target from an index on.
    fn pairs(&self, target: &Target<'_>, own: std::ops::Range<usize>, from: usize) -> bool {
        let segments = self.segments.get(own).unwrap_or_default();
        segments.iter().enumerate().all(|(offset, segment)| match (segment, target.get(from + offset)) {
            (PatternSegment::Text(text), Some(Segment::Known(known))) => **text == *known,
            (PatternSegment::One, Some(Segment::Known(_) | Segment::Any)) => true,
            _ => false,
        })
    }

    /// The value of a variable; the pattern matches the target.
    pub fn capture<'v>(&self, index: usize, target: &Target<'v>) -> Result<Val<'v>, FaultKind<'v>> {
        let Some((position, name)) = self.captures.get(index) else { return Err(FaultKind::NullValue) };
        let unknown =
            || FaultKind::Undetermined(format!("The query does not determine the path variable {name}."));
        let known = |index| match target.get(index) {
            Some(Segment::Known(text)) => Ok(Str::Borrowed(text)),
            _ => Err(unknown()),
        };
        let (own, theirs) = (self.segments.len(), target.len());
        match self.glob {
            Some(glob) if *position == glob => {
                let segments: Result<Vec<Str<'v>>, _> =
                    (glob..theirs - (own - glob - 1)).map(known).collect();
                Ok(Val::Path(segments?.into()))
            }
            Some(glob) if *position > glob => known(theirs - (own - position)).map(Val::Str),
            _ => known(*position).map(Val::Str),
        }
    }
}
