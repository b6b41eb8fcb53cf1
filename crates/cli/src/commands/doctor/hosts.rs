//! The hosts: whether their secrets can be read, and whether each repository answers with its credential.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::configuration::{Configuration, SecretReference};
use countersign_core::names::RepositoryId;
use countersign_core::ports::forge::ForgeRead as _;
use countersign_core::ports::secrets::Secrets as _;
use countersign_git::mirror::{GiveUp, Repositories, Source};
use countersign_local::secrets::LocalSecrets;

use super::finding::Findings;
use crate::commands::reading::Installation;
use crate::installation::{DataFolder, now};
use crate::serve::forges::HostForges;

/// How long one question to a server may take.
const QUESTION: Duration = Duration::from_secs(20);

/// Looks at every host, and at every repository that is followed.
pub async fn look(
    installation: &Installation,
    configuration: &Configuration,
    data: &Path,
    findings: &mut Findings,
) {
    for (host, of, reference) in secrets(configuration) {
        match LocalSecrets.read(reference).await {
            Ok(secret) if secret.is_empty() => {
                let mend = "write the secret there, as the forge knows it";
                findings.bad("secret", format!("{host} {of}"), "it is empty", mend);
            }
            Ok(_) => findings.good("secret", format!("{host} {of}"), "can be read"),
            Err(error) if matches!(reference, SecretReference::Environment(_)) => {
                let mend = "look with the environment of serve, which alone is not seen here";
                findings.warn("secret", format!("{host} {of}"), error.to_string(), mend);
            }
            Err(error) => {
                let mend = "put it where countersign.yaml says, readable by the user that runs serve";
                findings.bad("secret", format!("{host} {of}"), error.to_string(), mend);
            }
        }
    }
    let forges = HostForges::new(installation.store.clone(), Arc::new(now));
    let repositories = Repositories::new(DataFolder::new(data).repositories());
    let mut asked = BTreeSet::new();
    for follows in configuration.followed_refs() {
        if asked.insert(follows.repository.clone()) {
            repository(&forges, &repositories, configuration, &follows.repository, findings).await;
        }
    }
}

/// Every secret that the hosts name.
fn secrets(configuration: &Configuration) -> Vec<(String, &'static str, &SecretReference)> {
    let mut all = Vec::new();
    for (name, host) in &configuration.hosts {
        all.push((name.to_string(), "webhookSecret", &host.webhook_secret));
        all.extend(host.token.iter().map(|token| (name.to_string(), "token", token)));
        all.extend(host.app.iter().map(|app| (name.to_string(), "app.privateKey", &app.private_key)));
        all.extend(host.ssh.iter().map(|ssh| (name.to_string(), "ssh.key", &ssh.key)));
    }
    for (id, repository) in &configuration.repositories {
        all.extend(repository.token.iter().map(|token| (id.to_string(), "token", token)));
        all.extend(repository.ssh.iter().map(|ssh| (id.to_string(), "ssh.key", &ssh.key)));
    }
    all
}

/// Asks a repository's server for its branches, with the credential that `gather` uses.
async fn repository(
    forges: &HostForges,
    repositories: &Repositories,
    configuration: &Configuration,
    id: &RepositoryId,
    findings: &mut Findings,
) {
    let mend =
        "check that the host is up, that its url is right, and that its token may read this repository";
    let Some(url) = configuration.git_url(id) else {
        findings.bad("repository", id, "it has no URL", "add its host, or url, to countersign.yaml");
        return;
    };
    let credential = match forges.git_credential(id).await {
        Ok(credential) => credential,
        Err(error) => return findings.bad("repository", id, error.to_string(), mend),
    };
    let source = Source { url, credential, also: Vec::new() };
    let started = Instant::now();
    let give_up: GiveUp = Arc::new(move || started.elapsed() > QUESTION);
    let prefixes = ["refs/heads/".to_owned()];
    match repositories.tips(id, &source, &prefixes, &give_up) {
        Ok(tips) => findings.good("repository", id, format!("answers with {} branches", tips.len())),
        Err(error) => findings.bad("repository", id, error.to_string(), mend),
    }
}
