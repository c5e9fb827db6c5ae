//! The Rules API: rules that are deployed. Admin SDKs that are sent to Firestore's port ask for it there.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use base::Status;
use deploy::{Deploy, Restored};

use super::{Addresses, Callers, Part, Row, Service, Socket};

pub static ROW: Row = Row {
    name: "deploy",
    part: Part::Product,
    socket: Socket::Beside("firestore"),
    callers: Callers::Found,
    feed: false,
    variables: &[],
    rules: None,
    portable: None,
    open: |ground| Box::new(RulesApi(Deploy::new(ground.gate.clone(), &ground.project))),
};

struct RulesApi(Arc<Deploy>);

#[async_trait]
impl Service for RulesApi {
    fn routes(&self, _: &Addresses) -> Router {
        deploy::api::router(Arc::clone(&self.0))
    }

    async fn restore(&self) -> Result<Option<Restored>, Status> {
        self.0.restore().await
    }
}
