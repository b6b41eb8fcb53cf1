//! Any sequence of calls, held against a queue that is too simple to be wrong.

use proptest::prelude::*;

use super::*;

const MAX_RECEIVES: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Send {
        group: u8,
        delay: u8,
    },
    Receive {
        max: usize,
        visibility: u8,
    },
    /// The number picks one of the last receipts that were given out, valid or not.
    Acknowledge(usize),
    Extend {
        receipt: usize,
        visibility: u8,
    },
    Bury(usize),
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3u8, prop_oneof![3 => Just(0u8), 1 => 0..5u8]).prop_map(|(group, delay)| Step::Send { group, delay }),
        3 => (1..4usize, 0..5u8).prop_map(|(max, visibility)| Step::Receive { max, visibility }),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        1 => (any::<usize>(), 0..5u8).prop_map(|(receipt, visibility)| Step::Extend { receipt, visibility }),
        1 => any::<usize>().prop_map(Step::Bury),
        2 => (1..4u8).prop_map(Step::Pass),
    ]
}

#[derive(Clone, Debug)]
struct Held {
    group: String,
    body: String,
    visible_at: u64,
    receives: u32,
}

#[derive(Default)]
struct Model {
    now: u64,
    sent: usize,
    dead: u32,
    held: Vec<Held>,
    /// Every receipt, with the message and the receive that it was for.
    receipts: Vec<(String, String, u32)>,
}

impl Model {
    fn in_flight(&self, held: &Held) -> bool {
        held.receives > 0 && held.visible_at > self.now
    }

    fn blocked(&self, group: &str) -> bool {
        self.held.iter().any(|held| held.group == group && self.in_flight(held))
    }

    /// What a receive may give of a group: its messages in order, up to the first that is delayed.
    fn ready(&self, group: &str) -> Vec<Held> {
        if self.blocked(group) {
            return Vec::new();
        }
        let of_group = self.held.iter().filter(|held| held.group == group);
        of_group.take_while(|held| held.visible_at <= self.now).cloned().collect()
    }

    /// The place of the message that a receipt is valid for.
    fn valid(&self, receipt: usize) -> Option<usize> {
        let (_, body, receives) = &self.receipts[receipt];
        let place = self.held.iter().position(|held| held.body == *body)?;
        let held = &self.held[place];
        (held.receives == *receives && self.in_flight(held)).then_some(place)
    }

    fn received(&mut self, deliveries: &[Delivery], max: usize, visibility: u64) {
        assert!(deliveries.len() <= max);
        let mut could = Vec::new();
        for group in ["0", "1", "2"] {
            let ready = self.ready(group);
            let got: Vec<_> = deliveries.iter().filter(|delivery| delivery.message.group == group).collect();
            let (dead, live): (Vec<_>, Vec<_>) =
                ready.into_iter().partition(|held| held.receives >= MAX_RECEIVES);
            let expected: Vec<_> = live.iter().map(|held| held.body.as_str()).take(got.len()).collect();
            assert_eq!(
                got.iter().map(|delivery| delivery.message.body.as_str()).collect::<Vec<_>>(),
                expected
            );
            could.extend(live);
            // Those before the last one that was given must be gone; those after it may be.
            let last = got.last().map(|delivery| delivery.message.body.clone());
            let last = last.and_then(|body| self.held.iter().position(|held| held.body == body));
            for held in dead {
                let place = self.held.iter().position(|other| other.body == held.body);
                if place < last {
                    self.kill(&held.body);
                }
            }
        }
        assert_eq!(
            deliveries.is_empty(),
            could.is_empty(),
            "nothing is received only where nothing is ready"
        );
        for delivery in deliveries {
            let held = self.held.iter_mut().find(|held| held.body == delivery.message.body).unwrap();
            held.receives += 1;
            held.visible_at = self.now + visibility;
            assert_eq!(delivery.message.receive_count, held.receives);
            self.receipts.push((delivery.receipt.clone(), held.body.clone(), held.receives));
        }
    }

    fn kill(&mut self, body: &str) {
        self.held.retain(|held| held.body != body);
        self.dead += 1;
    }

    /// The queue may find a message dead earlier than it must: its dead letters say which.
    fn follow(&mut self, bench: &Bench) {
        for letter in bench.queue.dead_letters(&QueueName::Events).unwrap() {
            let found = self.held.iter().find(|held| held.body == letter.body).cloned();
            if let Some(found) = found {
                assert!(
                    found.receives >= MAX_RECEIVES && found.visible_at <= self.now,
                    "{found:?} was not dead"
                );
                self.kill(&found.body);
            }
        }
    }

    fn run(&mut self, bench: &Bench, step: &Step) {
        match *step {
            Step::Send { group, delay } => {
                self.sent += 1;
                let (group, body) = (group.to_string(), self.sent.to_string());
                bench.send_to(&QueueName::Events, &group, &body, Duration::from_secs(delay.into()));
                let visible_at = self.now + u64::from(delay);
                self.held.push(Held { group, body, visible_at, receives: 0 });
            }
            Step::Receive { max, visibility } => {
                let hidden = Duration::from_secs(visibility.into());
                let receive = bench.queue.receive(&QueueName::Events, max, hidden, Duration::ZERO);
                let deliveries = done(receive).unwrap();
                self.received(&deliveries, max, visibility.into());
                self.follow(bench);
            }
            Step::Pass(seconds) => {
                self.now += u64::from(seconds);
                bench.pass(Duration::from_secs(seconds.into()));
            }
            Step::Acknowledge(receipt) | Step::Bury(receipt) | Step::Extend { receipt, .. } => {
                let recent = self.receipts.len().min(6);
                if recent > 0 {
                    self.settle(bench, step, self.receipts.len() - 1 - receipt % recent);
                }
            }
        }
    }

    fn settle(&mut self, bench: &Bench, step: &Step, receipt: usize) {
        let (text, events) = (self.receipts[receipt].0.clone(), QueueName::Events);
        let place = self.valid(receipt);
        let result = match step {
            Step::Acknowledge(_) => done(bench.queue.acknowledge(&events, &text)),
            Step::Bury(_) => done(bench.queue.bury(&events, &text, "buried")),
            Step::Extend { visibility, .. } => {
                done(bench.queue.extend(&events, &text, Duration::from_secs((*visibility).into())))
            }
            _ => unreachable!("only receipts are settled"),
        };
        assert_eq!(result.is_ok(), place.is_some(), "{text}: {result:?}");
        let Some(place) = place else { return };
        match step {
            Step::Extend { visibility, .. } => {
                self.held[place].visible_at = self.now + u64::from(*visibility)
            }
            Step::Bury(_) => self.kill(&self.held[place].body.clone()),
            _ => drop(self.held.remove(place)),
        }
    }

    fn check(&self, bench: &Bench) {
        let depth = bench.depth();
        let in_flight = self.held.iter().filter(|held| self.in_flight(held)).count();
        let delayed =
            self.held.iter().filter(|held| held.receives == 0 && held.visible_at > self.now).count();
        assert_eq!((depth.in_flight as usize, depth.delayed as usize), (in_flight, delayed));
        assert_eq!((depth.visible as usize, depth.dead), (self.held.len() - in_flight - delayed, self.dead));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_keeps_the_rules(steps in proptest::collection::vec(step(), 1..60)) {
        let bench = Bench::new(MAX_RECEIVES);
        let mut model = Model::default();
        for step in &steps {
            model.run(&bench, step);
            model.check(&bench);
        }
    }
}
