//! Rendering: from a path of a tree to objects that know where each of their fields was written.

use std::collections::BTreeMap;

use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::{ImageFacts, ObjectFacts, ObjectKey, Position, Problem};
use countersign_core::manifest::Manifest;
use countersign_core::tree::Tree;
use serde_json::Value;

use crate::budget::{Budget, Meter};
use crate::problems::Problems;
use crate::yaml::node::Node;
use crate::yaml::{Fault, Soft};
use crate::{files, images, mask, objects, scope, yaml};

/// What a path of a tree was rendered to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The objects, by file and by their order in it. None is named twice.
    pub objects: Vec<RenderedObject>,
    /// The files that were read, sorted.
    pub files: Vec<String>,
}

/// An object with where it came from. Secrets are in clear.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedObject {
    /// What names it.
    pub key: ObjectKey,
    /// The object.
    pub object: Value,
    /// Where it begins.
    pub origin: Position,
    /// Where its fields begin, by JSON pointer (RFC 6901). A field that is not here has a parent that is.
    pub lines: BTreeMap<String, u32>,
}

/// A manifest as it is stored, hashed and applied.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestBlob {
    /// The manifest.
    pub manifest: Manifest,
    /// Its canonical JSON.
    pub bytes: Vec<u8>,
    /// The digest of those bytes.
    pub digest: Digest,
}

/// Renders the manifest file at `path`, or every `.yaml`, `.yml` and `.json` file below that folder.
///
/// `path` is counted from the tree's root; the root itself is `""` or `"."`. An object of a built-in
/// namespaced kind that names no namespace takes the first of `namespaces`, if there is one; whether
/// the others lie within them is for policy to say. An empty result is a result.
///
/// # Errors
/// With everything that is wrong, each at its file and line, as far as the budget goes: at most 50.
pub fn render(
    tree: &impl Tree,
    path: &str,
    namespaces: &[String],
    budget: &Budget,
) -> Result<Rendered, Vec<Problem>> {
    let mut problems = Problems::default();
    let Some(path) = files::normalized(path) else {
        problems.add(
            path,
            1,
            "this path leads upwards",
            "write a path from the repository's root, without ..",
        );
        return problems.or(Rendered { objects: Vec::new(), files: Vec::new() });
    };
    let files = files::manifests(tree, &path, budget, &mut problems);
    let mut meter = Meter::new(budget);
    let mut collected = Vec::new();
    for file in &files {
        let Some(bytes) = read(tree, file, budget, &mut problems) else { continue };
        let Ok(documents) = parse(file, &bytes, &mut meter, &mut problems) else { break };
        for document in documents {
            objects::collect(file, document, &mut meter, &mut collected, &mut problems);
        }
        if collected.len() > budget.objects {
            let message = format!("more than {} objects in all", budget.objects);
            problems.add(file, 1, message, "render fewer objects from one path");
            break;
        }
    }
    scope::place(&mut collected, namespaces, &mut problems);
    scope::each_once(&collected, &mut problems);
    problems.or(Rendered { objects: collected, files })
}

/// The bytes of a manifest file; a problem if they cannot be had.
fn read(tree: &impl Tree, file: &str, budget: &Budget, problems: &mut Problems) -> Option<Vec<u8>> {
    match tree.read(file, budget.file_bytes) {
        Ok(Some(bytes)) => return Some(bytes),
        Ok(None) => problems.add(file, 1, "this file is gone", "render again"),
        Err(error) => files::unreadable(file, &error, problems),
    }
    None
}

/// A budget of the whole render is used up.
struct Stop;

/// The documents of a file; none, and a problem, if it cannot be parsed.
fn parse(
    file: &str,
    bytes: &[u8],
    meter: &mut Meter<'_>,
    problems: &mut Problems,
) -> Result<Vec<Node>, Stop> {
    let mut sound = true;
    let parsed = documents(file, bytes, meter, &mut |fault: Fault| {
        sound = false;
        problems.add(file, fault.line, fault.message, fault.help);
    });
    match parsed {
        // A document with a fault is not looked at further: what is missing in it may be that fault.
        Ok(documents) => Ok(if sound { documents } else { Vec::new() }),
        Err(fault) => {
            problems.add(file, fault.line, fault.message, fault.help);
            if fault.exhausted { Err(Stop) } else { Ok(Vec::new()) }
        }
    }
}

fn documents(file: &str, bytes: &[u8], meter: &mut Meter<'_>, soft: Soft<'_>) -> Result<Vec<Node>, Fault> {
    meter.file(bytes.len()).map_err(|why| Fault::exhausted(1, why))?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = yaml::compose::line_after(&String::from_utf8_lossy(before));
        Fault::new(line, "these bytes are not UTF-8", "save the file as UTF-8")
    })?;
    if file.ends_with(".json") {
        return yaml::json::documents(text, meter, soft);
    }
    yaml::compose::documents(text, meter, soft)
}

impl Rendered {
    /// The manifest: the objects in their order, in the one spelling that is hashed and applied.
    ///
    /// # Errors
    /// Never for objects that were rendered; only when `serde_json` fails.
    pub fn manifest(&self) -> Result<ManifestBlob, serde_json::Error> {
        let manifest = Manifest::new(self.objects.iter().map(|object| object.object.clone()).collect());
        let bytes = canonical_json(&manifest)?;
        let digest = Digest::of(&bytes);
        Ok(ManifestBlob { manifest, bytes, digest })
    }

    /// The objects as facts hold them: values of Secrets masked.
    #[must_use]
    pub fn facts(&self) -> Vec<ObjectFacts> {
        let facts = |object: &RenderedObject| ObjectFacts {
            key: object.key.clone(),
            origin: object.origin.clone(),
            lines: object.lines.clone(),
            object: mask::mask(&object.object),
        };
        self.objects.iter().map(facts).collect()
    }

    /// Every container image that an object names.
    #[must_use]
    pub fn images(&self) -> Vec<ImageFacts> {
        self.objects.iter().flat_map(|object| images::images(&object.key, &object.object)).collect()
    }
}

#[cfg(test)]
mod tests;
