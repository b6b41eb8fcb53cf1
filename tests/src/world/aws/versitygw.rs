//! versitygw, which speaks the protocol of S3 and keeps objects as files.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, anyhow};
use aws_sdk_s3::Client;
use countersign_aws::s3::{Buckets, S3Store};

use super::{ACCESS, config, wait_for};
use crate::world::ports::Port;
use crate::world::servers::ServerGroup;
use crate::world::tools::Programs;

/// A running versitygw. It ends when it is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct VersityGateway {
    _servers: ServerGroup,
    port: Port,
}

impl VersityGateway {
    /// The server that all tests of this process share, started by the first who asks.
    ///
    /// # Errors
    /// When it cannot be built, or does not start.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<VersityGateway, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|message| anyhow!("{message}"))
    }

    fn start() -> Result<Self> {
        let programs = Programs::of(&["versitygw"])?;
        let mut servers = ServerGroup::new("versitygw")?;
        let port = Port::reserve()?;
        let number = port.number();
        let folder = servers.folder().join("buckets");
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.to_str().context("the temporary folder's path is not UTF-8")?.to_owned();
        let address = format!("127.0.0.1:{number}");
        let arguments = ["--port", &address, "--access", ACCESS.0, "--secret", ACCESS.1, "posix", &folder];
        servers.start("versitygw", programs.path("versitygw")?, &arguments)?;
        wait_for(&servers, number)?;
        Ok(Self { _servers: servers, port })
    }

    /// The port of the loopback interface that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// A bucket that no other test uses.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn bucket(&self) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let config = config(&format!("http://127.0.0.1:{}", self.port())).await;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let created = Client::from_conf(config).create_bucket().bucket(&name).send().await;
        created.with_context(|| format!("cannot create the bucket {name}"))?;
        Ok(name)
    }

    /// A store in a bucket, reached through `port`.
    pub async fn store(&self, bucket: &str, port: u16) -> S3Store {
        let bucket = Some(bucket.to_owned());
        let buckets =
            Buckets { data: bucket.clone(), manifests: bucket.clone(), log: bucket.clone(), witness: bucket };
        S3Store::new(&config(&format!("http://127.0.0.1:{port}")).await, buckets, true)
    }
}
