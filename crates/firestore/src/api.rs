//! The protocols: they decode, call a verb and encode, nothing else.

pub mod grpc;
pub mod rest;
pub mod streams;
pub mod webchannel;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use base::Status;

use crate::{Firestore, status};

/// All routes of the service, gRPC and REST on one port. Every request must carry its [`Caller`] as an extension.
pub fn router(firestore: Arc<Firestore>) -> Router {
    let of_listen = Arc::clone(&firestore);
    let listen = move |request: axum::extract::Request| grpc::listen::answer(Arc::clone(&of_listen), request);
    let methods = Router::new()
        .route("/google.firestore.v1.Firestore/Listen", axum::routing::any(listen))
        .route_service("/google.firestore.v1.Firestore/{method}", grpc::service(Arc::clone(&firestore)))
        .layer(axum::middleware::map_response(grpc::too_large_is_exhausted))
        .layer(axum::middleware::map_response(grpc::messages_as_they_are));
    rest::router(firestore).merge(methods)
}

/// The caller that the front door has put with a request. Its absence is a fault of ours, never a default.
fn caller(extensions: &http::Extensions) -> Result<Caller, Status> {
    extensions.get::<Caller>().cloned().ok_or_else(status::no_caller)
}
