//! Applications besides the sample: each is one config map, in a repository and a namespace of its own.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Cloud, grant};
use crate::cloud::stack::Settings;
use crate::installation::Installation;
use crate::installation::clone::WorkingClone;
use crate::world::gitea::Gitea;
use crate::world::gitea::account::Account;

/// What each begins as.
const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  greeting: Hello from staging\n";

/// The applications.
#[derive(Debug)]
pub struct Applications {
    /// Their names, which those of their namespaces are too.
    pub names: Vec<String>,
    /// The commit that each begins with.
    pub baseline: String,
}

/// Their names, as the settings ask for so many.
#[must_use]
pub fn names(settings: &Settings) -> Vec<String> {
    (0..settings.applications).map(|number| format!("app-{number}")).collect()
}

/// The repository of one on the forge.
#[must_use]
pub fn repository(name: &str) -> String {
    format!("acme/{name}")
}

/// Makes their repositories, with what each begins as.
pub(super) fn make(
    settings: &Settings,
    installation: &Installation,
    gitea: &Gitea,
    (people, countersign): (&[Account], &Account),
) -> Result<Applications> {
    let names = names(settings);
    let clone = installation.clone("shop")?;
    clone.git(&["rm", "-r", "-q", "deploy"])?;
    clone.write("deploy/staging/configmap.yaml", CONFIG_MAP)?;
    let baseline = clone.commit_all("ada", "Begin")?;
    for name in &names {
        gitea.repository("acme", name)?;
        grant(gitea, &repository(name), people.iter().chain([countersign]))?;
        clone.git(&["push", "-q", &people[0].git_url(&repository(name)), "HEAD:refs/heads/main"])?;
    }
    Ok(Applications { names, baseline })
}

/// What the cluster's owner grants in the namespace of each: what the sample has in its own.
pub(super) fn granted(names: &[String]) -> Result<Vec<Value>> {
    let granted = super::granted()?;
    let of_sample = granted.iter().find(|object| object["metadata"]["namespace"] == "shop-staging");
    let of_sample = of_sample.context("rbac.yaml grants nothing in shop-staging")?;
    let of = |name: &String| {
        let mut binding = of_sample.clone();
        binding["metadata"]["namespace"] = json!(name);
        binding
    };
    Ok(names.iter().map(of).collect())
}

impl Cloud {
    /// A person's clone of the repository of an application.
    ///
    /// # Errors
    /// When it cannot be cloned.
    pub fn clone_of_application(&self, person: &str, name: &str) -> Result<WorkingClone<'_>> {
        self.clone_of(person, &repository(name))
    }
}
