//! A log, or what a witness cosigned, behind a URL, read as a store: what `serve`, `witness`, a bucket or any static
//! file server offers.

use std::time::Duration;

use anyhow::Context as _;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};

use crate::commands::server;

/// No file of a log is larger: 256 leaves of 64 KiB, and their lengths.
const MAX_FILE: usize = 17 * 1024 * 1024;

/// How long one file may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is behind a URL. It can only be read.
pub struct Remote {
    client: reqwest::Client,
    base: String,
    prefix: &'static str,
}

impl Remote {
    /// The log whose checkpoint is at `url` and `/checkpoint`.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub fn log(url: &str) -> anyhow::Result<Self> {
        Self::new(url, keys::LOG)
    }

    /// What the witness at `url` cosigned.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub fn witness(url: &str) -> anyhow::Result<Self> {
        Self::new(&format!("{}/witness", server::base(url)?), keys::WITNESS)
    }

    /// The keys below `prefix`, at `url`.
    fn new(url: &str, prefix: &'static str) -> anyhow::Result<Self> {
        let base = server::base(url)?;
        let client = reqwest::Client::builder().timeout(TIMEOUT);
        let client = if server::is_this_machine(&base) { client.no_proxy() } else { client };
        Ok(Self { client: client.build().context("no HTTP client can be made")?, base, prefix })
    }

    async fn fetch(&self, url: &str) -> Result<Option<Vec<u8>>, reqwest::Error> {
        let mut answer = self.client.get(url).send().await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer = answer.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            // One byte more than is taken tells the caller that it is too large.
            if bytes.len() > MAX_FILE {
                break;
            }
        }
        Ok(Some(bytes))
    }
}

fn read_only(key: &str) -> PortError {
    PortError::Refused(format!("{key}: what is behind a URL is only read"))
}

impl Store for Remote {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        let Some(path) = key.strip_prefix(self.prefix) else { return Ok(None) };
        let url = format!("{}/{path}", self.base);
        let failed = |error: reqwest::Error| {
            let why = error.without_url();
            PortError::Unavailable(format!("{url}: {why}: check the address, or try again"))
        };
        match self.fetch(&url).await.map_err(failed)? {
            Some(bytes) if bytes.len() > MAX_FILE => {
                Err(PortError::Refused(format!("{url}: larger than any file that is read there")))
            }
            Some(bytes) => Ok(Some(Versioned { version: Version(Digest::of(&bytes).hex()), bytes })),
            None => Ok(None),
        }
    }

    async fn put(&self, key: &str, _: &[u8]) -> Result<Version, PortError> {
        Err(read_only(key))
    }

    async fn put_if_absent(&self, key: &str, _: &[u8]) -> Result<Written, PortError> {
        Err(read_only(key))
    }

    async fn compare_and_swap(&self, key: &str, _: &Version, _: &[u8]) -> Result<Written, PortError> {
        Err(read_only(key))
    }

    async fn list(&self, prefix: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, PortError> {
        Err(read_only(prefix))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        Err(read_only(key))
    }
}
