//! What the differential suite found once: each case with the output of kustomize 5.8.2, or its reason for none.

#[path = "differential/files.rs"]
mod files;

use std::collections::BTreeMap;

use countersign_render::budget::Budget;
use countersign_render::rendered::{Options, build_objects};
use serde_json::Value;

#[test]
fn every_case_that_was_found_stays_mended() {
    for line in include_str!("found.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let files: BTreeMap<String, String> = serde_json::from_value(case["files"].clone()).unwrap();
        let tree = files::tree(&files);
        let budget = Budget::default();
        let built = build_objects(&tree, case["run"].as_str().unwrap(), &Options::new(&[], &budget));
        let name = &case["name"];
        match (built, case["objects"].as_array()) {
            (Ok(got), Some(wanted)) => assert_eq!(&got, wanted, "{name}"),
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{name}: it must fail: {}", case["error"]),
            (Err(problems), Some(_)) => panic!("{name}: {}: {}", problems[0].at, problems[0].message),
        }
    }
}
