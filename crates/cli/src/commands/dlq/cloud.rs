//! Dead letters in SQS, of the queues of this account.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use countersign_core::message::QueueName;
use countersign_local::queue::dead::Redriven;

use super::DeadLetters;
use super::letters::Letter;
use crate::commands::aws::Aws;
use crate::commands::deployed::dead;
use crate::commands::deployed::queues::{self, Urls};
use crate::installation::now;

/// The dead letters of an installation on AWS.
pub struct Cloud {
    aws: Aws,
    queues: BTreeMap<QueueName, Urls>,
}

impl Cloud {
    /// Those of the installation's queues in this account: of the core, of clusters, or of both.
    ///
    /// # Errors
    /// When there are none, or these credentials may not ask.
    pub fn open(program: impl Into<PathBuf>, installation: &str) -> anyhow::Result<Self> {
        let aws = Aws::new(program);
        let queues = queues::of(&aws, installation)?;
        Ok(Self { aws, queues })
    }

    fn of<'a>(&'a self, queue: &'a QueueName) -> anyhow::Result<dead::DeadLetters<'a>> {
        let urls = self.queues.get(queue).with_context(|| format!("{queue} is not in this account"))?;
        dead::DeadLetters::of(&self.aws, queue, urls)
    }
}

impl DeadLetters for Cloud {
    fn queues(&self) -> anyhow::Result<Vec<QueueName>> {
        Ok(self.queues.keys().cloned().collect())
    }

    fn all(&self) -> anyhow::Result<Vec<Letter>> {
        dead::of_all(&self.aws, &self.queues, &queues::depths(&self.aws, &self.queues)?)
    }

    fn list(&self, queue: &QueueName) -> anyhow::Result<Vec<Letter>> {
        self.of(queue)?.list()
    }

    fn redrive(&self, queue: &QueueName, id: &str) -> anyhow::Result<Redriven> {
        self.of(queue)?.redrive(id)
    }

    fn redrive_all(&self, queue: &QueueName) -> anyhow::Result<Vec<String>> {
        self.of(queue)?.redrive_all(now())
    }

    fn dismiss(&self, queue: &QueueName, id: &str) -> anyhow::Result<bool> {
        self.of(queue)?.dismiss(id)
    }
}
