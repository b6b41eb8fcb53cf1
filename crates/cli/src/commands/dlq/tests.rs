//! Dead letters in SQS, by a stand-in for the `aws` command. `tests/it` has them on a real server.

use super::*;
use crate::commands::deployed::fake::World;

/// The queues of an installation, of its cluster `east`, and of another installation.
fn world() -> World {
    let world = World::healthy();
    let names = [
        "facts.fifo",
        "dead-facts.fifo",
        "dead-letters.fifo",
        "deploys-east.fifo",
        "dead-deploys-east.fifo",
        "observations-east",
        "dead-observations-east",
        "west-facts.fifo",
    ];
    let urls: Vec<_> = names.iter().map(|name| format!("https://sqs.example/1/countersign-{name}")).collect();
    world.answer("sqs list-queues", &json!({ "QueueUrls": urls }).to_string());
    world.answer(&format!("sqs get-queue-attributes --queue-url {}", urls[1]), &counts(2));
    world.answer(RECEIVE, &received(&[("1", "a"), ("2", "b"), ("3", "a")]));
    world.then(RECEIVE, "");
    for call in ["send-message", "delete-message-batch", "change-message-visibility-batch"] {
        world.answer(&format!("sqs {call}"), "{}");
    }
    world
}

const RECEIVE: &str = "sqs receive-message --queue-url https://sqs.example/1/countersign-dead-facts.fifo";

fn counts(visible: u32) -> String {
    json!({ "Attributes": { "ApproximateNumberOfMessages": visible.to_string() } }).to_string()
}

fn received(all: &[(&str, &str)]) -> String {
    let message = |(id, group): &(&str, &str)| {
        let text = |value: &str| json!({ "StringValue": value, "DataType": "String" });
        json!({
            "MessageId": id, "ReceiptHandle": format!("handle-{id}"), "Body": format!("{{\"number\":{id}}}"),
            "Attributes": { "MessageGroupId": group, "SentTimestamp": "1795212000123" },
            "MessageAttributes": { "reason": text(&format!("reason {id}")), "trace": text("t") },
        })
    };
    json!({ "Messages": all.iter().map(message).collect::<Vec<_>>() }).to_string()
}

fn cloud(world: &World) -> Cloud {
    Cloud::open(world.path().join("aws"), "countersign").unwrap()
}

fn place() -> Place {
    Place { data: None, aws: Some("countersign".to_owned()) }
}

fn facts(id: &str) -> LetterArguments {
    LetterArguments { queue: "facts".to_owned(), id: id.to_owned(), place: place() }
}

fn redrives(id: Option<&str>) -> RedriveArguments {
    let id = id.map(str::to_owned);
    RedriveArguments { queue: "facts".to_owned(), all: id.is_none(), id, place: place() }
}

/// What was told to a call of SQS.
fn told(world: &World, call: &str) -> Vec<Value> {
    let begin = format!("sqs {call} ");
    let calls = world.calls().into_iter().filter(|line| line.starts_with(&begin));
    calls.map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap()).collect()
}

#[test]
fn queues_are_those_of_this_installation_in_this_account() {
    let found = cloud(&world()).queues().unwrap();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["facts", "deploys-east", "observations-east", "dead-letters"]);
    let nobody = World::healthy();
    nobody.answer("sqs list-queues", "");
    let error = Cloud::open(nobody.path().join("aws"), "countersign").err().unwrap();
    assert!(error.to_string().contains("no queue of an installation \"countersign\""), "{error}");
}

#[test]
fn they_are_listed_with_their_reasons_and_given_back() {
    let world = world();
    let printed = list(&ListArguments { queue: None, place: place() }, &cloud(&world)).unwrap();
    assert!(
        printed.text.contains("facts 2  2026-11-20T22:00:00.123Z\n    why   reason 2"),
        "{}",
        printed.text
    );
    assert!(printed.text.ends_with("countersign dlq redrive QUEUE ID --aws countersign"), "{}", printed.text);
    let letter = &printed.document["deadLetters"][2];
    assert_eq!(
        (&letter["id"], &letter["group"], &letter["receives"]),
        (&json!("3"), &json!("a"), &Value::Null)
    );
    assert!(letter.get("body").is_none(), "{letter}");
    let back = told(&world, "change-message-visibility-batch");
    assert_eq!(
        back[0]["Entries"][2],
        json!({ "Id": "2", "ReceiptHandle": "handle-3", "VisibilityTimeout": 0 })
    );
    // A queue without dead letters is not asked for them.
    let asked = world.calls().iter().filter(|call| call.starts_with("sqs receive-message")).count();
    assert_eq!(asked, 2);
    assert_eq!(told(&world, "delete-message-batch"), Vec::<Value>::new());
}

