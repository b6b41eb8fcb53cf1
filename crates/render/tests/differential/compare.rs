//! Whether both say the same of a composition.

use std::collections::BTreeMap;

use countersign_core::facts::Problem;
use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, build_objects};
use serde_json::Value;

use crate::layers::Files;
use crate::oracle::Built;

/// What is refused here and not there, on purpose: `docs/KUSTOMIZE.md` says why.
const STRICTER: [&str; 0] = [];

/// Builds a composition, and compares the result with `expected`.
///
/// # Errors
/// With the difference.
pub fn compare(files: &Files, folder: &str, expected: &Built) -> Result<(), String> {
    let tree: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| (path.clone(), text.as_bytes().to_vec())).collect();
    let budget = Budget::default();
    match (build_objects(&tree, folder, &Options::new(&[], &budget)), expected) {
        (Ok(got), Ok(wanted)) => same(&got, wanted),
        (Err(_), Err(_)) => Ok(()),
        (Err(problems), Ok(_)) if is_stricter(&problems) => Ok(()),
        (Err(problems), Ok(_)) => {
            let problem = &problems[0];
            Err(format!("refused here only: {}: {}", problem.at, problem.message))
        }
        (Ok(_), Err(error)) => Err(format!("refused there only: {error}")),
    }
}

fn is_stricter(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| STRICTER.iter().any(|known| problem.message.contains(known)))
}

fn same(got: &[Value], wanted: &[Value]) -> Result<(), String> {
    if let Some((got, wanted)) = got.iter().zip(wanted).find(|(got, wanted)| got != wanted) {
        return Err(format!("an object differs:\n     got {got}\n  wanted {wanted}"));
    }
    if got.len() == wanted.len() {
        Ok(())
    } else {
        Err(format!("{} objects, wanted {}", got.len(), wanted.len()))
    }
}
