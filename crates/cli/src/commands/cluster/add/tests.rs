use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::{self, Epoch, ROTATION_VERSION, Rotation};
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;

use super::*;
use crate::commands::fixture;

fn key(folder: &Path, name: &str, algorithm: Algorithm) -> KeyFile {
    KeyFile::generate(&folder.join(name), algorithm, &mut OsRng).unwrap()
}

fn epochs(folder: &Path, name: &str) -> Epochs {
    let key = |kind, algorithm| key(folder, &format!("{name}-{kind}"), algorithm).public_key().clone();
    let keys = [
        key("root", Algorithm::Ed25519),
        key("log", Algorithm::Ed25519),
        key("authorization", Algorithm::EcdsaP256Sha256),
    ];
    Epochs::new(&fixture::genesis(name, keys.each_ref()))
}

/// The same installation, with other keys.
fn rotated(folder: &Path, name: &str, epochs: &Epochs) -> Epochs {
    let root = KeyFile::load(&folder.join(format!("{name}-root")), Algorithm::Ed25519).unwrap();
    let keys = Epoch {
        epoch: 2,
        log_key: key(folder, "log-2", Algorithm::Ed25519).public_key().clone(),
        authorization_key: key(folder, "authorization-2", Algorithm::EcdsaP256Sha256).public_key().clone(),
    };
    let (origin, created) = (name.to_owned(), Timestamp::default());
    let rotation = Rotation { v: ROTATION_VERSION, origin, keys, created };
    let mut next = epochs.clone();
    next.rotate(&block_on(async { Ok(epochs::sign(&root, &rotation).await?) }).unwrap()).unwrap();
    next
}

#[test]
fn trust_is_installed_once_and_another_installation_is_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("data")).unwrap();
    let cluster = SimulatedCluster::open(&database, &"east".parse().unwrap(), "uid-1").unwrap();
    let (ours, theirs) = (epochs(folder.path(), "ours"), epochs(folder.path(), "theirs"));
    let install = |epochs: &Epochs, replace| {
        block_on(install(&cluster, epochs, "uid-1", &AddArguments { replace, ..arguments() }))
    };
    let add = |epochs: &Epochs, replace| install(epochs, replace).map(|installed| installed.action);
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
    assert_eq!(add(&rotated(folder.path(), "theirs", &theirs), false).unwrap(), "configured");
    let error = add(&theirs, false).unwrap_err().to_string();
    assert!(error.contains("trusts epoch 2"), "there is no way back: {error}");
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
    let epochs = epochs(folder.path(), "ours");
    let witness = NoteKey::witness("witness.example", &epochs.current().log_key).unwrap();
    let add = |change: fn(&mut AddArguments), keys: &[&NoteKey]| {
        let mut arguments = arguments();
        arguments.witness = keys.iter().map(|key| (*key).clone()).collect();
        change(&mut arguments);
        block_on(install(&cluster, &epochs, "uid-1", &arguments)).map(|installed| installed.witnesses)
    };
    let demanded = || {
        let text = block_on(async { Ok(keep::trust(&cluster).await?.unwrap()) }).unwrap();
        Trust::parse(text.as_bytes()).unwrap().witnesses
    };
    assert!(add(|_| (), &[]).unwrap().is_empty());
    assert_eq!(add(|_| (), &[&witness]).unwrap(), ["witness.example"]);
    assert_eq!(add(|_| (), &[]).unwrap(), ["witness.example"], "it is not forgotten by a repeat");
    assert_eq!(demanded(), Witnesses { required: 1, keys: vec![witness] });
    let log = NoteKey::log("ours", &epochs.current().log_key).unwrap();
    assert!(add(|_| (), &[&log]).unwrap_err().to_string().contains("a log's key"));
    assert!(add(|arguments| arguments.no_witness = true, &[]).unwrap().is_empty());
    assert_eq!(demanded(), Witnesses::default());
}
