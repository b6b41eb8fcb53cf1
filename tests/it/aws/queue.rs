//! `SqsQueue` on ElasticMQ.

use std::time::Duration;

use countersign_aws::sqs::SqsQueue;
use countersign_core::message::{DeadLetter, Message, QueueName};
use countersign_core::names::ClusterName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Outgoing, Queue as _};
use countersign_tests::contract;
use countersign_tests::world::aws::elasticmq::ElasticMq;

/// How often a message is received before it goes to the dead letters.
const RECEIVES: u32 = 3;

fn observations() -> QueueName {
    QueueName::Observations("production".parse::<ClusterName>().expect("a name"))
}

/// Queues of an installation that is named after the test.
async fn queues(test: &str) -> SqsQueue {
    let queues = [QueueName::Events, QueueName::Facts, QueueName::DeadLetters(None), observations()];
    let server = ElasticMq::shared().expect("ElasticMQ");
    server.queues(&test.replace('_', "-"), &queues, RECEIVES).await.expect("queues")
}

macro_rules! rules {
    ($queue:expr, $($rule:ident)*) => {$(
        #[tokio::test]
        async fn $rule() {
            contract::queue::$rule(&queues(stringify!($rule)).await, &$queue).await;
        }
    )*};
}

rules! { QueueName::Events,
    keeps_order delivers_what_was_sent blocks_the_group_in_flight makes_receipts_expire extends_visibility deduplicates
    keeps_content_that_comes_back buries limits_bodies
}

rules! { observations(), delays does_not_block_where_not_ordered }

#[tokio::test]
#[ignore = "ElasticMQ gives a message out again while a later one of its group is in flight"]
async fn gives_a_rest_of_a_batch_again_in_order() {
    let queue = queues("gives-a-rest").await;
    contract::queue::gives_a_rest_of_a_batch_again_in_order(&queue, &QueueName::Events).await;
}

#[tokio::test]
#[ignore = "it takes the five minutes"]
async fn forgets_ids_after_five_minutes() {
    contract::queue::forgets_ids_after_five_minutes(&queues("forgets-ids").await, &QueueName::Events).await;
}

/// What SQS moves by itself is kept, and nobody is told: `Batches` moves it before that.
#[tokio::test]
async fn limits_receives() {
    let queue = queues("limits-receives").await;
    contract::queue::limits_receives(&queue, &QueueName::Facts, RECEIVES).await;
    let server = ElasticMq::shared().expect("ElasticMQ");
    let dead = server.dead("limits-receives", &QueueName::Facts).await.expect("the dead letters");
    assert_eq!(dead, ["poison"]);
    let told =
        queue.receive(&QueueName::DeadLetters(None), 10, Duration::from_secs(60), Duration::ZERO).await;
    assert_eq!(told, Ok(Vec::new()));
}

#[tokio::test]
async fn wakes_who_waits() {
    let latency = Duration::from_secs(60);
    let queue = queues("wakes-who-waits").await;
    contract::queue::concurrent::wakes_who_waits(&queue, &QueueName::Events, latency).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shares_out() {
    contract::queue::concurrent::shares_out(&queues("shares-out").await, &QueueName::Events).await;
}

/// `record` is told of what is moved aside, in its group, and once.
#[tokio::test]
async fn tells_of_what_is_buried() {
    let queue = queues("tells-of-what-is-buried").await;
    let (minute, soon) = (Duration::from_secs(60), Duration::from_secs(5));
    let sent = Outgoing {
        group: "g".into(),
        deduplication: "1".into(),
        body: r#"{"v":1,"trace":"t","body":{}}"#.into(),
        delay: Duration::ZERO,
    };
    queue.send(&QueueName::Facts, &[sent]).await.expect("sent");
    let got = queue.receive(&QueueName::Facts, 1, minute, soon).await.expect("received");
    // Whoever died between telling and taking does it again.
    queue.set_aside(&QueueName::Facts, &got[0].message, "not understood").await.expect("set aside");
    queue.bury(&QueueName::Facts, &got[0].receipt, "not understood").await.expect("buried");
    let name = QueueName::DeadLetters(None);
    let told = queue.receive(&name, 10, minute, soon).await.expect("received");
    assert_eq!(told.len(), 1, "{told:?}");
    let letter: Message<DeadLetter> = told[0].message.parse().expect("a dead letter");
    assert_eq!((letter.trace.as_str(), told[0].message.group.as_str()), ("t", "g"));
    assert_eq!((letter.body.queue.as_str(), letter.body.reason.as_str()), ("facts", "not understood"));
    let refused = queue.bury(&name, &told[0].receipt, "why").await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "a dead letter has none of its own: {refused:?}");
}

#[tokio::test]
async fn refuses_what_is_no_receipt() {
    let queue = queues("refuses-what-is-no-receipt").await;
    let refused = queue.acknowledge(&QueueName::Events, "nonsense").await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
}
