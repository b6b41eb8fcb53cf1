//! The witness's stack, which is in an account of its own: able to look, and as far as the log.

use std::time::Duration;

use anyhow::Context as _;
use countersign_core::keys;
use countersign_core::ports::signer::Algorithm;
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::log;
use countersign_ledger::note::{Note, NoteKey};
use serde_json::Value;

use super::{alarms, functions, schedules, storage};
use crate::commands::aws::Aws;
use crate::commands::deployed::written;
use crate::commands::doctor::finding::Findings;
use crate::commands::genesis::public_key;
use crate::installation::now;

/// A witness that is further behind does not look, or cannot.
const BEHIND: Duration = Duration::from_mins(10);

/// What mends most of it.
const DEPLOY: &str = "deploy the witness again: make deploy STACK=witness";

/// What the witness is told.
struct Told<'a> {
    aws: &'a Aws,
    variables: Value,
}

/// Looks at the stack, and at what it saw.
pub fn look(aws: &Aws, installation: &str, findings: &mut Findings) {
    let name = format!("{installation}-witness");
    functions::one(aws, &name, findings);
    schedules::one(aws, &name, &name, findings);
    storage::kms(aws, installation, "witness", findings);
    let found = aws.ask(&["lambda", "get-function-configuration", "--function-name", &name]);
    if let Ok(mut found) = found {
        let variables = found.pointer_mut("/Environment/Variables").map(Value::take).unwrap_or_default();
        let told = Told { aws, variables };
        if let Ok(bucket) = told.variable("COUNTERSIGN_WITNESS_BUCKET") {
            storage::bucket(aws, bucket, false, findings);
        }
        match told.seen() {
            Ok(Ok(what)) => findings.good("witness", &name, what),
            Ok(Err(what)) => findings.bad("witness", &name, what, "read the log lines of the witness"),
            Err(error) => findings.unread("witness", &name, &error, DEPLOY),
        }
    }
    alarms(aws, &format!("{name}-"), findings);
}

impl Told<'_> {
    fn variable(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.variables.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());
        value.with_context(|| format!("the witness is told no {name}"))
    }

    /// What it saw of the log, and whether that is enough.
    fn seen(&self) -> anyhow::Result<Result<String, String>> {
        let (bucket, key) = (self.variable("COUNTERSIGN_LOG_BUCKET")?, log::checkpoint_key());
        let keys = self.variable("COUNTERSIGN_LOG_VKEY")?.split_whitespace().map(str::parse);
        let keys = keys.collect::<Result<Vec<NoteKey>, _>>().context("LogVkey")?;
        let Some(bytes) = self.aws.object_if_there(bucket, &key)? else {
            return Ok(Ok("there is no log yet".to_owned()));
        };
        let now_there = SignedCheckpoint::verify_by_any(&String::from_utf8_lossy(&bytes), &keys)
            .context("the log's checkpoint is signed by no key of LogVkey")?;
        let (size, since) = (now_there.checkpoint().size, written(self.aws, bucket, &key)?);
        let own = self.variable("COUNTERSIGN_WITNESS_BUCKET")?;
        let seen = match self.aws.object_if_there(own, keys::WITNESSED)? {
            Some(bytes) => {
                SignedCheckpoint::verify_by_any(&String::from_utf8_lossy(&bytes), &keys)?.checkpoint().size
            }
            None => 0,
        };
        if seen < size {
            return Ok(behind(seen, size, since));
        }
        self.cosigned(own, seen)
    }

    /// Whether the cosignature of what was seen is there, and is of the witness's key.
    fn cosigned(&self, bucket: &str, size: u64) -> anyhow::Result<Result<String, String>> {
        let key = self.variable("COUNTERSIGN_WITNESS_KEY")?;
        let shown = self.aws.ask(&["kms", "get-public-key", "--key-id", key])?;
        let shown = shown.get("PublicKey").and_then(Value::as_str).unwrap_or_default();
        let shown = public_key::parse(shown, Algorithm::Ed25519)?;
        let witness = NoteKey::witness(self.variable("COUNTERSIGN_WITNESS_NAME")?, &shown)?;
        let text = self.aws.object(bucket, &keys::cosigned(size))?;
        let text = String::from_utf8_lossy(&text);
        Ok(match Note::parse(&text)?.is_signed_by(&witness)? {
            true => Ok(format!("cosigned all {size} leaves")),
            false => Err(format!("{} has no cosignature of its key", keys::cosigned(size))),
        })
    }
}

fn behind(seen: u64, size: u64, since: Timestamp) -> Result<String, String> {
    let what = format!("it saw {seen} of {size} leaves, of which the last is of {since}");
    if now().since(since) > BEHIND { Err(what) } else { Ok(what) }
}
