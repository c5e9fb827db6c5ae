//! The protocol messages Hearth speaks, and nothing about what they mean.
//!
//! - Messages and the gRPC service are generated from the `.proto` files of this crate and
//!   committed; `cargo xtask codegen` writes them anew.
//! - No logic: a message that decodes may still be nonsense to the service it is for.
//!
//! Source: the public interface of `google.firestore.v1`, with `Write.verify` added.

/// Generated messages, in modules named after their protocol packages.
pub mod google {
    /// Package `google.firestore`.
    pub mod firestore {
        /// Package `google.firestore.v1`: documents, queries, writes, streams and their service.
        #[allow(missing_docs, clippy::all, reason = "generated")]
        pub mod v1 {
            include!("generated/google.firestore.v1.rs");
        }
    }
    /// Package `google.rpc`.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
    /// Package `google.type`.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod r#type {
        include!("generated/google.r#type.rs");
    }
}

pub use google::firestore::v1;
pub use prost_types;

/// The compiled protocol files (a `google.protobuf.FileDescriptorSet`), for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

pub mod json;
pub mod status;
pub mod time;
pub mod webchannel;
pub mod weight;
