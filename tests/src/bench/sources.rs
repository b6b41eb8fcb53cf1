//! The repository that is pushed to, and the applications in it.

use std::fmt::Write as _;

use anyhow::Result;

use super::field::Plan;
use crate::installation::clone::WorkingClone;

/// The label that every object of a benchmark bears.
pub const LABEL: &str = "countersign.example/bench";

/// How many applications share a namespace, as those of one team do.
const PER_NAMESPACE: usize = 20;

/// The environment's name.
pub const ENVIRONMENT: &str = "bench";

/// The cluster's name.
pub const CLUSTER: &str = "real";

/// The name of an application.
#[must_use]
pub fn application(plan: &Plan, index: usize) -> String {
    format!("{}-{index:05}", plan.name)
}

/// The namespace of an application.
#[must_use]
pub fn namespace(plan: &Plan, index: usize) -> String {
    format!("{}-team-{:04}", plan.name, index / PER_NAMESPACE)
}

/// All namespaces.
#[must_use]
pub fn namespaces(plan: &Plan) -> Vec<String> {
    (0..plan.applications).step_by(PER_NAMESPACE).map(|index| namespace(plan, index)).collect()
}

/// How many objects an application has: the first is the one that is changed alone.
#[must_use]
pub fn objects(plan: &Plan, index: usize) -> usize {
    if index == 0 { plan.first_objects } else { plan.objects }
}

/// Writes the objects of an application, all of them with this version.
///
/// # Errors
/// When they cannot be written.
pub fn write(clone: &WorkingClone<'_>, plan: &Plan, index: usize, version: u64) -> Result<()> {
    let name = application(plan, index);
    for object in 0..objects(plan, index) {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}-{object:02}\n  labels:\n    \
             {LABEL}: {}\ndata:\n  version: \"{version}\"\n  text: what an object of some size holds beside that\n",
            plan.name
        );
        clone.write(&format!("apps/{name}/object-{object:02}.yaml"), &text)?;
    }
    Ok(())
}

/// The entries of all applications in `countersign.yaml`, each with this baseline.
#[must_use]
pub fn configured(plan: &Plan, baseline: &str) -> String {
    let mut text = String::new();
    for index in 0..plan.applications {
        let (name, namespace) = (application(plan, index), namespace(plan, index));
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "  {name}:\n    team: platform\n    repository: local/bench\n    environments:\n      {ENVIRONMENT}:\n        \
             path: apps/{name}\n        branch: main\n        namespaces: [{namespace}]\n        \
             baseline: \"{baseline}\"\n"
        );
    }
    text
}
