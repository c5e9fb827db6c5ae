//! An answer instead of a service's, in the protocol the request came in.

use axum::body::Body;
use axum::response::Response;
use base::Status;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

/// Whether a request of this content type expects gRPC's kind of answer.
pub fn is_grpc(content_type: Option<&HeaderValue>) -> bool {
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The status as the protocol of the request has it: gRPC's trailers, or REST's JSON.
pub fn refuse(content_type: Option<&HeaderValue>, status: &Status) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    if let Some(content_type) = content_type.filter(|_| is_grpc(content_type)) {
        headers.insert(CONTENT_TYPE, content_type.clone());
        headers.insert("grpc-status", HeaderValue::from(status.code as i32));
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&status.message)) {
            headers.insert("grpc-message", message);
        }
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    *response.status_mut() =
        StatusCode::from_u16(status.code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::json!({
        "error": { "code": status.code.http(), "message": status.message, "status": status.code.name() }
    });
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// gRPC's encoding of a status message: printable ASCII but `%` as it is, the rest as `%XX`.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
