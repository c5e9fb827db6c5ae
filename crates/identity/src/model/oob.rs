//! An e-mail action that waits for its code to come back.

use serde::{Deserialize, Serialize};

/// What the code allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Firebase's")]
pub enum OobKind {
    PasswordReset,
    VerifyEmail,
    EmailSignin,
    VerifyAndChangeEmail,
    RecoverEmail,
}

impl OobKind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            OobKind::PasswordReset => "PASSWORD_RESET",
            OobKind::VerifyEmail => "VERIFY_EMAIL",
            OobKind::EmailSignin => "EMAIL_SIGNIN",
            OobKind::VerifyAndChangeEmail => "VERIFY_AND_CHANGE_EMAIL",
            OobKind::RecoverEmail => "RECOVER_EMAIL",
        }
    }

    /// The `mode` in the link.
    pub fn mode(self) -> &'static str {
        match self {
            OobKind::PasswordReset => "resetPassword",
            OobKind::VerifyEmail => "verifyEmail",
            OobKind::EmailSignin => "signIn",
            OobKind::VerifyAndChangeEmail => "verifyAndChangeEmail",
            OobKind::RecoverEmail => "recoverEmail",
        }
    }

    /// Reads a name, or the number some SDKs send in its place.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "PASSWORD_RESET" | "1" => Some(OobKind::PasswordReset),
            "VERIFY_EMAIL" | "4" => Some(OobKind::VerifyEmail),
            "EMAIL_SIGNIN" | "6" => Some(OobKind::EmailSignin),
            "VERIFY_AND_CHANGE_EMAIL" | "7" => Some(OobKind::VerifyAndChangeEmail),
            "RECOVER_EMAIL" => Some(OobKind::RecoverEmail),
            _ => None,
        }
    }

    /// How long a code is good, in serve.
    pub fn life_s(self) -> i64 {
        match self {
            OobKind::PasswordReset | OobKind::EmailSignin => 3600,
            OobKind::VerifyEmail | OobKind::VerifyAndChangeEmail => 3 * 24 * 3600,
            OobKind::RecoverEmail => 30 * 24 * 3600,
        }
    }
}

/// An e-mail action as stored, under the hash of its code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OobCode {
    /// What it allows.
    pub kind: OobKind,
    /// The address it was sent to.
    pub email: String,
    /// The user it is about, where the address alone would not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The address it will bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_email: Option<String>,
    /// Seconds.
    pub created_s: i64,
    /// Code and link in plain text, so that they can be listed: in dev only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<PlainCode>,
}

/// What dev shows instead of sending mail.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Firebase's")]
pub struct PlainCode {
    pub oob_code: String,
    pub oob_link: String,
}

impl std::fmt::Debug for PlainCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainCode(…)")
    }
}
