use countersign_core::names::CommitId;
use git2::{Buf, Oid};

use super::*;
use crate::repository::Repository;
use crate::testing::Place;

/// Writes one pack that holds a commit and its files, and removes the loose objects.
fn pack(place: &Place, at: usize) -> CommitId {
    let commit = place.commit(&[], &[("a", &at.to_string())]);
    let mut builder = place.git.packbuilder().unwrap();
    builder.insert_commit(Oid::from_str(commit.as_str()).unwrap()).unwrap();
    let mut bytes = Buf::new();
    builder.write_buf(&mut bytes).unwrap();
    let odb = place.git.odb().unwrap();
    let mut writer = odb.packwriter().unwrap();
    writer.write_all(&bytes).unwrap();
    writer.commit().unwrap();
    for folder in fs::read_dir(place.folder.path().join("objects")).unwrap().flatten() {
        if folder.file_name().len() == 2 {
            fs::remove_dir_all(folder.path()).unwrap();
        }
    }
    commit
}

fn packs(place: &Place) -> usize {
    let files = fs::read_dir(place.folder.path().join("objects/pack")).unwrap().flatten();
    files.filter(|file| file.path().extension().is_some_and(|extension| extension == "pack")).count()
}

#[test]
fn many_small_packs_become_one_and_readers_find_everything() {
    let place = Place::new();
    let commits: Vec<_> = (0..MANY).map(|at| pack(&place, at)).collect();
    let reader = Repository::open(place.folder.path()).unwrap();
    assert!(reader.commit(&commits[0]).is_ok());
    fs::write(place.folder.path().join("objects/pack/pack_left_behind"), "x").unwrap();
    assert_eq!(packs(&place), MANY);
    let writer = git2::Repository::open_bare(place.folder.path()).unwrap();
    tidy(&writer, place.folder.path()).unwrap();
    assert_eq!(packs(&place), 1);
    assert!(!place.folder.path().join("objects/pack/pack_left_behind").exists());
    for commit in &commits {
        assert!(reader.commit(commit).is_ok() && place.open().commit(commit).is_ok(), "{commit}");
    }
    tidy(&writer, place.folder.path()).unwrap();
    assert_eq!(packs(&place), 1);
}

#[test]
fn few_packs_are_left_alone() {
    let place = Place::new();
    pack(&place, 1);
    pack(&place, 2);
    tidy(&place.git, place.folder.path()).unwrap();
    assert_eq!(packs(&place), 2);
}
