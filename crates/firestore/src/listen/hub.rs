//! Where commits meet those who listen.
//!
//! One task takes commits in, in their order; streams register, and take out what has come together for them. A commit is
//! taken in under one lock, so that nobody sees a part of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use access::keyspace::DOCUMENTS;
use base::{DatabaseName, DocumentPath, Fields, Status};
use kv::{Change, Key, Row, RowChange, Version};
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use super::image::Image;
use super::interest::{Interest, ViewId};
use super::outbox::{Outbox, Taken};
use super::view::{Listener, Listeners, Loaded, View};
use super::window::{Outcome, Shown, Touch, Window};
use crate::model::{Stored, key};
use crate::query::Query;

/// Rows of one commit that listeners follow one by one. After a larger one everything is found again.
const COMMIT_ROWS_MAX: usize = 20_000;

/// Bytes of the documents of all windows.
const WINDOWS_BYTES_MAX: usize = 256 << 20;

/// Bytes of the results that are kept for who asks the same. They are kept until a commit touches them, or nobody listens.
const LOADED_BYTES_MAX: usize = 32 << 20;

/// Where commits meet those who listen.
pub struct Hub {
    state: RwLock<State>,
    processed: watch::Sender<Version>,
    /// Somebody began to listen.
    attention: Notify,
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    processed: Version,
    listeners: usize,
    /// The number of the last view.
    view: ViewId,
    /// The number of the last listener.
    listener: u64,
    views: HashMap<ViewId, View>,
    by_query: HashMap<Arc<[u8]>, ViewId>,
    interest: Interest,
    documents: HashMap<Key, Listeners>,
    /// Of all windows.
    window_bytes: usize,
    /// Of all results that are kept.
    loaded_bytes: usize,
}

/// A place among those who listen, until it is dropped.
pub struct Registration {
    hub: Arc<Hub>,
    outbox: Arc<Outbox>,
    target: i32,
    /// Its number.
    number: u64,
    to: To,
}

enum To {
    Documents(Vec<Key>),
    View { id: ViewId, query: Arc<Query>, key: Arc<[u8]> },
}

/// Everything up to a version that a stream has not heard of yet.
pub struct Cut {
    /// The version.
    pub at: Version,
    /// What waited.
    pub taken: Taken,
    /// The windows that were asked for or have changed; `None` for one that must be loaded.
    pub windows: BTreeMap<i32, Option<Shown>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: RwLock::default(),
            processed: watch::Sender::new(Version::ZERO),
            attention: Notify::new(),
            all_bytes: Arc::default(),
        }
    }
}

impl Hub {
    /// An outbox for a stream.
    pub fn outbox(&self) -> Arc<Outbox> {
        Outbox::new(Arc::clone(&self.all_bytes))
    }

    /// Listens to documents. `head` is the newest version of the store.
    pub fn listen_to_documents(
        self: &Arc<Self>,
        head: Version,
        listener: Listener,
        keys: Vec<Key>,
    ) -> Registration {
        let mut state = self.state.write();
        let number = self.begin(&mut state, head);
        for key in &keys {
            state.documents.entry(key.clone()).or_default().insert(number, listener.clone());
        }
        self.registered(listener, number, To::Documents(keys))
    }

    /// Listens to a query. `head` is the newest version of the store.
    pub fn listen_to_query(
        self: &Arc<Self>,
        head: Version,
        listener: Listener,
        (database, query, key): (&DatabaseName, &Arc<Query>, &Arc<[u8]>),
    ) -> Registration {
        let mut state = self.state.write();
        let number = self.begin(&mut state, head);
        let state = &mut *state;
        let id = *state.by_query.entry(Arc::clone(key)).or_insert_with(|| {
            state.view += 1;
            let places = state.interest.add(database, query, state.view);
            let view = View::new(database.clone(), Arc::clone(query), Arc::clone(key), places);
            state.views.insert(state.view, view);
            state.view
        });
        let (mut query, mut key) = (Arc::clone(query), Arc::clone(key));
        if let Some(view) = state.views.get_mut(&id) {
            view.listeners.insert(number, listener.clone());
            (query, key) = (Arc::clone(&view.query), Arc::clone(&view.key));
        }
        self.registered(listener, number, To::View { id, query, key })
    }

