//! The sessions that are open, by their ids: a client that comes again ends the one it had.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Open sessions.
#[derive(Default)]
pub struct Sessions {
    open: Arc<Mutex<HashMap<String, Entry>>>,
}

struct Entry {
    end: Arc<Notify>,
    ended: watch::Receiver<bool>,
}

/// An open session. Dropped, it is not open any more.
pub struct Place {
    id: String,
    open: Arc<Mutex<HashMap<String, Entry>>>,
    /// Woken when it is to end.
    pub end: Arc<Notify>,
    ended: watch::Sender<bool>,
}

impl Sessions {
    /// Takes a session in.
    pub fn open(&self, id: &str) -> Place {
        let (ended, when_ended) = watch::channel(false);
        let end = Arc::new(Notify::new());
        self.open.lock().insert(id.to_owned(), Entry { end: Arc::clone(&end), ended: when_ended });
        Place { id: id.to_owned(), open: Arc::clone(&self.open), end, ended }
    }

    /// Whether a session is open.
    pub fn is_live(&self, id: &str) -> bool {
        self.open.lock().contains_key(id)
    }

    /// Ends a session and waits until it has ended. Nothing when it is not open.
    pub async fn end(&self, id: &str) {
        let ended = {
            let open = self.open.lock();
            let Some(entry) = open.get(id) else { return };
            entry.end.notify_one();
            entry.ended.clone()
        };
        let mut ended = ended;
        // An error says that it is gone, too.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().remove(&self.id);
        self.ended.send_replace(true);
    }
}
