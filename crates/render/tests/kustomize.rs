//! The cases of kustomize's own test suite, with the outputs of kustomize 5.8.2.
//!
//! They are looked for in the folder `../shared/corpora` beside the project, or where the environment variable
//! `COUNTERSIGN_CORPORA` points. In continuous integration they must be there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::facts::Problem;
use countersign_render::budget::Budget;
use countersign_render::kustomize::context::LoadRestrictor;
use countersign_render::rendered::{Options, Sort, build_objects};
use serde_json::Value;

/// The corpora; none for a clone that stands alone.
fn corpora() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let folder = std::env::var_os("COUNTERSIGN_CORPORA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{}: continuous integration needs the corpora",
        folder.display()
    );
    println!("skipped: no kustomize cases, because {} is not there", folder.display());
    None
}

fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case[key].as_str().unwrap_or_default()
}

fn files(case: &Value) -> BTreeMap<String, Vec<u8>> {
    let files = case["files"].as_object().unwrap();
    files
        .iter()
        .map(|(path, text)| {
            (path.trim_start_matches('/').to_owned(), text.as_str().unwrap().as_bytes().to_vec())
        })
        .collect()
}

fn built(case: &Value) -> Result<Vec<Value>, Vec<Problem>> {
    let has = |note: &str| case["notes"].as_array().unwrap().iter().any(|known| known == note);
    let budget = Budget::default();
    let options = Options {
        sort: if has("fifo") { Sort::Fifo } else { Sort::Legacy },
        load_restrictor: if has("LoadRestrictionsNone") {
            LoadRestrictor::None
        } else {
            LoadRestrictor::RootOnly
        },
        ..Options::new(&[], &budget)
    };
    build_objects(&files(case), text(case, "run"), &options)
}

/// The documents of YAML, read by a reader that is not ours.
fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// How a case failed; nothing if it passed.
fn failure(case: &Value) -> Option<String> {
    let name = format!("{} {}", text(case, "source"), text(case, "name"));
    let must_fail = case["want_error"] == true;
    match built(case) {
        Err(problems) if must_fail => {
            let told = problems.iter().all(|problem| !problem.message.is_empty() && problem.help.is_some());
            (!told).then(|| format!("{name}: a problem without help: {problems:?}"))
        }
        Err(problems) => {
            let problem = &problems[0];
            Some(format!("{name}: {}: {}", problem.at, problem.message))
        }
        Ok(_) if must_fail => Some(format!("{name}: it must fail")),
        Ok(got) => {
            let expected = documents(text(case, "expected"));
            if got == expected {
                return None;
            }
            let differs = got.iter().zip(&expected).find(|(got, expected)| got != expected);
            let (got, expected) = differs
                .map_or((got.len().to_string(), expected.len().to_string()), |pair| {
                    (pair.0.to_string(), pair.1.to_string())
                });
            Some(format!("{name}:\n     got {got}\n  wanted {expected}"))
        }
    }
}

#[test]
fn every_case_of_kustomize_passes() {
    let Some(corpora) = corpora() else { return };
    let text = std::fs::read_to_string(corpora.join("kustomize/cases.jsonl")).unwrap();
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() >= 236, "{} cases", cases.len());
    let failures: Vec<String> = cases.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
