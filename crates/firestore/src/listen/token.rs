//! Resume tokens: how far a client has seen, in a form that only this store's server can write.
//!
//! `format ‖ version ‖ tag of the store ‖ code`, 25 bytes. The token says nothing of a target: a stream's snapshots give one
//! token to all of its targets, each of which has then seen everything up to the version.

use base::Status;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kv::Version;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::status;

const FORMAT: u8 = 1;
const TAG_LEN: usize = 8;
const CODE_LEN: usize = 8;
const TOKEN_LEN: usize = 1 + 8 + TAG_LEN + CODE_LEN;

/// Writes and reads the tokens of one store.
pub struct ResumeTokens {
    secret: [u8; 32],
    tag: [u8; TAG_LEN],
    /// The last one: many streams say the same version.
    last: Mutex<(Version, Bytes)>,
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Everything up to this version.
    UpTo(Version),
    /// Something of another store: nothing of this one.
    Elsewhere,
}

impl ResumeTokens {
    /// The tokens of the store with this epoch.
    pub fn new(epoch: [u8; 16]) -> Self {
        let digest = |purpose: &[u8]| -> [u8; 32] { Sha256::digest([&epoch[..], purpose].concat()).into() };
        let tag = first(&digest(b"hearth resume token: store"));
        Self { secret: digest(b"hearth resume token: code"), tag, last: Mutex::default() }
    }

    /// The token of a version.
    pub fn issue(&self, version: Version) -> Bytes {
        let mut last = self.last.lock();
        if last.0 != version || last.1.is_empty() {
            *last = (version, self.write(version));
        }
        last.1.clone()
    }

    fn write(&self, version: Version) -> Bytes {
        let mut token = BytesMut::with_capacity(TOKEN_LEN);
        token.put_u8(FORMAT);
        token.put_i64(version.0);
        token.put_slice(&self.tag);
        let code = self.code(&token);
        token.put_slice(&code);
        token.freeze()
    }

    /// Reads a token. Errors: `INVALID_ARGUMENT` for what no store of this house has issued.
    pub fn read(&self, token: &[u8]) -> Result<Seen, Status> {
        if token.len() != TOKEN_LEN || token.first() != Some(&FORMAT) {
            return Err(status::bad_resume_token());
        }
        let (said, code) =
            token.split_at_checked(TOKEN_LEN - CODE_LEN).ok_or_else(status::bad_resume_token)?;
        let mut rest = said.get(1..).unwrap_or_default();
        let version = rest.try_get_i64().map_err(|_| status::bad_resume_token())?;
        if rest != self.tag {
            return Ok(Seen::Elsewhere);
        }
        if code != self.code(said) {
            return Err(status::bad_resume_token());
        }
        Ok(Seen::UpTo(Version(version)))
    }

    fn code(&self, said: &[u8]) -> [u8; CODE_LEN] {
        // The length is fixed and the code is cut, so that a digest over the secret and the text is enough.
        first(&Sha256::digest([&self.secret[..], said].concat()).into())
    }
}

fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_its_stores_and_its_versions() {
        let (ours, others) = (ResumeTokens::new([1; 16]), ResumeTokens::new([2; 16]));
        let token = ours.issue(Version(77));
        assert_eq!(ours.read(&token), Ok(Seen::UpTo(Version(77))));
        assert_eq!(others.read(&token), Ok(Seen::Elsewhere));
        assert_ne!(token, ours.issue(Version(78)));
        for at in 0..token.len() {
            let mut forged = token.to_vec();
            forged[at] ^= 1;
            assert!(ours.read(&forged) != Ok(Seen::UpTo(Version(77))), "byte {at}");
            assert!(!matches!(ours.read(&forged), Ok(Seen::UpTo(_))), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!matches!(ResumeTokens::new([1; 16]).read(&bytes), Ok(Seen::UpTo(_))));
        }
    }
}
