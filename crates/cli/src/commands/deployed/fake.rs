//! A stand-in for the `aws` command, which answers as a healthy installation does, but where a test says otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use countersign_ledger::epochs::{Epoch, ROTATION_VERSION, Rotation};
use countersign_ledger::genesis::Genesis;
use countersign_ledger::{epochs, genesis};
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;
use serde_json::{Value, json};

use crate::commands::aws::Aws;
use crate::commands::{block_on, fixture};
use crate::installation::now;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:countersign";

/// The program: the answer of the longest beginning of a call counts, and what is to come after it takes its place.
const PROGRAM: &str = r#"#!/bin/bash
cd "$(dirname "$0")"
case "$*" in *--cli-input-json*) input=$(sed 's,.*file://\([^ ]*\).*,\1,' <<< "$*"); input=" $(cat "$input")" ;; esac
echo "$*$input" >> calls
call="${*//\//_}"
if [ "${call#s3 cp --recursive}" != "$call" ]; then
    from="objects/${5#s3://}"
    [ ! -d "$from" ] || cp -r "$from/." "$6"
    exit 0
fi
best=""
for file in "answer "* "fail "*; do
    [ -e "$file" ] || continue
    begins="${file#* }"
    if [ "${call#"$begins"}" != "$call" ] && [ ${#begins} -ge ${#best} ]; then best="$begins"; found="$file"; fi
done
[ -n "$best" ] || { echo "no answer to $call" >&2; exit 254; }
case "$found" in
    fail*) cat "$found" >&2; exit 254 ;;
    *)
        cat "$found"
        [ ! -e "then $best" ] || mv "then $best" "$found"
        [ ! -e "next $best" ] || mv "next $best" "fail $best"
        ;;
esac
"#;

/// The installation.
pub struct World {
    folder: tempfile::TempDir,
    /// The root key.
    root: KeyFile,
    /// The log's key.
    log: KeyFile,
    genesis: Genesis,
}

