//! One stage: all dry runs, then the writes, wave by wave.

use countersign_core::outcome::{Action, ObjectOutcome};
use countersign_core::ports::cluster::{Cluster, ClusterError};
use futures_util::future;
use serde_json::Value;

use super::subject::Subject;
use crate::diff;
use crate::failure::{Failure, Reason};
use crate::{ownership, parallel};

/// Who writes, and when.
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// Whether an earlier stage wrote namespaces or definitions: not every part of an API server knows
    /// of them at once, so that what is not found may be found in a moment.
    pub fresh: bool,
}

/// Writes the objects of a stage; none of them before every dry run passed, and before it is certain that the
/// change is `still_mine`, which is asked meanwhile.
pub async fn write(
    cluster: &impl Cluster,
    writer: &Writer,
    waves: &[Vec<&Subject<'_>>],
    still_mine: impl Future<Output = Result<(), Failure>> + Send,
) -> Result<Vec<ObjectOutcome>, Failure> {
    let dry = waves.iter().flatten().map(|subject| apply(cluster, writer, subject, true)).collect();
    let (dry, still_mine) = future::join(parallel::run(dry), still_mine).await;
    still_mine?;
    let failures = dry.into_iter().filter_map(Result::err);
    Failure::all(failures).map_or(Ok(()), Err)?;

    let mut done = Vec::new();
    for wave in waves {
        let writes = wave.iter().map(|subject| apply(cluster, writer, subject, false)).collect();
        let mut failures = Vec::new();
        for written in parallel::run(writes).await {
            match written {
                Ok(outcome) => done.push(outcome),
                Err(failure) => failures.push(failure),
            }
        }
        if let Some(failure) = Failure::all(failures) {
            return Err(Failure { done, ..failure });
        }
    }
    Ok(done)
}

async fn apply(
    cluster: &impl Cluster,
    writer: &Writer,
    subject: &Subject<'_>,
    dry_run: bool,
) -> Result<ObjectOutcome, Failure> {
    let key = subject.item.key.clone();
    let object = ownership::marked(subject.item.object, &writer.manager);
    let after = cluster.apply(&object, &subject.options(&writer.manager, dry_run)).await;
    let after = after.map_err(|error| match error {
        ClusterError::NotFound(why) if writer.fresh => Failure::of(Reason::Unavailable, &key, why),
        error => Failure::from_cluster(&key, &error),
    })?;
    let action = action(subject.before.as_ref(), &after);
    Ok(ObjectOutcome { key, action, message: None })
}

/// What a write did. Controllers may write a status between our read and our write, so that another
/// resource version alone does not mean that we changed something.
fn action(before: Option<&Value>, after: &Value) -> Action {
    let same = |before: &Value, pointer: &str| before.pointer(pointer) == after.pointer(pointer);
    match before {
        Some(before) if !same(before, "/metadata/uid") => Action::Created,
        None => Action::Created,
        Some(before) if same(before, "/metadata/resourceVersion") => Action::Unchanged,
        Some(before) if diff::fields(before, after).is_empty() => Action::Unchanged,
        Some(_) => Action::Configured,
    }
}
