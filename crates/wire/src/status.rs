//! One status in the three forms errors travel in: a REST body, a message inside a stream, a gRPC status.

use base::Status;

use crate::google::rpc;
use crate::json::{self, JsonOptions};

/// The body of a failed REST request: `{"error":{"code":404,"message":"…","status":"NOT_FOUND"}}`.
pub fn rest_body(status: &Status) -> String {
    let mut body = String::with_capacity(64 + status.message.len());
    write_body(status, JsonOptions::default(), &mut body);
    body
}

/// The body of a failed streaming REST request: a list of one such object.
pub fn rest_stream_body(status: &Status) -> String {
    format!("[{}]", rest_body(status))
}

/// Appends the error object.
pub fn write_body(status: &Status, options: JsonOptions, out: &mut String) {
    out.push_str("{\"error\":{\"code\":");
    out.push_str(&status.code.http().to_string());
    out.push_str(",\"message\":");
    json::write_string(&status.message, options, out);
    out.push_str(",\"status\":\"");
    out.push_str(status.code.name());
    out.push_str("\"}}");
}

impl From<&Status> for rpc::Status {
    fn from(status: &Status) -> Self {
        Self { code: status.code as i32, message: status.message.clone(), details: Vec::new() }
    }
}

/// For a gRPC response.
#[cfg(any(feature = "server", feature = "client"))]
pub fn to_grpc(status: &Status) -> tonic::Status {
    tonic::Status::new(tonic::Code::from_i32(status.code as i32), status.message.clone())
}

#[cfg(test)]
mod tests {
    use base::Code;

    use super::*;

    #[test]
    fn bodies_have_the_shape_clients_parse() {
        let status = Status::new(Code::FailedPrecondition, "no \"index\"\nhere");
        let object =
            r#"{"error":{"code":400,"message":"no \"index\"\nhere","status":"FAILED_PRECONDITION"}}"#;
        assert_eq!(rest_body(&status), object);
        assert_eq!(rest_stream_body(&status), format!("[{object}]"));
    }

    #[test]
    fn the_code_keeps_its_number_in_every_form() {
        let status = Status::new(Code::Aborted, "again");
        assert_eq!(rpc::Status::from(&status).code, 10);
        #[cfg(feature = "server")]
        assert_eq!(to_grpc(&status).code(), tonic::Code::Aborted);
    }
}