    fn begin(&self, state: &mut State, head: Version) -> u64 {
        if state.listeners == 0 {
            // What was committed while nobody listened is of no interest: whoever comes reads what is there.
            state.processed = state.processed.max(head);
            self.processed.send_replace(state.processed);
            self.attention.notify_one();
        }
        state.listeners += 1;
        state.listener += 1;
        state.listener
    }

    fn registered(self: &Arc<Self>, listener: Listener, number: u64, to: To) -> Registration {
        let Listener { outbox, target } = listener;
        Registration { hub: Arc::clone(self), outbox, target, number, to }
    }

    /// Whether nobody listens: then commits need not be taken in.
    pub fn is_idle(&self) -> bool {
        self.state.read().listeners == 0
    }

    /// Waits until somebody listens.
    pub async fn attention(&self) {
        self.attention.notified().await;
    }

    /// Up to where commits have been taken in.
    pub fn processed(&self) -> Version {
        self.state.read().processed
    }

    /// Waits until commits up to a version have been taken in.
    pub async fn reached(&self, version: Version) {
        let mut processed = self.processed.subscribe();
        // The sender lives as long as this.
        let _ = processed.wait_for(|processed| *processed >= version).await;
    }

    /// Takes in a commit.
    pub fn apply(&self, change: &Change) {
        let mut woken: Vec<Arc<Outbox>> = Vec::new();
        {
            let mut state = self.state.write();
            if change.version <= state.processed {
                return;
            }
            if change.rows.len() > COMMIT_ROWS_MAX {
                state.lose_all(change.version, &mut woken);
            } else {
                for row in change.rows.iter().filter(|row| row.key.keyspace() == DOCUMENTS) {
                    if let Err(status) = state.apply(row, change.version, &mut woken) {
                        tracing::error!(key = %row.key, %status, "a change could not be followed");
                        state.lose_all(change.version, &mut woken);
                    }
                }
            }
            state.processed = change.version;
            self.processed.send_replace(change.version);
        }
        woken.iter().for_each(|outbox| access::Holder::wake(&**outbox));
    }

    /// Goes to a version without the commits up to it: everybody must find again what has changed.
    pub fn skip_to(&self, version: Version) {
        let mut woken: Vec<Arc<Outbox>> = Vec::new();
        {
            let mut state = self.state.write();
            state.lose_all(version, &mut woken);
            state.processed = state.processed.max(version);
            self.processed.send_replace(state.processed);
        }
        woken.iter().for_each(|outbox| access::Holder::wake(&**outbox));
    }

