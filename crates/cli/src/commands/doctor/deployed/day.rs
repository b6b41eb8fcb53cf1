//! The first day, and the log since: the genesis that record reads, the keys that it names, the checkpoint.

use anyhow::Context as _;
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, PublicKey};
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::genesis::{self, Genesis};
use countersign_ledger::note::NoteKey;
use serde_json::Value;

use super::aws::Aws;
use super::storage::Buckets;
use crate::commands::doctor::finding::Findings;
use crate::commands::genesis::public_key;

/// What makes and uploads the first day.
const MAKE: &str = "countersign genesis make, then aws s3 cp --recursive FOLDER/upload s3://DATA-BUCKET/";

/// Looks at the genesis as `record` does, and at the log's checkpoint as everybody may.
pub fn look(aws: &Aws, installation: &str, buckets: &Buckets, findings: &mut Findings) {
    let genesis = match genesis(aws, installation, buckets) {
        Ok(genesis) => genesis,
        Err(error) => return aws.note(findings, "genesis", keys::GENESIS, &error, MAKE),
    };
    findings.good(
        "genesis",
        keys::GENESIS,
        format!("signed by the root key, for the log {}", genesis.origin),
    );
    for (key, algorithm, named) in [
        ("log", Algorithm::Ed25519, &genesis.log_key),
        ("authorization", Algorithm::EcdsaP256Sha256, &genesis.authorization_key),
    ] {
        signer(aws, &format!("alias/{installation}-{key}"), algorithm, named, findings);
    }
    for key in [keys::bundle_configuration(&genesis.bundle), keys::bundle_policies(&genesis.bundle)] {
        match aws.ask(&["s3api", "head-object", "--bucket", &buckets.data, "--key", &key]) {
            Ok(_) => findings.good("genesis", key, "there"),
            Err(error) => aws.note(findings, "genesis", &key, &error, MAKE),
        }
    }
    checkpoint(aws, &genesis, buckets, findings);
}

/// The genesis, verified with the root key that `record` is told.
fn genesis(aws: &Aws, installation: &str, buckets: &Buckets) -> anyhow::Result<Genesis> {
    let record = format!("{installation}-record");
    let found = aws.ask(&["lambda", "get-function-configuration", "--function-name", &record])?;
    let root = found.pointer("/Environment/Variables/COUNTERSIGN_ROOT_KEY").and_then(Value::as_str);
    let root = public_key::parse(root.context("record is told no root key")?, Algorithm::Ed25519)?;
    Ok(genesis::verify(&aws.object(&buckets.data, keys::GENESIS)?, &root)?)
}

/// Record ends where KMS shows another key than the genesis names.
fn signer(aws: &Aws, alias: &str, algorithm: Algorithm, named: &PublicKey, findings: &mut Findings) {
    let mend = "deploy the core with the keys that the genesis names (LogKeyArn, AuthorizationKeyArn)";
    let found = aws.ask(&["kms", "get-public-key", "--key-id", alias]).and_then(|answer| {
        public_key::parse(answer.get("PublicKey").and_then(Value::as_str).unwrap_or_default(), algorithm)
    });
    match found {
        Ok(key) if key == *named => findings.good("key", alias, "the genesis names it"),
        Ok(_) => {
            findings.bad("key", alias, "another key than the genesis names: record does not start", mend)
        }
        Err(error) => aws.note(findings, "key", alias, &error, mend),
    }
}

fn checkpoint(aws: &Aws, genesis: &Genesis, buckets: &Buckets, findings: &mut Findings) {
    let key = format!("{}checkpoint", keys::LOG);
    let read = aws.object(&buckets.log, &key).and_then(|bytes| {
        let log = NoteKey::log(&genesis.origin, &genesis.log_key)?;
        Ok(SignedCheckpoint::verify(&String::from_utf8_lossy(&bytes), &log)?)
    });
    match read {
        Ok(checkpoint) => {
            let size = checkpoint.checkpoint().size;
            findings.good("log", &genesis.origin, format!("{size} leaves, signed by its key"));
        }
        Err(error) => {
            let mend =
                "where there is none, read the log lines of record: it appends leaf 0 within five minutes";
            aws.note(findings, "log", &genesis.origin, &error, mend);
        }
    }
}
