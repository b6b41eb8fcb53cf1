//! Writes what was folded. Each write may be repeated.

use countersign_core::keys;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store};
use countersign_core::target::TargetState;

use super::Working;

impl<S: Store> Working<'_, S> {
    /// Writes everything that was folded. Each write may be repeated.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn write(self) -> Result<(), PortError> {
        if let Some(active) = &self.active {
            store::put_json(self.store, keys::ACTIVE_BUNDLE, active).await?;
        }
        for ((follows, head), commit) in &self.heads {
            self.store.put_if_absent(&keys::used_head(follows, head), &json(commit)).await?;
        }
        for (key, report) in &self.reports {
            store::put_json(self.store, key, report).await?;
        }
        for (before, now) in self.targets.values() {
            if let Some(now) = now {
                write_target(self.store, before.as_ref(), now).await?;
            }
        }
        Ok(())
    }
}

/// Writes a target's state with the two lists that it stands in, in an order that a crash cannot hurt: the
/// lists may name a target that needs nothing, but never miss one that does.
async fn write_target(
    store: &impl Store,
    before: Option<&TargetState>,
    now: &TargetState,
) -> Result<(), PortError> {
    let name = json(&now.target);
    let unsettled = keys::unsettled(&now.follows, &now.target);
    if !now.is_settled() {
        store.put(&unsettled, &name).await?;
    }
    if let Some(due) = now.due {
        store.put(&keys::due(due, &now.target), &name).await?;
    }
    store::put_json(store, &keys::target(&now.target), now).await?;
    if now.is_settled() {
        store.delete(&unsettled).await?;
    }
    match before {
        Some(before) if before.follows != now.follows => {
            store.delete(&keys::unsettled(&before.follows, &before.target)).await?;
        }
        _ => {}
    }
    match before.and_then(|before| before.due) {
        Some(due) if now.due != Some(due) => store.delete(&keys::due(due, &now.target)).await,
        _ => Ok(()),
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
