//! Answers of the XML API.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};

use crate::api::gcs::time;
use crate::model::Object;
use crate::ops::{Listed, Listing};
use crate::status::Failure;

/// An answer.
pub fn xml(status: StatusCode, text: String) -> Response {
    let text = format!("<?xml version='1.0' encoding='UTF-8'?>{text}");
    (status, [(CONTENT_TYPE, "application/xml; charset=UTF-8")], Body::from(text)).into_response()
}

/// Text between tags. What XML cannot have (control characters) is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' => escaped.push_str("&#9;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// A failure in the words of this API.
pub fn refused(failure: &Failure) -> Response {
    let status = match failure {
        Failure::Full => StatusCode::INSUFFICIENT_STORAGE,
        failure => StatusCode::from_u16(failure.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    if status == StatusCode::NOT_MODIFIED {
        return status.into_response();
    }
    let (code, message) = (code_of(failure), escaped(&failure.to_string()));
    let mut response = xml(status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"));
    if let Failure::Range(size) = failure
        && let Ok(value) = format!("bytes */{size}").parse()
    {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

fn code_of(failure: &Failure) -> &'static str {
    match failure {
        Failure::NoObject(_) => "NoSuchKey",
        Failure::NoBucket => "NoSuchBucket",
        Failure::NoUpload | Failure::UploadOver | Failure::UploadFinal => "NoSuchUpload",
        Failure::BucketExists => "BucketAlreadyOwnedByYou",
        Failure::BucketNotEmpty => "BucketNotEmpty",
        Failure::Denied(_) | Failure::NotAdmin => "AccessDenied",
        Failure::Unauthenticated(_) => "AuthenticationRequired",
        Failure::Precondition => "PreconditionFailed",
        Failure::NotModified => "NotModified",
        Failure::Range(_) => "InvalidRange",
        Failure::TooManyUploads(_) | Failure::TooManyTransfers(_) => "SlowDown",
        Failure::TooLong(_) => "EntityTooLarge",
        Failure::TooShort { .. } | Failure::Broken(_) => "IncompleteBody",
        Failure::Checksum { .. } => "BadDigest",
        Failure::Full => "InsufficientStorage",
        Failure::Name(_) | Failure::Metadata(_) | Failure::Bad(_) | Failure::Offset { .. } => {
            "InvalidArgument"
        }
        Failure::Fault(_) => "InternalError",
    }
}

/// A page of a bucket's objects.
pub fn listed(listing: &Listing, listed: &Listed) -> String {
    let mut text = String::from("<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>");
    let mut put = |name: &str, value: &str| {
        let _ = write!(text, "<{name}>{}</{name}>", escaped(value));
    };
    put("Name", listing.bucket.as_str());
    put("Prefix", &listing.prefix);
    if !listing.delimiter.is_empty() {
        put("Delimiter", &listing.delimiter);
    }
    put("IsTruncated", if listed.next.is_some() { "true" } else { "false" });
    if let Some(next) = &listed.next {
        put("NextContinuationToken", next);
    }
    for object in &listed.items {
        text.push_str(&entry(object));
    }
    for prefix in &listed.prefixes {
        let _ = write!(text, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(prefix));
    }
    text.push_str("</ListBucketResult>");
    text
}

fn entry(object: &Object) -> String {
    format!(
        "<Contents><Key>{}</Key><Generation>{}</Generation><MetaGeneration>{}</MetaGeneration>\
         <LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>",
        escaped(&object.name),
        object.generation,
        object.metageneration,
        time(object.updated),
        escaped(&object.etag()),
        object.size,
    )
}

/// A copy.
pub fn copied(object: &Object) -> String {
    format!(
        "<CopyObjectResult><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag></CopyObjectResult>",
        time(object.updated),
        escaped(&object.etag())
    )
}

/// An object that a form has made.
pub fn posted(origin: &str, object: &Object) -> String {
    let location = format!("{origin}/{}/{}", object.bucket, object.name);
    let tag = |name: &str, value: &str| format!("<{name}>{}</{name}>", escaped(value));
    format!(
        "<PostResponse>{}{}{}{}</PostResponse>",
        tag("Location", &location),
        tag("Bucket", &object.bucket),
        tag("Key", &object.name),
        tag("ETag", &format!("\"{}\"", object.etag()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_no_tags() {
        assert_eq!(escaped("a<b>&'\"\u{1}ä"), "a&lt;b&gt;&amp;&#39;&quot;\u{fffd}ä");
    }
}
