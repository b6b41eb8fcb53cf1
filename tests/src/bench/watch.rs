//! What the API server shows: a watch on every object of the benchmark.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures_util::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use super::field::Plan;
use super::sources::{self, LABEL};

/// Seconds after which the server ends a watch: sooner than a client takes a server that has nothing to tell for dead.
const PERIOD: u32 = 15;

/// Versions by the objects' names.
type Versions = HashMap<String, u64>;

/// Follows the objects of one field.
#[derive(Debug)]
pub struct Watch {
    seen: watch::Receiver<Versions>,
    following: tokio::task::JoinHandle<()>,
}

impl Watch {
    /// Begins to follow.
    ///
    /// # Errors
    /// When the API server cannot be read.
    pub async fn start(client: Client, plan: &Plan) -> Result<Self> {
        let api = Api::<ConfigMap>::all(client);
        let selector = format!("{LABEL}={}", plan.name);
        let listed = api.list(&ListParams::default().labels(&selector)).await?;
        let version = listed.metadata.resource_version.context("a list has no version")?;
        let (sender, seen) = watch::channel(Versions::new());
        let following = tokio::spawn(async move {
            if let Err(error) = follow(&api, &selector, version, &sender).await {
                eprintln!("bench: the watch ended: {error:#}");
            }
        });
        Ok(Self { seen, following })
    }

    /// Waits until every object of these applications shows `version`; returns when the last one did.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn until(
        &mut self,
        plan: &Plan,
        applications: &[usize],
        version: u64,
        patience: Duration,
    ) -> Result<Instant> {
        let wanted: Vec<_> = applications
            .iter()
            .flat_map(|index| {
                let name = sources::application(plan, *index);
                (0..sources::objects(plan, *index)).map(move |object| format!("{name}-{object:02}"))
            })
            .collect();
        let missing =
            |seen: &Versions| wanted.iter().filter(|name| seen.get(*name) != Some(&version)).count();
        let waiting = self.seen.wait_for(|seen| missing(seen) == 0);
        let ended = tokio::time::timeout(patience, waiting).await.map(|seen| seen.map(drop));
        match ended {
            Ok(Ok(())) => Ok(Instant::now()),
            Ok(Err(_)) => bail!("the watch ended"),
            Err(_) => {
                let left = missing(&self.seen.borrow());
                bail!("{left} of {} objects do not show version {version} in time", wanted.len())
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Follows until the watch fails. A watch that the server ends is begun again where it ended.
async fn follow(
    api: &Api<ConfigMap>,
    selector: &str,
    mut version: String,
    sender: &watch::Sender<Versions>,
) -> Result<()> {
    loop {
        let parameters = WatchParams::default().labels(selector).timeout(PERIOD);
        let mut events = Box::pin(api.watch(&parameters, &version).await?);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = object.resource_version().unwrap_or(version);
                    let shown = object.data.as_ref().and_then(|data| data.get("version")?.parse().ok());
                    sender.send_modify(|seen| {
                        seen.insert(object.name_any(), shown.unwrap_or_default());
                    });
                }
                WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
                WatchEvent::Deleted(_) => {}
                WatchEvent::Error(error) => bail!("{error:?}"),
            }
        }
    }
}
