//! The data folder: who may read it, and whether its keys are those of the epoch.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_ledger::epochs::Epoch;
use countersign_ledger::genesis::Genesis;
use countersign_local::database::FILE;
use countersign_local::key_file::KeyFile;

use super::finding::Findings;
use crate::installation::DataFolder;

/// The least characters of a secret that pseudonyms are made with.
const LEAST_SECRET: usize = 32;

/// Looks at the files, without the database's content.
pub fn look(data: &Path, findings: &mut Findings) {
    let folder = DataFolder::new(data);
    let genesis = match folder.read_genesis() {
        Ok((_, genesis)) => genesis,
        Err(error) => {
            let mend =
                "give the folder that countersign init made, or restore genesis.json and keys/ from a backup";
            findings.bad("folder", data.display(), format!("{error:#}"), mend);
            return;
        }
    };
    findings.good("folder", folder.genesis().display(), "signed by the root key");
    private(data, findings);
    match folder.read_epochs(&genesis) {
        Ok(epochs) => {
            let Epoch { epoch, log_key, authorization_key } = epochs.current();
            key(&folder.log_key(*epoch), Algorithm::Ed25519, log_key, findings);
            key(&folder.authorization_key(*epoch), Algorithm::EcdsaP256Sha256, authorization_key, findings);
        }
        Err(error) => {
            let mend = "restore rotations/ from a backup: the root key signed what was there";
            findings.bad("key", data.join("rotations").display(), format!("{error:#}"), mend);
        }
    }
    pseudonyms(&folder.pseudonym_secret(), findings);
    no_root_key(data, &genesis, findings);
    begun(&folder, findings);
}

/// Who may enter the folder reads Secrets and signing keys.
fn private(data: &Path, findings: &mut Findings) {
    for (path, is_folder) in [(data.to_owned(), true), (data.join("keys"), true), (data.join(FILE), false)] {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 == 0 {
            findings.good("folder", path.display(), format!("for its owner only ({mode:03o})"));
            continue;
        }
        let mend = format!("chmod {} {}", if is_folder { "700" } else { "600" }, path.display());
        let what = format!("others than its owner may use it ({mode:03o}): it holds keys and Secrets");
        findings.bad("folder", path.display(), what, &mend);
    }
}

fn key(file: &Path, algorithm: Algorithm, named: &PublicKey, findings: &mut Findings) {
    let mend = "restore it from the backup that has this genesis, and keep it for its owner only (chmod 600)";
    match KeyFile::load(file, algorithm) {
        Ok(key) if key.public_key() == named => {
            findings.good("key", file.display(), "the epoch began with it")
        }
        Ok(_) => findings.bad("key", file.display(), "another key than the epoch began with", mend),
        Err(error) => findings.bad("key", file.display(), error.to_string(), mend),
    }
}

fn pseudonyms(file: &Path, findings: &mut Findings) {
    let mend = "restore it from a backup: with another secret the same person gets another pseudonym";
    match fs::read_to_string(file) {
        Ok(text) if text.trim().len() >= LEAST_SECRET => {
            findings.good("key", file.display(), "there");
        }
        Ok(_) => findings.bad("key", file.display(), "too short to hide a name", mend),
        Err(error) => findings.bad("key", file.display(), format!("cannot be read: {error}"), mend),
    }
}

/// The root key is kept elsewhere: whoever steals this folder must not get it too.
fn no_root_key(data: &Path, genesis: &Genesis, findings: &mut Findings) {
    let entries = [data.to_owned(), data.join("keys")];
    let files = entries.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    for path in
        files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "pem"))
    {
        let is_root =
            KeyFile::load(&path, Algorithm::Ed25519).is_ok_and(|key| *key.public_key() == genesis.root_key);
        if is_root {
            let mend = "move it to a place that is offline, and delete it here";
            findings.bad("key", path.display(), "the root key lies in the data folder", mend);
        }
    }
}

fn begun(folder: &DataFolder, findings: &mut Findings) {
    let (begun, database) = (folder.begun(), folder.path().join(FILE));
    if begun.exists() && !database.exists() {
        let what = "the log of this installation has begun, and there is no database";
        findings.bad("folder", database.display(), what, "restore the database from a backup");
    }
}
