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
/// Requests that wait for their turn to hash a password, in each of the two lanes; beyond it the address with most of
/// them gives one up.
pub const TURNS_WAITING_MAX: usize = 512;
/// The same of one address.
pub const TURNS_WAITING_PER_ADDRESS_MAX: usize = 128;
/// The same of one account.
pub const TURNS_WAITING_PER_ACCOUNT_MAX: usize = 64;
/// Sessions of one verb that hashes passwords.
pub const ROUNDS_MAX: usize = 8;
/// Wrong passwords for one account from one address before the next has to wait.
pub const FAILURES_FREE_PER_PAIR: u32 = 5;
/// Wrong passwords for one account, from anywhere, before those who have not signed in to it before have to wait.
pub const FAILURES_FREE_PER_ACCOUNT: u32 = 10;
/// Wrong passwords from one address, for any account, before accounts that have not been signed in to from there have to
/// wait.
pub const FAILURES_FREE_PER_ADDRESS: u32 = 50;
/// The first wait after wrong passwords; each further one doubles it.
pub const FAILURE_DELAY_S: i64 = 30;
/// The longest wait after wrong passwords.
pub const FAILURE_DELAY_S_MAX: i64 = 3600;
/// How long wrong passwords are remembered after the last one.
pub const FAILURES_KEPT_S: i64 = 24 * 3600;
/// Addresses from which an account has signed in that are remembered.
pub const FAMILIAR_ADDRESSES_MAX: usize = 8;
/// Accounts that may be made from one address within [`SIGN_UPS_WINDOW_S`], where nothing else is configured.
pub const SIGN_UPS_PER_ADDRESS_HOUR: u32 = 100;
/// The time in which new accounts are counted.
pub const SIGN_UPS_WINDOW_S: i64 = 3600;
/// Counts looked at in one commit when those that are over are erased.
pub const SWEPT_AT_ONCE: usize = 500;
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
/// Keys that sign ID tokens, or did and are still published.
pub const SIGNING_KEYS_MAX: usize = 16;
/// Service accounts that a listing shows.
pub const ACCOUNTS_LISTED_MAX: usize = 1000;
/// How long clients may keep published keys.
pub const KEYS_MAX_AGE_S: i64 = 3600;
/// How deep a JSON body may be nested where field names are read in both spellings.
pub const JSON_DEPTH_MAX: usize = 32;
/// Waiting e-mail actions of one project that a listing gives.
pub const OOB_CODES_LISTED_MAX: usize = 1000;
