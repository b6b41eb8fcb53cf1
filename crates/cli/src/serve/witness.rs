//! Brings what a witness cosigned to where `apply` looks for it. It is not believed here: clusters pin its key.

use std::time::Duration;

use anyhow::Context as _;
use countersign_core::keys;
use countersign_core::ports::store::Store;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::note::NoteKey;
use tokio::sync::watch;

use super::node::Node;
use super::timer;
use crate::remote::Remote;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// Looks at the witness until told to stop. One that does not answer holds up only those clusters that demand it.
pub async fn follow(node: &Node, witness: &Remote, mut stop: watch::Receiver<bool>) {
    let mut failing = false;
    while !*stop.borrow() {
        match bring(node, witness).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the witness cannot be read: what it is demanded for waits"
                );
                failing = true;
            }
            Err(_) => {}
        }
        timer::rest(&mut stop, PERIOD).await;
    }
}

/// Brings the newest cosigned checkpoint; earlier ones are of no use any more.
async fn bring(node: &Node, witness: &Remote) -> anyhow::Result<()> {
    let log = node.epochs.checkpoint_keys()?;
    let Some(newest) = checkpoint(witness, keys::WITNESSED, &log).await? else { return Ok(()) };
    let known = checkpoint(&node.store, keys::WITNESSED, &log).await?;
    if known.as_ref().is_some_and(|(_, known)| *known >= newest.1) {
        return Ok(());
    }
    let from = keys::cosigned(newest.1);
    let Some((cosigned, of)) = checkpoint(witness, &from, &log).await? else { return Ok(()) };
    anyhow::ensure!(of == newest.1, "{from}: the checkpoint there is of {of} leaves");
    node.store.put(&from, &cosigned).await?;
    node.store.put(keys::WITNESSED, &newest.0).await?;
    if let Some((_, known)) = known {
        node.store.delete(&keys::cosigned(known)).await?;
    }
    Ok(())
}

/// A checkpoint that a key of the log signed, as bytes, with the number of its leaves.
async fn checkpoint(
    store: &impl Store,
    key: &str,
    log: &[NoteKey],
) -> anyhow::Result<Option<(Vec<u8>, u64)>> {
    let Some(found) = store.get(key).await? else { return Ok(None) };
    let text = std::str::from_utf8(&found.bytes).with_context(|| format!("{key}: not text"))?;
    let size = SignedCheckpoint::verify_by_any(text, log).with_context(|| key.to_owned())?.checkpoint().size;
    Ok(Some((found.bytes, size)))
}
