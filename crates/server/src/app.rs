//! Finds out which app a request comes from, once per request, before any service sees it.
//!
//! The header is all that is read. A token that is no good is noted, not refused: whether that matters is each service's, by what
//! it requires ([`access::Gate`]).

use std::sync::Arc;

use access::{APP_CHECK_INVALID, AppCheckRefused, Attest, Attestation, Flaw};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName};
use hyper::ext::ReasonPhrase;

use crate::answer::Answer;
use crate::refusal::refuse;

/// Where SDKs have the token, in HTTP and in gRPC's metadata.
const APP_CHECK: HeaderName = HeaderName::from_static("x-firebase-appcheck");

/// Goes around routes: each request carries an [`Attestation`] in its extensions, unless the store failed.
pub fn with_app<A: Answer>(inner: A, attest: Arc<dyn Attest>, project: &str) -> impl Answer + use<A> {
    WithApp { inner, attest, project: project.into() }
}

struct WithApp<A> {
    inner: A,
    attest: Arc<dyn Attest>,
    project: Box<str>,
}

impl<A: Answer> Answer for WithApp<A> {
    async fn answer(&self, mut request: Request) -> Response {
        let mut named = request.headers().get_all(APP_CHECK).iter();
        let (first, second) = (named.next().cloned(), named.next().is_some());
        let found = match first.as_ref().map(|value| value.to_str()) {
            None => return with_reason(self.inner.answer(request).await),
            Some(_) if second => Ok(Attestation::Invalid(Flaw::Several)),
            Some(Ok(token)) => self.attest.app(&self.project, Some(token)).await,
            Some(Err(_)) => Ok(Attestation::Invalid(Flaw::Malformed)),
        };
        match found {
            Ok(attestation) => {
                request.extensions_mut().insert(attestation);
                with_reason(self.inner.answer(request).await)
            }
            Err(status) => refuse(request.headers().get(CONTENT_TYPE), &status),
        }
    }
}

/// The reason of a refusal in the status line, where its service wants it there. HTTP/2 has none.
fn with_reason(mut response: Response) -> Response {
    if response.extensions_mut().remove::<AppCheckRefused>().is_some() {
        response.extensions_mut().insert(ReasonPhrase::from_static(APP_CHECK_INVALID.as_bytes()));
    }
    response
}
