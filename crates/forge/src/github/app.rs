//! A GitHub App's sessions: a signed token (RFC 7519) says which App it is, and is exchanged for an installation's
//! own, which lasts an hour ("Authenticating as a GitHub App installation").

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use countersign_core::configuration::GithubApp;
use countersign_core::ports::secrets::Secrets;
use countersign_core::time::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::client::failure::Failure;
use crate::client::{Call, Client};
use crate::host::{Token, read_secret};

/// How far GitHub's clock may be behind this one.
const SKEW: Duration = Duration::from_secs(60);

/// How long a signed token is good; GitHub takes ten minutes at most.
const LIFETIME: Duration = Duration::from_secs(9 * 60);

/// How long before its end a session is no longer begun anything with.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// An installation's token. It has no `Debug`, so that no message can show it.
#[derive(Clone)]
pub(super) struct Session {
    token: String,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
    expires_at: Timestamp,
}

impl Session {
    /// Whether it lasts long enough for a stage's work.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now < self.until.minus(MARGIN)
    }

    /// The credential.
    pub(super) fn token(&self, app: &GithubApp) -> Token {
        let what = format!("the installation {} of the GitHub App {}", app.installation, app.id);
        Token::new(self.token.clone(), what)
    }
}

/// Begins a session of the App's installation.
///
/// # Errors
/// When its key cannot be read or is none, or GitHub does not know the App or its installation.
pub(super) async fn begin(
    client: &Client,
    secrets: &impl Secrets,
    app: &GithubApp,
) -> Result<Session, Failure> {
    let reference = String::from(app.private_key.clone());
    let pem = read_secret(secrets, &app.private_key).await?;
    let signed = sign(app.id, &pem, client.now()).map_err(|why| {
        Failure::Final(format!(
            "the private key {reference} of the GitHub App {}: {why}: put the PEM file there that the App's settings page gave you",
            app.id
        ))
    })?;
    let what = format!("the GitHub App {} with its key {reference}", app.id);
    let installation = app.installation.to_string();
    let path = ["app", "installations", &installation, "access_tokens"];
    let call = Call::send(Method::POST, &path, json!({}));
    let granted: Granted = client.read(&Token::new(signed, what), &call).await?;
    Ok(Session { token: granted.token, until: granted.expires_at })
}

/// The signed token of an App.
fn sign(app: u64, pem: &str, now: Timestamp) -> Result<String, &'static str> {
    let key = key(pem)?;
    let seconds = |time: Timestamp| time.as_millis().div_euclid(1000);
    let claims = json!({
        "iat": seconds(now.minus(SKEW)),
        "exp": seconds(now.plus(LIFETIME)),
        "iss": app.to_string(),
    });
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let head = encode(json!({ "alg": "RS256", "typ": "JWT" }).to_string().as_bytes());
    let text = format!("{head}.{}", encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    // This kind of signature draws no random numbers; the interface asks for a source for others.
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "it cannot sign")?;
    Ok(format!("{text}.{}", encode(&signature)))
}

/// A private key in PEM (RFC 7468), as GitHub makes it (PKCS #1) or as other tools convert it (PKCS #8).
fn key(pem: &str) -> Result<RsaKeyPair, &'static str> {
    let between = |label: &str| {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        let inner = pem.split_once(&begin)?.1.split_once(&end)?.0;
        BASE64_STANDARD.decode(inner.split_whitespace().collect::<String>()).ok()
    };
    if let Some(der) = between("RSA PRIVATE KEY") {
        return RsaKeyPair::from_der(&der).map_err(|_| "it is no RSA key of 2048 to 8192 bits");
    }
    let der = between("PRIVATE KEY").ok_or("it is no private key in PEM")?;
    RsaKeyPair::from_pkcs8(&der).map_err(|_| "it is no RSA key of 2048 to 8192 bits")
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_signed_token_says_which_app_and_until_when() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let token = sign(42, &pem, Timestamp::from_millis(1_795_212_000_000)).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
        assert_eq!(claims, json!({ "iat": 1_795_211_940, "exp": 1_795_212_540, "iss": "42" }));
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        public.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2])).unwrap();
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        for wrong in ["s3cret", "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----", ""] {
            let why = sign(1, wrong, Timestamp::default()).unwrap_err();
            assert!(!why.contains("s3cret") && !why.contains("czNj"), "{why}");
        }
    }
}
