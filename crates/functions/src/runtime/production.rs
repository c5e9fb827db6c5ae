//! What production's processes have, and what the house must bring for them.
//!
//! No variable of the emulators is set but Firestore's, which is transport only: in `glue/house.js` its address, and Google's own,
//! lead to the house's private socket. So the packages check tokens against the keys that this house publishes, as they do against
//! Google's.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::model::{Settings, SystemUser};

/// Addresses that nothing listens at: the runner leads them to the socket.
const HOUSE: &str = "127.0.0.1:1";
/// The same for the Realtime Database, whose connection is shared by calls.
const DATABASE: &str = "127.0.0.1:2";
/// The hosts of Google's that the house answers for.
const GOOGLE: [&str; 9] = [
    "www.googleapis.com",
    "oauth2.googleapis.com",
    "identitytoolkit.googleapis.com",
    "securetoken.googleapis.com",
    "firebaseappcheck.googleapis.com",
    "firebaserules.googleapis.com",
    "firestore.googleapis.com",
    "storage.googleapis.com",
    "firebasestorage.googleapis.com",
];
/// The house's socket in a worker's folder.
pub const SOCKET_FILE: &str = "house.sock";
/// The key file of the codebase's service account there.
pub const KEY_FILE: &str = "key.json";

/// A folder that belongs to the user that code runs as, and to nobody else.
pub fn hand_over(path: &Path, user: Option<SystemUser>, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    if let Some(SystemUser { uid, gid }) = user {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// The variables of production's processes.
pub fn variables(settings: &Settings) -> BTreeMap<String, String> {
    let project = &settings.project;
    let config = serde_json::json!({
        "projectId": project,
        "databaseURL": format!("https://{DATABASE}/?ns={project}-default-rtdb"),
        "storageBucket": format!("{project}.appspot.com"),
    });
    let all = [
        ("FIREBASE_CONFIG", config.to_string()),
        ("FIRESTORE_EMULATOR_HOST", HOUSE.to_owned()),
        ("NODE_ENV", "production".to_owned()),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// Where the house is, as `glue/house.js` reads it.
pub fn house(folder: &Path, identity: Option<&str>) -> String {
    let closed: &[&str] = if identity.is_none() { &[DATABASE] } else { &[] };
    serde_json::json!({
        "hosts": [HOUSE, DATABASE], "token": identity, "closed": closed, "google": GOOGLE, "socket": folder.join(SOCKET_FILE),
    })
    .to_string()
}
