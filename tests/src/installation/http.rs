//! Requests to the server of an installation.

use std::fs;

use anyhow::{Context, Result};
use countersign_forge::plain;
use serde_json::{Value, json};

use super::Installation;
use crate::http::{self, Answer};

impl Installation {
    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When the server does not listen or answers nothing that is HTTP.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        http::request(&self.address(), method, path, headers, body)
    }

    /// Reads a page.
    ///
    /// # Errors
    /// As [`Installation::request`].
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.request("GET", path, &[], &[])
    }

    /// Sends a body to the webhook of the host `local`, signed with its secret.
    ///
    /// # Errors
    /// As [`Installation::request`].
    pub fn webhook(&self, body: &[u8]) -> Result<Answer> {
        let secret = fs::read_to_string(self.data().join("keys/webhook-local"))?;
        let signature = plain::sign(secret.trim().as_bytes(), body).context("the secret is empty")?;
        self.request("POST", "/webhooks/local", &[(plain::SIGNATURE_HEADER, &signature)], body)
    }

    /// The value of a counter in `/metrics` whose line begins with `name`; 0 if it was never counted.
    ///
    /// # Errors
    /// When there are no metrics, or the value is no number.
    pub fn counted(&self, name: &str) -> Result<u64> {
        let text = self.get("/metrics")?.text();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(Ok(0), |value| value.parse().with_context(|| format!("{name}: {value}")))
    }
}

/// What the receive hook of a plain repository sends when a branch moved.
#[must_use]
pub fn pushed(delivery: &str, repository: &str, commit: &str) -> Value {
    json!({
        "v": plain::PUSH_VERSION, "delivery": delivery, "repository": repository, "pusher": "somebody",
        "updates": [{ "reference": "refs/heads/main", "after": commit }],
    })
}