    /// Every stream that listens.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        let mut all = HashMap::new();
        let state = self.state.read();
        state.each_outbox(|outbox| {
            all.insert(Arc::as_ptr(outbox), Arc::clone(outbox));
        });
        all.into_values().collect()
    }

    /// Takes out what waits for a stream: everything up to a version that every target has reached. `windows` are targets
    /// whose window is wanted in any case.
    pub fn cut(&self, outbox: &Outbox, windows: &BTreeMap<i32, ViewId>, wanted: &[i32]) -> Cut {
        let state = self.state.read();
        let taken = outbox.take();
        let shown =
            windows.iter().filter(|(target, _)| taken.windows.contains(target) || wanted.contains(target));
        let shown = shown.map(|(target, id)| {
            let window = state.views.get(id).and_then(|view| view.window.as_ref());
            (*target, window.and_then(|window| window.visible(state.processed)))
        });
        Cut { at: state.processed, windows: shown.collect(), taken }
    }

    /// Whether so many bytes more can be kept for windows.
    pub fn has_room_for_window(&self, bytes: usize) -> bool {
        self.state.read().window_bytes.saturating_add(bytes) <= WINDOWS_BYTES_MAX
    }

    /// Whether the window of a view must be loaded.
    pub fn is_window_unknown(&self, view: ViewId) -> bool {
        let state = self.state.read();
        let window = state.views.get(&view).and_then(|view| view.window.as_ref());
        window.is_some_and(Window::is_unknown)
    }

    /// The result of a view, if it was loaded and is as it was then at this version, up to which commits have been taken in.
    pub fn loaded(&self, view: ViewId, at: Version) -> Option<Arc<Vec<Arc<Image>>>> {
        let state = self.state.read();
        let loaded = state.views.get(&view)?.loaded.as_ref()?;
        (loaded.at <= at && at <= state.processed).then(|| Arc::clone(&loaded.images))
    }

    /// Keeps a result that was loaded at a version, if no later commit has touched it and there is room.
    pub fn keep_loaded(&self, view: ViewId, at: Version, images: Vec<Arc<Image>>, bytes: usize) {
        let mut state = self.state.write();
        let state = &mut *state;
        let Some(view) = state.views.get_mut(&view) else { return };
        state.loaded_bytes -= view.loaded.take().map_or(0, |loaded| loaded.bytes);
        if view.touched <= at && state.loaded_bytes.saturating_add(bytes) <= LOADED_BYTES_MAX {
            state.loaded_bytes += bytes;
            view.loaded = Some(Loaded { at, images: Arc::new(images), bytes });
        }
    }

    /// Takes in a window that was loaded at a version. Returns whether it is known now.
    pub fn load_window(&self, view: ViewId, at: Version, found: Vec<Arc<Image>>) -> Result<bool, Status> {
        let mut state = self.state.write();
        let state = &mut *state;
        let Some(view) = state.views.get_mut(&view) else { return Ok(true) };
        let mut entries = BTreeMap::new();
        for image in found {
            let fields = image.fields()?.unwrap_or_default();
            if let Some(position) = view.position(&image.path, &fields) {
                entries.insert(position, image);
            }
        }
        let Some(window) = &mut view.window else { return Ok(true) };
        let before = window.bytes();
        let is_known = window.load(at, entries);
        state.window_bytes = (state.window_bytes + window.bytes()).saturating_sub(before);
        Ok(is_known)
    }
}

impl State {
    /// What commits have changed is not followed: everybody finds it again.
    fn lose_all(&mut self, version: Version, woken: &mut Vec<Arc<Outbox>>) {
        self.views
            .values_mut()
            .filter_map(|view| view.window.as_mut())
            .for_each(|window| window.lose(version));
        self.window_bytes = 0;
        self.loaded_bytes = 0;
        for view in self.views.values_mut() {
            (view.loaded, view.touched) = (None, version);
        }
        self.each_outbox(|outbox| woken.extend(outbox.overflow().then(|| Arc::clone(outbox))));
    }

    fn each_outbox(&self, mut each: impl FnMut(&Arc<Outbox>)) {
        let of_views = self.views.values().flat_map(|view| view.listeners.values());
        let of_documents = self.documents.values().flat_map(Listeners::values);
        of_views.chain(of_documents).for_each(|listener| each(&listener.outbox));
    }

