//! The ground floor: the nouns every room shares. Values and their order, names and paths, time,
//! status codes, ids, limits. No I/O beyond the system clock and the system's randomness, no
//! protocol, no policy.

pub mod clock;
pub mod field;
pub mod id;
pub mod key;
pub mod limits;
pub mod name;
pub mod order;
pub mod status;
pub mod time;
pub mod value;

pub use clock::{Clock, ManualClock, SystemClock};
pub use field::FieldPath;
pub use name::{DatabaseName, DocumentPath, ResourcePath};
pub use status::{Code, Status};
pub use time::Timestamp;
pub use value::{Fields, GeoPoint, Value};
