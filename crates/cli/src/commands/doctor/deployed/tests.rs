//! A stand-in for the `aws` command, which answers as a healthy installation does, but where a test says otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use countersign_ledger::genesis::{GENESIS_VERSION, Genesis, sign};
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;
use serde_json::json;

use super::*;
use crate::commands::block_on;
use crate::commands::doctor::finding::{Finding, Grade};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:countersign-record";

/// The installation, and the words of a call with the answer that a test puts in the place of the healthy one.
struct World {
    folder: tempfile::TempDir,
}

fn base64(key: &KeyFile) -> String {
    key.public_key().pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, algorithm| {
            KeyFile::generate(&folder.path().join(name), algorithm, &mut OsRng).unwrap()
        };
        let (root, log) = (key("root", Algorithm::Ed25519), key("log", Algorithm::Ed25519));
        let authorization = key("authorization", Algorithm::EcdsaP256Sha256);
        let genesis = Genesis {
            v: GENESIS_VERSION,
            origin: "log.example/one".to_owned(),
            epoch: 1,
            root_key: root.public_key().clone(),
            log_key: log.public_key().clone(),
            authorization_key: authorization.public_key().clone(),
            hosts: [].into(),
            control: serde_json::from_value(
                json!({ "repository": "local/control", "reference": "refs/heads/main" }),
            )
            .unwrap(),
            commit: "1".repeat(40).parse().unwrap(),
            bundle: Digest::of(b"bundle"),
            created: Timestamp::default(),
        };
        let checkpoint = Checkpoint { origin: genesis.origin.clone(), size: 7, root: Digest::of(b"any") };
        let (signed, checkpoint) = block_on(async {
            Ok((sign(&root, &genesis).await?, SignedCheckpoint::sign(checkpoint, &log).await?))
        })
        .unwrap();
        let world = Self { folder };
        let variables = json!({ "COUNTERSIGN_ROOT_KEY": base64(&root), "COUNTERSIGN_DEPLOY_QUEUES": "" });
        let function = json!({
            "FunctionArn": FUNCTION, "State": "Active", "LastUpdateStatus": "Successful",
            "LastModified": "2026-11-30", "Environment": { "Variables": variables },
        });
        let mapping = json!({ "EventSourceMappings": [
            { "UUID": "u-1", "State": "Enabled", "EventSourceArn": "arn:aws:sqs:r:1:countersign-facts.fifo" },
        ] });
        let closed = json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": true } });
        for (call, answer) in [
            (
                "sts get-caller-identity",
                json!({ "Account": "123456789012", "Arn": "arn:aws:iam::1:user/ada" }),
            ),
            ("lambda get-function-configuration", function),
            ("lambda list-event-source-mappings", mapping),
            ("sqs get-queue-url", json!({ "QueueUrl": "https://sqs.example/queue" })),
            ("sqs get-queue-attributes", json!({ "Attributes": { "ApproximateNumberOfMessages": "0" } })),
            ("s3api get-bucket-versioning", json!({ "Status": "Enabled" })),
            (
                "s3api get-object-lock-configuration",
                json!({ "ObjectLockConfiguration": { "ObjectLockEnabled": "Enabled" } }),
            ),
            ("s3api get-public-access-block", closed),
            ("s3api head-object", json!({})),
            ("kms describe-key", json!({ "KeyMetadata": { "KeyState": "Enabled" } })),
            ("kms get-public-key --key-id alias/countersign-log", json!({ "PublicKey": base64(&log) })),
            (
                "kms get-public-key --key-id alias/countersign-authorization",
                json!({ "PublicKey": base64(&authorization) }),
            ),
            ("cloudwatch describe-alarms", json!({ "MetricAlarms": [] })),
        ] {
            world.answer(call, &answer.to_string());
        }
        world.answer("s3 cp --quiet s3://countersign-data", &String::from_utf8(signed).unwrap());
        world.answer("s3 cp --quiet s3://countersign-log", checkpoint.text());
        world.program();
        world
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is answered to calls that begin so; the longest beginning counts.
    fn answer(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("answer {}", call.replace('/', "_"))), text).unwrap();
    }

    /// Calls that begin so fail, and say this.
    fn fail(&self, call: &str, text: &str) {
        fs::write(self.path().join(format!("fail {}", call.replace('/', "_"))), text).unwrap();
    }

    fn program(&self) {
        let script = r#"#!/bin/bash
cd "$(dirname "$0")"
call="${*//\//_}"
best=""
for file in "answer "* "fail "*; do
    [ -e "$file" ] || continue
    begins="${file#* }"
    if [ "${call#"$begins"}" != "$call" ] && [ ${#begins} -ge ${#best} ]; then best="$begins"; found="$file"; fi
done
[ -n "$best" ] || { echo "no answer to $call" >&2; exit 254; }
case "$found" in
    fail*) cat "$found" >&2; exit 254 ;;
    *) cat "$found" ;;
esac
"#;
        let path = self.path().join("aws");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn look(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        let clusters = ["east".parse().unwrap()];
        ask(&Aws::new(self.path().join("aws")), "countersign", &clusters, &mut findings).unwrap();
        findings.all()
    }

    /// The one problem that there is.
    #[track_caller]
    fn problem(&self, area: &str, words: &str) -> Finding {
        let all = self.look();
        let found: Vec<_> = all.iter().filter(|finding| finding.grade == Grade::Problem).collect();
        let one = found.iter().find(|finding| finding.area == area && finding.what.contains(words));
        let one = one.unwrap_or_else(|| panic!("{area}: {words} is not among {found:?}"));
        assert!(one.mend.is_some());
        (*one).clone()
    }
}

