//! ElasticMQ, which speaks the protocol of SQS.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use countersign_aws::sqs::{QueueUrls, SqsQueue};
use countersign_core::message::QueueName;

use super::{config, wait_for};
use crate::world::ports::Port;
use crate::world::servers::ServerGroup;
use crate::world::tools::Programs;

/// The account that every queue of ElasticMQ is in.
const ACCOUNT: &str = "000000000000";

/// A running ElasticMQ. It ends when it is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct ElasticMq {
    _servers: ServerGroup,
    _port: Port,
    url: String,
}

impl ElasticMq {
    /// The server that all tests of this process share, started by the first who asks.
    ///
    /// # Errors
    /// When it cannot be built, or does not start.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ElasticMq, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|message| anyhow!("{message}"))
    }

    fn start() -> Result<Self> {
        let programs = Programs::of(&["elasticmq"])?;
        let mut servers = ServerGroup::new("elasticmq")?;
        let port = Port::reserve()?;
        let number = port.number();
        let settings = format!(
            "include classpath(\"application.conf\")\n\
             node-address {{ protocol = http, host = \"127.0.0.1\", port = {number}, context-path = \"\" }}\n\
             rest-sqs {{ enabled = true, bind-port = {number}, bind-hostname = \"127.0.0.1\", sqs-limits = strict }}\n\
             rest-stats {{ enabled = false }}\n"
        );
        let file = servers.folder().join("elasticmq.conf");
        fs::write(&file, settings).with_context(|| format!("cannot write {}", file.display()))?;
        let argument = format!("-Dconfig.file={}", file.display());
        servers.start("elasticmq", programs.path("elasticmq")?, &[&argument])?;
        wait_for(&servers, number)?;
        Ok(Self { _servers: servers, _port: port, url: format!("http://127.0.0.1:{number}") })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    pub async fn client(&self) -> Client {
        Client::new(&config(&self.url).await)
    }

    /// The queues of an installation that no other test uses, as the templates make them: messages that were received
    /// `limit` times go to the dead letters. `visibility` is in seconds.
    ///
    /// # Errors
    /// When ElasticMQ refuses to make them.
    pub async fn queues(&self, installation: &str, queues: &[QueueName], limit: u32) -> Result<SqsQueue> {
        let config = config(&self.url).await;
        let client = Client::new(&config);
        for queue in queues {
            let ending = if queue.is_ordered() { ".fifo" } else { "" };
            let dead = format!("{installation}-dead-{queue}{ending}");
            create(&client, &dead, queue.is_ordered(), &[]).await?;
            let name = format!("{installation}-{queue}{ending}");
            create(&client, &name, queue.is_ordered(), &[redrive(&dead, limit)]).await?;
        }
        let prefix = format!("{}/{ACCOUNT}/{installation}-", self.url);
        Ok(SqsQueue::new(&config, QueueUrls { prefix, accounts: BTreeMap::new() }))
    }

    /// The bodies of what lies among the dead letters of a queue, ten at most.
    ///
    /// # Errors
    /// When ElasticMQ refuses to show them.
    pub async fn dead(&self, installation: &str, queue: &QueueName) -> Result<Vec<String>> {
        let ending = if queue.is_ordered() { ".fifo" } else { "" };
        let url = format!("{}/{ACCOUNT}/{installation}-dead-{queue}{ending}", self.url);
        let request = self.client().await.receive_message().queue_url(url);
        let shown = request.max_number_of_messages(10).wait_time_seconds(5).send().await;
        let shown = shown.with_context(|| format!("cannot read the dead letters of {queue}"))?;
        Ok(shown.messages.unwrap_or_default().into_iter().filter_map(|message| message.body).collect())
    }
}

/// What sends messages that were received `limit` times to the queue `dead`.
#[must_use]
pub fn redrive(dead: &str, limit: u32) -> (QueueAttributeName, String) {
    let policy = format!(
        r#"{{"deadLetterTargetArn":"arn:aws:sqs:elasticmq:{ACCOUNT}:{dead}","maxReceiveCount":"{limit}"}}"#
    );
    (QueueAttributeName::RedrivePolicy, policy)
}

/// Makes a queue with these attributes.
///
/// # Errors
/// When ElasticMQ refuses.
pub async fn create(
    client: &Client,
    name: &str,
    ordered: bool,
    attributes: &[(QueueAttributeName, String)],
) -> Result<()> {
    let mut request = client.create_queue().queue_name(name);
    if ordered {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    for (attribute, value) in attributes {
        request = request.attributes(attribute.clone(), value);
    }
    request.send().await.with_context(|| format!("cannot create the queue {name}"))?;
    Ok(())
}
