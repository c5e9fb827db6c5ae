//! The named limits of this service, each with its unit.

/// A bearer or ID token's largest length; ours stay below 4 KiB.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// A request body.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Custom claims, as the serialized text that is stored.
pub const CLAIMS_BYTES_MAX: usize = 1000;
/// A user id.
pub const UID_BYTES_MAX: usize = 128;
/// An e-mail address.
pub const EMAIL_BYTES_MAX: usize = 256;
/// A display name, a photo URL or another piece of a profile.
pub const PROFILE_TEXT_BYTES_MAX: usize = 4096;
/// A password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 6;
/// A password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 4096;
/// Federated identities of one user.
pub const PROVIDERS_PER_USER_MAX: usize = 20;
/// How long an ID token or an access token lives.
pub const ID_TOKEN_LIFE_S: i64 = 3600;
/// The shortest life of a session cookie.
pub const COOKIE_LIFE_S_MIN: i64 = 300;
/// The longest life of a session cookie, and the default.
pub const COOKIE_LIFE_S_MAX: i64 = 14 * 24 * 3600;
/// How far a signer's clock may run ahead of ours.
pub const CLOCK_SKEW_S_MAX: i64 = 60;
/// How recent a login must be for a sensitive change, in serve.
pub const RECENT_LOGIN_S_MAX: i64 = 300;
/// Sessions (refresh tokens) of one user; the oldest gives way.
pub const SESSIONS_PER_USER_MAX: usize = 200;
/// Password hashes computed at the same time.
pub const PASSWORD_HASHES_AT_ONCE: usize = 2;
/// Password hashes waiting for their turn; what exceeds it is told to come back later.
pub const PASSWORD_QUEUE_LEN_MAX: usize = 64;
/// Verified tokens remembered, per generation of two.
pub const TOKEN_CACHE_LEN_MAX: usize = 8192;
/// How often an operation is tried when others change what it read.
pub const ATTEMPTS_MAX: usize = 10;
/// Users created, or deleted, by one call.
pub const BATCH_USERS_MAX: usize = 1000;
/// Users a lookup may name.
pub const LOOKUP_IDS_MAX: usize = 100;
/// Users a query looks through, and the most a listing in one piece gives.
pub const QUERY_USERS_MAX: usize = 100_000;
/// Users one query answers with.
pub const QUERY_ANSWER_USERS_MAX: usize = 500;
/// Keys of one service account.
pub const KEYS_PER_ACCOUNT_MAX: usize = 10;
/// How long clients may keep published keys.
pub const KEYS_MAX_AGE_S: i64 = 3600;
/// How deep a JSON body may be nested where field names are read in both spellings.
pub const JSON_DEPTH_MAX: usize = 32;
/// Waiting e-mail actions of one project that a listing gives.
pub const OOB_CODES_LISTED_MAX: usize = 1000;
