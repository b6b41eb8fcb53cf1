//! Applies a plan: server-side, stage by stage, behind the fence of the inventory.

use countersign_core::outcome::ObjectOutcome;
use countersign_core::ports::cluster::Cluster;
use futures_util::future;

use crate::failure::Failure;
use crate::inventory;
use crate::order::Stage;
use crate::plan::{Plan, manager};

mod definitions;
mod stage;
mod subject;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplyReport {
    /// One entry per object of the plan, in the order of writes.
    pub objects: Vec<ObjectOutcome>,
}

/// Applies `plan` with `cluster`'s identity, behind the inventory that `fence`'s identity keeps.
///
/// Nothing is written before every object is known to be in its bounds and nobody else's, and nothing of
/// a stage before all dry runs of that stage passed. The same plan may be applied again at any time.
/// `pause` waits a moment; it is awaited at most 60 times, while definitions become established.
///
/// # Errors
/// With everything that was wrong, and what had been done by then.
pub async fn apply<W: Future<Output = ()> + Send>(
    fence: &impl Cluster,
    cluster: &impl Cluster,
    plan: &Plan<'_>,
    pause: impl Fn() -> W + Send + Sync,
) -> Result<ApplyReport, Failure> {
    let items = match plan.checked(&cluster.discover().await?) {
        Ok(items) => items,
        // A kind that came since the cluster was last asked may be what is missing.
        Err(_) => plan.checked(&cluster.rediscover().await?)?,
    };
    let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
    let manager = manager(plan.target);
    let examined = subject::examine(cluster, &manager, plan.adopt, items);
    let (subjects, held) = future::join(examined, inventory::held(fence, plan.target)).await;
    let subjects = subjects?;
    let claimed = inventory::claim(fence, plan, &keys, held?).await?;

    let mut report = ApplyReport::default();
    let mut writer = stage::Writer { manager, fresh: false };
    for stage in Stage::ALL {
        let waves = crate::order::waves(&subjects, stage, |subject| &subject.item.key);
        if waves.is_empty() {
            continue;
        }
        let written = async {
            let still_mine = inventory::still_mine(fence, plan.target, plan.sequence);
            let written = stage::write(cluster, &writer, &waves, still_mine).await?;
            if stage == Stage::Definitions {
                definitions::established(cluster, &waves.concat(), &pause).await?;
            }
            Ok(written)
        };
        match written.await {
            Ok(written) => report.objects.extend(written),
            Err(failure) => return Err(after(&mut report, failure)),
        }
        writer.fresh |= stage <= Stage::Definitions;
    }
    inventory::applied(fence, plan, claimed).await.map_err(|failure| after(&mut report, failure))?;
    Ok(report)
}

/// The failure with what was done before it.
fn after(report: &mut ApplyReport, failure: Failure) -> Failure {
    let mut done = std::mem::take(&mut report.objects);
    done.extend(failure.done);
    Failure { done, ..failure }
}
