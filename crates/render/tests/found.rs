//! What the differential suite found once: each case with the output of kustomize 5.8.2, or its reason for none.

#[path = "differential/files.rs"]
mod files;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::facts::Problem;
use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, build_objects, render_with};
use serde_json::{Value, json};

/// Differences without a case: of the first it would be too long, and of the second there is nothing to write.
const WITHOUT_A_CASE: [&str; 2] = [
    "A line of more than 64 KiB in a file of variables is read",
    "Nothing is drawn from the machine: no environment, no plugin folder, no network",
];

#[test]
fn every_case_that_was_found_stays_mended() {
    for case in cases(include_str!("found.jsonl")) {
        let budget = Budget::default();
        let built = build_objects(&tree(&case), run(&case), &Options::new(&[], &budget));
        let name = &case["name"];
        match (built, case["objects"].as_array()) {
            (Ok(got), Some(wanted)) => assert_eq!(&got, wanted, "{name}"),
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{name}: it must fail: {}", case["error"]),
            (Err(problems), Some(_)) => panic!("{name}: {}", told(&problems[0])),
        }
    }
}

#[test]
fn every_difference_is_as_it_is_documented_and_is_told_of() {
    let documented = documented();
    let mut shown = BTreeSet::from(WITHOUT_A_CASE);
    for case in &cases(include_str!("differences.jsonl")) {
        let name = case["difference"].as_str().unwrap();
        assert!(documented.contains(name), "{name}: docs/KUSTOMIZE.md does not say so");
        shown.insert(documented.get(name).unwrap());
        let namespaces: Vec<String> = serde_json::from_value(case["namespaces"].clone()).unwrap_or_default();
        let budget = Budget::default();
        let here = match render_with(&tree(case), run(case), &Options::new(&namespaces, &budget)) {
            Ok(rendered) => {
                let objects: Vec<Value> = rendered.objects.iter().map(|object| object.object()).collect();
                match rendered.warnings.first() {
                    Some(warning) => json!({ "objects": objects, "warning": told(warning) }),
                    None => json!({ "objects": objects }),
                }
            }
            Err(problems) => json!({ "error": told(&problems[0]) }),
        };
        assert_eq!(here, case["here"], "{name}");
        let is_told = here.get("objects").is_none() || here.get("warning").is_some();
        let fails_there = case["kustomize"].get("error").is_some();
        assert!(is_told || fails_there, "{name}: nobody is told");
        assert!(here.get("warning").is_some() || here != case["kustomize"], "{name}: both are the same");
    }
    for name in &documented {
        assert!(shown.contains(&**name), "{name}: differences.jsonl has no case of it");
    }
}

/// The exact differences that are documented.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../../docs/KUSTOMIZE.md");
    let (_, table) = page.split_once("## Exact differences\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let row = |line: &str| Some(line.strip_prefix("| ")?.split_once(" | ")?.0.to_owned());
    table.lines().filter_map(row).filter(|name| name != "here").collect()
}

fn cases(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tree(case: &Value) -> files::Tree {
    let files: BTreeMap<String, String> = serde_json::from_value(case["files"].clone()).unwrap();
    files::tree(&files)
}

fn run(case: &Value) -> &str {
    case["run"].as_str().unwrap()
}

fn told(problem: &Problem) -> String {
    format!("{}: {}", problem.at, problem.message)
}
