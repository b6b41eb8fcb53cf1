//! Requests to a running `countersign serve`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};

use super::block_on;

/// Where `serve` listens unless it is told otherwise.
pub const DEFAULT: &str = "http://127.0.0.1:7466";

/// The most bytes of a secret's file.
const MAX_SECRET: u64 = 4096;

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 2000;

/// A server's base URL without a final slash.
///
/// # Errors
/// When it is no HTTP URL.
pub fn base(url: &str) -> anyhow::Result<String> {
    ensure!(
        url.starts_with("http://") || url.starts_with("https://"),
        "{url:?} is not a server's URL: write it as {DEFAULT}"
    );
    Ok(url.trim_end_matches('/').to_owned())
}

/// Posts `body`; gives the one line that the server answers.
///
/// # Errors
/// When the server does not answer in time, or refuses.
pub fn post(
    base: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    timeout: Duration,
) -> anyhow::Result<String> {
    let url = format!("{base}/{path}");
    block_on(async {
        // Redirects are not followed: what is signed is meant for this server.
        let client = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        let client = if is_this_machine(base) { client.no_proxy() } else { client };
        let mut request = client.build()?.post(&url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send().await.map_err(|error| unreachable_at(base, &error))?;
        let status = answer.status();
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| unreachable_at(base, &error))? {
            text.extend_from_slice(&part);
            if text.len() > MAX_ANSWER {
                break;
            }
        }
        text.truncate(MAX_ANSWER);
        let text: String =
            String::from_utf8_lossy(&text).trim().chars().filter(|c| !c.is_control()).collect();
        if !status.is_success() {
            bail!("{url} refuses ({}): {text}", status.as_u16());
        }
        Ok(text)
    })
}

/// Whether a server is on this machine, where no proxy is between.
#[must_use]
pub fn is_this_machine(base: &str) -> bool {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    authority.starts_with("127.") || authority.starts_with("localhost") || authority.starts_with("[::1]")
}

fn unreachable_at(base: &str, error: &reqwest::Error) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { cause.to_string() };
    anyhow!("the server at {base} cannot be reached ({why}): is `countersign serve` running there?")
}

/// The secret in a file, without a final newline.
///
/// # Errors
/// When it cannot be read, is empty, or is no secret by its size.
pub fn read_secret(path: &Path) -> anyhow::Result<Vec<u8>> {
    let place = path.display();
    let failed = || format!("{place}: the webhook secret cannot be read: whoever pushes must be allowed to");
    let size = std::fs::metadata(path).with_context(failed)?.len();
    ensure!(
        size <= MAX_SECRET,
        "{place}: {size} bytes are no webhook secret: give the file that holds it alone"
    );
    let mut secret = std::fs::read(path).with_context(failed)?;
    while secret.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        secret.pop();
    }
    ensure!(
        !secret.is_empty(),
        "{place}: the webhook secret is empty: write one, as `openssl rand -hex 32` makes it"
    );
    Ok(secret)
}
