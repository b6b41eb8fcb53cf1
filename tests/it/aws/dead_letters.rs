//! `countersign dlq --aws` by the real `aws` command on ElasticMQ.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Duration;

use countersign_aws::sqs::SqsQueue;
use countersign_core::message::QueueName;
use countersign_core::ports::queue::{Outgoing, Queue as _};
use countersign_tests::installation::program;
use countersign_tests::world::aws::ACCESS;
use countersign_tests::world::aws::elasticmq::ElasticMq;
use countersign_tests::world::tools::Programs;
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_secs(60);

/// An operator: the `aws` command for the services of this machine.
struct Operator {
    folder: tempfile::TempDir,
    installation: String,
}

impl Operator {
    /// One of an installation whose queues are on ElasticMQ.
    fn of(installation: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tools = Programs::of(&["aws"]).expect("the aws command");
        let url = ElasticMq::shared().expect("ElasticMQ").url();
        // Version 1 knows another address of SQS, which only this argument changes.
        let real = tools.path("aws").expect("its path").display();
        // Each call is a process, which starts twice as fast where Python keeps what it compiled.
        let script =
            format!("#!/bin/sh\nunset PYTHONDONTWRITEBYTECODE\nexec {real} --endpoint-url {url} \"$@\"\n");
        let path = folder.path().join("aws");
        fs::write(&path, script).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
        Self { folder, installation: installation.to_owned() }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(program());
        command.args(arguments).args(["--aws", &self.installation, "--output", "json"]).env("PATH", path);
        command.env("AWS_ACCESS_KEY_ID", ACCESS.0).env("AWS_SECRET_ACCESS_KEY", ACCESS.1);
        command
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", self.folder.path().join("none"));
        command.output().expect("it runs")
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_str(&said).expect("a document")
    }
}

/// Queues of an installation, in which messages of two groups died in this order.
async fn died(installation: &str, bodies: &[(&str, &str)]) -> SqsQueue {
    let server = ElasticMq::shared().expect("ElasticMQ");
    let queues = [QueueName::Facts, QueueName::DeadLetters(None)];
    let queue = server.queues(installation, &queues, 1_000).await.expect("queues");
    for (group, id) in bodies {
        let body = format!(r#"{{"v":1,"trace":"t-{id}","body":{{"names":"ada"}}}}"#);
        let (group, deduplication) = ((*group).to_owned(), (*id).to_owned());
        let sent = Outgoing { group, deduplication, body, delay: Duration::ZERO };
        queue.send(&QueueName::Facts, &[sent]).await.expect("sent");
        let got =
            queue.receive(&QueueName::Facts, 1, MINUTE, Duration::from_secs(5)).await.expect("received");
        queue.bury(&QueueName::Facts, &got[0].receipt, &format!("it is {id}")).await.expect("buried");
    }
    queue
}

/// The traces of all that waits, in the order in which they are handed out, and their groups.
async fn waiting(queue: &SqsQueue) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        let got =
            queue.receive(&QueueName::Facts, 10, MINUTE, Duration::from_secs(1)).await.expect("received");
        if got.is_empty() {
            return found;
        }
        for one in got {
            let body: Value = serde_json::from_str(&one.message.body).expect("a document");
            found.push((one.message.group, body["trace"].as_str().unwrap_or_default().to_owned()));
            queue.acknowledge(&QueueName::Facts, &one.receipt).await.expect("taken");
        }
    }
}

fn ids(listed: &Value) -> Vec<(String, String)> {
    let letters = listed["deadLetters"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    letters.map(|letter| (text(&letter["reason"]), text(&letter["id"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_shown_and_redriven_in_order() {
    let operator = Operator::of("dead-letters");
    let queue = died("dead-letters", &[("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")]).await;
    let listed = operator.json(&["dlq", "list"]);
    let found = ids(&listed);
    assert_eq!(found.len(), 4, "{listed}");
    // Looking changes nothing, and what was looked at is there at once.
    assert_eq!(operator.json(&["dlq", "list", "facts"]), listed);
    let id = |reason: &str| found.iter().find(|(why, _)| why == reason).expect("it is there").1.clone();
    let shown = operator.json(&["dlq", "show", "facts", &id("it is 3")]);
    assert_eq!((&shown["body"]["trace"], &shown["group"]), (&json!("t-3"), &json!("a")));

    let refused = operator.run(&["dlq", "redrive", "facts", &id("it is 3")]);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("is older"), "{said}");
    operator.json(&["dlq", "dismiss", "facts", &id("it is 2")]);
    let redriven = operator.json(&["dlq", "redrive", "facts", &id("it is 4")]);
    assert_eq!(redriven["redriven"], json!([id("it is 4")]));
    assert_eq!(waiting(&queue).await, [("b".to_owned(), "t-4".to_owned())]);

    assert_eq!(
        operator.json(&["dlq", "redrive", "facts", "--all"])["redriven"].as_array().map(Vec::len),
        Some(2)
    );
    let of_a = ["t-1", "t-3"].map(|trace| ("a".to_owned(), trace.to_owned()));
    assert_eq!(waiting(&queue).await, of_a, "a redrive keeps the order");
    assert_eq!(operator.json(&["dlq", "list"]), json!({ "deadLetters": [] }));
}

/// SQS hands out ten of a group until these are gone: a redrive of all goes on behind them.
#[tokio::test(flavor = "multi_thread")]
async fn more_of_a_group_than_one_call_shows_are_redriven_in_order() {
    let names: Vec<_> = (10..21).map(|number| number.to_string()).collect();
    let bodies: Vec<_> = names.iter().map(|name| ("a", name.as_str())).collect();
    let queue = died("many-dead-letters", &bodies).await;
    let operator = Operator::of("many-dead-letters");
    let shown = ids(&operator.json(&["dlq", "list"]));
    assert_eq!(shown.iter().map(|(why, _)| why.as_str()).collect::<Vec<_>>()[..2], ["it is 10", "it is 11"]);
    operator.json(&["dlq", "redrive", "facts", "--all"]);
    let traces: Vec<_> = waiting(&queue).await.into_iter().map(|(_, trace)| trace).collect();
    assert_eq!(traces, names.iter().map(|name| format!("t-{name}")).collect::<Vec<_>>());
}
