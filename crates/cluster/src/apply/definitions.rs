//! Custom resource definitions: objects of their kinds can be applied once they are established.

use countersign_core::ports::cluster::{Cluster, ServedKind};
use serde_json::Value;

use super::subject::Subject;
use crate::failure::{Failure, Reason};
use crate::health::{self, Status};
use crate::plan::kinds::served_versions;

/// How often the caller's pause is awaited at most.
const PAUSES: usize = 60;

/// Waits until every definition is established and its kinds are served.
pub async fn established<W: Future<Output = ()> + Send>(
    cluster: &impl Cluster,
    definitions: &[&Subject<'_>],
    pause: &(impl Fn() -> W + Send + Sync),
) -> Result<(), Failure> {
    for _ in 0..PAUSES {
        if all_established(cluster, definitions).await? {
            return Ok(());
        }
        pause().await;
    }
    let message = "its custom resource definitions are not established yet: they are looked at again";
    Err(Failure::new(Reason::Unavailable, message))
}

async fn all_established(cluster: &impl Cluster, definitions: &[&Subject<'_>]) -> Result<bool, Failure> {
    for definition in definitions {
        let key = &definition.item.key;
        let object = cluster.get(key).await.map_err(|error| Failure::from_cluster(key, &error))?;
        let health = object.as_ref().map(health::of);
        match health {
            Some(health) if health.status == Status::Failed => {
                return Err(Failure::of(Reason::Invalid, key, health.message));
            }
            Some(health) if health.status == Status::Current => {}
            _ => return Ok(false),
        }
    }
    let served = cluster.rediscover().await?;
    Ok(definitions.iter().all(|definition| is_served(definition.item.object, &served)))
}

fn is_served(definition: &Value, served: &[ServedKind]) -> bool {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    served_versions(definition).all(|version| {
        let api_version = format!("{group}/{version}");
        served.iter().any(|served| served.api_version == api_version && served.kind == kind)
    })
}
