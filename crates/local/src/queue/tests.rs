//! The rules that no other queue can be asked for; `tests/src/contract/queue.rs` has those of every queue.

mod dead;
mod model;

use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::{TempDir, tempdir};
use tokio::runtime::Builder;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A queue on a clock that only the test moves.
struct Bench {
    queue: LocalQueue,
    now: Arc<AtomicI64>,
    _dir: TempDir,
}

impl Bench {
    fn new(max_receives: u32) -> Self {
        let dir = tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(1_795_212_000_000));
        let hand = Arc::clone(&now);
        let clock: Clock = Arc::new(move || Timestamp::from_millis(hand.load(Ordering::SeqCst)));
        let queue = LocalQueue::new(&Database::open(dir.path()).unwrap(), clock, max_receives);
        Self { queue, now, _dir: dir }
    }

    fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn send_to(&self, queue: &QueueName, group: &str, body: &str, delay: Duration) {
        let message = Outgoing { group: group.into(), deduplication: body.into(), body: body.into(), delay };
        done(self.queue.send(queue, &[message])).unwrap();
    }

    fn send(&self, group: &str, body: &str) {
        self.send_to(&QueueName::Events, group, body, Duration::ZERO);
    }

    fn receive(&self, max: usize) -> Vec<Delivery> {
        done(self.queue.receive(&QueueName::Events, max, MINUTE, Duration::ZERO)).unwrap()
    }

    fn acknowledge(&self, delivery: &Delivery) -> Result<(), PortError> {
        done(self.queue.acknowledge(&QueueName::Events, &delivery.receipt))
    }

    fn extend(&self, delivery: &Delivery, visibility: Duration) -> Result<(), PortError> {
        done(self.queue.extend(&QueueName::Events, &delivery.receipt, visibility))
    }

    fn depth(&self) -> Depth {
        self.queue.depth(&QueueName::Events).unwrap()
    }
}

/// What a future that never waits comes to: nothing here needs a runtime.
fn done<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.message.body.as_str()).collect()
}

#[test]
fn a_receipt_ends_with_the_visibility() {
    let bench = Bench::new(10);
    bench.send("g", "1");
    let [delivery] = &bench.receive(1)[..] else { panic!("one message") };
    bench.pass(MINUTE - Duration::from_millis(1));
    bench.extend(delivery, SECOND).unwrap();
    bench.pass(SECOND);
    let why = bench.acknowledge(delivery).unwrap_err().to_string();
    assert!(why.contains("events") && why.contains("no longer valid"), "{why}");
    assert!(bench.extend(delivery, SECOND).is_err());
    assert!(done(bench.queue.bury(&QueueName::Events, &delivery.receipt, "r")).is_err());
    assert_eq!(bench.depth().visible, 1);
}

#[test]
fn a_receipt_is_of_one_queue_only() {
    let bench = Bench::new(10);
    bench.send("g", "1");
    let [delivery] = &bench.receive(1)[..] else { panic!("one message") };
    for receipt in ["", "1", ".", "1.0", "1.x", "999.1", "1.2", "-1.1"] {
        assert!(done(bench.queue.acknowledge(&QueueName::Events, receipt)).is_err(), "{receipt:?}");
    }
    assert!(done(bench.queue.acknowledge(&QueueName::Facts, &delivery.receipt)).is_err());
    bench.acknowledge(delivery).unwrap();
    assert!(bench.acknowledge(delivery).is_err(), "it is gone");
}

#[test]
fn what_a_process_left_in_flight_is_released_for_the_next_one() {
    let bench = Bench::new(10);
    bench.send("a", "1");
    bench.send("a", "2");
    let first = bench.receive(1);
    assert_eq!(bodies(&first), ["1"]);
    assert!(bench.receive(10).is_empty(), "the group is blocked");
    bench.queue.release().unwrap();
    assert_eq!(bodies(&bench.receive(10)), ["1", "2"]);
}

#[test]
fn groups_take_turns() {
    let bench = Bench::new(10);
    for body in ["a1", "a2", "a3"] {
        bench.send("a", body);
    }
    bench.pass(SECOND);
    bench.send("b", "b1");
    let mut order = Vec::new();
    for _ in 0..4 {
        bench.pass(SECOND);
        let deliveries = bench.receive(1);
        order.push(deliveries[0].message.body.clone());
        bench.acknowledge(&deliveries[0]).unwrap();
    }
    assert_eq!(order, ["a1", "b1", "a2", "a3"]);
}

#[test]
fn one_receive_fills_up_from_several_groups() {
    let bench = Bench::new(10);
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")] {
        bench.send(group, body);
    }
    assert_eq!(bodies(&bench.receive(3)), ["a1", "a2", "b1"]);
    assert_eq!(bodies(&bench.receive(3)), ["c1"]);
    assert!(bench.receive(3).is_empty());
}

#[test]
fn a_delay_holds_back_the_group_that_it_is_in() {
    let bench = Bench::new(10);
    bench.send("a", "a1");
    bench.send_to(&QueueName::Events, "a", "a2", MINUTE);
    bench.send("a", "a3");
    bench.send("b", "b1");
    assert_eq!(bodies(&bench.receive(9)), ["a1", "b1"]);
    assert_eq!(
        bench.depth(),
        Depth { visible: 1, in_flight: 2, delayed: 1, dead: 0, oldest: Some((bench.queue.clock)()) }
    );
    bench.pass(MINUTE);
    assert_eq!(bodies(&bench.receive(1)), ["a1"], "its visibility ended at the same time");
    bench.pass(MINUTE);
    assert_eq!(bodies(&bench.receive(9)), ["b1", "a1", "a2", "a3"]);
}

