//! Dead letters: kept with their reason, told of, and put back to work in order.

use countersign_core::digest::Digest;
use countersign_core::message::{DeadLetter, Message};

use super::super::dead::Redriven;
use super::*;

#[test]
fn a_message_that_is_never_taken_becomes_a_dead_letter_and_can_be_sent_again() {
    let bench = Bench::new(2);
    bench.send("g", "poison");
    bench.send("g", "next");
    for _ in 0..2 {
        let deliveries = bench.receive(1);
        assert_eq!(bodies(&deliveries), ["poison"]);
        bench.extend(&deliveries[0], Duration::ZERO).unwrap();
    }
    assert_eq!(bodies(&bench.receive(1)), ["next"]);
    let letters = bench.queue.dead_letters(&QueueName::Events).unwrap();
    let [letter] = &letters[..] else { panic!("one dead letter: {letters:?}") };
    assert_eq!((letter.group.as_str(), letter.body.as_str(), letter.receives), ("g", "poison", 2));
    assert_eq!(letter.reason, "was received 2 times and never taken");
    assert_eq!(bench.depth().dead, 1);
    let redrive = |queue| bench.queue.redrive(&queue, &letter.id).unwrap();
    assert_eq!(redrive(QueueName::Facts), Redriven::Unknown, "it is of another queue");
    assert_eq!(redrive(QueueName::Events), Redriven::Sent);
    assert_eq!(redrive(QueueName::Events), Redriven::Unknown);
    bench.pass(MINUTE);
    let deliveries = bench.receive(9);
    assert_eq!(bodies(&deliveries), ["next", "poison"]);
    assert_eq!(deliveries[1].message.receive_count, 1);
}

#[test]
fn a_buried_message_keeps_its_reason_until_it_is_dismissed() {
    let bench = Bench::new(10);
    bench.send("g", "1");
    bench.send("g", "2");
    let deliveries = bench.receive(1);
    done(bench.queue.bury(&QueueName::Events, &deliveries[0].receipt, "not JSON")).unwrap();
    assert_eq!(bodies(&bench.receive(9)), ["2"]);
    let letters = bench.queue.dead_letters(&QueueName::Events).unwrap();
    assert_eq!((letters[0].reason.as_str(), letters[0].receives), ("not JSON", 1));
    assert!(bench.queue.dismiss(&QueueName::Events, &letters[0].id).unwrap());
    assert!(!bench.queue.dismiss(&QueueName::Events, &letters[0].id).unwrap());
    assert_eq!(bench.depth().dead, 0);
}

/// What `record` is told of the dead letters of `events`, in the order in which it comes.
fn told(bench: &Bench) -> Vec<Message<DeadLetter>> {
    let queue = QueueName::Events.dead_letters().unwrap();
    let told = done(bench.queue.receive(&queue, 9, MINUTE, Duration::ZERO)).unwrap();
    told.iter().map(|delivery| serde_json::from_str(&delivery.message.body).unwrap()).collect()
}

#[test]
fn whoever_records_is_told_of_every_dead_letter_in_the_same_step() {
    let bench = Bench::new(1);
    bench.send("g", "buried");
    bench.send("g", "never taken");
    let deliveries = bench.receive(2);
    done(bench.queue.bury(&QueueName::Events, &deliveries[0].receipt, "why")).unwrap();
    bench.extend(&deliveries[1], Duration::ZERO).unwrap();
    assert!(bench.receive(1).is_empty());
    let told: Vec<_> = told(&bench).into_iter().map(|told| told.body).collect();
    let reasons: Vec<_> = told.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["why", "was received 1 times and never taken"]);
    assert_eq!(told[0].queue, "events");
    assert_eq!(told[0].body, Digest::of(b"buried"));
    let letters = bench.queue.dead_letters(&QueueName::Events).unwrap();
    assert_eq!([&letters[0].id, &letters[1].id], [&told[0].id, &told[1].id]);
}

#[test]
fn what_tells_of_dead_letters_is_tried_for_ever_and_tells_of_no_other() {
    let bench = Bench::new(1);
    let queue = QueueName::DeadLetters(None);
    bench.send_to(&queue, "g", "notice", Duration::ZERO);
    for count in 1..=5 {
        let got = done(bench.queue.receive(&queue, 1, MINUTE, Duration::ZERO)).unwrap();
        assert_eq!(got[0].message.receive_count, count);
        done(bench.queue.extend(&queue, &got[0].receipt, Duration::ZERO)).unwrap();
    }
    let got = done(bench.queue.receive(&queue, 1, MINUTE, Duration::ZERO)).unwrap();
    done(bench.queue.bury(&queue, &got[0].receipt, "not even this")).unwrap();
    assert_eq!(bench.queue.dead_letters(&queue).unwrap().len(), 1);
    assert!(done(bench.queue.receive(&queue, 1, MINUTE, Duration::ZERO)).unwrap().is_empty());
}

#[test]
fn redriving_keeps_the_order_of_a_group() {
    let bench = Bench::new(9);
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        bench.send(group, body);
    }
    for delivery in bench.receive(9) {
        done(bench.queue.bury(&QueueName::Events, &delivery.receipt, "no")).unwrap();
    }
    let ids: Vec<_> =
        bench.queue.dead_letters(&QueueName::Events).unwrap().into_iter().map(|letter| letter.id).collect();
    let redrive = |id: &str| bench.queue.redrive(&QueueName::Events, id).unwrap();
    assert_eq!(redrive(&ids[1]), Redriven::After(ids[0].clone()));
    assert_eq!(redrive(&ids[2]), Redriven::Sent, "another group's are not in its way");
    assert_eq!(redrive(&ids[0]), Redriven::Sent);
    assert_eq!(bench.queue.redrive_all(&QueueName::Events).unwrap(), [ids[1].as_str(), &ids[3]]);
    assert!(bench.queue.redrive_all(&QueueName::Events).unwrap().is_empty());
    let mut got = bodies(&bench.receive(9)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    got.retain(|body| body.starts_with('a'));
    assert_eq!(got, ["a1", "a2", "a3"]);
}

#[test]
fn a_redrive_beside_the_process_that_serves_wakes_it() {
    let bench = Bench::new(9);
    bench.send("g", "1");
    let delivery = bench.receive(1).remove(0);
    done(bench.queue.bury(&QueueName::Events, &delivery.receipt, "no")).unwrap();
    bench.queue.notice_others().unwrap();
    let beside = Database::open_beside(bench._dir.path()).unwrap();
    let beside = LocalQueue::new(&beside, Arc::clone(&bench.queue.clock), 9);
    let bell = bench.queue.database.bell("events");
    let mut rung = pin!(bell.notified());
    assert!(!rung.as_mut().enable());
    bench.queue.notice_others().unwrap();
    assert!(!rung.as_mut().enable(), "nobody else wrote");
    assert_eq!(beside.redrive_all(&QueueName::Events).unwrap().len(), 1);
    bench.queue.notice_others().unwrap();
    assert!(rung.as_mut().enable(), "another process wrote");
    assert_eq!(bodies(&bench.receive(1)), ["1"]);
}

#[test]
fn a_queue_of_dead_messages_only_gives_nothing() {
    let bench = Bench::new(0);
    for body in ["1", "2", "3"] {
        bench.send(body, body);
    }
    assert!(bench.receive(2).is_empty());
    assert_eq!(bench.depth(), Depth { dead: 3, ..Depth::default() });
}
