#![doc = include_str!("../README.md")]

mod account;
mod target;

use std::future::Future;

use countersign_cluster::failure::Failure;
use countersign_cluster::inventory::{self, Inventory, InventoryState};
use countersign_cluster::parallel;
use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::Configuration;
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;

/// The stage of one cluster, with the ports that it touches the world through.
pub struct Drifter<'a, S, Q, C, P> {
    /// The cluster's name: outcomes go to its queue.
    pub name: &'a ClusterName,
    /// The configuration, authorizations, manifests, the log.
    pub store: &'a S,
    /// Where outcomes are sent.
    pub queue: &'a Q,
    /// The cluster.
    pub cluster: &'a C,
    /// The configuration that was read last.
    pub configurations: &'a ConfigurationCache,
    /// Waits a moment: while a CRD that was put back becomes established.
    pub pause: P,
}

/// What one look at all targets came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Targets that were compared.
    pub compared: u32,
    /// Of these, those that run something else than was authorized.
    pub drifted: u32,
    /// Targets that could not be compared now.
    pub unread: u32,
}

/// How many targets are compared side by side.
const TARGETS: usize = 4;

/// How a target was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// As it was authorized.
    Clean,
    /// Otherwise.
    Drifted,
    /// A change is on its way, or it is removed: there is nothing to compare.
    Busy,
}

impl<S: Store, Q: Queue, C: Cluster, W, P> Drifter<'_, S, Q, C, P>
where
    W: Future<Output = ()> + Send,
    P: Fn() -> W + Sync,
{
    /// Looks at every target that the cluster holds. What cannot be compared now is compared at the next look.
    ///
    /// # Errors
    /// When the cluster cannot be asked what it holds.
    pub async fn handle(&self, now: Timestamp) -> Result<Looked, Failure> {
        let configuration = self.configuration().await;
        let held = inventory::all(self.cluster).await?;
        let tasks =
            held.into_iter().map(|inventory| self.one(now, configuration.as_deref(), inventory)).collect();
        let mut looked = Looked::default();
        for found in parallel::some(TARGETS, tasks).await {
            match found {
                Some(Found::Clean) => looked.compared += 1,
                Some(Found::Drifted) => {
                    looked.compared += 1;
                    looked.drifted += 1;
                }
                Some(Found::Busy) => {}
                None => looked.unread += 1,
            }
        }
        Ok(looked)
    }

    /// What says whether drift is put back. Where it cannot be read, nothing is: what differs is told all the same.
    async fn configuration(&self) -> Option<std::sync::Arc<Configuration>> {
        match self.configurations.active(self.store).await {
            Ok(active) => active.map(|active| active.configuration),
            Err(error) => {
                tracing::warn!(cluster = %self.name, %error, "the configuration cannot be read: nothing is put back");
                None
            }
        }
    }

    /// Looks at one target; none where it could not be compared now.
    async fn one(
        &self,
        now: Timestamp,
        configuration: Option<&Configuration>,
        inventory: Result<Inventory, Failure>,
    ) -> Option<Found> {
        let inventory = match inventory {
            Ok(inventory) => inventory,
            Err(error) => {
                tracing::error!(cluster = %self.name, %error, "cannot compare");
                return None;
            }
        };
        if inventory.state == InventoryState::Applying {
            return Some(Found::Busy);
        }
        let heal = configuration
            .and_then(|configuration| configuration.environments.get(&inventory.target.environment))
            .is_some_and(|environment| environment.self_heal);
        match self.compare(now, &inventory, heal).await {
            Ok(found) => Some(found),
            Err(why) => {
                tracing::warn!(target = %inventory.target, why, "cannot compare now");
                None
            }
        }
    }
}
