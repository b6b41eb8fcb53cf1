//! Kustomizations composed at random of everything that is supported, each built here and by kustomize 5.8.2, and
//! compared object by object, in order. A difference shrinks to the parts that it needs.
//!
//! `COMPOSITIONS` says how many are composed (500), and `COMPOSITION_SEED` of which seed (1). A difference is printed
//! as a line for `found.jsonl`, where it stays once it is mended. `COMPOSITION_CASES` names a folder whose folders are
//! compared as well.

mod compare;
mod draw;
mod fields;
mod files;
mod folder;
mod layers;
mod objects;
mod oracle;
mod patches;
mod values;

use std::cell::{Cell, RefCell};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

use layers::{Files, Layer, Part, files};
use oracle::Oracle;

fn part() -> impl Strategy<Value = Part> {
    (any::<u8>(), vec(any::<u8>(), 0..32)).prop_map(|(kind, tape)| Part { kind, tape })
}

fn layer() -> impl Strategy<Value = Layer> {
    (any::<u8>(), vec(part(), 0..7)).prop_map(|(role, parts)| Layer { role, parts })
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

#[test]
fn kustomizations_come_to_what_kustomize_makes_of_them() {
    let compositions = u32::try_from(number("COMPOSITIONS", 500)).unwrap();
    let seed = number("COMPOSITION_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: compositions,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let oracle = RefCell::new(Oracle::start());
    let (built, shrinking) = (Cell::new(0_u32), Cell::new(false));
    let result = runner.run(&vec(layer(), 1..4), |layers| {
        let (files, folder) = files(&layers);
        let expected = oracle.borrow_mut().build(&files, &folder);
        let compared = compare::compare(&files, &folder, &expected);
        if expected.is_ok() && !shrinking.get() {
            built.set(built.get() + 1);
        }
        compared.map_err(|why| {
            shrinking.set(true);
            TestCaseError::fail(why)
        })
    });
    let share = f64::from(built.get()) / f64::from(compositions.max(1));
    println!(
        "{compositions} compositions of seed {seed}: {} build, the others fail here and there",
        built.get()
    );
    if let Err(TestError::Fail(why, layers)) = result {
        let (files, folder) = files(&layers);
        let expected = oracle.borrow_mut().build(&files, &folder);
        panic!("seed {seed}: {why}\n\n{}\n{}", shown(&files), line(&files, &folder, &expected));
    }
    result.unwrap();
    assert!(share > 0.4, "only {} of {compositions} compositions build: they show too little", built.get());
}

/// Of every two spellings, one is in the object, and the other in a patch.
#[test]
fn every_spelling_may_take_the_place_of_every_other() {
    const HEAD: &str = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec:\n";
    let values = values::scalars(2);
    let object = |which: fn(usize, usize) -> usize| {
        let mut text = HEAD.to_owned();
        for old in 0..values.len() {
            for new in 0..values.len() {
                text += &format!("  a{old}b{new}: {}\n", values[which(old, new)].trim_end_matches('\n'));
            }
        }
        text
    };
    let (first, second) = (object(|old, _| old), object(|_, new| new));
    let json = "- target: {kind: Widget}\n  patch: '[{\"op\": \"test\", \"path\": \"/kind\", \"value\": \"Widget\"}]'\n";
    let strategic = "- path: second.yaml\n";
    let mut oracle = Oracle::start();
    for (resource, patches) in [
        ("first.yaml", strategic.to_owned()),
        ("first.yaml", format!("{json}{strategic}")),
        ("first.yaml", format!("{strategic}{json}")),
        ("first.yaml", format!("{strategic}- path: first.yaml\n")),
        ("small.yaml", format!("- path: first.yaml\n{strategic}")),
    ] {
        let files: Files = [
            ("first.yaml", first.clone()),
            ("second.yaml", second.clone()),
            ("small.yaml", HEAD.to_owned() + "  more: 1\n"),
            ("kustomization.yaml", format!("resources: [{resource}]\npatches:\n{patches}")),
        ]
        .map(|(name, text)| (format!("app/{name}"), text))
        .into();
        let expected = oracle.build(&files, "app");
        assert!(expected.is_ok(), "{patches}{expected:?}");
        compare::compare(&files, "app", &expected).unwrap_or_else(|why| panic!("{patches}{why}"));
    }
}

#[test]
fn what_is_recorded_is_still_what_kustomize_makes() {
    let mut oracle = Oracle::start();
    let mut same = |text: &str, name: &str, recorded: fn(&Value) -> &Value| {
        let case: Value = serde_json::from_str(text).unwrap();
        let files: Files = serde_json::from_value(case["files"].clone()).unwrap();
        let expected = oracle.build(&files, case["run"].as_str().unwrap());
        assert_eq!(recorded(&case).as_array().cloned(), expected.ok(), "{}", case[name]);
    };
    for text in include_str!("../found.jsonl").lines() {
        same(text, "name", |case| &case["objects"]);
    }
    for text in include_str!("../differences.jsonl").lines() {
        same(text, "difference", |case| &case["kustomize"]["objects"]);
    }
}

#[test]
fn the_cases_of_a_folder_come_to_what_kustomize_makes_of_them() {
    let Some(root) = std::env::var_os("COMPOSITION_CASES") else { return };
    let different = folder::differences(Path::new(&root));
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// A composition for a person.
fn shown(files: &Files) -> String {
    files.iter().map(|(path, text)| format!("=== {path}\n{}\n", text.replace('\r', "\\r"))).collect()
}

/// A composition as a case of its own.
fn line(files: &Files, folder: &str, expected: &oracle::Built) -> Value {
    let mut case = json!({ "name": "", "files": files, "run": folder });
    match expected {
        Ok(objects) => case["objects"] = json!(objects),
        Err(error) => case["error"] = json!(error),
    }
    case
}
