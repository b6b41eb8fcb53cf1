//! What each function finds when it starts: the variables of `infra/CONTRACT.md`, each with its value here.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use countersign_core::ports::signer::PublicKey;
use countersign_ledger::note::NoteKey;

use super::{CLUSTER, EKS_CLUSTER, Services, WITNESS};
use crate::cloud::lambda::{ACCOUNT, Function};
use crate::installation::built;
use crate::world::aws::kms;

/// What queues begin with, as SQS names them.
const SQS: &str = "https://sqs.us-east-1.amazonaws.com/123456789012";

impl Services {
    /// A function with what its template gives it.
    pub(super) fn configured(
        &self,
        name: &str,
        root_key: &PublicKey,
        log_key: &NoteKey,
        pseudonyms: &str,
    ) -> Result<Function> {
        let values = self.values(root_key, log_key, pseudonyms);
        let mut environment = BTreeMap::new();
        for (variable, who) in self.contract.variables.iter().filter(|(_, who)| who.contains(name)) {
            let value = values.get(variable.as_str()).with_context(|| format!("{variable} ({who:?})"))?;
            environment.insert(variable.clone(), value.clone());
        }
        for service in ["S3", "SQS", "KMS", "STS", "SECRETS_MANAGER", "EKS"] {
            environment.insert(format!("AWS_ENDPOINT_URL_{service}"), self.gateway.url.clone());
        }
        if let Some(ahead) = self.settings.clocks.get(name) {
            environment.insert("COUNTERSIGN_CLOCK_AHEAD".to_owned(), ahead.to_string());
        }
        if let Some(hidden) = self.settings.hidden {
            environment.insert("COUNTERSIGN_HIDDEN_MILLIS".to_owned(), hidden.as_millis().to_string());
        }
        let row = self.contract.function(name)?;
        let credentials = self.roles.iter().find(|role| role.function == name).cloned();
        Ok(Function {
            name: self.function(name),
            program: built(&format!("countersign-{name}")),
            environment,
            credentials: credentials.with_context(|| format!("{name} has no role"))?,
            timeout: row.timeout,
            memory: row.memory,
            reserved: ["record", "drift", "witness"].contains(&name).then_some(1),
            log: self.log(name),
        })
    }

    fn values(
        &self,
        root_key: &PublicKey,
        log_key: &NoteKey,
        pseudonyms: &str,
    ) -> BTreeMap<&'static str, String> {
        let [data, manifests, log, witness] = &self.buckets;
        let prefix = format!("{SQS}/{}-", self.installation);
        let root: String = root_key.pem.lines().filter(|line| !line.starts_with("---")).collect();
        let log_key = log_key.to_string();
        let elsewhere = format!("{ACCOUNT}/{CLUSTER}");
        [
            ("COUNTERSIGN_INSTALLATION", self.installation.as_str()),
            ("COUNTERSIGN_LOG_LEVEL", "info"),
            ("COUNTERSIGN_BUCKET", data),
            ("COUNTERSIGN_MANIFEST_BUCKET", manifests),
            ("COUNTERSIGN_LOG_BUCKET", log),
            ("COUNTERSIGN_WITNESS_BUCKET", witness),
            ("COUNTERSIGN_QUEUE_PREFIX", &prefix),
            ("COUNTERSIGN_CLUSTERS_ELSEWHERE", &elsewhere),
            ("COUNTERSIGN_MAX_RECEIVES", "288"),
            ("COUNTERSIGN_ROOT_KEY", &root),
            ("COUNTERSIGN_EPOCH", "1"),
            ("COUNTERSIGN_LOG_KEY", kms::ED25519_KEY),
            ("COUNTERSIGN_AUTHORIZATION_KEY", kms::P256_KEY),
            ("COUNTERSIGN_PREVIOUS_LOG_KEY", ""),
            ("COUNTERSIGN_PREVIOUS_AUTHORIZATION_KEY", ""),
            ("COUNTERSIGN_PSEUDONYM_SECRET", pseudonyms),
            ("COUNTERSIGN_REPOSITORIES", "/tmp/repositories"),
            ("COUNTERSIGN_CLUSTER", CLUSTER),
            ("COUNTERSIGN_EKS_CLUSTER", EKS_CLUSTER),
            ("COUNTERSIGN_LOG_VKEY", &log_key),
            ("COUNTERSIGN_WITNESS_NAME", WITNESS),
            ("COUNTERSIGN_WITNESS_KEY", kms::WITNESS_KEY),
        ]
        .map(|(variable, value)| (variable, value.to_owned()))
        .into()
    }
}
