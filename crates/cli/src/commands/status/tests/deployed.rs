//! An installation on AWS, by a stand-in for the `aws` command.

use countersign_core::ports::signer::Algorithm;

use super::*;
use crate::commands::deployed::fake::World;

const CONFIGURATION: &str = r#"{
    "version": 1,
    "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
    "hosts": {"local": {"kind": "plain", "url": "repositories", "webhookSecret": "env:S"}},
    "people": {"grace": {}}, "teams": {"shop": {"members": ["grace"]}}, "repositories": {"local/shop": {}},
    "applications": {"cart": {"team": "shop", "repository": "local/shop", "environments": {
        "staging": {"path": "deploy", "branch": "main", "namespaces": ["shop"]}}}},
    "environments": {"staging": {"approvals": {"count": 1}, "clusters": ["east"]}},
    "clusters": {"east": {"kind": "simulated", "uid": "u"}, "west": {"kind": "simulated", "uid": "v"}}
}"#;

fn world() -> World {
    let world = World::healthy();
    let bundle = Digest::of(b"bundle");
    let active = json!({ "bundle": bundle, "index": 0, "commit": "1".repeat(40) });
    world.answer("s3 cp --quiet s3://data/state/active-bundle", &active.to_string());
    let key = keys::bundle_configuration(&bundle);
    world.answer(&format!("s3 cp --quiet s3://data/{key}"), CONFIGURATION);
    let target =
        state(|state| state["hold"] = json!({ "reason": "incident", "since": "2026-11-20T22:00:00Z" }));
    let target = serde_json::to_vec(&target.state.unwrap()).unwrap();
    world.object("data", "state/targets/one", &target);
    let names = ["events.fifo", "dead-events.fifo", "deploys-east.fifo", "dead-deploys-east.fifo"];
    let urls: Vec<_> = names.iter().map(|name| format!("https://sqs.example/1/countersign-{name}")).collect();
    world.answer("sqs list-queues", &json!({ "QueueUrls": urls }).to_string());
    for (url, visible, hidden) in [(&urls[0], "3", "1"), (&urls[3], "1", "0")] {
        let counts = json!({ "Attributes": {
            "ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesNotVisible": hidden } });
        world.answer(&format!("sqs get-queue-attributes --queue-url {url} "), &counts.to_string());
    }
    let letter = json!({ "Messages": [{
        "MessageId": "m-1", "ReceiptHandle": "h", "Body": "{}",
        "Attributes": { "SentTimestamp": "1795212000123", "MessageGroupId": "g" } }] });
    world.answer("sqs receive-message", &letter.to_string());
    world.then("sqs receive-message", "");
    world.answer("sqs change-message-visibility-batch", "{}");
    world.answer("s3api head-object", r#"{"LastModified":"2026-11-20T22:00:00+00:00"}"#);
    world
}

fn shown(world: &World) -> Printed {
    printed(&super::super::cloud::read(&world.aws(), "countersign").unwrap(), Form::Cloud("countersign"))
        .unwrap()
}

#[test]
fn it_stands_as_an_embedded_one_would() {
    let world = world();
    let Printed { document, text, .. } = shown(&world);
    let log = json!({ "origin": "log.example/one", "size": 7, "appended": "2026-11-20T22:00:00.000Z" });
    assert_eq!(document["log"], log);
    assert_eq!(document["activeBundle"]["index"], 0);
    let targets = document["targets"].as_array().unwrap();
    let names: Vec<_> = targets.iter().map(|target| target["target"].as_str().unwrap()).collect();
    assert_eq!(names, ["cart/staging/east", "shop/staging/east"]);
    assert_eq!(targets[1]["state"]["hold"]["reason"], "incident");
    let queue =
        json!({ "queue": "events", "visible": 3, "inFlight": 1, "delayed": 0, "dead": 0, "oldest": null });
    assert_eq!(document["queues"][0], queue);
    assert_eq!(document["queues"][1]["dead"], 1);
    let elsewhere = document["queuesElsewhere"].as_array().unwrap();
    assert!(elsewhere.contains(&json!("deploys-west")) && !elsewhere.contains(&json!("deploys-east")));
    assert_eq!(document["deadLetters"][0]["queue"], "deploys-east");
    for words in
        ["7 leaves, the last of 2026-11-20T22:00:00.000Z, ", " days ago", "  held  since", "deploys-west"]
    {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let why = "nothing said why: its function ended each time";
    assert!(text.contains(why) && text.contains("dlq redrive QUEUE ID --aws countersign"), "{text}");
}

#[test]
fn nothing_is_written() {
    let world = world();
    shown(&world);
    let reads = [
        "lambda get-function-configuration",
        "s3 cp --quiet s3://",
        "s3 cp --recursive --quiet s3://",
        "s3api head-object",
        "sqs list-queues",
        "sqs get-queue-attributes",
        "sqs receive-message",
        // Gives back what was looked at.
        "sqs change-message-visibility-batch",
    ];
    for call in world.calls() {
        assert!(reads.iter().any(|read| call.starts_with(read)), "{call}");
        assert!(!call.starts_with("s3 cp") || !call.trim_end().ends_with("s3://"), "{call}");
    }
}

#[test]
fn before_the_first_leaf_there_is_no_log_and_a_forged_one_is_none() {
    let world = world();
    for object in ["data/state/active-bundle", "log/log/checkpoint"] {
        world
            .fail(&format!("s3 cp --quiet s3://{object}"), "An error occurred (404) when calling HeadObject");
    }
    let Printed { document, .. } = shown(&world);
    assert_eq!(document["log"], json!({ "origin": "log.example/one", "size": 0, "appended": null }));
    let forged = self::world();
    let text = forged.checkpoint(9, &forged.key("forger", Algorithm::Ed25519));
    forged.answer("s3 cp --quiet s3://log/log/checkpoint", &text);
    assert!(super::super::cloud::read(&forged.aws(), "countersign").is_err());
}

#[test]
fn a_log_that_goes_on_with_other_keys_is_read() {
    let world = world();
    world.rotate();
    assert_eq!(shown(&world).document["log"]["size"], 8);
}
