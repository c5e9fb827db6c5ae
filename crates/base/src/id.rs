//! Ids nobody can guess, from the system's randomness.

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The operating system gave no randomness. Nothing secret can be made; the request must fail as unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's source of randomness failed")]
pub struct RandomnessError;

/// Fills a fixed-size array with the system's randomness.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| RandomnessError)?;
    Ok(bytes)
}

/// `length` characters of `[A-Za-z0-9]`, each equally likely.
pub fn alphanumeric(length: usize) -> Result<String, RandomnessError> {
    let mut id = String::with_capacity(length);
    while id.len() < length {
        for byte in random_bytes::<32>()? {
            // 248 = 4 × 62: above it some characters would be likelier than others.
            if byte < 248
                && id.len() < length
                && let Some(&character) = ALPHABET.get(usize::from(byte % 62))
            {
                id.push(char::from(character));
            }
        }
    }
    Ok(id)
}

/// A Firestore document id as the server makes them: 20 characters.
pub fn document_id() -> Result<String, RandomnessError> {
    alphanumeric(20)
}

/// A user id as Firebase Authentication makes them: 28 characters.
pub fn user_id() -> Result<String, RandomnessError> {
    alphanumeric(28)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_length_and_alphabet_and_differ() {
        let (a, b) = (document_id().unwrap(), document_id().unwrap());
        assert_eq!(a.len(), 20);
        assert!(a.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(a, b);
    }
}
