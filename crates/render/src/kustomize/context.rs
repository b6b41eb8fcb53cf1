//! What one render reads and spends: the trees, the list of files, the budgets, the warnings.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display};

use countersign_core::facts::{Position, Problem};
use countersign_core::tree::{EntryKind, Tree, TreeError};

use crate::budget::{Budget, Exhausted, Meter};
use crate::closure::Closure;
use crate::problems::MOST_WARNINGS;
use crate::remote::{RemoteBase, Remotes};
use crate::yaml::node::{At, Content, FOLDED, HOLLOW, Kind, Node, Scalar};
use crate::yaml::scalar::{self, Dialect};
use crate::yaml::{self, Fault, Place, Soft};

/// Why a build ends: what is wrong, where.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) help: String,
}

pub(crate) type Outcome<T> = Result<T, Box<Wrong>>;

/// An error at a place.
pub(crate) fn wrong<T>(at: At, message: impl Into<String>, help: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Wrong { at, message: message.into(), help: help.into() }))
}

/// What a person knows a change by: what it is, and which one.
pub(crate) struct Called<'a>(pub(crate) &'static str, pub(crate) &'a str);

impl Display for Called<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.0, yaml::scalar::shown(self.1))
    }
}

/// A folder that files are named from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// Which of the trees it is in.
    pub(crate) tree: usize,
    /// Its path from that tree's root.
    pub(crate) folder: String,
}

/// Whether a kustomization may read files outside of its folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// It may not: only bases may stand elsewhere.
    #[default]
    RootOnly,
    /// It may, everywhere in the tree.
    None,
}

/// A tree, and what stands before its paths in messages.
struct Mount<'a> {
    tree: Option<Box<dyn Tree + 'a>>,
    label: String,
}

