//! Which service owns which keyspace of the store. One place, so that no two can claim the same.

use kv::Keyspace;

/// What the data was made by.
pub const CLAIM: Keyspace = Keyspace(0x01);
/// Firestore's documents.
pub const DOCUMENTS: Keyspace = Keyspace(0x10);
/// Firestore's index entries.
pub const INDEX_ENTRIES: Keyspace = Keyspace(0x11);
/// Which of Firestore's indexes exist, and whether they are built.
pub const INDEX_DEFINITIONS: Keyspace = Keyspace(0x12);
/// Which of Firestore's databases were made beside the default ones.
pub const DATABASES: Keyspace = Keyspace(0x13);
/// What is particular about fields of Firestore's collection groups: their indexes, and whether they end documents.
pub const FIELD_CONFIGS: Keyspace = Keyspace(0x14);
/// User records.
pub const USERS: Keyspace = Keyspace(0x20);
/// E-mail and phone number to user.
pub const USER_INDEX: Keyspace = Keyspace(0x21);
/// Sessions, by the hash of their refresh token.
pub const REFRESH_TOKENS: Keyspace = Keyspace(0x22);
/// Keys that sign tokens.
pub const SIGNING_KEYS: Keyspace = Keyspace(0x23);
/// Service accounts and their public keys.
pub const SERVICE_ACCOUNTS: Keyspace = Keyspace(0x24);
/// A project's sign-in settings.
pub const IDENTITY_CONFIG: Keyspace = Keyspace(0x25);
/// Out-of-band codes (e-mail actions), hashed.
pub const OOB_CODES: Keyspace = Keyspace(0x26);
/// Failed sign-ins and new accounts, counted by account and by address.
pub const SIGN_IN_COUNTS: Keyspace = Keyspace(0x27);
/// Rulesets that were deployed, and their texts.
pub const RULESETS: Keyspace = Keyspace(0x30);
/// Which rulesets are released.
pub const RELEASES: Keyspace = Keyspace(0x31);
/// The Realtime Database's values: a row for each leaf, and for each priority of a place with children.
pub const REALTIME: Keyspace = Keyspace(0x40);
/// What is to be written when a client of the Realtime Database goes.
pub const ON_DISCONNECT: Keyspace = Keyspace(0x41);
/// What is particular about a Realtime Database: its rules, its settings.
pub const REALTIME_SETTINGS: Keyspace = Keyspace(0x42);
/// Cloud Storage's buckets.
pub const BUCKETS: Keyspace = Keyspace(0x50);
/// Cloud Storage's objects: what is known of each, and which file has its bytes.
pub const OBJECTS: Keyspace = Keyspace(0x51);
/// Uploads that are under way.
pub const UPLOADS: Keyspace = Keyspace(0x52);
/// Partners: other businesses that call functions, their keys hashed.
pub const PARTNERS: Keyspace = Keyspace(0x68);
/// How many objects use a file of Cloud Storage.
pub const BLOBS: Keyspace = Keyspace(0x53);
/// Events that wait to be told.
pub const OUTBOX: Keyspace = Keyspace(0x60);
/// Who wants to be told of which events.
pub const INTERESTS: Keyspace = Keyspace(0x61);
/// Task queues and the tasks in them.
pub const TASKS: Keyspace = Keyspace(0x62);
/// When schedules were due last.
pub const SCHEDULES: Keyspace = Keyspace(0x63);

/// The rows that callers are held to.
pub(crate) const OF_CALLERS: [Keyspace; 3] = [USERS, SIGNING_KEYS, SERVICE_ACCOUNTS];
