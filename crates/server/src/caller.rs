//! Finds out who asks, once per request, before any service sees it.

use std::sync::Arc;

use access::{Attestation, Authenticate, Credential};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use base::Status;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::refusal::refuse;

#[derive(Clone)]
struct Doorman {
    authenticate: Arc<dyn Authenticate>,
    project: Arc<str>,
}

/// Wraps a service's routes: each request carries an [`access::Caller`] in its extensions, or is answered here.
pub fn with_caller(routes: Router, authenticate: Arc<dyn Authenticate>, project: &str) -> Router {
    let doorman = Doorman { authenticate, project: project.into() };
    routes.layer(from_fn_with_state(doorman, admit))
}

async fn admit(State(doorman): State<Doorman>, mut request: Request, next: Next) -> Response {
    // A clone shares the header's bytes; the request itself cannot be held while the caller is looked up.
    let header = request.headers().get(AUTHORIZATION).cloned();
    let caller = match header.as_ref().map(http::HeaderValue::to_str) {
        None => doorman.authenticate.caller(&doorman.project, Credential::None).await,
        Some(Ok(value)) => {
            doorman.authenticate.caller(&doorman.project, Credential::from_header(value)).await
        }
        Some(Err(_)) => {
            Err(Status::new(base::Code::Unauthenticated, "The authorization header is not text."))
        }
    };
    match caller {
        Ok(caller) => {
            let app = request.extensions().get::<Attestation>().cloned().unwrap_or_default();
            request.extensions_mut().insert(caller.from_app(app));
            next.run(request).await
        }
        Err(status) => refuse(request.headers().get(CONTENT_TYPE), &status),
    }
}

#[cfg(test)]
mod tests {
    use access::Caller;
    use axum::Extension;
    use axum::body::Body;
    use axum::routing::get;
    use base::Code;
    use http::StatusCode;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    struct OnlySesame;

    #[async_trait::async_trait]
    impl Authenticate for OnlySesame {
        async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status> {
            match credential {
                Credential::None => Ok(Caller::unauthenticated()),
                Credential::Bearer("sesame") => Ok(Caller::admin(project)),
                Credential::Bearer("fault") => Err(Status::unavailable("down")),
                Credential::Bearer(_) => Err(Status::new(Code::Unauthenticated, "näh 100%")),
            }
        }
    }

    fn routes() -> Router {
        let echo =
            get(async |Extension(caller): Extension<Caller>| format!("{} {:?}", caller.kind(), caller.id()));
        with_caller(Router::new().route("/", echo), Arc::new(OnlySesame), "p")
    }

    async fn ask(authorization: Option<&str>, content_type: &str) -> (StatusCode, http::HeaderMap, String) {
        let mut request = http::Request::builder().uri("/").header(CONTENT_TYPE, content_type);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let response = routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn services_see_the_caller_and_nobody_gets_past_a_refusal() {
        assert_eq!(ask(None, "").await.2, "unauthenticated None");
        assert_eq!(ask(Some("Bearer sesame"), "").await.2, "admin Some(\"p\")");
        assert_eq!(ask(Some("bearer sesame"), "").await.2, "admin Some(\"p\")");
        let (status, _, body) = ask(Some("Bearer forged"), "").await;
        assert_eq!(status, 401);
        assert_eq!(body, r#"{"error":{"code":401,"message":"näh 100%","status":"UNAUTHENTICATED"}}"#);
        assert_eq!(ask(Some("Bearer fault"), "").await.0, 503);
        let (status, headers, _) = ask(Some("Bearer forged"), "application/grpc").await;
        assert_eq!((status.as_u16(), headers["grpc-status"].to_str().unwrap()), (200, "16"));
        assert_eq!(headers["grpc-message"], "n%C3%A4h 100%25");
    }
}
