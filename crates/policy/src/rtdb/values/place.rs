//! Places of the database while rules run: which there are, and what is at them once somebody looks.

use super::super::tree::Tree;
use super::{Context, leaf};
use crate::dialect::Dialect;
use crate::meter::Meter;
use crate::value::{FaultKind, Str, Val};

/// A place in the database, in one of its states: before or after the operation.
pub struct Frame<'v> {
    /// `u32::MAX` is none.
    pub(super) parent: u32,
    /// Whether `tree` is known. Nothing is looked for before a rule wants it.
    found: bool,
    key: Str<'v>,
    /// What is there; `None` is null.
    tree: Option<&'v dyn Tree>,
}

/// Places held at once for which a decision allocates nothing.
pub const FRAMES_USUAL: usize = 8;
/// No place.
pub const NONE: u32 = u32::MAX;

/// The keys from the root to a rule: along the operation's path, or wherever validation has gone.
#[derive(Default)]
pub struct RulePath<'v> {
    path: &'v [&'v str],
    len: usize,
    further: Vec<&'v str>,
}

impl<'v> RulePath<'v> {
    /// Begins at the root, along a path.
    pub fn begin(&mut self, path: &'v [&'v str]) {
        *self = Self { path, len: 0, further: Vec::new() };
    }

    /// One key further along the path.
    pub fn advance(&mut self) {
        self.len += 1;
    }

    /// How many keys along the path.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Somewhere else along the path.
    pub fn go_to(&mut self, len: usize) {
        self.len = len;
    }

    /// One key further, beside the path.
    pub fn push(&mut self, key: &'v str) {
        self.further.push(key);
    }

    /// Back again.
    pub fn pop(&mut self) {
        self.further.pop();
    }

    pub(super) fn get(&self, index: usize) -> Option<&'v str> {
        if index < self.len {
            self.path.get(index).copied()
        } else {
            self.further.get(index - self.len).copied()
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &'v str> {
        let along = self.path.get(..self.len).unwrap_or_default();
        along.iter().chain(&self.further).copied()
    }
}

impl<'v> Context<'v> {
    /// A place without a parent: the root, before or after.
    pub fn push_root(&mut self, tree: Option<&'v dyn Tree>) -> u32 {
        self.push(Frame { parent: NONE, found: true, key: Str::Borrowed(""), tree })
    }

    fn push(&mut self, frame: Frame<'v>) -> u32 {
        self.frames.push(frame);
        u32::try_from(self.frames.len() - 1).unwrap_or(NONE)
    }

    /// The child of a place.
    pub fn child(&mut self, parent: u32, key: Str<'v>) -> u32 {
        self.push(Frame { parent, found: false, key, tree: None })
    }

    pub(super) fn frame(&self, frame: u32) -> Option<&Frame<'v>> {
        self.frames.get(frame as usize)
    }

    /// What is at a place.
    pub fn tree(&mut self, frame: u32) -> Option<&'v dyn Tree> {
        loop {
            let here = self.frame(frame)?;
            if here.found {
                return here.tree;
            }
            // The highest place that is not known yet; its parent is. Ways are short.
            let mut highest = frame;
            let above = loop {
                let parent = self.frame(highest)?.parent;
                match self.frame(parent) {
                    Some(above) if above.found => break above.tree,
                    Some(_) => highest = parent,
                    None => break None,
                }
            };
            let highest = self.frames.get_mut(highest as usize)?;
            highest.tree = above.and_then(|above| above.child(highest.key.as_str()));
            highest.found = true;
        }
    }

    /// What is at a place. Whoever wants to know is dependent on it.
    pub(super) fn look(&mut self, frame: u32) -> Option<&'v dyn Tree> {
        if let Some(looked_at) = &mut self.looked_at {
            looked_at.push(frame);
        }
        self.tree(frame)
    }

    /// What is at a place that was perhaps never looked at.
    fn peek(&self, frame: u32) -> Option<&'v dyn Tree> {
        let mut keys = Vec::new();
        let mut at = self.frame(frame)?;
        while !at.found {
            keys.push(at.key.as_str());
            at = self.frame(at.parent)?;
        }
        keys.into_iter().rev().try_fold(at.tree?, |tree, key| tree.child(key))
    }

    /// The path of a place, `/a/b`.
    pub fn place(&self, frame: u32) -> String {
        let mut keys = Vec::new();
        let mut at = self.frame(frame);
        while let Some(frame) = at {
            if frame.parent != NONE {
                keys.push(frame.key.as_str());
            }
            at = self.frame(frame.parent);
        }
        keys.reverse();
        format!("/{}", keys.join("/"))
    }

    /// Appends a place as people read it: with what is there, unless there is more below it.
    pub(super) fn push_shown(&self, out: &mut String, frame: u32) {
        out.push_str(&self.place(frame));
        let tree = self.peek(frame);
        if tree.is_some_and(|tree| !tree.is_known()) {
            return;
        }
        let value = match tree.map(<dyn Tree>::leaf) {
            Some(None) => return,
            Some(Some(value)) => leaf(value),
            None => Val::Null,
        };
        out.push_str(" = ");
        self.show(out, &value);
    }

    /// The place that a relative path leads to.
    pub(super) fn follow(
        &mut self,
        from: u32,
        path: &Str<'v>,
        meter: &mut Meter<'_>,
    ) -> Result<u32, FaultKind<'v>> {
        meter.work(path.as_str().len())?;
        if !path.as_str().contains('/') {
            return Ok(if path.as_str().is_empty() { from } else { self.child(from, path.clone()) });
        }
        let mut at = from;
        match path {
            Str::Borrowed(path) => {
                for key in path.split('/').filter(|key| !key.is_empty()) {
                    at = self.child(at, Str::Borrowed(key));
                }
            }
            Str::Shared(path) => {
                for key in path.split('/').filter(|key| !key.is_empty()) {
                    at = self.child(at, Str::from(key.to_owned()));
                }
            }
        }
        Ok(at)
    }
}
