//! How an embedded installation stands, by its database.

use std::path::Path;
use std::sync::Arc;

use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::outcome::Outcome;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::target::TargetState;
use countersign_local::queue::LocalQueue;

use super::{Known, Standing, all_targets};
use crate::commands::block_on;
use crate::commands::dlq::letters;
use crate::commands::reading::{Installation, parsed};
use crate::installation::now;

/// Reads how the installation in a data folder stands.
pub fn read(data: &Path) -> anyhow::Result<Standing> {
    let installation = Installation::open(data)?;
    let (active, size, appended) = block_on(async {
        let mut log = installation.log().await?;
        let size = log.size();
        let appended = match size.checked_sub(1) {
            Some(last) => Some(parsed(last, &log.leaf(last).await?)?.time),
            None => None,
        };
        Ok((installation.active().await?, size, appended))
    })?;
    let configuration = active.as_ref().map(|(_, configuration)| configuration);
    let targets = all_targets(block_on(known(&installation))?, configuration);
    // Only counts are asked for, so how often a message may come does not matter here.
    let queue = LocalQueue::new(&installation.database, Arc::new(now), u32::MAX);
    let names = QueueName::all(configuration.into_iter().flat_map(|found| found.clusters.keys()));
    let mut queues = Vec::new();
    for name in &names {
        queues.push((name.to_string(), queue.depth(name)?));
    }
    Ok(Standing {
        origin: installation.genesis.origin.clone(),
        size,
        appended,
        active: active.map(|(active, _)| active),
        targets,
        queues,
        elsewhere: Vec::new(),
        dead: letters::of(&queue, &names)?,
    })
}

async fn known(installation: &Installation) -> anyhow::Result<Vec<Known>> {
    let mut known = Vec::new();
    for key in installation.store.list(keys::TARGETS, None, usize::MAX).await? {
        let state: Option<TargetState> = store::get_json(&installation.store, &key).await?;
        if let Some(state) = state {
            let drift = drift(installation, &state).await?;
            known.push(Known { target: state.target.clone(), state: Some(state), drift });
        }
    }
    Ok(known)
}

/// How a target differs from what was authorized. The report is a blob, which may have been deleted.
async fn drift(installation: &Installation, state: &TargetState) -> anyhow::Result<Option<Outcome>> {
    let Some(drift) = &state.drift else { return Ok(None) };
    let (store, details) = (&installation.store, &drift.details);
    match store.get(&keys::blob(details)).await? {
        Some(_) => Ok(Some(store::get_blob(store, keys::blob, details).await?)),
        None => Ok(None),
    }
}
