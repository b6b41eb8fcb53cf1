//! The control repository: what `countersign init` made, with the forge, the cluster and the secrets of the cloud form.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use super::{CONTROL, SHOP, Secrets};
use crate::cloud::stack::CLUSTER;
use crate::installation::{Installation, PEOPLE};
use crate::world::gitea::Gitea;
use crate::world::gitea::account::Account;

/// The control repository as it is pushed.
pub(super) struct Control {
    /// Its files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Its commit.
    pub commit: String,
}

/// Writes the control repository of the installation, and pushes it.
pub(super) fn push(
    installation: &Installation,
    gitea: &Gitea,
    people: &[Account],
    secrets: &Secrets,
    uid: &str,
    approvals: u32,
) -> Result<Control> {
    let clone = installation.clone("control")?;
    let baseline = installation.clone("shop")?.head()?;
    let persons = persons(installation, people)?;
    let text = configuration(gitea, &persons, secrets, uid, &baseline, approvals);
    clone.write("countersign.yaml", &text)?;
    let commit = clone.commit_all("ada", "Begin on Gitea")?;
    clone.git(&["push", "-q", &people[0].git_url(CONTROL), "HEAD:refs/heads/main"])?;
    let mut files = BTreeMap::new();
    for path in clone.git(&["ls-files"])?.lines() {
        files.insert(path.to_owned(), fs::read(clone.folder().join(path))?);
    }
    Ok(Control { files, commit })
}

fn persons(installation: &Installation, people: &[Account]) -> Result<String> {
    let mut persons = String::new();
    for account in people {
        let (name, id) = (&account.login, account.id);
        let key = fs::read_to_string(installation.folder().join(format!("{name}.pub")))?;
        let key = key.trim();
        persons += &format!(
            "  {name}:\n    accounts: {{ gitea: {id} }}\n    emails: [{name}@example.com]\n    keys: [\"{key}\"]\n"
        );
    }
    Ok(persons)
}

fn configuration(
    gitea: &Gitea,
    persons: &str,
    secrets: &Secrets,
    uid: &str,
    baseline: &str,
    approvals: u32,
) -> String {
    let placement = |environment: &str| {
        format!(
            "      {environment}:\n        path: deploy/{environment}\n        branch: main\n        \
             namespaces: [shop-{environment}]\n        baseline: \"{baseline}\"\n"
        )
    };
    let (url, Secrets { webhook, token, .. }) = (gitea.url(), secrets);
    let (staging, production) = (placement("staging"), placement("production"));
    format!(
        "version: 1
control:
  repository: gitea/{CONTROL}
  branch: main
  approvals:
    count: 1
    teams: [platform]
hosts:
  gitea:
    kind: gitea
    url: {url}
    webhookSecret: \"secret:{webhook}\"
    token: \"secret:{token}\"
    pollSeconds: 5
people:
{persons}teams:
  platform:
    members: [{}]
repositories:
  gitea/{CONTROL}: {{}}
  gitea/{SHOP}: {{}}
applications:
  shop:
    team: platform
    repository: gitea/{SHOP}
    environments:
{staging}{production}environments:
  staging:
    approvals:
      count: {approvals}
    clusters: [{CLUSTER}]
  production:
    approvals:
      count: 2
    clusters: [{CLUSTER}]
clusters:
  {CLUSTER}:
    kind: kubernetes
    uid: {uid}
",
        PEOPLE.join(", ")
    )
}
