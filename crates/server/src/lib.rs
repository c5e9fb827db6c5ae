//! The fifth floor: sockets. Accepts, tells HTTP/1 from HTTP/2 (gRPC) on one port, bounds what comes in, answers CORS,
//! finds the caller, and hands requests to the services' routers.
//!
//! Invariants: no service sees a request without a caller (or an answer that says why not); no request is unbounded in
//! size or time; a panic in a handler ends one request, not the process; a stop lets what is in flight finish.

mod address;
mod answer;
mod app;
mod budget;
mod caller;
mod connections;
mod cors;
mod delivery;
mod foreign;
mod frames;
mod guard;
mod host;
pub mod hub;
mod lane;
mod limits;
mod linger;
mod listener;
mod pace;
mod private;
mod refusal;
mod streamed;
mod tls;
mod unix;

pub use address::{TrustedProxy, with_client_address};
pub use answer::{Answer, Routes};
pub use app::with_app;
pub use caller::with_caller;
pub use cors::with_cors;
pub use foreign::{Local, Share, with_local_admins, with_local_hosts};
pub use guard::guarded;
pub use host::with_google_hosts;
pub use limits::Limits;
pub use listener::{Bound, Listening, bind};
pub use private::{PrivateListening, listen_private};
pub use streamed::{patient, streamed};
pub use tls::{Tls, TlsError};
pub use unix::{SystemUser, UnixListening, ask_unix, listen_unix};
