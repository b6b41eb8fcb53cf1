//! `countersign render`: the objects that a path of a repository comes to, as they would be applied.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use countersign_core::facts::Problem;
use countersign_core::tree::Tree;
use countersign_git::repository::Repository;
use countersign_render::budget::Budget;
use countersign_render::mask::mask;
use countersign_render::rendered::{Rendered, RenderedObject, render};
use countersign_render::yaml::write::to_yaml;
use serde_json::{Value, json};

use super::control::{ControlTree, resolve};
use super::folder::FolderTree;
use super::shown::counted;
use super::{judged, problems};
use crate::output::{Conclusion, Paint, Printed, colored, paint};

/// The form of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ObjectForm {
    /// YAML documents.
    Yaml,
    /// One `List` in JSON.
    Json,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign render deploy/staging --namespace shop-staging --origins\n  \
    countersign render deploy/staging --repo /srv/git/shop --rev main\n\n\
    Exit codes: 0 rendered, 1 it does not render, 2 error."
)]
pub struct RenderArguments {
    /// The folder or file of manifests; with --repo, from that repository's root.
    #[arg(value_name = "PATH")]
    pub path: String,
    /// The repository, or any folder [default: the Git repository around PATH].
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// A commit, branch or tag, instead of the working folder.
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// The namespaces of the target; an object without one takes the first.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// How to print the objects.
    #[arg(long, value_enum, default_value_t = ObjectForm::Yaml)]
    pub format: ObjectForm,
    /// Say above each YAML document which file and line it came from.
    #[arg(long)]
    pub origins: bool,
    /// Print the values of Secrets in clear.
    #[arg(long)]
    pub show_secrets: bool,
}

/// Renders a path.
///
/// # Errors
/// When there is no such folder, repository or revision.
pub fn run(arguments: &RenderArguments) -> anyhow::Result<Printed> {
    let (root, path) = match &arguments.repo {
        Some(root) => (root.clone(), arguments.path.clone()),
        None => around(Path::new(&arguments.path))?,
    };
    match &arguments.rev {
        None => {
            if !root.is_dir() {
                bail!("{}: no such folder: give the repository's folder with --repo", root.display());
            }
            let folder = FolderTree::new(&root);
            rendered(&ControlTree::Folder(&folder), &path, arguments)
        }
        Some(revision) => {
            let place = root.display();
            let git = git2::Repository::open(&root)
                .map_err(|_| anyhow!("{place}: no Git repository: --rev needs one"))?;
            let commit = resolve(&git, revision).with_context(|| format!("{place}"))?;
            let repository = Repository::open(git.path()).map_err(|error| anyhow!("{error}"))?;
            let tree = repository.tree(&commit).map_err(|error| anyhow!("{error}"))?;
            rendered(&ControlTree::Commit(tree), &path, arguments)
        }
    }
}

/// The root of the Git repository around `path`, or the current folder, and the path from there.
fn around(path: &Path) -> anyhow::Result<(PathBuf, String)> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let full = normal(&here.join(path));
    let folder = full.ancestors().find(|folder| folder.is_dir()).unwrap_or(&here).to_owned();
    let git = git2::Repository::discover(&folder).ok().and_then(|git| git.workdir().map(normal));
    let root = git.unwrap_or(here);
    let inside = match full.strip_prefix(&root) {
        Ok(inside) => inside.to_owned(),
        // Outside of both, the folder itself is all that is read.
        Err(_) => return split(&full),
    };
    let inside = inside.to_str().with_context(|| format!("{}: not UTF-8", path.display()))?;
    Ok((root, inside.to_owned()))
}

fn split(path: &Path) -> anyhow::Result<(PathBuf, String)> {
    match (path.is_dir(), path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (false, Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Ok((path.to_owned(), String::new())),
    }
}

/// Without `.` and `..`, and without following links: they stay data.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

fn rendered(tree: &impl Tree, path: &str, arguments: &RenderArguments) -> anyhow::Result<Printed> {
    match render(tree, path, &arguments.namespaces, &Budget::default()) {
        Ok(rendered) => {
            let text = match arguments.format {
                ObjectForm::Yaml => yaml(&rendered, arguments),
                ObjectForm::Json => serde_json::to_string_pretty(&list(&rendered, arguments.show_secrets))?,
            };
            Printed::done(text, &document(&rendered, arguments.show_secrets)?)
        }
        Err(found) => Ok(failed(tree, &found)),
    }
}

/// The object, its Secrets' values masked unless they are asked for.
fn shown(object: &RenderedObject, secrets: bool) -> Value {
    if secrets { object.object.clone() } else { mask(&object.object) }
}

fn yaml(rendered: &Rendered, arguments: &RenderArguments) -> String {
    let mut text = String::new();
    for object in &rendered.objects {
        let document = to_yaml([&shown(object, arguments.show_secrets)]);
        match document.strip_prefix("---\n").filter(|_| arguments.origins) {
            Some(rest) => {
                text += &format!("---\n# {}\n{rest}", super::shown::clean(&object.origin.to_string()))
            }
            None => text += &document,
        }
    }
    if text.is_empty() { "# no objects".to_owned() } else { text.trim_end().to_owned() }
}

fn list(rendered: &Rendered, secrets: bool) -> Value {
    let items: Vec<_> = rendered.objects.iter().map(|object| shown(object, secrets)).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn document(rendered: &Rendered, secrets: bool) -> anyhow::Result<Value> {
    let objects = rendered
        .objects
        .iter()
        .map(|object| json!({ "origin": object.origin, "object": shown(object, secrets) }));
    Ok(json!({
        "rendered": true,
        "manifest": rendered.manifest()?.digest,
        "objects": objects.collect::<Vec<_>>(),
        "images": rendered.images(),
        "files": rendered.files,
        "problems": [],
    }))
}

fn failed(tree: &impl Tree, found: &[Problem]) -> Printed {
    let line_of = |file: &str, line: u32| judged::line_in(tree, file, line);
    let text = format!(
        "{}\n\n{}: {}",
        problems::text(found, line_of, colored()),
        paint(Paint::Bad, "does not render", colored()),
        counted(found.len(), "problem")
    );
    let document = json!({ "rendered": false, "problems": found });
    Printed { text, document, conclusion: Conclusion::Denied }
}

#[cfg(test)]
mod tests;
