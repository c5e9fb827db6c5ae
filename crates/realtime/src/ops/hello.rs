//! What a client says when it connects.

use access::{Attestation, ForeignOrigin};

/// What a client says when it connects.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    /// The database.
    pub namespace: String,
    /// The host that it asked for: where it is to come again.
    pub host: String,
    /// The session that it had before.
    pub last_session: Option<String>,
    /// What the request's head says of the app.
    pub app: Attestation,
    /// An App Check token that came otherwise: it counts instead.
    pub app_token: Option<String>,
    /// The web page from elsewhere that it is of.
    pub foreign: Option<ForeignOrigin>,
}
