//! What was folded, as writes. Each may be repeated.

use countersign_core::keys;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Write};
use countersign_core::target::TargetState;

use super::Working;

impl<S: Store> Working<'_, S> {
    /// Writes everything that was folded, and what was asked to be written before it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn write(self) -> Result<(), PortError> {
        let mut writes = self.writes;
        if let Some(active) = &self.active {
            writes.push(Write::put_json(keys::ACTIVE_BUNDLE, active)?);
        }
        for ((follows, head), commit) in &self.heads {
            let key = keys::used_head(follows, head);
            writes.push(Write::PutIfAbsent { key, bytes: json(commit) });
        }
        for (attempt, commits) in &self.asking {
            writes.push(Write::put_json(keys::asking(attempt), commits)?);
        }
        for (key, report) in &self.reports {
            writes.push(Write::put_json(key, report)?);
        }
        for (before, now) in self.targets.values() {
            if let Some(now) = now {
                write_target(&mut writes, before.as_ref(), now)?;
            }
        }
        self.store.write_all(&writes).await.map(drop)
    }
}

/// Writes a target's state with the two lists that it stands in, in an order that a crash cannot hurt: the
/// lists may name a target that needs nothing, but never miss one that does.
fn write_target(
    writes: &mut Vec<Write>,
    before: Option<&TargetState>,
    now: &TargetState,
) -> Result<(), PortError> {
    let unsettled = keys::unsettled(&now.follows, &now.target);
    if !now.is_settled() {
        writes.push(Write::Put { key: unsettled.clone(), bytes: json(&now.target) });
    }
    if let Some(due) = now.due {
        writes.push(Write::Put { key: keys::due(due, &now.target), bytes: json(&now.target) });
    }
    writes.push(Write::put_json(keys::target(&now.target), now)?);
    if now.is_settled() {
        writes.push(Write::Delete { key: unsettled });
    }
    if let Some(before) = before.filter(|before| before.follows != now.follows) {
        writes.push(Write::Delete { key: keys::unsettled(&before.follows, &before.target) });
    }
    if let Some(due) = before.and_then(|before| before.due).filter(|due| now.due != Some(*due)) {
        writes.push(Write::Delete { key: keys::due(due, &now.target) });
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
