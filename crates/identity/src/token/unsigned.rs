//! Tokens without a signature: what the emulator speaks. Everything here demands a [`DevPermit`], so that it cannot
//! be reached in serve.

use access::DevPermit;
use serde_json::json;

use super::{Claims, Jwt, TokenError, signing_input};

/// Writes an unsigned token.
pub fn encode(_permit: DevPermit, claims: &Claims) -> String {
    format!("{}.", signing_input(&json!({ "alg": "none", "typ": "JWT" }), claims))
}

/// Takes an unsigned token at its word. Neither times nor audience are looked at: mock users have `iat: 0` and may
/// be of any project.
pub fn accept(_permit: DevPermit, jwt: Jwt<'_>) -> Result<Claims, TokenError> {
    if jwt.header.alg != "none" || !jwt.signature.is_empty() {
        return Err(TokenError::Algorithm);
    }
    Ok(jwt.claims)
}

/// Takes a token at its word that somebody else signed, as the official emulator does.
pub fn accept_signed(_permit: DevPermit, jwt: Jwt<'_>) -> Result<Claims, TokenError> {
    if jwt.header.alg != "RS256" || jwt.signature.is_empty() {
        return Err(TokenError::Algorithm);
    }
    Ok(jwt.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsigned_token_round_trips_and_a_signed_one_is_not_taken_for_it() {
        let permit = DevPermit::for_development_only();
        let claims: Claims = serde_json::from_str(r#"{"sub":"alice"}"#).unwrap();
        let token = encode(permit, &claims);
        assert!(token.ends_with('.'));
        assert_eq!(accept(permit, Jwt::parse(&token).unwrap()), Ok(claims));
        let signed = format!("{token}AAAA");
        assert_eq!(accept(permit, Jwt::parse(&signed).unwrap()), Err(TokenError::Algorithm));
    }
}
