//! The first day, and the log since: the genesis that record reads, the keys that sign, the checkpoint.

use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, PublicKey};
use countersign_ledger::epochs::Epochs;
use serde_json::Value;

use crate::commands::aws::Aws;
use crate::commands::deployed::Deployed;
use crate::commands::doctor::finding::Findings;
use crate::commands::genesis::public_key;

/// What makes and uploads the first day.
const MAKE: &str = "countersign genesis make, then aws s3 cp --recursive FOLDER/upload s3://DATA-BUCKET/";

/// Looks at the genesis as `record` does, and at the log's checkpoint as everybody may.
pub fn look(aws: &Aws, installation: &str, findings: &mut Findings) {
    let found = Deployed::open(aws, installation).and_then(|deployed| {
        let genesis = deployed.genesis()?;
        Ok((deployed.epochs(&genesis)?, genesis, deployed))
    });
    let (epochs, genesis, deployed) = match found {
        Ok(found) => found,
        Err(error) => return findings.unread("genesis", keys::GENESIS, &error, MAKE),
    };
    let (origin, epoch) = (&genesis.origin, epochs.current());
    let what = format!("signed by the root key, for the log {origin}, in epoch {}", epoch.epoch);
    findings.good("genesis", keys::GENESIS, what);
    for (variable, algorithm, named) in [
        ("COUNTERSIGN_LOG_KEY", Algorithm::Ed25519, &epoch.log_key),
        ("COUNTERSIGN_AUTHORIZATION_KEY", Algorithm::EcdsaP256Sha256, &epoch.authorization_key),
    ] {
        signer(aws, &deployed, variable, (algorithm, named), findings);
    }
    for key in [keys::bundle_configuration(&genesis.bundle), keys::bundle_policies(&genesis.bundle)] {
        let bucket = deployed.variable("COUNTERSIGN_BUCKET");
        let head =
            bucket.and_then(|bucket| aws.ask(&["s3api", "head-object", "--bucket", bucket, "--key", &key]));
        match head {
            Ok(_) => findings.good("genesis", key, "there"),
            Err(error) => findings.unread("genesis", &key, &error, MAKE),
        }
    }
    checkpoint(&deployed, &epochs, findings);
}

/// Record ends where KMS shows another key than the root key vouched for.
fn signer(
    aws: &Aws,
    deployed: &Deployed<'_>,
    variable: &str,
    (algorithm, named): (Algorithm, &PublicKey),
    findings: &mut Findings,
) {
    let mend = "deploy the core with the keys that the root key vouched for, and their Epoch (LogKeyArn, AuthorizationKeyArn)";
    let shown = deployed.variable(variable).unwrap_or(variable).to_owned();
    let found = aws.ask(&["kms", "get-public-key", "--key-id", &shown]).and_then(|answer| {
        public_key::parse(answer.get("PublicKey").and_then(Value::as_str).unwrap_or_default(), algorithm)
    });
    match found {
        Ok(key) if key == *named => findings.good("key", shown, "the root key vouched for it"),
        Ok(_) => {
            let what = "another key than the root key vouched for: record does not start";
            findings.bad("key", shown, what, mend);
        }
        Err(error) => findings.unread("key", &shown, &error, mend),
    }
}

fn checkpoint(deployed: &Deployed<'_>, epochs: &Epochs, findings: &mut Findings) {
    let origin = epochs.origin();
    let mend = "read the log lines of record: it appends leaf 0 within five minutes";
    match deployed.checkpoint(epochs) {
        Ok(Some((checkpoint, written))) => {
            let size = checkpoint.checkpoint().size;
            findings.good("log", origin, format!("{size} leaves, signed by its key, the last of {written}"));
        }
        Ok(None) => findings.bad("log", origin, "it has no leaf", mend),
        Err(error) => findings.unread("log", origin, &error, mend),
    }
}
