//! Plain HTTP requests, as any program might send them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use countersign_forge::plain;
use serde_json::{Value, json};

use super::Installation;

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, as sent.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Installation {
    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When the server does not listen or answers nothing that is HTTP.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut stream = TcpStream::connect(self.address()).context("the server does not listen")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address());
        head += &format!("content-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        // A body that is too large may be answered before all of it is read.
        match stream.write_all(body) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            written => written?,
        }
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
            _ => parse(&bytes),
        }
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

fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("the answer has no head")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer { status: status.context("the answer has no status")?, head, body: bytes[end + 4..].to_vec() })
}
