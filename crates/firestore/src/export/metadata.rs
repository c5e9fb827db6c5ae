//! The two metadata files of an export.

use prost::Message;

/// Version of the format: the first record of `*.overall_export_metadata`.
pub const FORMAT: &[u8] = b"3";
/// Where the folder of all documents is, within an export.
pub const FOLDER: &str = "all_namespaces/all_kinds";
/// The metadata file in [`FOLDER`].
pub const FILE: &str = "all_namespaces_all_kinds.export_metadata";

/// The second record of `*.overall_export_metadata`; empty for an empty database.
#[derive(Clone, PartialEq, Message)]
pub struct Overall {
    #[prost(message, repeated, tag = "1")]
    pub parts: Vec<Part>,
}

/// Documents of some kinds and namespaces: emulators export all of all as one.
#[derive(Clone, PartialEq, Message)]
pub struct Part {
    #[prost(message, optional, tag = "1")]
    pub of: Option<Of>,
    /// The part's metadata file, relative to the export.
    #[prost(string, tag = "2")]
    pub file: String,
    #[prost(uint64, tag = "3")]
    pub documents: u64,
    /// Of the output files together.
    #[prost(uint64, tag = "4")]
    pub bytes: u64,
}

/// Which kinds and namespaces: all of all.
#[derive(Clone, PartialEq, Message)]
pub struct Of {
    #[prost(int32, tag = "1")]
    pub kinds: i32,
    #[prost(int32, tag = "3")]
    pub namespaces: i32,
}

impl Of {
    /// As emulators write it.
    pub const ALL: Self = Self { kinds: 2, namespaces: 3 };
}

/// The whole of `*.export_metadata`.
#[derive(Clone, PartialEq, Message)]
pub struct Outputs {
    #[prost(message, optional, tag = "1")]
    pub about: Option<About>,
    #[prost(message, repeated, tag = "2")]
    pub of: Vec<Files>,
}

/// What was exported when, in microseconds.
#[derive(Clone, PartialEq, Message)]
pub struct About {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub began: i64,
    #[prost(int64, tag = "3")]
    pub ended: i64,
}

/// Output files, relative to the metadata file's folder.
#[derive(Clone, PartialEq, Message)]
pub struct Files {
    #[prost(message, optional, tag = "1")]
    pub of: Option<Nothing>,
    #[prost(string, repeated, tag = "2")]
    pub names: Vec<String>,
}

/// A message without fields.
#[derive(Clone, PartialEq, Message)]
pub struct Nothing {}
