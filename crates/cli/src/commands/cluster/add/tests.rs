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
    let install = |genesis: &Genesis, replace| {
        block_on(install(&cluster, genesis, "uid-1", &AddArguments { replace, ..arguments() }))
    };
    let add = |genesis: &Genesis, replace| install(genesis, replace).map(|installed| installed.action);
    assert_eq!(add(&ours, false).unwrap(), "created");
    assert_eq!(add(&ours, false).unwrap(), "unchanged");
    let error = add(&theirs, false).unwrap_err().to_string();
    assert!(
        error.contains("trusts another installation, with the log ours") && error.contains("--replace"),
        "{error}"
    );
    assert_eq!(add(&ours, false).unwrap(), "unchanged");
    let kept = || block_on(async { Ok(keep::checkpoint(&cluster).await?.map(|kept| kept.text)) }).unwrap();
    let keep = |text| block_on(async { Ok(keep::keep_checkpoint(&cluster, text, None).await?) }).unwrap();
    assert!(keep("ours\n7\n"));
    let instead_of = Some("ours".into());
    let replaced = Installed { action: "configured", witnesses: Vec::new(), instead_of };
    assert_eq!(install(&theirs, true).unwrap(), replaced);
    assert_eq!(kept(), None, "their log would never be consistent with it");
    assert!(keep("ours\n8\n"), "as if it had ended in between");
    assert_eq!(add(&theirs, true).unwrap(), "unchanged");
    assert_eq!(kept(), None);
    assert!(keep("theirs\n1\n"));
    assert_eq!(add(&theirs, true).unwrap(), "unchanged");
    assert_eq!(kept().as_deref(), Some("theirs\n1\n"), "their own stays");
    // A new epoch of the same installation has the same root key.
    let rotated = Genesis { epoch: 2, ..theirs };
    assert_eq!(add(&rotated, false).unwrap(), "configured");
}

fn arguments() -> AddArguments {
    AddArguments {
        name: "east".parse().unwrap(),
        data: PathBuf::new(),
        control: None,
        kubeconfig: None,
        context: None,
        witness: Vec::new(),
        no_witness: false,
        replace: false,
    }
}

#[test]
fn a_witness_is_demanded_until_somebody_asks_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("data")).unwrap();
    let cluster = SimulatedCluster::open(&database, &"east".parse().unwrap(), "uid-1").unwrap();
    let genesis = genesis(folder.path(), "ours");
    let witness = NoteKey::witness("witness.example", &genesis.log_key).unwrap();
    let add = |change: fn(&mut AddArguments), keys: &[&NoteKey]| {
        let mut arguments = arguments();
        arguments.witness = keys.iter().map(|key| (*key).clone()).collect();
        change(&mut arguments);
        block_on(install(&cluster, &genesis, "uid-1", &arguments)).map(|installed| installed.witnesses)
    };
    let demanded = || {
        let text = block_on(async { Ok(keep::trust(&cluster).await?.unwrap()) }).unwrap();
        Trust::parse(text.as_bytes()).unwrap().witnesses
    };
    assert!(add(|_| (), &[]).unwrap().is_empty());
    assert_eq!(add(|_| (), &[&witness]).unwrap(), ["witness.example"]);
    assert_eq!(add(|_| (), &[]).unwrap(), ["witness.example"], "it is not forgotten by a repeat");
    assert_eq!(demanded(), Witnesses { required: 1, keys: vec![witness] });
    let log = NoteKey::log("ours", &genesis.log_key).unwrap();
    assert!(add(|_| (), &[&log]).unwrap_err().to_string().contains("a log's key"));
    assert!(add(|arguments| arguments.no_witness = true, &[]).unwrap().is_empty());
    assert_eq!(demanded(), Witnesses::default());
}
