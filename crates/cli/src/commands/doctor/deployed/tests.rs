use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::note::NoteKey;
use serde_json::json;

use super::*;
use crate::commands::block_on;
use crate::commands::deployed::fake::World;
use crate::commands::doctor::finding::{Finding, Grade};

fn looked(world: &World, part: Part<'_>) -> Vec<Finding> {
    let mut findings = Findings::default();
    ask(&world.aws(), "countersign", part, &mut findings).unwrap();
    findings.all()
}

fn look(world: &World) -> Vec<Finding> {
    looked(world, Part::Core(&["east".parse().unwrap()]))
}

/// The one problem of this area that says so.
#[track_caller]
fn among(all: &[Finding], area: &str, words: &str) -> Finding {
    let found: Vec<_> = all.iter().filter(|finding| finding.grade == Grade::Problem).collect();
    let one = found.iter().find(|finding| finding.area == area && finding.what.contains(words));
    let one = one.unwrap_or_else(|| panic!("{area}: {words} is not among {found:?}"));
    assert!(one.mend.is_some());
    (*one).clone()
}

#[track_caller]
fn problem(world: &World, area: &str, words: &str) -> Finding {
    among(&look(world), area, words)
}

#[test]
fn a_healthy_installation_has_no_problem() {
    let found = look(&World::healthy());
    let wrong: Vec<_> = found.iter().filter(|finding| finding.grade != Grade::Good).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let areas =
        ["aws", "function", "mapping", "schedule", "queue", "bucket", "key", "genesis", "log", "alarm"];
    for area in areas {
        assert!(found.iter().any(|finding| finding.area == area), "{area}");
    }
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let dead = World::healthy();
    dead.answer("sqs get-queue-attributes", r#"{"Attributes":{"ApproximateNumberOfMessages":"3"}}"#);
    assert!(problem(&dead, "queue", "3 dead letters").subject.contains("-dead-"));
    let gone = World::healthy();
    gone.fail("sqs get-queue-url --queue-name countersign-facts", "An error occurred (NonExistentQueue)");
    problem(&gone, "queue", "NonExistentQueue");
    let disabled = World::healthy();
    disabled.answer(
        "lambda list-event-source-mappings",
        r#"{"EventSourceMappings":[{"UUID":"u-9","State":"Disabled","EventSourceArn":"a:b:countersign-facts.fifo"}]}"#,
    );
    assert!(problem(&disabled, "mapping", "does not take from it").mend.unwrap().contains("u-9"));
    let failed = World::healthy();
    failed.answer(
        "lambda get-function-configuration --function-name countersign-gather ",
        r#"{"State":"Failed","LastUpdateStatus":"Failed","LastUpdateStatusReason":"no image"}"#,
    );
    problem(&failed, "function", "no image");
    let unset = World::healthy();
    unset.answer(
        "lambda get-function-configuration --function-name countersign-gather ",
        r#"{"State":"Active","Environment":{"Variables":{"COUNTERSIGN_BUCKET":""}}}"#,
    );
    problem(&unset, "function", "COUNTERSIGN_BUCKET is empty");
    let crying = World::healthy();
    crying.answer(
        "cloudwatch describe-alarms",
        r#"{"MetricAlarms":[{"AlarmName":"countersign-LogStands","AlarmDescription":"nothing is appended"}]}"#,
    );
    assert_eq!(problem(&crying, "alarm", "nothing is appended").subject, "countersign-LogStands");
}

#[test]
fn storage_keys_and_the_first_day_are_looked_at() {
    let unversioned = World::healthy();
    unversioned.answer("s3api get-bucket-versioning", "{}");
    problem(&unversioned, "bucket", "keeps no versions");
    let unlocked = World::healthy();
    unlocked.answer("s3api get-object-lock-configuration", "{}");
    problem(&unlocked, "bucket", "can be deleted");
    let open = World::healthy();
    open.answer(
        "s3api get-public-access-block",
        r#"{"PublicAccessBlockConfiguration":{"BlockPublicAcls":false}}"#,
    );
    problem(&open, "bucket", "opened to the public");
    let going = World::healthy();
    going.answer("kms describe-key", r#"{"KeyMetadata":{"KeyState":"PendingDeletion"}}"#);
    problem(&going, "key", "PendingDeletion");
    let other = World::healthy();
    other.shows("arn:log", &other.key("other", Algorithm::Ed25519));
    problem(&other, "key", "record does not start");
    let absent = World::healthy();
    absent.fail("s3 cp --quiet s3://data/genesis.json", "An error occurred (404) when calling HeadObject");
    assert!(problem(&absent, "genesis", "404").mend.unwrap().contains("countersign genesis make"));
    let half = World::healthy();
    half.fail("s3api head-object", "An error occurred (404) when calling HeadObject: Not Found");
    problem(&half, "genesis", "404");
    let forged = World::healthy();
    forged.answer(
        "s3 cp --quiet s3://log/log/checkpoint",
        "log.example/one\n1\nAAAA\n\n— log.example/one AAAAAAAA\n",
    );
    problem(&forged, "log", "");
}

#[test]
fn what_these_credentials_may_not_read_is_a_warning_and_says_so() {
    let world = World::healthy();
    for key in ["log", "authorization"] {
        let call = format!("kms get-public-key --key-id arn:{key} ");
        world.fail(&call, "An error occurred (AccessDeniedException) when calling GetPublicKey");
    }
    let found = look(&world);
    let told = found.iter().filter(|finding| finding.what.contains("cannot be told with these credentials"));
    assert!(told.clone().count() == 2 && told.clone().all(|finding| finding.grade == Grade::Warning));
    world.fail("sts get-caller-identity", "Unable to locate credentials");
    let mut findings = Findings::default();
    let error = ask(&world.aws(), "countersign", Part::Core(&[]), &mut findings).unwrap_err();
    assert!(error.to_string().contains("Unable to locate credentials"));
    let none =
        ask(&Aws::new(world.path().join("no-such-program")), "countersign", Part::Core(&[]), &mut findings);
    assert!(none.unwrap_err().to_string().contains("install the AWS command line interface"));
}

#[test]
fn a_schedule_that_was_stopped_or_is_gone_is_found() {
    let stopped = World::healthy();
    stopped.schedule("settle", "DISABLED", "record");
    let found = problem(&stopped, "schedule", "DISABLED");
    assert_eq!(found.subject, "countersign-settle");
    let led_astray = World::healthy();
    led_astray.schedule("east-drift", "ENABLED", "due");
    problem(&led_astray, "schedule", "not countersign-east-drift");
    let gone = World::healthy();
    gone.fail(
        "scheduler get-schedule --name countersign-due",
        "An error occurred (ResourceNotFoundException)",
    );
    problem(&gone, "schedule", "ResourceNotFoundException");
}

#[test]
fn a_function_that_was_stopped_for_a_restore_is_found() {
    let stopped = World::healthy();
    let call = "lambda get-function-concurrency --function-name countersign-record";
    stopped.answer(call, r#"{"ReservedConcurrentExecutions":0}"#);
    assert_eq!(problem(&stopped, "function", "none of it may run").subject, "countersign-record");
}

#[test]
fn other_keys_that_the_root_key_vouched_for_are_in_order() {
    let world = World::healthy();
    world.rotate();
    let found = look(&world);
    let wrong: Vec<_> = found.iter().filter(|finding| finding.grade != Grade::Good).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    // The keys of the first epoch, and the log's of the second.
    world.record("1", "arn:log");
    problem(&world, "log", "");
}

/// The witness's stack, which has seen so many leaves of the log.
fn witnessed(seen: u64) -> World {
    let world = World::healthy();
    let key = world.key("witness", Algorithm::Ed25519);
    let vkey = NoteKey::log(world.origin(), world.log_key().public_key()).unwrap();
    let variables = json!({
        "COUNTERSIGN_WITNESS_BUCKET": "seen", "COUNTERSIGN_LOG_BUCKET": "log",
        "COUNTERSIGN_LOG_VKEY": vkey.to_string(), "COUNTERSIGN_WITNESS_NAME": "witness.example",
        "COUNTERSIGN_WITNESS_KEY": "arn:witness",
    });
    world.function("witness", variables);
    world.schedule("witness", "ENABLED", "witness");
    world.shows("arn:witness", &key);
    let text = world.checkpoint(seen, world.log_key());
    let cosigned = block_on(async {
        let signed = SignedCheckpoint::verify(&text, &vkey)?;
        Ok(signed.cosign("witness.example", &key, crate::installation::now()).await?)
    });
    world.answer(&format!("s3 cp --quiet s3://seen/{}", keys::WITNESSED), &text);
    world.answer(&format!("s3 cp --quiet s3://seen/{}", keys::cosigned(seen)), cosigned.unwrap().text());
    world
}

#[test]
fn a_healthy_witness_has_no_problem() {
    let found = looked(&witnessed(7), Part::Witness);
    let wrong: Vec<_> = found.iter().filter(|finding| finding.grade != Grade::Good).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(found.iter().any(|finding| finding.what == "cosigned all 7 leaves"), "{found:?}");
    for area in ["function", "schedule", "bucket", "key", "alarm"] {
        assert!(found.iter().any(|finding| finding.area == area), "{area}");
    }
    // The core is in another account.
    let of_core = |finding: &&Finding| finding.subject.contains("gather");
    assert_eq!(found.iter().find(of_core), None);
}

#[test]
fn what_is_wrong_with_a_witness_is_named() {
    let behind = witnessed(5);
    behind.answer("s3api head-object", r#"{"LastModified":"2026-11-20T22:00:00+00:00"}"#);
    among(&looked(&behind, Part::Witness), "witness", "it saw 5 of 7 leaves");
    let soon = looked(&witnessed(5), Part::Witness);
    assert!(soon.iter().all(|finding| finding.grade == Grade::Good), "the last leaf is of now: {soon:?}");
    let stopped = witnessed(7);
    stopped.schedule("witness", "DISABLED", "witness");
    among(&looked(&stopped, Part::Witness), "schedule", "DISABLED");
    let other = witnessed(7);
    other.shows("arn:witness", &other.key("other", Algorithm::Ed25519));
    among(&looked(&other, Part::Witness), "witness", "no cosignature of its key");
    let forged = witnessed(7);
    let by = forged.key("forger", Algorithm::Ed25519);
    forged.answer("s3 cp --quiet s3://log/log/checkpoint", &forged.checkpoint(9, &by));
    among(&looked(&forged, Part::Witness), "witness", "signed by no key of LogVkey");
    let absent = witnessed(7);
    absent.fail(
        "lambda get-function-configuration --function-name countersign-witness ",
        "(ResourceNotFoundException)",
    );
    among(&looked(&absent, Part::Witness), "function", "ResourceNotFoundException");
}
