use std::fs;

use countersign_core::names::CommitId;

use super::*;
use crate::commands::init::{self, InitArguments};

/// A clone of a control repository with one commit, of the files that `init` makes.
fn control(folder: &Path) -> CommitId {
    let keys: Vec<_> = ["ada", "grace"].iter().map(|name| person(folder, name)).collect();
    let arguments = InitArguments {
        folder: folder.join("made"),
        data: folder.join("data"),
        repositories: Some(folder.join("repositories")),
        root_key: folder.join("other-root.pem"),
        origin: None,
        people: vec!["ada".parse().unwrap(), "grace".parse().unwrap()],
        keys,
        listen_url: "http://127.0.0.1:7466".to_owned(),
        sample: false,
        kubeconfig: None,
    };
    init::run(&arguments).unwrap();
    let git = git2::Repository::open(folder.join("made")).unwrap();
    git.head().unwrap().peel_to_commit().unwrap().id().to_string().parse().unwrap()
}

fn person(folder: &Path, name: &str) -> PathBuf {
    let key = KeyFile::generate(&folder.join(name), Algorithm::Ed25519, &mut OsRng).unwrap();
    let pem: String = key.public_key().pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let raw = STANDARD.decode(pem).unwrap().split_off(12);
    let mut blob = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), &raw] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    let file = folder.join(format!("{name}.pub"));
    fs::write(&file, format!("ssh-ed25519 {}\n", STANDARD.encode(blob))).unwrap();
    file
}

/// The public half of a new key, as KMS prints it.
fn of_kms(folder: &Path, name: &str, algorithm: Algorithm) -> PathBuf {
    let key = KeyFile::generate(&folder.join(format!("{name}.pem")), algorithm, &mut OsRng).unwrap();
    let base64: String = key.public_key().pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let file = folder.join(format!("{name}.pub"));
    fs::write(&file, base64).unwrap();
    file
}

fn arguments(folder: &Path) -> MakeArguments {
    MakeArguments {
        folder: folder.join("first-day"),
        control: folder.join("made"),
        commit: "HEAD".to_owned(),
        origin: "example.com/countersign".to_owned(),
        root_key: folder.join("root.pem"),
        log_key: of_kms(folder, "log", Algorithm::Ed25519),
        authorization_key: of_kms(folder, "authorization", Algorithm::EcdsaP256Sha256),
    }
}

#[test]
fn the_first_day_is_what_record_and_evaluate_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let commit = control(folder);
    let parameter = key(&folder.join("root.pem")).unwrap().text;
    assert_eq!(parameter.len(), 60, "as the template's parameter RootKey wants it");
    assert_eq!(key(&folder.join("root.pem")).unwrap().text, parameter, "it is made once");
    let arguments = arguments(folder);
    let printed = make(&arguments, &mut Made::default()).unwrap();
    let upload = folder.join("first-day/upload");
    let root = public_key::parse(&parameter, Algorithm::Ed25519).unwrap();
    let genesis = genesis::verify(&fs::read(upload.join("genesis.json")).unwrap(), &root).unwrap();
    assert_eq!((&genesis.commit, genesis.origin.as_str()), (&commit, "example.com/countersign"));
    let log = KeyFile::load(&folder.join("log.pem"), Algorithm::Ed25519).unwrap();
    assert_eq!(genesis.log_key, *log.public_key(), "the very text that KMS's adapter makes of it");
    let read = |key: String| fs::read(upload.join(key)).unwrap();
    let (configuration, policies) =
        (read(keys::bundle_configuration(&genesis.bundle)), read(keys::bundle_policies(&genesis.bundle)));
    let bundle = countersign_policy::bundle::Bundle::from_stored(&genesis.bundle, &configuration, &policies);
    assert!(bundle.is_ok());
    assert_eq!(printed.document["commit"], commit.as_str());
    // The folder is what `cluster add` and `audit` take for a data folder.
    assert_eq!(DataFolder::new(&arguments.folder).read_genesis().unwrap().1, genesis);
    let again = make(&arguments, &mut Made::default()).err().unwrap().to_string();
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn a_key_of_another_kind_or_twice_the_same_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    control(folder);
    key(&folder.join("root.pem")).unwrap();
    let good = arguments(folder);
    let swapped = MakeArguments {
        log_key: good.authorization_key.clone(),
        authorization_key: good.log_key.clone(),
        ..arguments_again(&good)
    };
    let error = format!("{:#}", make(&swapped, &mut Made::default()).err().unwrap());
    assert!(error.contains("aws kms get-public-key"), "{error}");
    let root: String = key(&folder.join("root.pem")).unwrap().text;
    fs::write(folder.join("root.pub"), root).unwrap();
    let same = MakeArguments { log_key: folder.join("root.pub"), ..arguments_again(&good) };
    let error = format!("{:#}", make(&same, &mut Made::default()).err().unwrap());
    assert!(error.contains("two keys"), "{error}");
    assert!(!good.folder.exists(), "nothing is written");
}

fn arguments_again(of: &MakeArguments) -> MakeArguments {
    MakeArguments {
        folder: of.folder.clone(),
        control: of.control.clone(),
        commit: of.commit.clone(),
        origin: of.origin.clone(),
        root_key: of.root_key.clone(),
        log_key: of.log_key.clone(),
        authorization_key: of.authorization_key.clone(),
    }
}
