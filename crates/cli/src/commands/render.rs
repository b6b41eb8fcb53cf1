//! `countersign render`: the objects that a path of a repository comes to, as they would be applied.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use countersign_core::facts::Problem;
use countersign_core::tree::Tree;
use countersign_git::repository::Repository;
use countersign_render::budget::Budget;
use countersign_render::kustomize::context::LoadRestrictor;
use countersign_render::mask::mask;
use countersign_render::rendered::{Options, Rendered, RenderedObject, Sort, render_with};
use countersign_render::yaml::write::to_yaml;
use serde_json::{Value, json};

use super::bases::{BaseClone, Bases};
use super::control::{Control, resolve};
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

/// The order of a kustomization's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// By kind, then by name.
    Legacy,
    /// As they are named.
    Fifo,
}

/// What a kustomization may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Restrictor {
    /// Files in and below its folder, and bases anywhere in the repository.
    RootOnly,
    /// Everything in the repository.
    None,
}

impl Restrictor {
    /// The rule that it means.
    #[must_use]
    pub fn rule(self) -> LoadRestrictor {
        match self {
            Self::RootOnly => LoadRestrictor::RootOnly,
            Self::None => LoadRestrictor::None,
        }
    }
}

/// Arguments of `render`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign render deploy/staging --namespace shop-staging --origins\n  \
    countersign render deploy/staging --repo /srv/git/shop --rev main\n  \
    countersign render deploy/staging --base https://git.example.com/team/base=../base\n\n\
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
    /// The order of a kustomization that names none itself.
    #[arg(long, value_enum, default_value_t = Order::Legacy)]
    pub sort: Order,
    /// Which files a kustomization may read.
    #[arg(long, value_enum, default_value_t = Restrictor::RootOnly)]
    pub load_restrictor: Restrictor,
    /// A clone of a repository that a kustomization builds on, where that names a commit of it. Nothing is fetched.
    #[arg(long = "base", value_name = "URL=DIR")]
    pub bases: Vec<BaseClone>,
    /// The most objects; what rendering may cost grows with it.
    #[arg(long, value_name = "COUNT", default_value_t = Budget::default().objects)]
    pub max_objects: usize,
    /// Say above each YAML document which file and line it came from, and which fields came from elsewhere.
    #[arg(long)]
    pub origins: bool,
    /// Print `(masked)` instead of the values of Secrets.
    #[arg(long)]
    pub mask_secrets: bool,
}

/// Renders a path. `document` says that the result is for a program.
///
/// # Errors
/// When there is no such folder, repository or revision.
pub fn run(arguments: &RenderArguments, document: bool) -> anyhow::Result<Printed> {
    let (root, path) = match &arguments.repo {
        Some(root) => (root.clone(), arguments.path.clone()),
        None => around(Path::new(&arguments.path))?,
    };
    let place = opened(&root, arguments.rev.as_deref())?;
    rendered(&place.tree()?, &path, arguments, document)
}

/// The files below `root`: the working folder, or a commit.
///
/// # Errors
/// When the folder, the repository or the revision is not there.
pub fn opened(root: &Path, revision: Option<&str>) -> anyhow::Result<Control> {
    let place = root.display();
    let Some(revision) = revision else {
        if !root.is_dir() {
            bail!("{place}: no such folder: give the repository's folder with --repo");
        }
        return Ok(Control::Folder(FolderTree::new(root)));
    };
    let git =
        git2::Repository::open(root).map_err(|_| anyhow!("{place}: no Git repository: --rev needs one"))?;
    let commit = resolve(&git, revision).with_context(|| format!("{place}"))?;
    let repository = Repository::open(git.path()).map_err(|error| anyhow!("{error}"))?;
    Ok(Control::Commit(repository, commit))
}

/// The root of the Git repository around `path`, or the current folder, and the path from there.
///
/// # Errors
/// When the current folder cannot be read, or the path is not UTF-8.
pub fn around(path: &Path) -> anyhow::Result<(PathBuf, String)> {
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

fn rendered(
    tree: &impl Tree,
    path: &str,
    arguments: &RenderArguments,
    for_program: bool,
) -> anyhow::Result<Printed> {
    let budget = Budget::for_objects(arguments.max_objects);
    let bases = Bases { clones: &arguments.bases, configuration: None };
    let options = Options {
        sort: match arguments.sort {
            Order::Legacy => Sort::Legacy,
            Order::Fifo => Sort::Fifo,
        },
        load_restrictor: arguments.load_restrictor.rule(),
        remotes: Some(&bases),
        ..Options::new(&arguments.namespaces, &budget)
    };
    let rendered = match render_with(tree, path, &options) {
        Ok(rendered) => rendered,
        Err(found) => return Ok(failed(tree, &found)),
    };
    for warning in &rendered.warnings {
        eprintln!("{}: warning: {}", super::shown::clean(&warning.at.to_string()), warning.message);
    }
    // A program reads the document, a person the text: of a large result only one is made.
    if for_program {
        return Printed::done(String::new(), &document(&rendered, arguments.mask_secrets)?);
    }
    let text = match arguments.format {
        ObjectForm::Yaml => yaml(&rendered, arguments),
        ObjectForm::Json => serde_json::to_string_pretty(&list(&rendered, arguments.mask_secrets))?,
    };
    Printed::done(text, &Value::Null)
}

/// The object as it would be applied, unless its Secrets' values are to be masked.
fn shown(object: &RenderedObject, masked: bool) -> Value {
    let whole = object.object();
    if masked { mask(&whole) } else { whole }
}

fn yaml(rendered: &Rendered, arguments: &RenderArguments) -> String {
    let mut text = String::new();
    for object in &rendered.objects {
        let document = to_yaml([&shown(object, arguments.mask_secrets)]);
        match document.strip_prefix("---\n").filter(|_| arguments.origins) {
            Some(rest) => {
                text += &format!("---\n# {}\n", super::shown::clean(&object.origin.to_string()));
                text += &origins(rendered, object);
                text += rest;
            }
            None => text += &document,
        }
    }
    if text.is_empty() { "# no objects".to_owned() } else { text.trim_end().to_owned() }
}

/// The fields that came from elsewhere, each with its file and line.
fn origins(rendered: &Rendered, object: &RenderedObject) -> String {
    let places = rendered.places(object);
    let elsewhere = places.iter().filter(|(_, at)| at.file != object.origin.file);
    elsewhere.map(|(field, at)| super::shown::clean(&format!("#   {field}: {at}")) + "\n").collect()
}

fn list(rendered: &Rendered, masked: bool) -> Value {
    let items: Vec<_> = rendered.objects.iter().map(|object| shown(object, masked)).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn document(rendered: &Rendered, masked: bool) -> anyhow::Result<Value> {
    let objects = rendered.objects.iter().map(|object| {
        let places = rendered.places(object);
        json!({ "origin": object.origin, "fields": places, "object": shown(object, masked) })
    });
    Ok(json!({
        "rendered": true,
        "manifest": rendered.blob()?.digest,
        "objects": objects.collect::<Vec<_>>(),
        "images": rendered.images(),
        "files": rendered.files,
        "closure": rendered.closure,
        "bases": rendered.bases,
        "warnings": rendered.warnings,
        "problems": [],
    }))
}

/// What is said of a path that does not render.
pub fn failed(tree: &impl Tree, found: &[Problem]) -> Printed {
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
