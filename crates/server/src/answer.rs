//! What answers a listener's requests: the routes, and what goes around them.
//!
//! An axum layer is cloned with every request, and with it everything inside; six of them around each other cost a tenth of
//! a small read. What goes around all routes is therefore built of this trait, which needs no clones and no boxes.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::Response;
use base::limits::REQUEST_BYTES_MAX;
use tower::ServiceExt;

/// Answers requests.
pub trait Answer: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// Routes whose handlers read no body beyond [`REQUEST_BYTES_MAX`].
pub struct Routes(Router);

impl From<Router> for Routes {
    fn from(routes: Router) -> Self {
        Self(routes.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)))
    }
}

impl Answer for Routes {
    async fn answer(&self, request: Request) -> Response {
        let Ok(response) = self.0.clone().oneshot(request).await;
        response
    }
}
