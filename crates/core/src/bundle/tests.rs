use super::*;

fn tree(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn exactly_the_files_of_a_bundle_are_collected() {
    let source = BundleSource::collect(&tree(&[
        ("countersign.yaml", "version: 1"),
        ("README.md", "ignored"),
        (".github/CODEOWNERS", "ignored"),
        ("policies/images/pinned/pinned.rego", "package images.pinned"),
        ("policies/README.md", "ignored"),
        ("data/registries.yaml", "[]"),
        ("data/deep/x.json", "{}"),
        ("waivers/one.yaml", "[]"),
    ]))
    .unwrap();
    let paths: Vec<_> = source.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "countersign.yaml",
            "data/deep/x.json",
            "data/registries.yaml",
            "policies/images/pinned/pinned.rego",
            "waivers/one.yaml"
        ]
    );
    assert_eq!(BundleSource::from_bytes(&source.to_bytes()).unwrap(), source);
}

#[test]
fn every_file_that_has_no_place_is_reported() {
    let mut files = tree(&[
        ("policies/a/a.txt", ""),
        ("policies/.rego", ""),
        ("policies/a\nb.rego", ""),
        ("data/x.yml", ""),
        ("waivers/deep/x.yaml", ""),
        ("waivers/x.json", ""),
    ]);
    files.insert("data/binary.json".into(), vec![0xff]);
    files.insert("data/large.json".into(), vec![b' '; usize::try_from(MAX_FILE).unwrap() + 1]);
    let problems = BundleSource::collect(&files).unwrap_err();
    let found: Vec<_> = problems.iter().map(|problem| problem.at.file.as_str()).collect();
    assert_eq!(
        found,
        [
            "countersign.yaml",
            "policies/.rego",
            "policies/a\nb.rego",
            "policies/a/a.txt",
            "data/binary.json",
            "data/large.json",
            "data/x.yml",
            "waivers/deep/x.yaml",
            "waivers/x.json"
        ]
    );
}

#[test]
fn a_bundle_too_large_is_reported_once() {
    let mut files = tree(&[("countersign.yaml", "")]);
    for index in 0..MAX_FILES + 5 {
        files.insert(format!("data/f{index}.yaml"), b"1".to_vec());
    }
    let problems = BundleSource::collect(&files).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.starts_with("the bundle is too large"), "{problems:?}");
}

#[test]
fn the_digest_covers_every_path_and_byte_and_can_be_computed_by_hand() {
    let of = |files: &[(&str, &str)]| BundleSource::collect(&tree(files)).unwrap().digest();
    let first = of(&[("countersign.yaml", "a"), ("data/x.yaml", "b")]);
    assert_ne!(first, of(&[("countersign.yaml", "a"), ("data/x.yaml", "c")]));
    assert_ne!(first, of(&[("countersign.yaml", "a"), ("data/y.yaml", "b")]));
    assert_ne!(first, of(&[("countersign.yaml", "a")]));
    assert_eq!(first, of(&[("countersign.yaml", "a"), ("data/x.yaml", "b"), ("data/README.md", "c")]));
    // sha256sum countersign.yaml data/x.yaml | sha256sum
    assert_eq!(first.hex(), "94ed367dfee15b6dda65c8de7329fcc52448b87cde27dd57cd03adb1dfed228d");
}

#[test]
fn another_version_is_refused() {
    let refused = BundleSource::from_bytes(br#"{"v":2,"files":{}}"#).unwrap_err();
    assert!(refused.to_string().contains("version 2"), "{refused}");
    assert!(BundleSource::from_bytes(b"[]").is_err());
}
