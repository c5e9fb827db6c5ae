//! The gateway: requests of clients, handed to the functions.

mod answer;
mod gateway;
mod headers;

pub use gateway::router;
pub use headers::new_trace;
