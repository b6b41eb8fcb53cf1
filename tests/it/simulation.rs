//! The simulation, short: a few seeds of everything going wrong, and every stage that is broken on purpose. The
//! program that runs them works in folders of its own, so each share of the seeds is a process.

use std::process::{Command, Output};

use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_tests::contract;
use countersign_tests::simulation::memory::Clock;
use countersign_tests::simulation::memory::queue::MemoryQueue;
use countersign_tests::simulation::memory::store::MemoryStore;
use countersign_tests::simulation::mutant::Mutant;

fn simulate(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_countersign-simulate");
    Command::new(program).args(arguments).env("RUST_BACKTRACE", "0").output().expect("the program runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_invariant_holds_whatever_goes_wrong() {
    let output = simulate(&["--seeds=0..200", "--jobs=2", "--span=2400"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let [one, other] = [(); 2].map(|()| simulate(&["--seed=5", "--span=2400"]));
    assert!(one.status.success(), "{}", text(&one));
    assert_eq!(text(&one).lines().next(), text(&other).lines().next());
    let output = simulate(&["--seeds=40..44", "--span=2400", "--twice", "--jobs=1"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// What the simulation says of a stage that is broken so, in one of these ways; each is found within so many seeds.
fn found(mutant: Mutant) -> (&'static [&'static str], u64) {
    match mutant {
        Mutant::Unlogged => (&["not in the published log", "are settled, the log has"], 5),
        Mutant::Forked => (&["of another history: the log forks", "the log shrinks"], 5),
        Mutant::Forgetful => (&["a second time", "rejects a message"], 5),
        Mutant::Unfenced => (&["goes back from sequence"], 20),
        Mutant::RideAlong => (&["rides along"], 20),
        Mutant::StaleApprovals => (&["counts, and it"], 20),
        Mutant::StaleReports => (&["what was told of commit"], 10),
        Mutant::LostLooks => (&["the timer drops the due look"], 10),
        Mutant::EarlyAcknowledgement => (&["in the end"], 20),
        Mutant::Stray => (&["which no leaf authorizes"], 5),
        Mutant::Uprooting => (&["is deleted on"], 20),
        Mutant::Unwitnessed => (&["and the witness cosigned"], 5),
        Mutant::Forks => (&["a fork's pull request"], 60),
        Mutant::Unforgotten => (&["by a bundle that is not active"], 10),
        Mutant::Undrifted => (&["-by-hand"], 40),
    }
}

#[test]
fn every_stage_that_is_broken_on_purpose_is_found() {
    for mutant in Mutant::ALL {
        let (says, seeds) = found(mutant);
        let output = simulate(&[
            &format!("--mutant={mutant}"),
            &format!("--seeds=0..{seeds}"),
            "--span=7200",
            "--no-shrink",
            "--jobs=1",
        ]);
        let told = text(&output);
        assert!(!output.status.success(), "{mutant} is not found in {seeds} seeds: {told}");
        assert!(told.contains(" fails: ") && says.iter().any(|says| told.contains(says)), "{mutant}: {told}");
    }
}

fn line_of<'a>(text: &'a str, what: &str) -> &'a str {
    text.lines().find(|line| line.contains(what)).expect("a line")
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split_once(word).expect("the word").0;
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn what_fails_is_made_smaller_and_fails_again_as_it_is_printed() {
    let told = text(&simulate(&["--mutant=stale-approvals", "--seeds=2..20", "--span=7200", "--jobs=1"]));
    let (whole, smaller) = told.split_once("smaller:\n").expect("what is smaller");
    let command =
        smaller.lines().find(|line| line.contains("countersign-simulate --seed ")).expect("a command");
    let arguments: Vec<_> = command.split_whitespace().skip(1).chain(["--no-shrink"]).collect();
    let again = text(&simulate(&arguments));
    assert_eq!(line_of(smaller, "trace "), line_of(&again, "trace "), "{told}\n{again}");
    // The same fails with a few actions, without faults that have no part in it.
    assert!(line_of(smaller, " fails: ").contains("counts, and it"), "{told}");
    let actions = arguments.iter().find_map(|argument| argument.strip_prefix("--actions=")).expect("actions");
    assert!(actions.split(',').count() <= 3, "{told}");
    assert!(number_before(smaller, " faults") <= number_before(whole, " faults"), "{told}");
}

fn queue() -> MemoryQueue {
    MemoryQueue::new(Clock::Runtime(tokio::time::Instant::now()), 3)
}

macro_rules! rules_of_a_queue {
    ($queue:expr, $($rule:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $rule() {
            contract::queue::$rule(&queue(), &$queue).await;
        }
    )*};
}

mod simulated_queue {
    use super::*;

    rules_of_a_queue! { QueueName::Events,
        keeps_order delivers_what_was_sent blocks_the_group_in_flight
        gives_a_rest_of_a_batch_again_in_order makes_receipts_expire extends_visibility deduplicates
        keeps_content_that_comes_back forgets_ids_after_five_minutes buries limits_bodies
    }

    rules_of_a_queue! { QueueName::Observations("production".parse::<ClusterName>().expect("a name")),
        delays does_not_block_where_not_ordered
    }

    #[tokio::test(start_paused = true)]
    async fn limits_receives() {
        contract::queue::limits_receives(&queue(), &QueueName::Facts, 3).await;
    }

    #[tokio::test]
    async fn wakes_who_waits() {
        let latency = std::time::Duration::from_millis(50);
        contract::queue::concurrent::wakes_who_waits(&queue(), &QueueName::Events, latency).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn shares_out() {
        contract::queue::concurrent::shares_out(&queue(), &QueueName::Events).await;
    }
}

macro_rules! rules_of_a_store {
    ($($rule:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $rule() {
            contract::store::$rule(&MemoryStore::default(), "rules/").await;
        }
    )*};
}

mod simulated_store {
    use super::*;

    rules_of_a_store! {
        keeps_values holds_conditions lets_one_win loses_no_update lists_in_order keeps_large_values limits_keys
    }
}
