//! Sending: what has come together since the last time, as whole commits, and the snapshot that says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::{DocumentPath, Status};
use kv::Version;
use wire::v1::target_change::TargetChangeType;

use super::pump::Pump;
use super::state::Phase;
use crate::listen::Response;
use crate::listen::hub::Cut;
use crate::listen::image::Image;
use crate::listen::outbox::Change;
use crate::listen::target::Asked;
use crate::listen::window::Left;

/// A document that is to be sent, and to which targets.
struct Outgoing {
    image: Arc<Image>,
    targets: BTreeMap<i32, bool>,
}

// What a delivery seldom needs is boxed: the rest of it stays small.
impl Pump {
    /// Sends everything up to a version that every target has reached, and a snapshot if all targets are complete.
    pub(super) async fn cut(&mut self) -> Result<(), Status> {
        let loaded = self.load_windows().await?;
        let settled = self.targets.values().filter_map(|target| match target.phase {
            Phase::Settling(at) => Some(at),
            _ => None,
        });
        let settled = settled.max().unwrap_or_default();
        if settled.max(loaded) > self.sent {
            Box::pin(self.reached(settled.max(loaded))).await?;
        }
        let new = self.targets.iter().filter(|(_, target)| matches!(target.phase, Phase::Settling(_)));
        let new: Vec<i32> = new.map(|(id, _)| *id).collect();
        let cut = self.take_cut(&new);
        if cut.taken.overflowed {
            self.start_over();
            return Ok(());
        }
        // Commits of this cut may have taken grants away.
        self.decide_stale(false).await?;
        let Cut { at, taken, windows } = cut;
        let mut is_complete = true;
        let mut outgoing: Vec<Outgoing> = Vec::new();
        self.decide_documents(&taken.documents.values().collect::<Vec<_>>()).await?;
        for Change { image, mut targets } in taken.documents.into_values() {
            let is_new = |id: &i32| self.targets.get(id).is_none_or(|target| target.loaded < image.version);
            targets.retain(|id, _| is_new(id));
            if !targets.is_empty() {
                outgoing.push(Outgoing { image, targets });
            }
        }
        for (id, window) in windows {
            match window {
                Some((images, left)) => self.show_window(id, images, &left, at, &mut outgoing),
                None => {
                    // Commits keep taking it apart; the snapshot waits for it.
                    is_complete = false;
                    self.outbox.retry(id);
                }
            }
        }
        self.send(outgoing, at).await?;
        self.settle(at, is_complete);
        Ok(())
    }

    /// Has new states of documents decided, for the targets that name them.
    async fn decide_documents(&mut self, changes: &[&Change]) -> Result<(), Status> {
        let mut images: BTreeMap<i32, Vec<Arc<Image>>> = BTreeMap::new();
        for change in changes {
            for id in change.targets.keys() {
                let asked = self.targets.get(id).map(|target| &target.asked);
                if matches!(asked, Some(Asked::Documents(_))) {
                    images.entry(*id).or_default().push(Arc::clone(&change.image));
                }
            }
        }
        for (id, images) in images {
            if let Err(status) = Box::pin(self.decide_images(id, &images)).await {
                self.lose(id, status)?;
            }
        }
        Ok(())
    }

    /// What a window shows now and did not before, and the other way round.
    fn show_window(
        &mut self,
        id: i32,
        images: Vec<Arc<Image>>,
        left: &Left,
        at: Version,
        outgoing: &mut Vec<Outgoing>,
    ) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let mut before = std::mem::take(&mut target.shown);
        for image in images {
            target.shown.insert(image.path.clone(), image.version);
            if before.remove(&image.path) != Some(image.version) {
                outgoing.push(Outgoing { image, targets: BTreeMap::from([(id, true)]) });
            }
        }
        let Ok(database) = self.database().cloned() else { return };
        for path in before.into_keys() {
            match left.get(&path) {
                Some(image) => {
                    let image = Arc::clone(image);
                    outgoing.push(Outgoing { image, targets: BTreeMap::from([(id, false)]) });
                }
                // It is as it was, and others stand before it.
                None => self.ready.push_back(Response::remove(path.name_in(&database), vec![id], at)),
            }
        }
    }

    async fn send(&mut self, outgoing: Vec<Outgoing>, at: Version) -> Result<(), Status> {
        let left = outgoing.iter().filter(|outgoing| {
            outgoing.image.stored.is_some() && outgoing.targets.values().all(|is_in| !is_in)
        });
        let left: Vec<_> = left.map(|outgoing| Arc::clone(&outgoing.image)).collect();
        let may = if left.is_empty() { HashMap::new() } else { Box::pin(self.may_get(&left)).await? };
        for Outgoing { image, targets } in outgoing {
            let (mut plain, mut out) = (Vec::new(), Vec::new());
            for (id, is_in) in targets {
                let Some(target) = self.targets.get(&id) else { continue };
                if !is_in || image.stored.is_none() {
                    out.push(id);
                    continue;
                }
                let query = target.query().filter(|query| query.projection.is_some() || target.is_literal);
                let Some(query) = query.cloned() else {
                    plain.push(id);
                    continue;
                };
                if target.is_literal && !Box::pin(self.check_literal(id, &query, &image)).await? {
                    continue;
                }
                if query.projection.is_none() {
                    plain.push(id);
                } else if let Some(document) = image.document(Some(&query))? {
                    self.ready.push_back(Response::change(document, vec![id], Vec::new()));
                }
            }
            match image.document(None)? {
                None if out.is_empty() => {}
                None => self.ready.push_back(Response::delete(image.name(), out, at)),
                Some(document) if !plain.is_empty() => {
                    self.ready.push_back(Response::change(document, plain, out));
                }
                Some(_) if out.is_empty() => {}
                Some(_) => self.push_left(&image, out, &may, at)?,
            }
        }
        Ok(())
    }

    /// A document that has left targets and is in none of those that show it: as it is now, if its caller may get it; else
    /// only that it has left.
    pub(super) fn push_left(
        &mut self,
        image: &Image,
        out: Vec<i32>,
        may: &HashMap<DocumentPath, bool>,
        at: Version,
    ) -> Result<(), Status> {
        let may_get = may.get(&image.path).copied().unwrap_or(false);
        let response = match image.document(None)?.filter(|_| may_get) {
            Some(document) => Response::change(document, Vec::new(), out),
            None => Response::remove(image.name(), out, at),
        };
        self.ready.push_back(response);
        Ok(())
    }

    /// Targets that have been loaded are complete; and if all are, everything up to the version has been said.
    fn settle(&mut self, at: Version, is_complete: bool) {
        let token = self.service.listeners.tokens.issue(at);
        let mut once = Vec::new();
        for (id, target) in &mut self.targets {
            if !is_complete || !matches!(target.phase, Phase::Settling(_)) {
                continue;
            }
            target.phase = Phase::Current;
            self.ready.push_back(Response::seen(TargetChangeType::Current, vec![*id], at, token.clone()));
            once.extend(target.once.then_some(*id));
        }
        if !is_complete || self.targets.is_empty() {
            return;
        }
        self.sent = self.sent.max(at);
        self.snapshot_was_sent();
        let at = self.sent;
        self.ready.push_back(Response::seen(TargetChangeType::NoChange, Vec::new(), at, token));
        for id in once {
            self.remove(id);
            self.ready.push_back(Response::target(TargetChangeType::Remove, id));
        }
    }
}
