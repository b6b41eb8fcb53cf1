//! What AWS would be: ElasticMQ for SQS, versitygw for S3, moto for STS, Secrets Manager and EKS, and a KMS of our own.

pub mod elasticmq;
pub mod kms;
pub mod moto;
pub mod versitygw;

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

use super::servers::ServerGroup;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The access key and its secret, which the servers here know.
pub const ACCESS: (&str, &str) = ("countersign", "countersign-secret");

/// Region, credentials and the endpoint of one server.
pub async fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new(ACCESS.0, ACCESS.1, None, None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        .load()
        .await
}

/// Waits until the group's server listens on `port` of the loopback interface.
fn wait_for(servers: &ServerGroup, port: u16) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        servers.check()?;
        if begun.elapsed() > PATIENCE {
            bail!("no server listens on port {port}:\n{}", servers.log_tails());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
