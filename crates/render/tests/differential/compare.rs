//! Whether both say the same of a composition.

use std::collections::BTreeSet;

use countersign_core::facts::Problem;
use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, build_objects};
use serde_json::Value;

use crate::files::{self, Tree};
use crate::layers::Files;
use crate::oracle::Built;

/// What is refused here and not there, on purpose: `docs/KUSTOMIZE.md` says why.
const STRICTER: [&str; 6] = [
    // kustomize prints what has a mapping for its name.
    "the object would have no name",
    // Written into a text that is JSON, kustomize drops such a change without a word.
    "the field is a number, and the value that replaces it is not",
    "the path leads into a text",
    "is null in an item that is merged by it",
    "is empty in items that are merged by it",
    // kustomize finds out at the end, unless a patch has put something else there by then.
    "the field is a boolean, and the value that replaces it is not",
];

/// Builds a composition, and compares the result with `expected`.
///
/// # Errors
/// With the difference.
pub fn compare(files: &Files, folder: &str, expected: &Built) -> Result<(), String> {
    compare_tree(&files::tree(files), folder, expected)
}

/// As [`compare`], of files that may be no text.
///
/// # Errors
/// With the difference.
pub fn compare_tree(tree: &Tree, folder: &str, expected: &Built) -> Result<(), String> {
    let budget = Budget::default();
    match (build_objects(tree, folder, &Options::new(&[], &budget)), expected) {
        (Ok(got), Ok(wanted)) => same(&got, wanted, Known::of(tree)),
        (Err(_), Err(_)) => Ok(()),
        (Err(problems), Ok(wanted)) if is_stricter(&problems) || is_twice(&problems, wanted) => Ok(()),
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

/// Whether one object is printed twice there, which is an error here.
fn is_twice(problems: &[Problem], wanted: &[Value]) -> bool {
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        [&object["apiVersion"], &object["kind"], &metadata["name"], &metadata["namespace"]]
            .map(Value::to_string)
    };
    let names: BTreeSet<_> = wanted.iter().map(name).collect();
    names.len() < wanted.len() && problems.iter().all(|problem| problem.message.contains("is here twice"))
}

/// Which of the exact differences of `docs/KUSTOMIZE.md` a composition can show.
#[derive(Clone, Copy)]
struct Known {
    /// Under a JSON patch kustomize makes floating-point numbers of large integers.
    floats: bool,
    /// Of a block that keeps its line ends kustomize writes one more, where a comment ends the file.
    line_ends: bool,
    /// In a folded text kustomize puts an empty line before a line that is indented further.
    folded: bool,
    /// Within brackets, a null that a replacement creates becomes an empty text.
    nulls: bool,
}

impl Known {
    fn of(tree: &Tree) -> Self {
        let texts: Vec<_> = tree.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        let ends_in_a_comment =
            |text: &str| text.lines().next_back().is_some_and(|line| line.starts_with('#'));
        Self {
            floats: texts.iter().any(|text| ["op: ", "\"op\":"].iter().any(|op| text.contains(op))),
            line_ends: texts.iter().any(|text| text.contains("|+") && ends_in_a_comment(text)),
            folded: texts.iter().any(|text| [": >\n", ": >\r"].iter().any(|begin| text.contains(begin))),
            nulls: texts.iter().any(|text| text.contains("create: true")),
        }
    }

    fn is_same(self, got: &Value, wanted: &Value) -> bool {
        match (got, wanted) {
            (Value::Object(got), Value::Object(wanted)) => {
                let same = |(key, value)| wanted.get(key).is_some_and(|wanted| self.is_same(value, wanted));
                got.len() == wanted.len() && got.iter().all(same)
            }
            (Value::Array(got), Value::Array(wanted)) => {
                got.len() == wanted.len()
                    && got.iter().zip(wanted).all(|(got, wanted)| self.is_same(got, wanted))
            }
            (Value::Number(got), Value::Number(wanted)) if self.floats => {
                got == wanted || is_one_float(got.as_f64(), wanted.as_f64())
            }
            (Value::String(got), Value::String(wanted)) => got == wanted || self.is_same_text(got, wanted),
            (Value::Null, Value::String(wanted)) if self.nulls => wanted.is_empty(),
            (got, wanted) => got == wanted,
        }
    }

    fn is_same_text(self, got: &str, wanted: &str) -> bool {
        self.floats && is_one_float(got.parse().ok(), wanted.parse().ok())
            || self.line_ends && got.ends_with("\n\n") && wanted.strip_suffix('\n') == Some(got)
            || self.folded && filled(got).eq(filled(wanted))
    }
}

/// Whether two numbers are one once they are floating-point numbers, and are too large to be exact then.
fn is_one_float(a: Option<f64>, b: Option<f64>) -> bool {
    a == b && a.is_some_and(|a| a.abs() >= 9_007_199_254_740_992.0)
}

/// The lines that are not empty.
fn filled(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

fn same(got: &[Value], wanted: &[Value], known: Known) -> Result<(), String> {
    if let Some((got, wanted)) = got.iter().zip(wanted).find(|(got, wanted)| !known.is_same(got, wanted)) {
        return Err(format!("an object differs:\n     got {got}\n  wanted {wanted}"));
    }
    if got.len() == wanted.len() {
        Ok(())
    } else {
        Err(format!("{} objects, wanted {}", got.len(), wanted.len()))
    }
}