/// The public half of a key, as KMS shows it.
pub fn base64(key: &KeyFile) -> String {
    key.public_key().pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

impl World {
    /// A healthy installation `countersign` with a cluster `east`, and a witness.
    pub fn healthy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, algorithm| {
            KeyFile::generate(&folder.path().join(name), algorithm, &mut OsRng).unwrap()
        };
        let (root, log) = (key("root", Algorithm::Ed25519), key("log", Algorithm::Ed25519));
        let authorization = key("authorization", Algorithm::EcdsaP256Sha256);
        let keys = [root.public_key(), log.public_key(), authorization.public_key()];
        let genesis = fixture::genesis("log.example/one", keys);
        let signed = block_on(async { Ok(genesis::sign(&root, &genesis).await?) }).unwrap();
        let world = Self { folder, root, log, genesis };
        world.answer("s3 cp --quiet s3://data/genesis.json", &String::from_utf8(signed).unwrap());
        world.record("1", "arn:log");
        for (name, key) in [("log", &world.log), ("authorization", &authorization)] {
            world.shows(&format!("arn:{name}"), key);
        }
        world.log_is(7);
        world.services();
        fs::write(world.path().join("aws"), PROGRAM).unwrap();
        fs::set_permissions(world.path().join("aws"), fs::Permissions::from_mode(0o755)).unwrap();
        world
    }

    fn services(&self) {
        let mapping = json!({ "EventSourceMappings": [
            { "UUID": "u-1", "State": "Enabled", "EventSourceArn": "arn:aws:sqs:r:1:countersign-facts.fifo" },
        ] });
        let closed = json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": true } });
        let identity = json!({ "Account": "123456789012", "Arn": "arn:aws:iam::1:user/ada" });
        let locked = json!({ "ObjectLockConfiguration": { "ObjectLockEnabled": "Enabled" } });
        for (call, answer) in [
            ("sts get-caller-identity", identity),
            ("lambda list-event-source-mappings", mapping),
            ("lambda get-function-concurrency", json!({ "ReservedConcurrentExecutions": 1 })),
            ("sqs get-queue-url", json!({ "QueueUrl": "https://sqs.example/queue" })),
            ("sqs get-queue-attributes", json!({ "Attributes": { "ApproximateNumberOfMessages": "0" } })),
            ("s3api get-bucket-versioning", json!({ "Status": "Enabled" })),
            ("s3api get-object-lock-configuration", locked),
            ("s3api get-public-access-block", closed),
            ("s3api head-object", json!({ "LastModified": now().to_string() })),
            ("kms describe-key", json!({ "KeyMetadata": { "KeyState": "Enabled" } })),
            ("cloudwatch describe-alarms", json!({ "MetricAlarms": [] })),
        ] {
            self.answer(call, &answer.to_string());
        }
        for (schedule, function) in
            [("due", "poll"), ("refs", "poll"), ("settle", "record"), ("east-drift", "east-drift")]
        {
            self.schedule(schedule, "ENABLED", function);
        }
    }

    /// What invokes a function from time to time.
    pub fn schedule(&self, name: &str, state: &str, function: &str) {
        let target = json!({ "Arn": format!("{FUNCTION}-{function}") });
        let answer = json!({ "State": state, "Target": target, "ScheduleExpression": "rate(5 minutes)" });
        self.answer(&format!("scheduler get-schedule --name countersign-{name}"), &answer.to_string());
    }

    /// What every function of the core is told, of which `record` alone is told all.
    pub fn record(&self, epoch: &str, log_key: &str) {
        let variables = json!({
            "COUNTERSIGN_ROOT_KEY": base64(&self.root), "COUNTERSIGN_CLUSTERS_ELSEWHERE": "",
            "COUNTERSIGN_BUCKET": "data", "COUNTERSIGN_LOG_BUCKET": "log", "COUNTERSIGN_EPOCH": epoch,
            "COUNTERSIGN_LOG_KEY": log_key, "COUNTERSIGN_AUTHORIZATION_KEY": "arn:authorization",
        });
        self.function("record", variables.clone());
        self.answer("lambda get-function-configuration", &function("record", variables).to_string());
    }

    /// What one function is told.
    pub fn function(&self, name: &str, variables: Value) {
        let call = format!("lambda get-function-configuration --function-name countersign-{name} ");
        self.answer(&call, &function(name, variables).to_string());
    }

    /// The key that KMS shows.
    pub fn shows(&self, arn: &str, key: &KeyFile) {
        let answer = json!({ "PublicKey": base64(key) }).to_string();
        self.answer(&format!("kms get-public-key --key-id {arn} "), &answer);
    }

    /// The log has so many leaves.
    pub fn log_is(&self, size: u64) {
        self.answer("s3 cp --quiet s3://log/log/checkpoint", &self.checkpoint(size, &self.log));
    }

    /// A checkpoint of so many leaves.
    pub fn checkpoint(&self, size: u64, key: &KeyFile) -> String {
        let origin = self.genesis.origin.clone();
        let checkpoint = Checkpoint { origin, size, root: Digest::of(b"any") };
        let signed = block_on(async { Ok(SignedCheckpoint::sign(checkpoint, key).await?) }).unwrap();
        signed.text().to_owned()
    }

    /// The log's key.
    pub fn log_key(&self) -> &KeyFile {
        &self.log
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.genesis.origin
    }

    /// Has the root key begin epoch 2 with a key that KMS shows as `arn:log-2`, and other keys of the log since.
    pub fn rotate(&self) {
        let log = self.key("log-2", Algorithm::Ed25519);
        let authorization = self.key("authorization-2", Algorithm::EcdsaP256Sha256);
        let keys = Epoch {
            epoch: 2,
            log_key: log.public_key().clone(),
            authorization_key: authorization.public_key().clone(),
        };
        let (v, origin, created) = (ROTATION_VERSION, self.genesis.origin.clone(), Timestamp::default());
        let rotation = Rotation { v, origin, keys, created };
        let signed = block_on(async { Ok(epochs::sign(&self.root, &rotation).await?) }).unwrap();
        self.answer("s3 cp --quiet s3://data/rotations/2.json", &String::from_utf8(signed).unwrap());
        self.shows("arn:log-2", &log);
        self.shows("arn:authorization", &authorization);
        self.answer("s3 cp --quiet s3://log/log/checkpoint", &self.checkpoint(8, &log));
        self.record("2", "arn:log-2");
    }

    /// A key that is none of the installation's.
    pub fn key(&self, name: &str, algorithm: Algorithm) -> KeyFile {
        KeyFile::generate(&self.path().join(name), algorithm, &mut OsRng).unwrap()
    }

    /// The program.
    pub fn aws(&self) -> Aws {
        Aws::new(self.path().join("aws"))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is answered to calls that begin so; the longest beginning counts.
    pub fn answer(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("answer {}", call.replace('/', "_"))), text).unwrap();
    }

    /// What is answered the second time.
    pub fn then(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("then {}", call.replace('/', "_"))), text).unwrap();
    }

    /// Calls that begin so fail after the first, and say this.
    pub fn fails_after(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("next {}", call.replace('/', "_"))), text).unwrap();
    }

    /// Calls that begin so fail, and say this.
    pub fn fail(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("fail {}", call.replace('/', "_"))), text).unwrap();
    }

    /// An object that a copy of its prefix brings.
    pub fn object(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let path = self.path().join("objects").join(bucket).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Every call so far, with what it was told.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn function(name: &str, variables: Value) -> Value {
    json!({
        "FunctionArn": format!("{FUNCTION}-{name}"), "State": "Active", "LastUpdateStatus": "Successful",
        "LastModified": "2026-11-30", "Environment": { "Variables": variables },
    })
}
