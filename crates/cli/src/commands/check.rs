//! `countersign check`: what policy would say of a change, on a laptop, before anything is pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use countersign_core::bundle::BundleSource;
use countersign_core::configuration::{Configuration, TargetConfiguration};
use countersign_core::decision::{Decision, Verdict};
use countersign_core::facts::{FileChange, ObjectDiff};
use countersign_core::names::{ApplicationName, CommitId, EnvironmentName, RepositoryId, Target};
use countersign_core::tree::Tree;
use countersign_gather::candidates;
use countersign_policy::bundle::Bundle;
use countersign_render::budget::Budget;
use countersign_render::rendered::{self, Options};
use serde_json::{Value, json};

use super::bases::{BaseClone, Bases};
use super::control::Control;
use super::problems;
use crate::installation::now;
use crate::output::{Conclusion, Printed, colored};
use facts::Subject;
use source::Source;

mod facts;
mod source;
mod text;

/// The setting of Git that names the repository.
const REPOSITORY: &str = "countersign.repository";

/// The setting of Git that says where the control repository is.
const CONTROL: &str = "countersign.control";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign check --control ../control\n  \
    countersign check --control ../control --from origin/main --to HEAD --strict\n  \
    git config countersign.control ../control && countersign check --environment production\n\n\
    Exit codes: 0 allowed or pending, 1 denied (with --strict also what waits for reviews or statuses), 2 error.")]
pub struct CheckArguments {
    /// The source repository: a working folder, or a repository.
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,
    /// The control repository: a working folder, or a repository [default: git config countersign.control].
    #[arg(long, value_name = "DIR")]
    pub control: Option<PathBuf>,
    /// A commit of the control repository, instead of its working folder.
    #[arg(long, value_name = "REV")]
    pub control_rev: Option<String>,
    /// The repository in countersign.yaml, as local/shop [default: git config countersign.repository, else the
    /// only one that applications name].
    #[arg(long, value_name = "HOST/PATH")]
    pub repository: Option<RepositoryId>,
    /// Only this application.
    #[arg(long, value_name = "NAME")]
    pub application: Option<ApplicationName>,
    /// Only this environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<EnvironmentName>,
    /// Every target of the repository, not only those that the change touches.
    #[arg(long)]
    pub all: bool,
    /// What the change is measured from [default: where it left the branch that the target follows].
    #[arg(long, value_name = "REV")]
    pub from: Option<String>,
    /// Check this commit instead of the working folder.
    #[arg(long, value_name = "REV")]
    pub to: Option<String>,
    /// A clone of a repository that a kustomization builds on, where that names a commit of it. Nothing is fetched.
    #[arg(long = "base", value_name = "URL=DIR")]
    pub bases: Vec<BaseClone>,
    /// Let rules that wait for reviews deny, as they would without reviews after a merge.
    #[arg(long)]
    pub strict: bool,
}

/// One target, judged.
pub struct Judged {
    /// What the change was measured from.
    from: Option<CommitId>,
    decision: Decision,
    diff: Vec<ObjectDiff>,
}

/// Decides on every target that the change touches.
///
/// # Errors
/// When a repository cannot be read, the control repository is not valid, or no target is to be checked.
pub fn run(arguments: &CheckArguments) -> anyhow::Result<Printed> {
    let source = Source::open(&arguments.path, arguments.to.as_deref())?;
    let bundle = bundle(arguments, &source)?;
    let configuration = bundle.configuration();
    let repository = repository(arguments, &source, configuration)?;
    let targets = targets(arguments, configuration, &repository)?;
    let ways = ways(arguments, &source, &targets)?;
    let tree = source.tree()?;
    let bases = Bases { clones: &arguments.bases, configuration: Some(configuration) };
    let (targets, selected) = selected(arguments, &tree, targets, &ways, &bases);
    let mut judged = Vec::new();
    for target in &targets {
        let way = ways.get(target.placement.branch.as_str());
        let subject = Subject { source: &source, bundle: &bundle, target, way, bases: &bases, time: now() };
        judged.push(subject.judge(arguments.strict)?);
    }
    let checked = text::Checked { repository: &repository, source: &source, selected, judged: &judged };
    let verdict = overall(&judged);
    Ok(Printed {
        text: checked.text(&tree, verdict, colored()),
        document: document(&checked, &bundle, verdict, arguments.strict),
        conclusion: if verdict == Verdict::Denied { Conclusion::Denied } else { Conclusion::Done },
    })
}

/// The bundle that decides. Its own tests are the control repository's concern.
fn bundle(arguments: &CheckArguments, source: &Source) -> anyhow::Result<Bundle> {
    let folder = match &arguments.control {
        Some(folder) => folder.clone(),
        None => source.setting(CONTROL).map(|folder| source.root().join(folder)).ok_or_else(|| {
            anyhow!("which rules decide? give --control DIR, or set it once: git config {CONTROL} DIR")
        })?,
    };
    let control = Control::open(&folder, arguments.control_rev.as_deref())?;
    let compiled = BundleSource::collect(&control.tree()?).and_then(|source| Bundle::untested(&source));
    compiled.map_err(|found| problems::error("the control repository", &found))
}

