//! The embedded ports pass the contract of every port.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::signer::Algorithm;
use countersign_core::ports::store::{Store, Written};
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::queue::{Clock, LocalQueue};
use countersign_local::store::LocalStore;
use countersign_tests::contract;
use rand_core::OsRng;
use tempfile::TempDir;

const RECEIVES: u32 = 3;

/// A clock that goes as the runtime's does, which is at once where that is paused.
fn clock() -> Clock {
    let begun = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_millis(1_795_212_000_000).plus(begun.elapsed()))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn queue(dir: &TempDir) -> LocalQueue {
    LocalQueue::new(&Database::open(dir.path()).expect("a database"), clock(), RECEIVES)
}

fn store(dir: &TempDir) -> LocalStore {
    LocalStore::new(&Database::open(dir.path()).expect("a database"))
}

fn observations() -> QueueName {
    QueueName::Observations("production".parse::<ClusterName>().expect("a name"))
}

macro_rules! rules_of_a_queue {
    ($queue:expr, $($rule:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $rule() {
            let dir = folder();
            contract::queue::$rule(&queue(&dir), &$queue).await;
        }
    )*};
}

mod embedded_queue {
    use super::*;

    rules_of_a_queue! { QueueName::Events,
        keeps_order delivers_what_was_sent blocks_the_group_in_flight
        gives_a_rest_of_a_batch_again_in_order makes_receipts_expire extends_visibility deduplicates
        keeps_content_that_comes_back forgets_ids_after_five_minutes buries limits_bodies
    }

    rules_of_a_queue! { observations(), delays does_not_block_where_not_ordered }

    #[tokio::test(start_paused = true)]
    async fn limits_receives() {
        let dir = folder();
        contract::queue::limits_receives(&queue(&dir), &QueueName::Facts, RECEIVES).await;
    }

    #[tokio::test]
    async fn wakes_who_waits() {
        let dir = folder();
        let latency = Duration::from_millis(50);
        contract::queue::concurrent::wakes_who_waits(&queue(&dir), &QueueName::Events, latency).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn shares_out() {
        let dir = folder();
        contract::queue::concurrent::shares_out(&queue(&dir), &QueueName::Events).await;
    }

    /// What was sent, taken, hidden and given up before is so after the database was opened again.
    #[tokio::test(start_paused = true)]
    async fn outlives_its_process() {
        let (dir, name, minute) = (folder(), QueueName::Events, Duration::from_secs(60));
        let message = |group: &str, body: &str| Outgoing {
            group: group.into(),
            deduplication: body.into(),
            body: body.into(),
            delay: Duration::ZERO,
        };
        let messages =
            [message("a", "taken"), message("a", "hidden"), message("b", "buried"), message("c", "left")];
        let clock = clock();
        let open = || {
            LocalQueue::new(&Database::open(dir.path()).expect("a database"), Arc::clone(&clock), RECEIVES)
        };
        let receipt = {
            let queue = open();
            queue.send(&name, &messages).await.expect("sent");
            let got = queue.receive(&name, 3, minute, Duration::ZERO).await.expect("received");
            queue.acknowledge(&name, &got[0].receipt).await.expect("taken");
            queue.bury(&name, &got[2].receipt, "why").await.expect("buried");
            got[1].receipt.clone()
        };
        let queue = open();
        queue.send(&name, &messages).await.expect("all are duplicates");
        let got = queue.receive(&name, 9, minute, Duration::ZERO).await.expect("received");
        let bodies: Vec<_> = got.iter().map(|delivery| delivery.message.body.as_str()).collect();
        assert_eq!(bodies, ["left"]);
        queue.acknowledge(&name, &receipt).await.expect("a receipt is valid across a restart");
        assert_eq!(queue.dead_letters(&name).expect("read")[0].reason, "why");
    }
}

macro_rules! rules_of_a_store {
    ($($rule:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $rule() {
            let dir = folder();
            contract::store::$rule(&store(&dir), "rules/").await;
        }
    )*};
}

mod embedded_store {
    use super::*;

    rules_of_a_store! {
        keeps_values holds_conditions lets_one_win loses_no_update lists_in_order keeps_large_values limits_keys
    }

    /// A value that was replaced by the same bytes, or deleted and put again, is of another version.
    #[tokio::test]
    async fn tells_versions_of_the_same_bytes_apart() {
        let dir = folder();
        let before = store(&dir).put("k", b"1").await.expect("put");
        let store = store(&dir);
        assert_eq!(store.get("k").await.expect("read").expect("there").version, before);
        let again = store.put("k", b"1").await.expect("put");
        store.delete("k").await.expect("deleted");
        store.put("k", b"1").await.expect("put");
        for old in [before, again] {
            let swapped = store.compare_and_swap("k", &old, b"2").await.expect("answered");
            assert_eq!(swapped, Written::Conflict);
        }
    }
}

mod key_file {
    use super::*;

    async fn signs(algorithm: Algorithm) {
        let dir = folder();
        let path = dir.path().join("key.pem");
        let made = KeyFile::generate(&path, algorithm, &mut OsRng).expect("a key");
        let read = KeyFile::load(&path, algorithm).expect("the key");
        for signer in [made, read] {
            contract::signer::signs_what_it_is_given(&signer, algorithm).await;
            contract::signer::signs_nothing_at_all(&signer).await;
        }
    }

    #[tokio::test]
    async fn signs_with_ed25519() {
        signs(Algorithm::Ed25519).await;
    }

    #[tokio::test]
    async fn signs_with_p256() {
        signs(Algorithm::EcdsaP256Sha256).await;
    }
}
