use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn source(files: &[(&str, &str)]) -> BundleSource {
    let files: BTreeMap<_, _> = files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
    BundleSource { v: 1, files }
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let problems = compile(&source(files), None).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect()
}

#[test]
fn files_and_folders_become_one_object() {
    let data = compile(
        &source(&[
            ("data/registries.yaml", "allowed: [a, b]"),
            ("data/teams/east/limits.json", r#"{"cpu": 2}"#),
            ("data/teams/west.yaml", "12"),
            ("policies/images/pinned/pinned.rego", ""),
            ("waivers/x.yaml", "ignored"),
        ]),
        None,
    );
    assert_eq!(
        data.unwrap(),
        json!({
            "configuration": null,
            "registries": { "allowed": ["a", "b"] },
            "teams": { "east": { "limits": { "cpu": 2 } }, "west": 12 },
        })
    );
}

#[test]
fn no_name_of_data_has_two_meanings() {
    assert_eq!(
        problems(&[
            ("data/Bad-Name.yaml", "1"),
            ("data/a.json", "{}"),
            ("data/a.yaml", "{}"),
            ("data/a/b.yaml", "1"),
            ("data/configuration.yaml", "1"),
            ("data/images/x.yaml", "1"),
            ("policies/images/pinned/pinned.rego", ""),
        ]),
        [
            "data/Bad-Name.yaml:1: a rule could not name this file",
            "data/a.yaml:1: `data.a` is already what another file says",
            "data/a/b.yaml:1: `data.a.b` is already what another file says",
            "data/configuration.yaml:1: `data.configuration` is countersign.yaml itself",
            "data/images/x.yaml:1: `data.images` is also the area `policies/images`",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_shown_at_its_line() {
    assert_eq!(
        problems(&[
            ("data/a.json", "{\n\"x\": 1,\n\"x\": 2}"),
            ("data/b.json", "{\n,}"),
            ("data/c.yaml", "a: 1\na: 2")
        ]),
        [
            "data/a.json:3: this is not valid JSON: duplicate key `x` at line 3 column 3",
            "data/b.json:2: this is not valid JSON: key must be a string at line 2 column 1",
            "data/c.yaml:2: duplicate key `a`",
        ]
    );
}
