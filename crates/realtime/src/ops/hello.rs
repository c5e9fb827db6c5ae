//! What a client says when it connects.

use access::{ClientAddress, ForeignOrigin};

/// What a client says when it connects.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    /// The database.
    pub namespace: String,
    /// The host that it asked for: where it is to come again.
    pub host: String,
    /// The session that it had before.
    pub last_session: Option<String>,
    /// A token of App Check.
    pub app_check: Option<String>,
    /// A bearer token of the request that opened the connection.
    pub bearer: Option<String>,
    /// What it says that it is.
    pub user_agent: String,
    /// Where it comes from.
    pub address: Option<ClientAddress>,
    /// The web page from elsewhere that it is of.
    pub foreign: Option<ForeignOrigin>,
}
