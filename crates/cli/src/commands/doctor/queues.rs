//! The queues: what could not succeed, and what waits for too long.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_local::queue::{Depth, LocalQueue};

use super::finding::Findings;
use crate::commands::reading::Installation;
use crate::installation::now;

/// What waits longer does not only wait for its turn.
const LONG: Duration = Duration::from_mins(5);

/// Looks at every queue.
pub async fn look(installation: &Installation, findings: &mut Findings) {
    let active = installation.active().await.ok().flatten();
    let clusters = active.iter().flat_map(|(_, configuration)| configuration.clusters.keys());
    // Only counts are asked for, so how often a message may come does not matter here.
    let queue = LocalQueue::new(&installation.database, Arc::new(now), u32::MAX);
    for name in QueueName::all(clusters) {
        match queue.depth(&name) {
            Ok(depth) => judge(&name.to_string(), &depth, findings),
            Err(error) => {
                findings.bad("queue", &name, error.to_string(), "restore the database from a backup");
            }
        }
    }
}

/// Judges one queue.
pub fn judge(name: &str, depth: &Depth, findings: &mut Findings) {
    let waited = depth.oldest.map_or(Duration::ZERO, |oldest| now().since(oldest));
    // Observations wait on purpose.
    let is_late = waited > LONG && !name.starts_with("observations-");
    if depth.dead > 0 {
        let what = format!("{} dead letters", depth.dead);
        let mend = format!(
            "read why: countersign dlq list {name} --data DIR; mend that, then countersign dlq redrive {name} --all"
        );
        findings.bad("queue", name, what, &mend);
    } else if is_late {
        let what = format!("the oldest message has waited for {} minutes", waited.as_secs() / 60);
        let mend = "start serve if it does not run; else read in its log why the message comes again";
        findings.warn("queue", name, what, mend);
    } else {
        findings.good("queue", name, format!("{} wait", depth.visible + depth.delayed + depth.in_flight));
    }
}
