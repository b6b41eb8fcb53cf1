//! The key that a log is verified with. It never comes from the log itself.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::authorization::Envelope;
use countersign_core::digest::Digest;
use countersign_core::ports::signer::{Algorithm, PublicKey};
use countersign_ledger::genesis::{self, Genesis};
use countersign_ledger::key::VerifyingKey;
use countersign_ledger::note::NoteKey;
use serde_json::json;

use super::{KeyArguments, VerifyArguments};
use crate::commands::genesis::public_key;
use crate::installation::{DataFolder, epochs_in};
use crate::output::Printed;

/// What is trusted, and what it says of leaf 0.
pub struct Trusted {
    /// Verify checkpoints: the key of the newest epoch first.
    pub keys: Vec<NoteKey>,
    /// The digest of the genesis that leaf 0 must cite, if one is known.
    pub genesis: Option<Digest>,
    /// The id of the root key that signed it: SHA-256 of its SPKI, in hexadecimal digits.
    pub root: Option<String>,
}

impl Trusted {
    /// The key of the newest epoch, as a vkey.
    pub fn newest(&self) -> String {
        self.keys.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// Prints the log's key, or a witness's.
///
/// # Errors
/// When the genesis cannot be read, or is not signed by its root key; when the witness's key cannot be read.
pub fn run(arguments: &KeyArguments) -> anyhow::Result<Printed> {
    if let (Some(file), Some(name)) = (&arguments.witness, &arguments.name) {
        let key = NoteKey::witness(name, &public_key::read(file, Algorithm::Ed25519)?).context("--name")?;
        return Printed::done(key.to_string(), &json!({ "vkey": key, "name": name }));
    }
    let trusted = match (&arguments.genesis, &arguments.data) {
        (Some(genesis), _) => of_files(genesis, arguments.root_key.as_deref())?,
        (None, data) => of_folder(data.as_deref().unwrap_or(Path::new(".")))?,
    };
    let origin = trusted.keys.first().map(NoteKey::name);
    let document = json!({
        "vkey": trusted.newest(), "origin": origin, "rootKey": trusted.root, "vkeys": trusted.keys,
    });
    Printed::done(trusted.newest(), &document)
}

/// The key that the arguments name; by default, that of the data folder's genesis.
///
/// # Errors
/// When none is named, or the genesis is not signed by its root key.
pub fn trusted(arguments: &VerifyArguments) -> anyhow::Result<Trusted> {
    match (&arguments.key, &arguments.genesis, &arguments.data) {
        (Some(text), _, _) => {
            let key = text.trim().parse().context("--key: not a vkey, as name+hash+base64")?;
            Ok(Trusted { keys: vec![key], genesis: None, root: None })
        }
        (None, Some(file), _) => of_files(file, arguments.root_key.as_deref()),
        (None, None, Some(data)) => of_folder(data),
        (None, None, None) => Err(anyhow!(
            "a log cannot vouch for its own key: give --key VKEY or --genesis FILE, from someone whom you trust"
        )),
    }
}

fn of_folder(data: &Path) -> anyhow::Result<Trusted> {
    let (bytes, genesis) = DataFolder::new(data).read_genesis()?;
    of_genesis(&bytes, &genesis, data)
}

fn of_files(file: &Path, root_key: Option<&Path>) -> anyhow::Result<Trusted> {
    let bytes = read(file)?;
    let place = file.display();
    let root = match root_key {
        Some(file) => serde_json::from_slice(&read(file)?)
            .with_context(|| format!("{}: not a public key that init wrote", file.display()))?,
        None => named_root(&bytes).with_context(|| format!("{place}: not a genesis"))?,
    };
    let genesis =
        genesis::verify(&bytes, &root).with_context(|| format!("{place}: not what the root key signed"))?;
    of_genesis(&bytes, &genesis, file.parent().unwrap_or(Path::new("")))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))
}

/// The keys since a genesis, by the rotations in `folder`.
fn of_genesis(bytes: &[u8], genesis: &Genesis, folder: &Path) -> anyhow::Result<Trusted> {
    Ok(Trusted {
        keys: epochs_in(folder, genesis)?.checkpoint_keys()?,
        genesis: Some(Digest::of(bytes)),
        root: Some(VerifyingKey::parse(&genesis.root_key)?.id()?),
    })
}

/// The root key that a genesis names. Whoever verifies with it compares its id with one known from elsewhere.
fn named_root(bytes: &[u8]) -> anyhow::Result<PublicKey> {
    let envelope: Envelope = serde_json::from_slice(bytes)?;
    let payload = STANDARD.decode(envelope.payload)?;
    let genesis: Genesis = serde_json::from_slice(&payload)?;
    Ok(genesis.root_key)
}

#[cfg(test)]
mod tests {
    use countersign_core::ports::signer::Signer as _;
    use countersign_local::key_file::KeyFile;
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn a_witness_key_of_kms_becomes_its_vkey() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyFile::generate(&folder.path().join("key"), Algorithm::Ed25519, &mut OsRng).unwrap();
        let file = folder.path().join("witness.pub");
        let pem = &key.public_key().pem;
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        fs::write(&file, base64).unwrap();
        let name = Some("witness.example".to_owned());
        let arguments = KeyArguments { data: None, genesis: None, root_key: None, witness: Some(file), name };
        let found: NoteKey = run(&arguments).unwrap().text.parse().unwrap();
        assert_eq!(found, NoteKey::witness("witness.example", key.public_key()).unwrap());
        assert!(found.is_witness());
    }
}
