//! What happens when the process starts: the first day, and a look at everything that is followed.

use anyhow::{Context as _, anyhow};
use countersign_core::ports::forge::ForgeRead as _;
use countersign_evaluate::bundles;
use countersign_git::mirror::{Limits, Source};
use countersign_ledger::epochs::{Epoch, FIRST_EPOCH};
use countersign_policy::bundle::Bundle;

use super::node::Node;
use super::timer::poller;
use super::workers::fetch_deadline;
use crate::installation::{DataFolder, now};

/// Reads the control repository, and, on the first day, makes leaf 0 of the genesis and the first bundle,
/// which makes everything that is followed due. Whether this is that day.
///
/// # Errors
/// When the control repository is not there, or is another than the genesis speaks of.
pub async fn first_day(node: &Node, data: &DataFolder, control: &str) -> anyhow::Result<bool> {
    let (bytes, genesis) = &node.genesis;
    let active = node.configurations.active(&node.store).await?;
    let id = &genesis.control.repository;
    // The credential of the configured place is for no other.
    let credential = match active.as_ref().and_then(|active| active.configuration.git_url(id)) {
        Some(url) if url == control => node.forges.git_credential(id).await?,
        _ => None,
    };
    let source = Source { url: control.to_owned(), credential, also: Vec::new() };
    let repository = node
        .repositories
        .fetch(id, &source, &Limits::default(), &fetch_deadline())
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the control repository {control} cannot be read: check --control"))?;
    anyhow::ensure!(
        repository.has(&genesis.commit).map_err(|error| anyhow!("{error}"))?,
        "{control}: commit {} of the genesis is not there: this is another control repository",
        genesis.commit
    );
    let first = active.is_none();
    let begun = data.begun();
    if first {
        anyhow::ensure!(
            !begun.exists(),
            "{}: the log of this installation has begun, and its database holds none of it: restore the \
             database from a backup, or make a new installation",
            data.path().display()
        );
        let tree = repository.tree(&genesis.commit).map_err(|error| anyhow!("{error}"))?;
        let bundle = Bundle::compile(&tree).map_err(|problems| {
            let first = problems.first().map(|problem| format!("{}: {}", problem.at, problem.message));
            anyhow!("the control repository is not valid: {}", first.unwrap_or_default())
        })?;
        anyhow::ensure!(
            *bundle.digest() == genesis.bundle,
            "{control}: commit {} is not the bundle that the genesis names",
            genesis.commit
        );
        bundles::store(&node.store, &bundle).await?;
    }
    let _alone = node.recording.lock().await;
    begin_epoch(node, data).await?;
    node.recorder().genesis(now(), bytes).await?;
    if !begun.exists() {
        std::fs::write(&begun, format!("{}\n", genesis.origin))
            .with_context(|| format!("{}: cannot be written", begun.display()))?;
    }
    Ok(first)
}

/// Announces the epoch of the newest keys, once, under the keys of the epoch before.
async fn begin_epoch(node: &Node, data: &DataFolder) -> anyhow::Result<()> {
    let epoch = node.epochs.current().epoch;
    let file = data.rotation(epoch);
    if epoch == FIRST_EPOCH {
        return Ok(());
    }
    let rotation = std::fs::read(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let signers = async |before: &Epoch| {
        data.signers(before).with_context(|| {
            format!("the keys of the epoch before are needed once more, to announce epoch {epoch}")
        })
    };
    node.recorder().begin_epoch(now(), (&node.epochs, &rotation), signers).await
}

/// Makes a look at every followed ref due: whatever was missed while the process was down is found.
///
/// # Errors
/// When the queue cannot be written.
pub async fn look_at_everything(node: &Node) -> anyhow::Result<()> {
    poller(node).everything(now()).await?;
    Ok(())
}