#[test]
fn an_id_is_remembered_for_five_minutes_from_its_first_message() {
    let bench = Bench::new(10);
    let take = |expected: usize| {
        let deliveries = bench.receive(9);
        deliveries.iter().for_each(|delivery| bench.acknowledge(delivery).unwrap());
        assert_eq!(deliveries.len(), expected);
    };
    bench.send("g", "id");
    take(1);
    bench.pass(4 * MINUTE);
    bench.send("g", "id");
    take(0);
    bench.pass(MINUTE - Duration::from_millis(1));
    bench.send("g", "id");
    take(0);
    bench.pass(Duration::from_millis(1));
    bench.send("g", "id");
    take(1);
    bench.send_to(&QueueName::Facts, "g", "id", Duration::ZERO);
    assert_eq!(bench.queue.depth(&QueueName::Facts).unwrap().visible, 1, "each queue has ids of its own");
}

#[test]
fn ended_ids_are_cleared_away() {
    let bench = Bench::new(10);
    for round in 0..3 {
        for message in 0..20 {
            bench.send("g", &format!("{round}-{message}"));
        }
        bench.pass(5 * MINUTE);
    }
    let sql = "SELECT count(*) FROM deduplication";
    let left: i64 = bench.queue.database.read(|c| c.query_row(sql, [], |row| row.get(0))).unwrap();
    assert_eq!(left, 20);
}

#[test]
fn a_wait_ends_when_a_visibility_does_and_when_its_time_is_over() {
    let dir = tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let clock: Clock = {
        let begun = std::time::Instant::now();
        Arc::new(move || Timestamp::from_millis(1_795_212_000_000).plus(begun.elapsed()))
    };
    let queue = LocalQueue::new(&Database::open(dir.path()).unwrap(), clock, 10);
    let name = QueueName::Events;
    let message =
        Outgoing { group: "g".into(), deduplication: "1".into(), body: "1".into(), delay: Duration::ZERO };
    runtime.block_on(async {
        queue.send(&name, &[message]).await.unwrap();
        let begun = std::time::Instant::now();
        let hidden = Duration::from_millis(150);
        assert_eq!(queue.receive(&name, 1, hidden, 5 * SECOND).await.unwrap().len(), 1);
        assert_eq!(queue.receive(&name, 1, MINUTE, 5 * SECOND).await.unwrap().len(), 1);
        let took = begun.elapsed();
        assert!(took >= hidden && took < hidden + Duration::from_millis(100), "{took:?}");
        let begun = std::time::Instant::now();
        assert!(queue.receive(&name, 1, MINUTE, hidden).await.unwrap().is_empty());
        let took = begun.elapsed();
        assert!(took >= hidden && took < hidden + Duration::from_millis(100), "{took:?}");
    });
}

#[test]
fn a_wait_sleeps_until_something_can_have_changed() {
    let dir = tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let looks = Arc::new(AtomicI64::new(0));
    let clock: Clock = {
        let (begun, looks) = (std::time::Instant::now(), Arc::clone(&looks));
        Arc::new(move || {
            looks.fetch_add(1, Ordering::SeqCst);
            Timestamp::from_millis(1_795_212_000_000).plus(begun.elapsed())
        })
    };
    let queue = LocalQueue::new(&Database::open(dir.path()).unwrap(), clock, 10);
    let name = QueueName::Events;
    let message = |body: &str, delay| Outgoing {
        group: "g".into(),
        deduplication: body.into(),
        body: body.into(),
        delay,
    };
    let messages = [message("1", Duration::ZERO), message("2", Duration::from_millis(300))];
    runtime.block_on(async {
        queue.send(&name, &messages).await.unwrap();
        let first = queue.receive(&name, 2, MINUTE, SECOND).await.unwrap();
        queue.acknowledge(&name, &first[0].receipt).await.unwrap();
        let before = looks.load(Ordering::SeqCst);
        assert_eq!(bodies(&queue.receive(&name, 2, MINUTE, MINUTE).await.unwrap()), ["2"]);
        let looked = looks.load(Ordering::SeqCst) - before;
        assert!(looked <= 5, "it looked {looked} times");
    });
}

#[test]
fn a_dropped_wait_takes_nothing_with_it() {
    let dir = tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let clock: Clock = Arc::new(|| Timestamp::from_millis(0));
    let queue = LocalQueue::new(&Database::open(dir.path()).unwrap(), clock, 10);
    let name = QueueName::Events;
    runtime.block_on(async {
        {
            let waiting = pin!(queue.receive(&name, 1, MINUTE, MINUTE));
            assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
        }
        let message = Outgoing {
            group: "g".into(),
            deduplication: "1".into(),
            body: "1".into(),
            delay: Duration::ZERO,
        };
        queue.send(&name, &[message]).await.unwrap();
        assert_eq!(queue.receive(&name, 1, MINUTE, Duration::ZERO).await.unwrap().len(), 1);
    });
}

#[test]
fn a_clock_that_was_put_back_delays_nothing_after_a_restart() {
    let bench = Bench::new(9);
    bench.send("g", "1");
    bench.send("g", "2");
    bench.send_to(&QueueName::Events, "h", "delayed", 10 * SECOND);
    let delivery = bench.receive(1).remove(0);
    bench.extend(&delivery, MINUTE).unwrap();
    bench.now.fetch_sub(3_600_000, Ordering::SeqCst);
    bench.queue.release().unwrap();
    let mut got = bodies(&bench.receive(9)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    got.sort();
    assert_eq!(got, ["1", "2", "delayed"]);
}
