//! Plain manifests: every file below a path, as it is.

use countersign_core::tree::Tree;

use crate::budget::{Budget, Meter};
use crate::problems::Problems;
use crate::rendered::RenderedObject;
use crate::yaml::node::Node;
use crate::yaml::scalar::Dialect;
use crate::yaml::{self, Fault, Soft};
use crate::{files, objects};

/// The objects of the manifest file at `path`, or of those below that folder, and the files that were read.
pub(crate) fn collect(
    tree: &dyn Tree,
    path: &str,
    budget: &Budget,
    problems: &mut Problems,
) -> (Vec<RenderedObject>, Vec<String>) {
    let files = files::manifests(tree, path, budget, problems);
    let mut meter = Meter::new(budget);
    let mut collected = Vec::new();
    for (number, file) in (0..).zip(&files) {
        let Some(bytes) = read(tree, file, budget, problems) else { continue };
        let Ok(documents) = parse(file, number, &bytes, &mut meter, problems) else { break };
        for document in documents {
            objects::collect(file, document, &mut collected, problems);
        }
        if collected.len() > budget.objects {
            let message = format!("more than {} objects in all", budget.objects);
            problems.add(file, 1, message, "render fewer objects from one path");
            break;
        }
    }
    (collected, files)
}

/// The bytes of a manifest file; a problem if they cannot be had.
fn read(tree: &dyn Tree, file: &str, budget: &Budget, problems: &mut Problems) -> Option<Vec<u8>> {
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
    number: u32,
    bytes: &[u8],
    meter: &mut Meter<'_>,
    problems: &mut Problems,
) -> Result<Vec<Node>, Stop> {
    let mut sound = true;
    let parsed = documents(file, number, bytes, meter, &mut |fault: Fault| {
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

fn documents(
    file: &str,
    number: u32,
    bytes: &[u8],
    meter: &mut Meter<'_>,
    soft: Soft<'_>,
) -> Result<Vec<Node>, Fault> {
    meter.file(bytes.len()).map_err(|why| Fault::exhausted(1, why))?;
    let (text, dialect) = (yaml::encoding::decoded(bytes)?, Dialect::Kubernetes);
    if file.ends_with(".json") {
        return yaml::json_or_yaml(&text, number, dialect, meter, soft);
    }
    yaml::compose::documents(&text, number, dialect, meter, soft)
}
