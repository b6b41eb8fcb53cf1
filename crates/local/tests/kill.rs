//! A process that is killed loses nothing that it was told is stored.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;

const DIR: &str = "COUNTERSIGN_TEST_KILL_DIR";
const MINUTE: Duration = Duration::from_secs(60);
const NAME: &str = "a_killed_process_loses_nothing_that_was_stored";

fn queue(database: &Database) -> LocalQueue {
    LocalQueue::new(database, Arc::new(|| Timestamp::from_millis(1_795_212_000_000)), 10)
}

/// The process that is killed: writes for ever, and says what it was told is stored.
async fn write_until_killed(dir: &str) {
    let database = Database::open(dir.as_ref()).expect("the database opens");
    let (queue, store) = (queue(&database), LocalStore::new(&database));
    for number in 0.. {
        let body = format!("{number:08}");
        let message = Outgoing {
            group: "g".into(),
            deduplication: body.clone(),
            body: body.clone(),
            delay: Duration::ZERO,
        };
        queue.send(&QueueName::Events, &[message]).await.expect("sent");
        store.put(&body, &[7; 3000]).await.expect("put");
        take_one(&queue, &body).await;
        println!("\nstored {body}");
        std::io::stdout().flush().expect("the test reads");
    }
}

async fn take_one(queue: &LocalQueue, body: &str) {
    let message =
        Outgoing { group: "g".into(), deduplication: body.into(), body: body.into(), delay: Duration::ZERO };
    queue.send(&QueueName::Facts, &[message]).await.expect("sent");
    let got = queue.receive(&QueueName::Facts, 1, MINUTE, Duration::ZERO).await.expect("received");
    queue.acknowledge(&QueueName::Facts, &got[0].receipt).await.expect("taken");
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_stored() {
    if let Ok(dir) = std::env::var(DIR) {
        return write_until_killed(&dir).await;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut stored = Vec::new();
    for round in 1..=3 {
        let folder = dir.path().join(round.to_string());
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", NAME, "--nocapture"])
            .env(DIR, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut lines = output.lines().map_while(Result::ok);
        let seen = lines.by_ref().filter_map(|line| line.strip_prefix("stored ").map(str::to_owned));
        stored.extend(seen.take(50 * round));
        child.kill().expect("the child runs until it is killed");
        child.wait().expect("the child ends");
        stored.extend(lines.filter_map(|line| line.strip_prefix("stored ").map(str::to_owned)));
        assert!(stored.len() >= 50 * round);

        let database =
            Database::open(&folder).expect("the lock ended with the child, and nothing is damaged");
        let keys = LocalStore::new(&database).list("", None, usize::MAX).await.expect("listed");
        let received = queue(&database).receive(&QueueName::Events, usize::MAX, MINUTE, Duration::ZERO).await;
        let bodies: Vec<_> =
            received.expect("received").into_iter().map(|delivery| delivery.message.body).collect();
        assert_eq!(keys[..stored.len()], stored);
        assert_eq!(bodies[..stored.len()], stored);
        let left = queue(&database).depth(&QueueName::Facts).expect("counted");
        assert!(left.visible + left.in_flight <= 1, "what was taken came back: {left:?}");
        stored.clear();
    }
}
