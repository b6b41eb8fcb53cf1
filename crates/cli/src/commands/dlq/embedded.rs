//! Dead letters in the database of the embedded form.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::message::QueueName;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::queue::dead::Redriven;

use super::DeadLetters;
use super::letters::{self, Letter};
use crate::commands::block_on;
use crate::commands::reading::Installation;
use crate::installation::now;

/// The dead letters of the installation in a data folder.
pub struct Embedded {
    data: PathBuf,
    installation: Installation,
}

impl Embedded {
    /// Those of the installation in this folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        Ok(Self { data: data.to_owned(), installation: Installation::open(data)? })
    }

    fn written(&self) -> anyhow::Result<LocalQueue> {
        Ok(queue(&Database::open_beside(&self.data)?))
    }
}

/// Nothing is received here, so how often a message may come does not matter.
fn queue(database: &Database) -> LocalQueue {
    LocalQueue::new(database, Arc::new(now), u32::MAX)
}

impl DeadLetters for Embedded {
    fn queues(&self) -> anyhow::Result<Vec<QueueName>> {
        let active = block_on(self.installation.active())?;
        Ok(QueueName::all(active.iter().flat_map(|(_, configuration)| configuration.clusters.keys())))
    }

    fn all(&self) -> anyhow::Result<Vec<Letter>> {
        letters::of(&queue(&self.installation.database), &self.queues()?)
    }

    fn list(&self, name: &QueueName) -> anyhow::Result<Vec<Letter>> {
        letters::of(&queue(&self.installation.database), std::slice::from_ref(name))
    }

    fn redrive(&self, name: &QueueName, id: &str) -> anyhow::Result<Redriven> {
        Ok(self.written()?.redrive(name, id)?)
    }

    fn redrive_all(&self, name: &QueueName) -> anyhow::Result<Vec<String>> {
        Ok(self.written()?.redrive_all(name)?)
    }

    fn dismiss(&self, name: &QueueName, id: &str) -> anyhow::Result<bool> {
        Ok(self.written()?.dismiss(name, id)?)
    }
}
