use countersign_core::ports::queue::MAX_BODY;

use super::*;

fn message(group: &str, id: &str, size: usize) -> Outgoing {
    Outgoing { group: group.into(), deduplication: id.into(), body: "x".repeat(size), delay: Duration::ZERO }
}

fn ids(queue: &QueueName, messages: &[Outgoing]) -> Vec<Vec<String>> {
    let batches = outgoing::batches(queue, messages).unwrap();
    batches.iter().map(|batch| batch.iter().map(|entry| entry.id().to_owned()).collect()).collect()
}

fn urls() -> QueueUrls {
    QueueUrls {
        prefix: "https://sqs.example/111111111111/shop-".into(),
        accounts: QueueUrls::accounts("222222222222/east").unwrap(),
    }
}

fn cluster(name: &str) -> countersign_core::names::ClusterName {
    name.parse().unwrap()
}

#[test]
fn a_queue_is_found_by_its_name_and_one_of_another_account_by_that_too() {
    let urls = urls();
    assert_eq!(urls.of(&QueueName::Events), "https://sqs.example/111111111111/shop-events.fifo");
    assert_eq!(
        urls.of(&QueueName::Deploys(cluster("east"))),
        "https://sqs.example/222222222222/shop-deploys-east.fifo"
    );
    assert_eq!(
        urls.of(&QueueName::Deploys(cluster("north-east"))),
        "https://sqs.example/111111111111/shop-deploys-north-east.fifo"
    );
    let observations = QueueName::Observations(cluster("east"));
    assert_eq!(urls.of(&observations), "https://sqs.example/111111111111/shop-observations-east");
    assert_eq!(urls.dead(&observations), "https://sqs.example/111111111111/shop-dead-observations-east");
    assert_eq!(urls.dead(&QueueName::Facts), "https://sqs.example/111111111111/shop-dead-facts.fifo");
}

#[test]
fn what_says_no_account_and_cluster_is_refused_by_its_words() {
    assert_eq!(QueueUrls::accounts(" ").unwrap(), BTreeMap::new());
    let found = QueueUrls::accounts("222222222222/east, 333333333333/west").unwrap();
    assert_eq!(found.get(&cluster("west")).map(String::as_str), Some("333333333333"));
    for wrong in ["east", "2/east", "222222222222/", "222222222222/EAST", "22222222222x/east"] {
        let refused = QueueUrls::accounts(wrong);
        assert!(matches!(&refused, Err(PortError::Refused(why)) if why.contains(wrong)), "{refused:?}");
    }
}

#[test]
fn no_batch_of_an_ordered_queue_has_two_messages_of_a_group() {
    let messages = [message("a", "1", 1), message("b", "2", 1), message("a", "3", 1), message("b", "4", 1)];
    assert_eq!(ids(&QueueName::Events, &messages), [["0", "1"], ["2", "3"]]);
    let free = QueueName::Observations(cluster("east"));
    assert_eq!(ids(&free, &messages), [["0", "1", "2", "3"]]);
}

#[test]
fn a_batch_has_ten_messages_and_a_mebibyte_at_most() {
    let of = |count: usize, size| -> Vec<_> {
        (0..count).map(|number| message(&number.to_string(), &number.to_string(), size)).collect()
    };
    let sizes = |messages: &[Outgoing]| -> Vec<_> {
        ids(&QueueName::Events, messages).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(&of(21, 1)), [10, 10, 1]);
    assert_eq!(sizes(&of(7, MAX_BODY)), [3, 3, 1]);
    assert!(sizes(&[]).is_empty());
}

#[test]
fn what_can_never_be_sent_is_refused_before_anything_is() {
    let refused = |queue: &QueueName, message: Outgoing| {
        matches!(outgoing::batches(queue, &[message]), Err(PortError::Refused(_)))
    };
    assert!(refused(&QueueName::Events, message("a", "1", MAX_BODY + 1)));
    let delayed = Outgoing { delay: Duration::from_secs(1), ..message("a", "1", 1) };
    assert!(refused(&QueueName::Events, delayed));
    let delayed = Outgoing { delay: Duration::from_secs(901), ..message("a", "1", 1) };
    assert!(refused(&QueueName::Observations(cluster("east")), delayed));
}

#[test]
fn an_id_that_sqs_does_not_take_is_sent_as_its_digest() {
    let entry = |id: &str| {
        let entry = outgoing::entry(&QueueName::Events, 0, &message("g", id, 1)).unwrap();
        entry.get_message_deduplication_id().clone().unwrap()
    };
    assert_eq!(entry("start/2026-11-20T22:13:20Z/abc"), "start/2026-11-20T22:13:20Z/abc");
    for id in ["", "with space", "\u{e9}", &"x".repeat(129)] {
        assert_eq!(entry(id).len(), 64, "{id}");
    }
    assert_ne!(entry(&format!("{}a", "x".repeat(200))), entry(&format!("{}b", "x".repeat(200))));
}

#[test]
fn seconds_are_whole_and_never_less_than_was_asked_for() {
    let most = Duration::from_secs(20);
    assert_eq!(seconds(Duration::ZERO, most), 0);
    assert_eq!(seconds(Duration::from_millis(250), most), 1);
    assert_eq!(seconds(Duration::from_secs(1), most), 1);
    assert_eq!(seconds(Duration::from_secs(60), most), 20);
}

/// The text attributes of a message.
fn attributes(queue: &QueueName, message: &Outgoing) -> Vec<(String, String)> {
    let entry = outgoing::built(outgoing::entry(queue, 0, message).unwrap()).unwrap();
    let text = |(name, value): (&String, &MessageAttributeValue)| {
        assert_eq!(value.data_type(), "String");
        (name.clone(), value.string_value().unwrap_or_default().to_owned())
    };
    let mut all: Vec<_> = entry.message_attributes().into_iter().flatten().map(text).collect();
    all.sort();
    all
}

#[test]
fn a_message_bears_its_trace_as_an_attribute() {
    let trace = || ("trace".to_owned(), "t-1".to_owned());
    let body = r#"{"v":1,"trace":"t-1","body":{"trace":"not this one"}}"#;
    let sent = Outgoing { body: body.to_owned(), ..message("g", "1", 0) };
    assert_eq!(attributes(&QueueName::Events, &sent), [trace()]);
    let free = QueueName::Observations(cluster("east"));
    assert_eq!(attributes(&free, &sent), [(GROUP.to_owned(), "g".to_owned()), trace()]);
}

#[test]
fn every_message_of_a_batch_bears_its_own_trace() {
    let of = |number: u32| Outgoing {
        body: format!(r#"{{"v":1,"trace":"t-{number}","body":{{}}}}"#),
        ..message(&number.to_string(), &number.to_string(), 0)
    };
    let batches = outgoing::batches(&QueueName::Facts, &[of(1), of(2)]).unwrap();
    let trace = |entry: &aws_sdk_sqs::types::SendMessageBatchRequestEntry| {
        entry.message_attributes().unwrap()["trace"].string_value().unwrap().to_owned()
    };
    assert_eq!(batches.concat().iter().map(trace).collect::<Vec<_>>(), ["t-1", "t-2"]);
}

#[test]
fn what_has_no_trace_is_sent_without_one() {
    for body in ["", "x", "[]", r#"{"v":1,"body":{}}"#, r#"{"v":1,"trace":"","body":{}}"#, r#"{"trace":7}"#] {
        let sent = Outgoing { body: body.to_owned(), ..message("g", "1", 0) };
        assert!(attributes(&QueueName::Events, &sent).is_empty(), "{body}");
    }
}