#[test]
fn one_is_shown_with_its_body() {
    let printed = show(&facts("2"), &cloud(&world())).unwrap();
    assert_eq!(printed.document["body"], json!({ "number": 2 }));
    assert!(printed.text.contains("died      2026-11-20T22:00:00.123Z\n"), "{}", printed.text);
    let error = show(&facts("9"), &cloud(&world())).err().unwrap();
    assert!(error.to_string().contains("facts has no dead letter \"9\""), "{error}");
    let unknown = LetterArguments { queue: "nothing".to_owned(), ..facts("2") };
    let error = show(&unknown, &cloud(&world())).err().unwrap();
    assert!(
        error.to_string().contains("no queue is named \"nothing\": there are facts, deploys-east"),
        "{error}"
    );
}

#[test]
fn one_is_redriven_as_it_was_unless_an_older_one_of_its_group_would_come_after_it() {
    let world = world();
    let printed = redrive(&redrives(Some("2")), &cloud(&world)).unwrap();
    assert_eq!(printed.document, json!({ "queue": "facts", "redriven": ["2"] }));
    let text = json!({ "StringValue": "t", "DataType": "String" });
    let wanted = json!({
        "QueueUrl": "https://sqs.example/1/countersign-facts.fifo", "MessageBody": "{\"number\":2}",
        "MessageAttributes": { "trace": text }, "MessageGroupId": "b", "MessageDeduplicationId": "redriven-2",
    });
    assert_eq!(told(&world, "send-message"), [wanted]);
    assert_eq!(told(&world, "delete-message-batch")[0]["Entries"][0]["ReceiptHandle"], "handle-2");
    // Nobody who lists the processes of the machine reads what a message says.
    let arguments = |call: &String| call.split("--cli-input-json").next().unwrap_or_default().to_owned();
    assert!(world.calls().iter().all(|call| !arguments(call).contains("{\"number\"")));

    let world = self::world();
    let error = redrive(&redrives(Some("3")), &cloud(&world)).err().unwrap();
    assert!(error.to_string().contains("dead letter 1 of the same group is older"), "{error}");
    assert_eq!(told(&world, "send-message"), Vec::<Value>::new());
    assert_eq!(told(&world, "change-message-visibility-batch")[0]["Entries"].as_array().unwrap().len(), 3);
}

#[test]
fn all_are_redriven_in_order_and_what_dies_again_meanwhile_is_left() {
    let world = world();
    let newer = received(&[("4", "a")]).replace("1795212000123", "9795212000123");
    world.then(RECEIVE, &newer);
    let printed = redrive(&redrives(None), &cloud(&world)).unwrap();
    assert_eq!(printed.document["redriven"], json!(["1", "2", "3"]));
    let sent: Vec<_> = told(&world, "send-message").iter().map(|sent| sent["MessageBody"].clone()).collect();
    assert_eq!(sent, ["{\"number\":1}", "{\"number\":2}", "{\"number\":3}"]);
    let back = told(&world, "change-message-visibility-batch");
    assert_eq!(back[0]["Entries"][0]["ReceiptHandle"], "handle-4");
}

#[test]
fn a_redrive_that_breaks_off_leaves_the_rest_in_order_and_says_how_far_it_came() {
    let world = world();
    world.fails_after("sqs send-message", "An error occurred (AccessDenied)");
    let error = redrive(&redrives(None), &cloud(&world)).err().unwrap();
    assert!(format!("{error:#}").contains("facts 2, after 1 were redriven: An error"), "{error:#}");
    assert_eq!(told(&world, "delete-message-batch")[0]["Entries"].as_array().unwrap().len(), 1);
    let back = told(&world, "change-message-visibility-batch");
    let handles: Vec<_> =
        back[0]["Entries"].as_array().unwrap().iter().map(|one| &one["ReceiptHandle"]).collect();
    assert_eq!(handles, ["handle-2", "handle-3"]);
}

#[test]
fn one_is_dropped() {
    let world = world();
    dismiss(&facts("3"), &cloud(&world)).unwrap();
    assert_eq!(told(&world, "delete-message-batch")[0]["Entries"][0]["ReceiptHandle"], "handle-3");
    assert!(dismiss(&facts("9"), &cloud(&world)).is_err());
}
