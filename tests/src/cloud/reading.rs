//! How an installation in the cloud form stands: its state, its log, and what Gitea shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use countersign_core::keys;
use countersign_core::leaf::Leaf;
use countersign_core::names::Target;
use countersign_core::ports::store::{Store as _, Versioned};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::Value;

use super::first_day::{COUNTERSIGN, Cloud, SHOP};
use super::stack::CLUSTER;
use crate::world::aws::elasticmq::ElasticMq;
use crate::world::gitea::pull_request::PullRequest;

/// The most objects of a log that is copied.
const MAX_OBJECTS: usize = 100_000;

impl Cloud {
    /// What is kept under a key, as JSON.
    ///
    /// # Errors
    /// When nothing is.
    pub fn kept(&self, key: &str) -> Result<Value> {
        let found = self.runtime.block_on(self.stack.services.store.get(key))?;
        let Versioned { bytes, .. } = found.with_context(|| format!("{key}: not there"))?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The state of the sample in an environment.
    ///
    /// # Errors
    /// When it was never looked at.
    pub fn target(&self, environment: &str) -> Result<Value> {
        self.target_of("shop", environment)
    }

    /// The state of an application in an environment.
    ///
    /// # Errors
    /// When it was never looked at.
    pub fn target_of(&self, application: &str, environment: &str) -> Result<Value> {
        let target = Target {
            application: application.parse()?,
            environment: environment.parse()?,
            cluster: CLUSTER.parse()?,
        };
        self.kept(&keys::target(&target))
    }

    /// Waits until what is wanted of an application in an environment runs and is healthy; returns its state.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub fn until_healthy(&self, application: &str, environment: &str) -> Result<Value> {
        self.until(&format!("{application} in {environment} is healthy"), || {
            let state = self.target_of(application, environment)?;
            ensure!(state["outcome"]["result"]["is"] == "healthy", "{state}");
            Ok(state)
        })
    }

    /// Waits until a commit runs in an environment, and is healthy.
    ///
    /// # Errors
    /// When it does not get there in time.
    pub fn until_runs(&self, environment: &str, commit: &str) -> Result<Value> {
        self.until(&format!("{commit} runs in {environment}"), || self.runs(environment, commit))
    }

    /// The state of the sample in an environment, where a commit runs and is healthy.
    ///
    /// # Errors
    /// When it does not, or is not.
    pub fn runs(&self, environment: &str, commit: &str) -> Result<Value> {
        let state = self.target(environment)?;
        let healthy = state["outcome"]["result"]["is"] == "healthy";
        ensure!(healthy && state["running"]["commit"] == commit, "{state}");
        Ok(state)
    }

    /// Waits until Countersign's status of an environment on a commit of the sample is `state`; returns its description.
    ///
    /// # Errors
    /// When it does not become so in time.
    pub fn until_status(&self, commit: &str, environment: &str, state: &str) -> Result<String> {
        let context = format!("{COUNTERSIGN}/{environment}");
        self.until(&format!("{context} on {commit} is {state}"), || {
            let status = self.gitea.administrator().status_by(SHOP, commit, &context, COUNTERSIGN)?;
            ensure!(status["status"] == state, "it is {status}");
            Ok(status["description"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Waits until Countersign's one comment on a pull request holds all of `texts`; returns it.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub fn until_comment(&self, request: &PullRequest, texts: &[&str]) -> Result<String> {
        self.until(&format!("the comment on {} says {texts:?}", request.number), || {
            request.comment_by(COUNTERSIGN, texts)
        })
    }

    /// Copies the log out of its bucket, and verifies the copy with the command, as an auditor does; returns what the
    /// command printed.
    ///
    /// # Errors
    /// When it cannot be copied, or the command finds it not clean.
    pub fn audit(&self) -> Result<Value> {
        let copy = self.copy_log()?;
        let copy = copy.to_str().context("the temporary folder is not UTF-8")?;
        let verify = ["audit", "verify", "--log", copy, "--genesis", "data/genesis.json", "--root-key"];
        let audit = self.installation.json(&[&verify[..], &["data/keys/root.pub.json"]].concat())?;
        ensure!(audit["clean"] == true, "{audit}");
        Ok(audit)
    }

    fn copy_log(&self) -> Result<PathBuf> {
        let folder = tempfile::Builder::new().prefix("log-").tempdir_in(self.installation.folder())?.keep();
        let store = &self.stack.services.store;
        // The checkpoint first: what it vouches for is there by then, whatever is appended meanwhile.
        let mut keys = vec![format!("{}checkpoint", keys::LOG)];
        keys.extend(self.runtime.block_on(store.list(keys::LOG, None, MAX_OBJECTS))?);
        for key in keys {
            let path = folder.join(key.trim_start_matches(keys::LOG));
            if path.exists() {
                continue;
            }
            // What was tidied up meanwhile is no part of the log.
            let Some(found) = self.runtime.block_on(store.get(&key))? else { continue };
            fs::create_dir_all(path.parent().context("a key without a folder")?)?;
            fs::write(path, found.bytes)?;
        }
        Ok(folder)
    }

    /// Every leaf of the log, the oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn leaves(&self) -> Result<Vec<(u64, Leaf)>> {
        self.runtime.block_on(async {
            let view = countersign_ledger::log::open(&self.stack.services.store, &self.log_keys).await?;
            let mut view = view.context("there is no log")?;
            let mut leaves = Vec::new();
            for index in 0..view.size() {
                leaves.push((index, serde_json::from_slice(&view.leaf(index).await?)?));
            }
            Ok(leaves)
        })
    }

    /// What the sample's config map in staging greets with.
    ///
    /// # Errors
    /// When it is not there.
    pub fn greeting(&self) -> Result<String> {
        self.runtime.block_on(async {
            let client = self.stack.services.control_plane.client().await?;
            let map = Api::<ConfigMap>::namespaced(client, "shop-staging").get("web").await?;
            map.data.and_then(|mut data| data.remove("greeting")).context("it greets nobody")
        })
    }

    /// How many messages lie in each queue of dead letters that holds some.
    ///
    /// # Errors
    /// When a queue cannot be read.
    pub fn dead_letters(&self) -> Result<BTreeMap<String, u64>> {
        let mut found = BTreeMap::new();
        let count = QueueAttributeName::ApproximateNumberOfMessages;
        for queue in self.stack.services.dead_queues()? {
            let read = async {
                let client = ElasticMq::shared()?.client().await;
                let request = client.get_queue_attributes().queue_url(&queue).attribute_names(count.clone());
                anyhow::Ok(request.send().await?)
            };
            let attributes = self.runtime.block_on(read)?.attributes.unwrap_or_default();
            let messages = attributes.get(&count).and_then(|text| text.parse().ok()).unwrap_or(0);
            if messages > 0 {
                found.insert(queue, messages);
            }
        }
        Ok(found)
    }
}
