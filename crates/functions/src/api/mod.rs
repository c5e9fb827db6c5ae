//! The gateway: requests of clients, handed to the functions.

mod answer;
mod gateway;
mod headers;
mod publish;
mod pubsub;

pub use gateway::router;
pub use headers::new_trace;
