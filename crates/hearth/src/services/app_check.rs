//! App Check: the API that SDKs exchange attestations at, and that administrators set enforcement with.

use std::sync::Arc;

use attest::AppCheck;
use axum::Router;

use super::{Addresses, Callers, Part, Row, Service, Socket, Work};

pub static ROW: Row = Row {
    name: "appcheck",
    part: Part::Product,
    socket: Socket::Beside("auth"),
    callers: Callers::Found,
    feed: false,
    variables: &[],
    rules: None,
    portable: None,
    open: |ground| Box::new(Api(Arc::clone(&ground.app_check))),
};

struct Api(Arc<AppCheck>);

impl Service for Api {
    fn routes(&self, _: &Addresses) -> Router {
        attest::api::router(Arc::clone(&self.0))
    }

    fn work(&self) -> Option<Work> {
        Some(Box::pin(Arc::clone(&self.0).run()))
    }
}
