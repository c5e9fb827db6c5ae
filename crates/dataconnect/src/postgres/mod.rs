//! PostgreSQL: one that Hearth starts and owns, or one that is there; connections to it, and what each caller may have of them.
//!
//! Invariants:
//! - What Hearth starts listens on a unix socket in a folder of its own, asks for a password that only this user can read, and
//!   ends with Hearth, however that ends.
//! - Statements of clients run as a role that cannot change tables (where the server is ours), within [`STATEMENT_MS_MAX`], and
//!   those of queries in read-only transactions.
//! - No caller has more than half of the connections at once; what waits is bounded in number and time.
//!
//! deadpool keeps prepared statements with each connection and bounds how long one is waited for; bb8 does the second only.

mod binaries;
mod bind;
mod connect;
mod local;
mod pools;
mod shares;

pub use binaries::{Binaries, VERSION_MIN};
pub use bind::Text;
pub use connect::{Access, Roles};
pub use local::{Cluster, Local, StartError};
pub use pools::{Connection, Pools, STATEMENT_MS_MAX, fault_of};
pub use shares::{Shares, Turn};
