//! The control repository: what `countersign init` made, with the forge, the cluster and the secrets of the cloud form.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use super::applications::{self, Applications};
use super::{CONTROL, Facts, SHOP, Secrets};
use crate::cloud::stack::{CLUSTER, Settings};
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
    (gitea, people): (&Gitea, &[Account]),
    settings: &Settings,
    facts: &Facts<'_>,
) -> Result<Control> {
    let clone = installation.clone("control")?;
    let baseline = installation.clone("shop")?.head()?;
    let persons = persons(installation, people)?;
    let text = configuration(gitea, &persons, settings, facts, &baseline);
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

/// The repositories of the applications besides the sample, and the applications.
fn others(applications: &Applications) -> (String, String) {
    let (mut repositories, mut others) = (String::new(), String::new());
    for name in &applications.names {
        let (repository, baseline) = (applications::repository(name), &applications.baseline);
        repositories += &format!("  gitea/{repository}: {{}}\n");
        others += &format!(
            "  {name}:\n    team: platform\n    repository: gitea/{repository}\n    environments:\n      staging:\n        \
             path: deploy/staging\n        branch: main\n        namespaces: [{name}]\n        \
             baseline: \"{baseline}\"\n"
        );
    }
    (repositories, others)
}

fn configuration(
    gitea: &Gitea,
    persons: &str,
    settings: &Settings,
    facts: &Facts<'_>,
    baseline: &str,
) -> String {
    let placement = |environment: &str| {
        format!(
            "      {environment}:\n        path: deploy/{environment}\n        branch: main\n        \
             namespaces: [shop-{environment}]\n        baseline: \"{baseline}\"\n"
        )
    };
    let Facts { secrets: Secrets { webhook, token, .. }, uid, applications } = facts;
    let (url, approvals) = (gitea.url(), settings.approvals.unwrap_or(1));
    let poll = settings.poll_seconds.unwrap_or(5);
    let (staging, production) = (placement("staging"), placement("production"));
    let (repositories, others) = others(applications);
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
    pollSeconds: {poll}
people:
{persons}teams:
  platform:
    members: [{}]
repositories:
  gitea/{CONTROL}: {{}}
  gitea/{SHOP}: {{}}
{repositories}applications:
  shop:
    team: platform
    repository: gitea/{SHOP}
    environments:
{staging}{production}{others}environments:
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
