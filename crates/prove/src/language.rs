//! The languages that rules are written in.

/// The languages of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Rules for Cloud Firestore.
    Firestore,
    /// Rules for Cloud Storage.
    Storage,
    /// Rules for the Realtime Database.
    Realtime,
    /// Bolt, which becomes rules for the Realtime Database.
    Bolt,
    /// One CEL expression, as in Data Connect's `@auth(expr:)`.
    Cel,
}
