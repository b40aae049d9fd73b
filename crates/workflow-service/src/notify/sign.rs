//! Signatures of webhooks, in the form of Standard Webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a secret begins with that is written in base64.
const PREFIX: &str = "whsec_";

/// The signature of a request: `v1,` and the HMAC-SHA256 of id, time and body in base64.
pub(super) fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> Result<String, &'static str> {
    let key = match secret.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded.trim()).map_err(|_| "after `whsec_` it is not base64")?,
        None => secret.as_bytes().to_vec(),
    };
    if key.is_empty() {
        return Err("it is empty");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "it cannot be used as a key")?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of https://github.com/standard-webhooks/standard-webhooks.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_cannot_be_a_key_is_refused() {
        assert!(signature("plain text", "a", 1, "b").unwrap().starts_with("v1,"));
        for secret in ["", "whsec_", "whsec_*"] {
            assert!(signature(secret, "a", 1, "b").is_err(), "{secret}");
        }
    }
}
