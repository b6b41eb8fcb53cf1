//! `countersign diff`: what a path of a repository comes to at two revisions, and how they differ.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_core::manifest::Manifest;
use countersign_core::tree::Tree;
use countersign_render::budget::Budget;
use countersign_render::diff::diff;
use countersign_render::rendered::{Options, render_with};
use serde_json::json;

use super::bases::{BaseClone, Bases};
use super::judged;
use super::render::{Restrictor, around, failed, opened};
use crate::output::{Printed, colored};

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign diff main HEAD deploy/production\n\n\
    Exit codes: 0 compared, 1 one of them does not render, 2 error.")]
pub struct DiffArguments {
    /// The revision before: a commit, branch or tag.
    #[arg(value_name = "A")]
    pub before: String,
    /// The revision after.
    #[arg(value_name = "B")]
    pub after: String,
    /// The folder or file of manifests; with --repo, from that repository's root.
    #[arg(value_name = "PATH")]
    pub path: String,
    /// The repository [default: the Git repository around PATH].
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// The namespaces of the target; an object without one takes the first.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// Which files a kustomization may read.
    #[arg(long, value_enum, default_value_t = Restrictor::RootOnly)]
    pub load_restrictor: Restrictor,
    /// A clone of a repository that a kustomization builds on, where that names a commit of it. Nothing is fetched.
    #[arg(long = "base", value_name = "URL=DIR")]
    pub bases: Vec<BaseClone>,
    /// The most objects; what rendering may cost grows with it.
    #[arg(long, value_name = "COUNT", default_value_t = Budget::default().objects)]
    pub max_objects: usize,
}

/// Compares two revisions. Values of Secrets are masked.
///
/// # Errors
/// When there is no such repository or revision.
pub fn run(arguments: &DiffArguments) -> anyhow::Result<Printed> {
    let (root, path) = match &arguments.repo {
        Some(root) => (root.clone(), arguments.path.clone()),
        None => around(Path::new(&arguments.path))?,
    };
    let bases = Bases { clones: &arguments.bases, configuration: None };
    let budget = Budget::for_objects(arguments.max_objects);
    let options = Options {
        load_restrictor: arguments.load_restrictor.rule(),
        remotes: Some(&bases),
        ..Options::new(&arguments.namespaces, &budget)
    };
    let mut manifests = Vec::new();
    for revision in [&arguments.before, &arguments.after] {
        let place = opened(&root, Some(revision))?;
        match manifest(&place.tree()?, &path, &options)? {
            Ok(manifest) => manifests.push(manifest),
            Err(printed) => return Ok(printed),
        }
    }
    let after = manifests.pop().flatten();
    let before = manifests.pop().flatten();
    let objects = diff(before.as_ref(), after.as_ref());
    let text = match objects.is_empty() {
        true => "no object differs".to_owned(),
        false => judged::diff(&objects, colored()),
    };
    Printed::done(text, &json!({ "objects": objects }))
}

/// The objects of a path; none where nothing is at it.
fn manifest(
    tree: &impl Tree,
    path: &str,
    options: &Options<'_>,
) -> anyhow::Result<Result<Option<Manifest>, Printed>> {
    if tree.kind(path.trim_matches('/'))?.is_none() {
        return Ok(Ok(None));
    }
    match render_with(tree, path, options) {
        Ok(rendered) => Ok(Ok(Some(rendered.manifest()))),
        Err(found) => Ok(Err(failed(tree, &found))),
    }
}

#[cfg(test)]
mod tests;
