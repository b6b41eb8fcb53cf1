use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_ledger::note::NoteKey;
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;

use super::*;

/// A store with a log of one leaf that is no genesis, and the key that signs it.
async fn log_of_one_leaf(folder: &Path) -> (LocalStore, NoteKey) {
    let store = LocalStore::new(&Database::open(folder).unwrap());
    let signer = KeyFile::generate(&folder.join("log.pem"), Algorithm::Ed25519, &mut OsRng).unwrap();
    log::append(&store, &signer, "log.example", &[b"{}".to_vec()], None).await.unwrap();
    (store, NoteKey::log("log.example", signer.public_key()).unwrap())
}

#[test]
fn what_is_wrong_is_named_with_its_leaf() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let (store, key) = log_of_one_leaf(folder.path()).await;
        let trusted = Trusted { keys: vec![key], genesis: None, root: None };
        let found = verify(&store, &trusted).await?;
        assert!(!found.is_clean());
        let shown = text(&found, &trusted, false);
        assert!(shown.contains("leaf 0: ") && shown.contains("not clean"), "{shown}");
        assert_eq!(document(&found, &trusted)["problems"][0]["leaf"], 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_checkpoint_of_another_key_is_not_clean() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    block_on(async {
        let (store, _) = log_of_one_leaf(folder.path()).await;
        let (_, key) = log_of_one_leaf(other.path()).await;
        let trusted = Trusted { keys: vec![key], genesis: None, root: None };
        let found = verify(&store, &trusted).await?;
        assert!(matches!(found, Verified::Unbelievable(_)));
        assert_eq!(document(&found, &trusted)["clean"], false);
        Ok(())
    })
    .unwrap();
}