/// The bytes of a file, with the number of the file.
pub(crate) struct Read {
    pub(crate) file: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that a build shares.
pub(crate) struct Context<'a> {
    tree: &'a dyn Tree,
    mounts: Vec<Mount<'a>>,
    remotes: Option<&'a dyn Remotes>,
    mounted: HashMap<RemoteBase, Root>,
    /// The names of the files, by their number.
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    pub(crate) meter: Meter<'a>,
    pub(crate) restrictor: LoadRestrictor,
    /// Every path of the tree that was looked at, present or absent.
    pub(crate) closure: Closure,
    /// The commits of other repositories that were read, as `REPOSITORY@COMMIT`.
    pub(crate) bases: BTreeSet<String>,
    /// What is allowed, and should be written in another way.
    pub(crate) warnings: Vec<Problem>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        tree: &'a dyn Tree,
        remotes: Option<&'a dyn Remotes>,
        restrictor: LoadRestrictor,
        budget: &'a Budget,
    ) -> Self {
        Self {
            tree,
            mounts: vec![Mount { tree: None, label: String::new() }],
            remotes,
            mounted: HashMap::new(),
            names: Vec::new(),
            numbers: HashMap::new(),
            meter: Meter::new(budget),
            restrictor,
            closure: Closure::default(),
            bases: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    fn mount(&self, root: &Root) -> (&dyn Tree, &str) {
        match self.mounts.get(root.tree) {
            Some(Mount { tree: Some(tree), label }) => (&**tree, label),
            _ => (self.tree, ""),
        }
    }

    /// The number of a file.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The names of the files, by their number.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }

    pub(crate) fn position(&self, at: At) -> Position {
        let file = usize::try_from(at.file).ok().and_then(|number| self.names.get(number));
        Position { file: file.cloned().unwrap_or_default(), line: at.line.max(1) }
    }

    pub(crate) fn problem(&self, wrong: Wrong) -> Problem {
        let mut message = wrong.message;
        if let Some((end, _)) = message.char_indices().nth(crate::problems::LONGEST) {
            message.truncate(end);
            message.push('…');
        }
        Problem { message, at: self.position(wrong.at), help: Some(wrong.help) }
    }

    /// Warns, once for each place.
    pub(crate) fn warn(&mut self, at: At, message: &str, help: &str) {
        let problem = Problem { message: message.into(), at: self.position(at), help: Some(help.into()) };
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }

    /// Warns of a text that takes the place of a folded one, if kustomize prints it otherwise.
    pub(crate) fn warn_of_folding(&mut self, at: At, scalar: &Scalar) {
        if scalar.share == FOLDED && scalar::grows(&scalar.text) {
            self.warn(at, scalar::GROWS, scalar::QUOTE_BLOCK);
        }
    }

    /// Warns of nulls of which nothing is written, in a value that is put into an object.
    pub(crate) fn warn_of_nulls(&mut self, node: &Node) {
        match &node.content {
            Content::Scalar(scalar) => {
                if scalar.kind == Kind::Null && scalar.text.is_empty() && scalar.share != HOLLOW {
                    let message = "nothing is written here: kustomize makes an empty text of it where it comes into \
                                   brackets, here it is a null";
                    self.warn(node.at, message, "write null, or \"\"");
                }
            }
            Content::List(items) => items.iter().for_each(|item| self.warn_of_nulls(item)),
            Content::Map(map) => map.iter().for_each(|field| self.warn_of_nulls(&field.value)),
        }
    }

    pub(crate) fn exhausted<T>(&self, at: At, why: Exhausted) -> Outcome<T> {
        wrong(at, why.message, why.help)
    }

    /// Takes steps.
    pub(crate) fn steps(&mut self, at: At, count: usize) -> Outcome<()> {
        self.meter.steps(count).or_else(|why| self.exhausted(at, why))
    }

    /// Takes bytes that `what` adds to an object.
    pub(crate) fn grow(&mut self, at: At, what: &dyn Display, bytes: u64) -> Outcome<()> {
        self.meter.grow(bytes, what).or_else(|why| self.exhausted(at, why))
    }

    /// Refuses to put a value that needs `inner` itself at a place that is too deep for it.
    pub(crate) fn fits(&self, at: At, what: &dyn Display, place: Place, inner: Place) -> Outcome<()> {
        place
            .check(inner, at.line, self.meter.budget)
            .or_else(|fault| wrong(at, format!("{what}: {}", fault.message), fault.help))
    }

    /// What is at a path of a root's tree.
    pub(crate) fn kind(&mut self, root: &Root, path: &str, at: At) -> Outcome<Option<EntryKind>> {
        let kind = self.mount(root).0.kind(path).or_else(|error| unreadable(at, &error))?;
        // A folder counts by what is read in it: were it gone, its kustomization would be gone as well.
        if kind != Some(EntryKind::Folder) {
            self.note(root, path, at)?;
        }
        Ok(kind)
    }

    /// Notes what a path depends on. What is in another repository follows from the line that pins it.
    fn note(&mut self, root: &Root, path: &str, at: At) -> Outcome<()> {
        if root.tree == 0 && !self.closure.has(path) {
            let identity = self.tree.identity(path).or_else(|error| unreadable(at, &error))?;
            self.closure.note(path, identity);
        }
        Ok(())
    }

    /// The path that `path`, written in a file of `root`, means; an error if it leaves the tree.
    pub(crate) fn join(&self, root: &Root, path: &str, at: At) -> Outcome<String> {
        if path.starts_with('/') {
            let message = format!("the path {} is absolute", yaml::scalar::shown(path));
            return wrong(at, message, "write a path from this file's own folder");
        }
        if path.contains('\0') {
            return wrong(at, "the path holds a NUL", "write a plain path");
        }
        let mut parts: Vec<&str> = root.folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_some() => {}
                ".." => {
                    let message =
                        format!("the path {} leads out of the repository", yaml::scalar::shown(path));
                    return wrong(
                        at,
                        message,
                        "keep everything that a kustomization reads in its repository",
                    );
                }
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }

    /// The beginning of a file of `root`'s tree.
    pub(crate) fn beginning(&mut self, root: &Root, path: &str) -> At {
        let name = format!("{}{path}", self.mount(root).1);
        At { file: self.number(&name), line: 1 }
    }

    /// The bytes of the file that `path`, written in a file of `root`, names.
    pub(crate) fn read(&mut self, root: &Root, path: &str, at: At) -> Outcome<Read> {
        if path.contains("://") {
            let message = format!("the file {} is elsewhere", yaml::scalar::shown(path));
            return wrong(at, message, "commit the file: nothing is read over a network");
        }
        let full = self.join(root, path, at)?;
        if self.restrictor == LoadRestrictor::RootOnly || root.tree != 0 {
            let inside = root.folder.is_empty()
                || full.strip_prefix(&root.folder).is_some_and(|rest| rest.starts_with('/'));
            if !inside {
                let message = format!(
                    "the file {full:?} is not in or below the kustomization's folder {:?}",
                    root.folder
                );
                return wrong(at, message, "move the file there, or allow it with --load-restrictor none");
            }
        }
        match self.kind(root, &full, at)? {
            Some(EntryKind::File) => {}
            None => {
                return wrong(at, format!("there is no file {full:?}"), "correct the path, or add the file");
            }
            Some(kind) => return not_a_file(at, &full, kind),
        }
        let limit = self.meter.budget.file_bytes;
        let tree = self.mount(root).0;
        let bytes = tree.read(&full, limit).or_else(|error| unreadable(at, &error))?.unwrap_or_default();
        self.meter.file(bytes.len()).or_else(|why| self.exhausted(at, why))?;
        Ok(Read { file: self.beginning(root, &full).file, bytes })
    }

    /// Mounts the tree of a remote base.
    pub(crate) fn remote(&mut self, base: RemoteBase, at: At) -> Outcome<Root> {
        if let Some(known) = self.mounted.get(&base) {
            return Ok(known.clone());
        }
        let Some(remotes) = self.remotes else {
            let message = format!("the remote base {} is not allowed here", yaml::scalar::shown(&base.url));
            return wrong(at, message, "copy the base into this repository, and name its folder");
        };
        let found = remotes.find(&base).or_else(|why| wrong(at, why.message, why.help))?;
        let name = format!("{}@{}", found.repository, base.commit);
        self.mounts.push(Mount { tree: Some(found.tree), label: format!("{name}:") });
        self.bases.insert(name);
        let root = Root { tree: self.mounts.len() - 1, folder: found.folder };
        self.mounted.insert(base, root.clone());
        Ok(root)
    }

    /// The documents of YAML or JSON text.
    pub(crate) fn parse(
        &mut self,
        file: u32,
        first: u32,
        text: &[u8],
        dialect: Dialect,
        json: bool,
    ) -> Outcome<Vec<Node>> {
        self.documents(file, first, text, |text, meter, soft| match json {
            true => yaml::json::documents(text, file, meter, soft),
            false => yaml::compose::documents(text, file, dialect, meter, soft),
        })
    }

    /// The documents of a file of objects at `path`.
    pub(crate) fn parse_objects(&mut self, read: &Read, path: &str) -> Outcome<Vec<Node>> {
        let (file, dialect) = (read.file, Dialect::Kustomize);
        self.documents(file, 1, &read.bytes, |text, meter, soft| match path.ends_with(".json") {
            true => yaml::json_or_yaml(text, file, dialect, meter, soft),
            false => yaml::compose::documents(text, file, dialect, meter, soft),
        })
    }

    fn documents(
        &mut self,
        file: u32,
        first: u32,
        bytes: &[u8],
        read: impl FnOnce(&str, &mut Meter<'a>, Soft<'_>) -> Result<Vec<Node>, Fault>,
    ) -> Outcome<Vec<Node>> {
        let at = |line: u32| At { file, line: line.saturating_add(first).saturating_sub(1) };
        let text = match yaml::encoding::decoded(bytes) {
            Ok(text) => text,
            Err(fault) => return wrong(at(fault.line), fault.message, fault.help),
        };
        let mut soft: Option<Fault> = None;
        let mut warnings: Vec<Fault> = Vec::new();
        let keep = &mut |fault: Fault| {
            if !fault.warning {
                soft.get_or_insert(fault);
            } else if warnings.len() < MOST_WARNINGS {
                warnings.push(fault);
            }
        };
        let parsed = read(&text, &mut self.meter, keep);
        for fault in warnings {
            self.warn(at(fault.line), &fault.message, fault.help);
        }
        match (parsed, soft) {
            (Ok(documents), None) => Ok(documents),
            (Err(fault), _) | (Ok(_), Some(fault)) => wrong(at(fault.line), fault.message, fault.help),
        }
    }
}

fn unreadable<T>(at: At, error: &TreeError) -> Outcome<T> {
    let help = match error {
        TreeError::TooLarge { .. } => "split it, or keep generated data elsewhere",
        TreeError::NotUtf8 { .. } => "rename it",
        TreeError::Unreadable { .. } => "check that the repository is complete",
    };
    wrong(at, error.to_string(), help)
}

/// Refuses what is not a file.
pub(crate) fn not_a_file<T>(at: At, path: &str, kind: EntryKind) -> Outcome<T> {
    let (what, help) = match kind {
        EntryKind::Folder => ("a folder, not a file", "name a file"),
        EntryKind::Link => ("a symbolic link: links are not followed", "put a copy of the file here"),
        _ => ("a submodule: its content is not in this repository", "put its files into this repository"),
    };
    wrong(at, format!("{path:?} is {what}"), help)
}