#[test]
fn a_healthy_installation_has_no_problem() {
    let found = World::new().look();
    let wrong: Vec<_> = found.iter().filter(|finding| finding.grade != Grade::Good).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    for area in ["aws", "function", "mapping", "queue", "bucket", "key", "genesis", "log", "alarm"] {
        assert!(found.iter().any(|finding| finding.area == area), "{area}");
    }
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let dead = World::new();
    dead.answer("sqs get-queue-attributes", r#"{"Attributes":{"ApproximateNumberOfMessages":"3"}}"#);
    assert!(dead.problem("queue", "3 dead letters").subject.contains("-dead-"));
    let gone = World::new();
    gone.fail("sqs get-queue-url --queue-name countersign-facts", "An error occurred (NonExistentQueue)");
    gone.problem("queue", "NonExistentQueue");
    let disabled = World::new();
    disabled.answer(
        "lambda list-event-source-mappings",
        r#"{"EventSourceMappings":[{"UUID":"u-9","State":"Disabled","EventSourceArn":"a:b:countersign-facts.fifo"}]}"#,
    );
    assert!(disabled.problem("mapping", "does not take from it").mend.unwrap().contains("u-9"));
    let failed = World::new();
    failed.answer(
        "lambda get-function-configuration --function-name countersign-gather",
        r#"{"State":"Failed","LastUpdateStatus":"Failed","LastUpdateStatusReason":"no image"}"#,
    );
    failed.problem("function", "no image");
    let unset = World::new();
    unset.answer(
        "lambda get-function-configuration --function-name countersign-gather",
        r#"{"State":"Active","Environment":{"Variables":{"COUNTERSIGN_BUCKET":""}}}"#,
    );
    unset.problem("function", "COUNTERSIGN_BUCKET is empty");
    let crying = World::new();
    crying.answer(
        "cloudwatch describe-alarms",
        r#"{"MetricAlarms":[{"AlarmName":"countersign-LogStands","AlarmDescription":"nothing is appended"}]}"#,
    );
    assert_eq!(crying.problem("alarm", "nothing is appended").subject, "countersign-LogStands");
}

#[test]
fn storage_keys_and_the_first_day_are_looked_at() {
    let unversioned = World::new();
    unversioned.answer("s3api get-bucket-versioning", "{}");
    unversioned.problem("bucket", "keeps no versions");
    let unlocked = World::new();
    unlocked.answer("s3api get-object-lock-configuration", "{}");
    unlocked.problem("bucket", "can be deleted");
    let open = World::new();
    open.answer(
        "s3api get-public-access-block",
        r#"{"PublicAccessBlockConfiguration":{"BlockPublicAcls":false}}"#,
    );
    open.problem("bucket", "opened to the public");
    let going = World::new();
    going.answer("kms describe-key", r#"{"KeyMetadata":{"KeyState":"PendingDeletion"}}"#);
    going.problem("key", "PendingDeletion");
    let other = World::new();
    let key = KeyFile::generate(&other.path().join("other"), Algorithm::Ed25519, &mut OsRng).unwrap();
    let answer = json!({ "PublicKey": base64(&key) }).to_string();
    other.answer("kms get-public-key --key-id alias/countersign-log", &answer);
    other.problem("key", "record does not start");
    let absent = World::new();
    absent.fail("s3 cp --quiet s3://countersign-data", "An error occurred (404) when calling HeadObject");
    assert!(absent.problem("genesis", "404").mend.unwrap().contains("countersign genesis make"));
    let half = World::new();
    half.fail("s3api head-object", "An error occurred (404) when calling HeadObject: Not Found");
    half.problem("genesis", "404");
    let forged = World::new();
    forged.answer(
        "s3 cp --quiet s3://countersign-log",
        "log.example/one\n1\nAAAA\n\n— log.example/one AAAAAAAA\n",
    );
    forged.problem("log", "");
}

#[test]
fn what_these_credentials_may_not_read_is_a_warning_and_says_so() {
    let world = World::new();
    for key in ["log", "authorization"] {
        let call = format!("kms get-public-key --key-id alias/countersign-{key}");
        world.fail(&call, "An error occurred (AccessDeniedException) when calling GetPublicKey");
    }
    let found = world.look();
    let told = found.iter().filter(|finding| finding.what.contains("cannot be told with these credentials"));
    assert!(told.clone().count() == 2 && told.clone().all(|finding| finding.grade == Grade::Warning));
    world.fail("sts get-caller-identity", "Unable to locate credentials");
    let mut findings = Findings::default();
    let error = ask(&Aws::new(world.path().join("aws")), "countersign", &[], &mut findings).unwrap_err();
    assert!(error.to_string().contains("Unable to locate credentials"));
    let none = ask(&Aws::new(world.path().join("no-such-program")), "countersign", &[], &mut findings);
    assert!(none.unwrap_err().to_string().contains("install the AWS command line interface"));
}
