use std::fs;
use std::path::{Path, PathBuf};

use super::*;

type Files = BTreeMap<String, Vec<u8>>;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Adds every file below `folder`, under `prefix`.
fn add(files: &mut Files, folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            add(files, &path, &format!("{name}/"));
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// What `countersign init` writes: the sample, and the rules of this release.
fn sample() -> Files {
    let mut files = Files::new();
    add(&mut files, &project().join("samples/control"), "");
    add(&mut files, &project().join("policies"), "policies/");
    files
}

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.at, problem.message)).collect()
}

#[test]
fn the_sample_with_the_rules_of_this_release_is_a_bundle() {
    let bundle = Bundle::compile(&sample()).unwrap_or_else(|problems| panic!("{:#?}", shown(&problems)));
    assert_eq!(bundle.configuration().targets().count(), 2);
    assert!(!bundle.rules().is_empty());
    assert_eq!(bundle.data()["registries"]["allowed"][0], "registry.example.com/shop");
    assert_eq!(bundle.data()["configuration"]["teams"]["shop"]["members"][0], "alan");
    assert!(bundle.modules().keys().all(|path| path.starts_with("policies/") && path.ends_with(".rego")));
}

#[test]
fn a_stored_bundle_is_the_same_bundle() {
    let source = BundleSource::collect(&sample()).unwrap();
    let bundle = Bundle::untested(&source).unwrap();
    let stored = bundle.to_stored().unwrap();
    let back = Bundle::from_stored(bundle.digest(), &stored.configuration, &stored.policies).unwrap();
    assert_eq!(back.digest(), bundle.digest());
    assert_eq!(back.configuration(), bundle.configuration());
    assert_eq!(back.data(), bundle.data());
    assert_eq!(back.modules(), bundle.modules());
    assert_eq!(back.to_stored().unwrap(), stored);
}

#[test]
fn neither_blob_of_a_stored_bundle_can_be_another() {
    let bundle = Bundle::untested(&BundleSource::collect(&sample()).unwrap()).unwrap();
    let stored = bundle.to_stored().unwrap();
    let from = |configuration: &[u8], policies: &[u8]| {
        Bundle::from_stored(bundle.digest(), configuration, policies).unwrap_err()
    };
    let edit = |bytes: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(from), "{from}");
        text.replace(from, to).into_bytes()
    };
    let fewer = edit(&stored.configuration, r#""count":2"#, r#""count":0"#);
    assert!(matches!(from(&fewer, &stored.policies), StoredBundleError::Configuration(_)));
    assert!(matches!(from(b"{}", &stored.policies), StoredBundleError::Configuration(_)));
    let wider = edit(&stored.policies, "registry.example.com/shop", "docker.io");
    assert!(matches!(from(&stored.configuration, &wider), StoredBundleError::Digest { .. }));
    assert!(matches!(from(&stored.configuration, b"{}"), StoredBundleError::Source(_)));
}

#[test]
fn a_new_field_with_a_default_does_not_refuse_what_is_stored() {
    let bundle = Bundle::untested(&BundleSource::collect(&sample()).unwrap()).unwrap();
    let stored = bundle.to_stored().unwrap();
    let text = String::from_utf8(stored.configuration).unwrap();
    // What an earlier release that did not know `exact` would have written.
    let earlier = text.replace(r#""exact":false,"#, "").replace(r#","exact":false"#, "");
    assert_ne!(earlier, text);
    assert!(Bundle::from_stored(bundle.digest(), earlier.as_bytes(), &stored.policies).is_ok());
}

#[test]
fn a_bundle_whose_own_tests_fail_is_not_compiled() {
    let mut files = sample();
    let (path, text) = files.iter().find(|(path, _)| path.ends_with("pinned_test.rego")).unwrap();
    let text = format!("{}\ntest_that_fails if {{ 1 == 2 }}\n", String::from_utf8_lossy(text));
    let path = path.clone();
    files.insert(path.clone(), text.into_bytes());
    assert!(Bundle::untested(&BundleSource::collect(&files).unwrap()).is_ok());
    let problems = Bundle::compile(&files).unwrap_err();
    assert!(problems.iter().any(|problem| problem.at.file == path), "{problems:#?}");
}

#[test]
fn mistakes_of_every_file_are_told_together() {
    let mut files = sample();
    let text = String::from_utf8(files["countersign.yaml"].clone()).unwrap();
    files.insert("countersign.yaml".into(), text.replace("team: shop", "team: shpo").into_bytes());
    files.insert("data/limits.yaml".into(), b"a: [".to_vec());
    files.insert("waivers/one.yaml".into(), b"waiver: []".to_vec());
    let problems = Bundle::compile(&files).unwrap_err();
    for file in ["countersign.yaml", "data/limits.yaml", "waivers/one.yaml"] {
        assert!(problems.iter().any(|problem| problem.at.file == file), "{file}: {:#?}", shown(&problems));
    }
}

#[test]
fn a_waiver_of_a_rule_that_does_not_exist_is_refused() {
    let mut files = sample();
    let waiver = "waivers:\n- id: x\n  rule: images.pinnd\n  application: shop\n  environment: staging\n  \
                  until: 2030-01-31T00:00:00Z\n  reason: because\n";
    files.insert("waivers/one.yaml".into(), waiver.as_bytes().to_vec());
    let problems = Bundle::untested(&BundleSource::collect(&files).unwrap()).unwrap_err();
    assert!(shown(&problems).iter().any(|shown| shown.contains("images.pinnd")), "{problems:#?}");
    let corrected = String::from_utf8(files["waivers/one.yaml"].clone()).unwrap().replace("pinnd", "pinned");
    files.insert("waivers/one.yaml".into(), corrected.into_bytes());
    let bundle = Bundle::untested(&BundleSource::collect(&files).unwrap()).unwrap();
    assert_eq!(bundle.waivers().len(), 1);
}

#[test]
fn a_bundle_without_rules_is_refused() {
    let mut files = sample();
    files.retain(|path, _| !path.starts_with("policies/"));
    let problems = Bundle::compile(&files).unwrap_err();
    assert_eq!(shown(&problems), ["policies:1: the control repository holds no rule"]);
}
