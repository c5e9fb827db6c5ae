//! The services behind the gate.

/// The services behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Cloud Firestore.
    Firestore,
    /// Authentication.
    Identity,
    /// Rules as they are deployed.
    Rules,
    /// The Realtime Database.
    Realtime,
    /// Cloud Storage.
    Storage,
    /// Data Connect.
    DataConnect,
    /// Cloud Functions.
    Functions,
    /// App Check itself: apps, their tokens, what services require.
    AppCheck,
    /// The data as a whole.
    Store,
}

impl Service {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Service::Firestore => "firestore",
            Service::Identity => "identity",
            Service::Rules => "rules",
            Service::Realtime => "database",
            Service::Storage => "storage",
            Service::DataConnect => "dataconnect",
            Service::Functions => "functions",
            Service::AppCheck => "appcheck",
            Service::Store => "store",
        }
    }
}
