use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::audit::audit;
use crate::log::open;
use crate::note::NoteKey;
use crate::testing::world::World;
use crate::testing::{ORIGIN, run};

/// Writes a log's files as an export does.
fn export(world: &World) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (key, (_, bytes)) in world.store.values.lock().unwrap().iter() {
        let path = folder.path().join(key.strip_prefix("log/").unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn an_exported_log_is_audited_and_proves_its_leaves() {
    let mut world = World::new();
    world.grow(300);
    let exported = export(&world);
    let (folder, key) = (Folder::new(exported.path()), NoteKey::log(ORIGIN, world.log.public_key()).unwrap());
    let report = run(audit(&folder, std::slice::from_ref(&key))).unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!(report.checkpoint.size, 304);

    let mut view = run(open(&folder, std::slice::from_ref(&key))).unwrap().unwrap();
    let leaf = run(view.leaf(3)).unwrap();
    assert!(run(view.prove(3)).unwrap().verify(&leaf, &key).is_ok());
}

#[test]
fn only_files_of_the_folder_are_read_and_none_is_written() {
    let world = World::new();
    let exported = export(&world);
    let inner = Folder::new(&exported.path().join("tile"));
    assert!(run(inner.get("log/../checkpoint")).is_err());
    assert!(run(inner.get("log//etc/hostname")).is_err());
    assert_eq!(run(inner.get("log/checkpoint")).unwrap(), None);
    assert_eq!(run(Folder::new(exported.path()).get("blobs/checkpoint")).unwrap(), None);
    assert!(run(inner.put("log/checkpoint", b"")).is_err());
    assert!(run(inner.delete("log/checkpoint")).is_err());
}
