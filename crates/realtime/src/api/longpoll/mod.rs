//! `GET /.lp`: a connection over requests that scripts of a page make, and its way to a WebSocket.
//!
//! [`routes`] reads requests, [`sessions`] finds their session, [`session`] is one, [`segments`] and [`script`] are its two
//! directions, [`upgrade`] is how a WebSocket takes over.
//!
//! Invariants: responses are numbered without gaps; of several polls of one session only the newest waits; a session whose
//! client has no poll open ends after a while, and with it runs what it left for its end.
//!
//! Source: `BrowserPollConnection.ts` of firebase-js-sdk.

pub mod routes;
pub mod script;
pub mod segments;
mod session;
pub mod sessions;
pub mod upgrade;