/// Which repository of the configuration the source is.
fn repository(
    arguments: &CheckArguments,
    source: &Source,
    configuration: &Configuration,
) -> anyhow::Result<RepositoryId> {
    let used: BTreeSet<_> =
        configuration.applications.values().map(|application| &application.repository).collect();
    let list = || used.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let named = match (&arguments.repository, source.setting(REPOSITORY)) {
        (Some(named), _) => Some(named.clone()),
        (None, Some(text)) => {
            Some(text.parse().map_err(|error| anyhow!("git config {REPOSITORY}: {error}"))?)
        }
        (None, None) => None,
    };
    match (named, used.first()) {
        (Some(named), _) if used.contains(&named) => Ok(named),
        (Some(named), _) => bail!("no application names repository {named}: countersign.yaml has {}", list()),
        (None, Some(only)) if used.len() == 1 => Ok((*only).clone()),
        (None, Some(_)) => bail!(
            "which repository is this? give --repository, or set it once: git config {REPOSITORY} HOST/PATH; \
             countersign.yaml has {}",
            list()
        ),
        (None, None) => bail!("countersign.yaml has no application: nothing can be checked"),
    }
}

/// The targets of the repository that the arguments leave.
fn targets<'a>(
    arguments: &CheckArguments,
    configuration: &'a Configuration,
    repository: &RepositoryId,
) -> anyhow::Result<Vec<TargetConfiguration<'a>>> {
    let wanted = |target: &TargetConfiguration<'_>| {
        target.application.repository == *repository
            && arguments.application.as_ref().is_none_or(|name| target.target.application == *name)
            && arguments.environment.as_ref().is_none_or(|name| target.target.environment == *name)
    };
    let targets: Vec<_> = configuration.targets().filter(wanted).collect();
    if targets.is_empty() {
        let of_repository =
            configuration.targets().filter(|target| target.application.repository == *repository);
        let names: Vec<_> = of_repository.map(|target| target.target.to_string()).collect();
        bail!(
            "no target is left to check: {repository} has {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
    }
    Ok(targets)
}

/// Where a change begins, and the files that it touches.
pub struct Way {
    from: Option<CommitId>,
    files: Vec<FileChange>,
}

/// The way of the change to each branch that is followed.
fn ways<'a>(
    arguments: &CheckArguments,
    source: &Source,
    targets: &[TargetConfiguration<'a>],
) -> anyhow::Result<BTreeMap<&'a str, Way>> {
    let mut ways = BTreeMap::new();
    for target in targets {
        let branch = target.placement.branch.as_str();
        if !ways.contains_key(branch) {
            let from = source.base(arguments.from.as_deref(), branch)?;
            let files = from.as_ref().map(|from| source.changed(from)).transpose()?.unwrap_or_default();
            ways.insert(branch, Way { from, files });
        }
    }
    Ok(ways)
}

/// Which targets were checked, for people and programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Selected {
    /// Those that the change touches.
    Touched,
    /// All: they were asked for, or the change touches none.
    All,
}

/// What a target is rendered from, if that is more than what is at its own path.
fn inputs_of(
    tree: &impl Tree,
    target: &TargetConfiguration<'_>,
    bases: &Bases<'_>,
) -> Option<(String, BTreeSet<String>)> {
    let budget = Budget::default();
    let options = Options { remotes: Some(bases), ..Options::new(&[], &budget) };
    let inputs = rendered::inputs(tree, &target.placement.path, &options);
    (inputs.len() > 1).then(|| (target.target.to_string(), inputs))
}

fn selected<'a>(
    arguments: &CheckArguments,
    tree: &impl Tree,
    targets: Vec<TargetConfiguration<'a>>,
    ways: &BTreeMap<&str, Way>,
    bases: &Bases<'_>,
) -> (Vec<TargetConfiguration<'a>>, Selected) {
    let mut touched: BTreeSet<Target> = BTreeSet::new();
    for (branch, way) in ways {
        let of_branch = || targets.iter().filter(|target| target.placement.branch == *branch);
        let read: candidates::Inputs =
            of_branch().filter_map(|target| inputs_of(tree, target, bases)).collect();
        let paths = way.files.iter().map(|file| file.path.as_str());
        touched.extend(candidates::touched(&of_branch().collect(), &read, paths));
    }
    if arguments.all
        || arguments.environment.is_some()
        || arguments.application.is_some()
        || touched.is_empty()
    {
        return (targets, Selected::All);
    }
    (targets.into_iter().filter(|target| touched.contains(&target.target)).collect(), Selected::Touched)
}

/// The worst verdict.
fn overall(judged: &[Judged]) -> Verdict {
    let any = |verdict| judged.iter().any(|judged| judged.decision.verdict == verdict);
    match (any(Verdict::Denied), any(Verdict::Pending)) {
        (true, _) => Verdict::Denied,
        (false, true) => Verdict::Pending,
        (false, false) => Verdict::Allowed,
    }
}

fn document(checked: &text::Checked<'_>, bundle: &Bundle, verdict: Verdict, strict: bool) -> Value {
    let target = |judged: &Judged| {
        let decision = &judged.decision;
        json!({
            "target": decision.target.to_string(), "verdict": decision.verdict, "reason": decision.reason,
            "operation": decision.operation, "from": judged.from, "rules": decision.rules, "diff": judged.diff,
            "objects": decision.objects, "manifest": decision.manifest,
        })
    };
    json!({
        "verdict": verdict, "strict": strict, "repository": checked.repository,
        "commit": checked.source.committed(), "bundle": bundle.digest(), "selected": checked.selected,
        "targets": checked.judged.iter().map(target).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
