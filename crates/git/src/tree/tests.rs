use super::*;
use crate::testing::Place;
use countersign_core::names::CommitId;

/// A commit whose root tree is made of raw entries.
fn raw(place: &Place, entries: &[(&str, &[u8], Oid)]) -> CommitId {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    let tree = place.git.odb().unwrap().write(git2::ObjectType::Tree, &bytes).unwrap();
    place.commit_tree(&[], tree, "m")
}

#[test]
fn files_folders_links_and_submodules_are_told_apart() {
    let place = Place::new();
    let blob = place.git.blob(b"target").unwrap();
    let folder = place.write_tree(&[("c", "c")]);
    let commit = raw(
        &place,
        &[
            ("100644", b"a", blob),
            ("40000", b"a-folder", folder),
            ("120000", b"link", blob),
            ("160000", b"sub", blob),
        ],
    );
    let repository = place.open();
    let tree = repository.tree(&commit).unwrap();
    let kinds: Vec<_> = tree.entries("").unwrap().unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Folder, EntryKind::Link, EntryKind::Submodule]);
    assert_eq!(tree.kind("sub").unwrap(), Some(EntryKind::Submodule));
    assert_eq!(tree.kind("sub/inside").unwrap(), None);
    assert_eq!(tree.kind("link/inside").unwrap(), None);
    assert_eq!(tree.kind("").unwrap(), Some(EntryKind::Folder));
    assert_eq!(tree.read("link", 100).unwrap(), None, "a link is never followed, nor read as a file");
    assert_eq!(tree.read("a", 6).unwrap().unwrap(), b"target");
    assert_eq!(tree.read("a-folder", 100).unwrap(), None);
    assert_eq!(tree.entries("a").unwrap(), None);
    assert_eq!(tree.entries("none").unwrap(), None);
}

#[test]
fn entries_are_sorted_by_name_alone() {
    let place = Place::new();
    let commit = place.commit(&[], &[("a.b", "1"), ("a/c", "1"), ("a0", "1")]);
    let repository = place.open();
    let entries = repository.tree(&commit).unwrap().entries("").unwrap().unwrap();
    let names: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "a.b", "a0"]);
}

#[test]
fn a_file_above_the_limit_is_told_by_its_size_and_not_read() {
    let place = Place::new();
    // The object's header promises a gigabyte; reading more than the header would fail.
    let id = "aa".repeat(20);
    let header = b"blob 1073741824\0";
    let mut zlib = vec![0x78, 0x01, 0x01, header.len() as u8, 0, !(header.len() as u8), 0xff];
    zlib.extend_from_slice(header);
    let file = place.folder.path().join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, zlib).unwrap();
    let commit = raw(&place, &[("100644", b"big", Oid::from_str(&id).unwrap())]);
    let repository = place.open();
    let error = repository.tree(&commit).unwrap().read("big", 1024).unwrap_err();
    assert!(matches!(error, TreeError::TooLarge { size: 1_073_741_824, limit: 1024, .. }), "{error}");
}

#[test]
fn names_that_no_checkout_would_take_are_errors() {
    let place = Place::new();
    let blob = place.git.blob(b"x").unwrap();
    let refusal = |entries: &[(&str, &[u8], Oid)]| {
        let folder = raw(&place, entries);
        let repository = place.open();
        let tree = repository.tree(&folder).unwrap();
        tree.entries("").map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(refusal(&[("100644", b"caf\xe9", blob)]).unwrap_err().contains("not UTF-8"));
    for name in [&b".."[..], b".", b"a/b"] {
        let error = refusal(&[("100644", name, blob)]);
        assert!(error.is_err(), "{name:?}");
    }
    let twice = refusal(&[("100644", b"a", blob), ("100644", b"a", blob)]);
    assert!(twice.unwrap_err().contains("twice"));
}

#[test]
fn a_missing_object_is_an_error_and_not_an_absence() {
    let place = Place::new();
    let gone = Oid::from_str(&"b".repeat(40)).unwrap();
    let commit = raw(&place, &[("100644", b"a", gone), ("40000", b"f", gone)]);
    let repository = place.open();
    let tree = repository.tree(&commit).unwrap();
    assert!(matches!(tree.read("a", 10), Err(TreeError::Unreadable { .. })));
    assert!(matches!(tree.entries("f"), Err(TreeError::Unreadable { .. })));
    assert!(matches!(tree.kind("f/x"), Err(TreeError::Unreadable { .. })));
}
