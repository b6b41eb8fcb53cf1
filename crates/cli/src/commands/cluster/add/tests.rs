use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::time::Timestamp;
use countersign_ledger::genesis::GENESIS_VERSION;
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;

use super::*;

fn genesis(folder: &Path, name: &str) -> Genesis {
    let key = |kind: &str, algorithm| {
        let path = folder.join(format!("{name}-{kind}"));
        KeyFile::generate(&path, algorithm, &mut OsRng).unwrap().public_key().clone()
    };
    Genesis {
        v: GENESIS_VERSION,
        origin: name.into(),
        epoch: 1,
        root_key: key("root", Algorithm::Ed25519),
        log_key: key("log", Algorithm::Ed25519),
        authorization_key: key("authorization", Algorithm::EcdsaP256Sha256),
        hosts: [].into(),
        control: serde_json::from_value(
            json!({ "repository": "local/control", "reference": "refs/heads/main" }),
        )
        .unwrap(),
        commit: "1".repeat(40).parse().unwrap(),
        bundle: countersign_core::digest::Digest::of(b""),
        created: Timestamp::default(),
    }
}

#[test]
fn trust_is_installed_once_and_another_installation_is_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("data")).unwrap();
    let cluster = SimulatedCluster::open(&database, &"east".parse().unwrap(), "uid-1").unwrap();
    let (ours, theirs) = (genesis(folder.path(), "ours"), genesis(folder.path(), "theirs"));
    let install = |genesis: &Genesis, replace| block_on(install(&cluster, genesis, "uid-1", replace));
    let add = |genesis: &Genesis, replace| install(genesis, replace).map(|installed| installed.action);
    assert_eq!(add(&ours, false).unwrap(), "created");
    assert_eq!(add(&ours, false).unwrap(), "unchanged");
    let error = add(&theirs, false).unwrap_err().to_string();
    assert!(
        error.contains("trusts another installation, with the log ours") && error.contains("--replace"),
        "{error}"
    );
    assert_eq!(add(&ours, false).unwrap(), "unchanged");
    let replaced = Installed { action: "configured", instead_of: Some("ours".into()) };
    assert_eq!(install(&theirs, true).unwrap(), replaced);
    // A new epoch of the same installation has the same root key.
    let rotated = Genesis { epoch: 2, ..theirs };
    assert_eq!(add(&rotated, false).unwrap(), "configured");
}
