//! Where rules are read from: a control repository, or a folder that holds nothing but policies.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{anyhow, bail};
use countersign_core::bundle::{BundleSource, MAX_FILE, MAX_FILES, POLICIES};
use countersign_core::facts::Problem;
use countersign_core::tree::{EntryKind, Tree};
use countersign_policy::bundle::Bundle;
use countersign_policy::test;
use countersign_policy::test::report::TestReport;

use super::is_control;
use crate::commands::folder::FolderTree;
use crate::commands::problems;

/// Folders may be nested this deep, as in a control repository.
const MAX_DEPTH: usize = 8;

/// Rules, as text.
pub struct Rules {
    /// Where the paths of the modules lead to files.
    tree: FolderTree,
    modules: BTreeMap<String, String>,
    /// The whole control repository, if this is one.
    source: Option<BundleSource>,
}

impl Rules {
    /// The rules of the control repository or the folder of policies at `folder`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let place = folder.display();
        if !folder.is_dir() {
            bail!("{place}: no such folder: give a control repository, or its policies folder");
        }
        if is_control(folder) {
            let tree = FolderTree::new(folder);
            let source = BundleSource::collect(&tree)
                .map_err(|found| problems::error("the control repository", &found))?;
            let of_policies = |(path, _): &(&String, &String)| path.starts_with("policies/");
            let modules =
                source.files.iter().filter(of_policies).map(|(path, text)| (path.clone(), text.clone()));
            return Ok(Self { tree, modules: modules.collect(), source: Some(source) });
        }
        let root = policies_in(folder)?;
        let tree = FolderTree::new(&root);
        let mut modules = BTreeMap::new();
        collect(&tree, POLICIES, 0, &mut modules)?;
        if modules.is_empty() {
            bail!("{place}: no rules here: give a control repository, or its folder named {POLICIES}");
        }
        Ok(Self { tree, modules, source: None })
    }

    /// The files that the paths of the modules lead to.
    #[must_use]
    pub fn tree(&self) -> &FolderTree {
        &self.tree
    }

    /// The text of each rule, library and test, by its path.
    #[must_use]
    pub fn modules(&self) -> &BTreeMap<String, String> {
        &self.modules
    }

    /// Runs every test.
    ///
    /// # Errors
    /// What is wrong with the policies; then no test is run.
    pub fn test(&self) -> Result<TestReport, Vec<Problem>> {
        match &self.source {
            Some(source) => Ok(test::run(&Bundle::untested(source)?)),
            None => test::run_modules(&self.modules, None),
        }
    }
}

/// The folder that `policies` lies in: paths of modules begin with that name.
fn policies_in(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    if folder.join(POLICIES).is_dir() {
        return Ok(folder.to_owned());
    }
    let full = folder.canonicalize()?;
    match full.parent() {
        Some(parent) if full.ends_with(POLICIES) => Ok(parent.to_owned()),
        _ => Err(anyhow!(
            "{}: neither a control repository nor a folder named {POLICIES}: check the path",
            folder.display()
        )),
    }
}

fn collect(
    tree: &FolderTree,
    path: &str,
    depth: usize,
    modules: &mut BTreeMap<String, String>,
) -> anyhow::Result<()> {
    if depth > MAX_DEPTH || modules.len() > MAX_FILES {
        bail!("{path}: more folders or files than a control repository may have: check the path");
    }
    for entry in tree.entries(path)?.unwrap_or_default() {
        let below = format!("{path}/{}", entry.name);
        match entry.kind {
            EntryKind::Folder => collect(tree, &below, depth + 1, modules)?,
            EntryKind::File if below.ends_with(".rego") => {
                let bytes = tree.read(&below, MAX_FILE)?.unwrap_or_default();
                let text = String::from_utf8(bytes)
                    .map_err(|_| anyhow!("{below}: not UTF-8 text: save it as UTF-8"))?;
                modules.insert(below, text);
            }
            EntryKind::File | EntryKind::Link | EntryKind::Submodule => {}
        }
    }
    Ok(())
}