    fn apply(
        &mut self,
        row: &RowChange,
        version: Version,
        woken: &mut Vec<Arc<Outbox>>,
    ) -> Result<(), Status> {
        let Some((database, path)) = key::decode(&row.key) else { return Ok(()) };
        let listeners = self.documents.get(&row.key);
        let is_near = self.interest.is_near(&database, &path);
        if listeners.is_none() && !is_near {
            return Ok(());
        }
        let before = row.before.as_ref().map(Stored::from_row).transpose()?;
        let after = row.after.clone().map(|value| Row { key: row.key.clone(), value, version });
        // Whoever does not read must not keep the whole commit in memory.
        let after = after.as_ref().map(Stored::from_row).transpose()?.map(Stored::detached);
        let image = Arc::new(Image::new(database, path, after, version));
        let key = row.key.detached();
        for Listener { outbox, target } in listeners.into_iter().flat_map(Listeners::values) {
            woken.extend(outbox.push(&key, &image, *target, true).then(|| Arc::clone(outbox)));
        }
        if is_near {
            let before = before.map(|stored| stored.fields()).transpose()?;
            let after = image.fields()?;
            self.apply_to_views(&key, [before.as_ref(), after.as_ref()], &image, woken);
        }
        Ok(())
    }

    fn apply_to_views(
        &mut self,
        key: &Key,
        [before, after]: [Option<&Fields>; 2],
        image: &Arc<Image>,
        woken: &mut Vec<Arc<Outbox>>,
    ) {
        for id in self.interest.of(&image.database, &image.path, [before, after]) {
            let Some(view) = self.views.get_mut(&id) else { continue };
            let position = |fields: Option<&Fields>, path: &DocumentPath| {
                fields.and_then(|fields| view.position(path, fields))
            };
            let (before, after) = (position(before, &image.path), position(after, &image.path));
            if before.is_none() && after.is_none() {
                continue;
            }
            view.touched = image.version;
            if view.loaded.as_ref().is_some_and(|loaded| loaded.at < image.version) {
                self.loaded_bytes -= view.loaded.take().map_or(0, |loaded| loaded.bytes);
            }
            let is_in = after.is_some();
            let shows = match &mut view.window {
                None => true,
                Some(window) => {
                    let touch = Touch { before, after, image: Arc::clone(image) };
                    let before = window.bytes();
                    let outcome = window.touch(touch);
                    self.window_bytes = (self.window_bytes + window.bytes()).saturating_sub(before);
                    if outcome == Outcome::Same {
                        continue;
                    }
                    false
                }
            };
            for Listener { outbox, target } in view.listeners.values() {
                let wakes =
                    if shows { outbox.push(key, image, *target, is_in) } else { outbox.window(*target) };
                woken.extend(wakes.then(|| Arc::clone(outbox)));
            }
        }
    }
}

impl Registration {
    /// The query that it listens to and what that is known by, shared with all who do; `None` for documents.
    pub fn query(&self) -> Option<(&Arc<Query>, &Arc<[u8]>)> {
        match &self.to {
            To::Documents(_) => None,
            To::View { query, key, .. } => Some((query, key)),
        }
    }

    /// The view that it listens to; `None` for documents.
    pub fn view(&self) -> Option<ViewId> {
        match &self.to {
            To::Documents(_) => None,
            To::View { id, .. } => Some(*id),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.state.write();
        let state = &mut *state;
        state.listeners = state.listeners.saturating_sub(1);
        match &self.to {
            To::Documents(keys) => {
                for key in keys {
                    let Some(listeners) = state.documents.get_mut(key) else { continue };
                    listeners.remove(&self.number);
                    if listeners.is_empty() {
                        state.documents.remove(key);
                    }
                }
            }
            To::View { id, .. } => {
                let Some(view) = state.views.get_mut(id) else { return };
                view.listeners.remove(&self.number);
                if view.listeners.is_empty()
                    && let Some(view) = state.views.remove(id)
                {
                    state.loaded_bytes -= view.loaded.as_ref().map_or(0, |loaded| loaded.bytes);
                    state.window_bytes =
                        state.window_bytes.saturating_sub(view.window.map_or(0, |window| window.bytes()));
                    state.interest.remove(&view.database, &view.query, &view.places, *id);
                    state.by_query.remove(&view.key);
                }
            }
        }
        self.outbox.forget(self.target);
    }
}
