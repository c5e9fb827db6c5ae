//! The long-polling sessions in use: found by their ids, bounded in number and memory.

use std::collections::HashMap;
use std::sync::Arc;

use base::id::alphanumeric;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::session::Session;
use crate::api::seats::{POLLS, Seat, Seats};
use crate::ops::{Connection, Outgoing};

/// Characters of a session's id and of its password: 131 bits each, so that neither is guessed.
const ID_CHARS: usize = 22;

/// The sessions in use.
pub struct Sessions {
    seats: Arc<Seats>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_id: HashMap<String, Arc<Session>>,
    /// By the id that the connection behind has, which the client shows when a WebSocket takes over.
    by_connection: HashMap<String, Arc<Session>>,
}

/// What the client of a new session shows with each poll.
pub struct Names {
    /// The session's id.
    pub id: String,
    /// Its password.
    pub password: String,
}

impl Sessions {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { seats: Seats::new(POLLS), open: Mutex::default() })
    }

    /// The seats they sit on.
    pub fn seats(&self) -> &Arc<Seats> {
        &self.seats
    }

    /// Opens a session; `Err` is the connection, when no id can be made.
    pub fn open(
        self: &Arc<Self>,
        seat: Seat,
        namespace: String,
        connection: Connection,
        outgoing: Outgoing,
        ending: watch::Receiver<bool>,
    ) -> Result<Names, Box<Connection>> {
        let (Ok(id), Ok(password)) = (alphanumeric(ID_CHARS), alphanumeric(ID_CHARS)) else {
            return Err(Box::new(connection));
        };
        let names = Names { id, password };
        let session = Session::new(namespace, names.password.clone(), outgoing, seat);
        let (id, of_connection) = (names.id.clone(), connection.id().to_owned());
        {
            let mut open = self.open.lock();
            open.by_id.insert(id.clone(), Arc::clone(&session));
            open.by_connection.insert(of_connection.clone(), Arc::clone(&session));
        }
        let sessions = Arc::clone(self);
        tokio::spawn(async move {
            session.live(connection, ending).await;
            let mut open = sessions.open.lock();
            open.by_id.remove(&id);
            open.by_connection.remove(&of_connection);
        });
        Ok(names)
    }

    /// The session with this id, for whoever knows its password.
    pub fn find(&self, id: &str, password: &str) -> Option<Arc<Session>> {
        let session = self.open.lock().by_id.get(id).cloned()?;
        session.is_password(password).then_some(session)
    }

    /// The session with this connection behind it.
    pub fn with_connection(&self, id: &str) -> Option<Arc<Session>> {
        self.open.lock().by_connection.get(id).cloned()
    }
}
