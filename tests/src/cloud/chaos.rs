//! Everything goes wrong at once: functions are killed, AWS throttles, fails, and loses answers after the effect, messages
//! come twice and in another order, KMS denies, clocks differ. When it is over, everything is as if nothing had been.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinHandle;

use super::first_day::Cloud;
use super::gateway::Suffered;
use super::gateway::faults::{Fate, Rates};
use super::lambda::Lambda;
use super::stack::{CLUSTER_FUNCTIONS, Settings};
use crate::simulation::random::Random;
use crate::survival::invariants::{Account, Ends, of_log};

/// How long a queue hides a received message: what holds a function that was killed before it could say a word.
const VISIBILITY: Duration = Duration::from_secs(15);

/// How long a function hides what it works on at once.
const HIDDEN: Duration = Duration::from_secs(6);

/// How far apart the clocks of the outermost zones are, half of it: forge behind, cluster ahead.
const CLOCK: i64 = 5 * 60 * 1000;

/// How often something goes wrong, of a thousand calls of AWS.
const RATES: Rates = Rates {
    conflicted: 60,
    throttled: 20,
    failed: 15,
    lost: 15,
    silent: 2,
    kms_denied: false,
    out_of_order: &[],
    unanswered: &[],
};

/// What goes wrong at least once, of calls that begin so.
const EXPECTED: [(&str, &[Fate]); 5] = [
    ("kms.Sign", &[Fate::Denied]),
    ("s3.", &[Fate::Throttled, Fate::Failed, Fate::DoneAndFailed]),
    ("s3.PutObject", &[Fate::Conflicted]),
    ("", &[Fate::DoneAndBroken]),
    ("", &[Fate::DoneAndSilent]),
];

/// How many of a thousand batches are delivered twice, those of a standard queue in another order.
const REPEATED: u64 = 200;

/// The longest pause between two kills, in milliseconds.
const BETWEEN_KILLS: i64 = 3_000;

/// For how long KMS goes on denying once it has begun.
const DENIAL: Duration = Duration::from_secs(3);

/// How long it may take until the last change runs once nothing goes wrong any more, whatever waits: the least of it, and
/// for each change.
const LEAST: Duration = Duration::from_mins(5);
const ONE_BY_ONE: Duration = Duration::from_secs(1);

/// How many more changes are pushed at most until all has gone wrong that is to, and the pause before each.
const MORE_CHANGES: u32 = 60;
const BETWEEN_MORE: Duration = Duration::from_secs(2);

/// What is to go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// How many changes are pushed, one after the other and without waiting, before it is waited for what is still to go
    /// wrong.
    pub changes: u64,
    /// What random moments are drawn from.
    pub seed: u64,
}

/// How often each function was killed, by its name in Lambda.
pub type Kills = BTreeMap<String, u64>;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Survived {
    /// What the log holds.
    pub account: Account,
    /// How often each function was killed, at work or not.
    pub kills: Kills,
    /// How many calls of AWS were made.
    pub calls: u64,
    /// How many of them came to which end, by function.
    pub suffered: Suffered,
    /// How many batches came twice.
    pub repeated: u64,
}

impl Survived {
    /// How often each function's calls came to each end.
    #[must_use]
    pub fn by_function(&self) -> BTreeMap<(&str, Fate), u64> {
        let mut counts = BTreeMap::new();
        for ((function, _, fate), count) in &self.suffered {
            *counts.entry((function.as_str(), *fate)).or_default() += count;
        }
        counts
    }
}

/// Makes an installation, lets everything go wrong while changes are pushed, and checks what must hold when it is over.
///
/// # Errors
/// Says what does not hold; the message holds the end of every function's log.
pub fn run(chaos: &Chaos) -> Result<Survived> {
    let zones = [(["gather", "receive", "report", "poll"].as_slice(), -CLOCK), (&CLUSTER_FUNCTIONS, CLOCK)];
    let clocks = zones
        .iter()
        .flat_map(|(functions, clock)| functions.iter().map(|function| ((*function).to_owned(), *clock)));
    let settings = Settings {
        visibility: Some(VISIBILITY),
        hidden: Some(HIDDEN),
        clocks: clocks.collect(),
        approvals: Some(0),
        witnessed: true,
        seed: chaos.seed,
        ..Settings::default()
    };
    let cloud = Cloud::start(settings)?;
    let kills = Arc::<Mutex<Kills>>::default();
    let killer = begin(&cloud, chaos, &kills);
    let (last, greeting) = push(&cloud, chaos)?;
    killer.abort();
    cloud.stack.services.gateway.faults().set(Rates::default());
    cloud.stack.mappings.repeat(0);
    let patience = LEAST + ONE_BY_ONE * u32::try_from(chaos.changes)?;
    cloud
        .until_within(patience, &format!("the last change, {last}, runs"), || cloud.runs("staging", &last))?;
    let account = settled(&cloud, &last, &greeting)?;
    let gateway = &cloud.stack.services.gateway;
    let kills = kills.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Survived {
        account,
        kills,
        calls: gateway.counts().values().sum(),
        suffered: gateway.suffered(),
        repeated: cloud.stack.mappings.asked().repeated,
    })
}

fn begin(cloud: &Cloud, chaos: &Chaos, kills: &Arc<Mutex<Kills>>) -> JoinHandle<()> {
    cloud.stack.services.gateway.faults().set(RATES);
    cloud.stack.mappings.repeat(REPEATED);
    let (lambda, kills) = (Arc::clone(&cloud.stack.lambda), Arc::clone(kills));
    cloud.runtime.spawn(kill(lambda, Random::new(chaos.seed, "kills"), kills))
}

/// Kills a function, and another one after a while, for ever: all of them in one order, and then in another.
async fn kill(lambda: Arc<Lambda>, mut random: Random, kills: Arc<Mutex<Kills>>) {
    let names: Vec<_> = lambda.names().into_iter().map(str::to_owned).collect();
    let mut left = Vec::new();
    loop {
        let pause = u64::try_from(random.between(100, BETWEEN_KILLS)).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if left.is_empty() {
            left.clone_from(&names);
        }
        let count = u64::try_from(left.len()).unwrap_or(1);
        let name = left.swap_remove(usize::try_from(random.below(count)).unwrap_or(0));
        if lambda.kill(&name, &mut random) {
            *kills.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        }
    }
}

/// Pushes the changes, and more until all has gone wrong that is to; returns the last commit, and what it greets with.
/// In the middle KMS denies for a while.
fn push(cloud: &Cloud, chaos: &Chaos) -> Result<(String, String)> {
    let shop = cloud.clone("ada")?;
    let gateway = &cloud.stack.services.gateway;
    let mut next = 0;
    let mut change = || {
        let greeting = format!("change-{next}");
        next += 1;
        shop.greet("ada", "staging", &greeting)?;
        shop.push()?;
        anyhow::Ok(greeting)
    };
    let half = chaos.changes / 2;
    for _ in 0..half {
        change()?;
    }
    gateway.faults().set(Rates { kms_denied: true, ..RATES });
    // Pushes go on meanwhile.
    let mut left = chaos.changes - half;
    let denied = || !missing(&gateway.suffered()).contains(&("kms.Sign", Fate::Denied));
    while left > 0 && !denied() {
        change()?;
        left -= 1;
    }
    cloud.until("KMS has denied a signature", || {
        ensure!(denied(), "it did not");
        Ok(())
    })?;
    let since = Instant::now();
    while left > 0 && since.elapsed() < DENIAL {
        change()?;
        left -= 1;
    }
    std::thread::sleep(DENIAL.saturating_sub(since.elapsed()));
    gateway.faults().set(RATES);
    for _ in 0..left {
        change()?;
    }
    let mut greeting = change()?;
    for _ in 0..MORE_CHANGES {
        if missing(&gateway.suffered()).is_empty() {
            break;
        }
        std::thread::sleep(BETWEEN_MORE);
        greeting = change()?;
    }
    // What is under way when everything is mended again must not be lost either.
    std::thread::sleep(Duration::from_secs(2));
    let missing = missing(&gateway.suffered());
    ensure!(missing.is_empty(), "this never happened: {missing:?}");
    Ok((shop.head()?, greeting))
}

/// What was to go wrong and did not yet.
fn missing(suffered: &Suffered) -> Vec<(&'static str, Fate)> {
    let happened = |(prefix, fate): &(&str, Fate)| {
        suffered.keys().any(|(_, call, found)| call.starts_with(prefix) && found == fate)
    };
    let expected = EXPECTED.iter().flat_map(|(prefix, fates)| fates.iter().map(|fate| (*prefix, *fate)));
    expected.filter(|one| !happened(one)).collect()
}

fn settled(cloud: &Cloud, last: &str, greeting: &str) -> Result<Account> {
    let found = cloud.greeting()?;
    ensure!(found == greeting, "the last change runs, and {found} is on the cluster");
    // What failed may be tried again and succeed, once; whatever else it ended with is its end.
    let account =
        cloud.until("every change has its outcome", || of_log(&cloud.leaves()?, Ends::OnceAfterFailures))?;
    let told = cloud.until_status(last, "staging", "success")?;
    ensure!(told.starts_with("deployed"), "{told}");
    cloud.audit().context("after everything went wrong")?;
    let dead = cloud.dead_letters()?;
    ensure!(dead.is_empty(), "there are dead letters: {dead:?}");
    let refused = cloud.stack.services.gateway.refused();
    ensure!(refused.is_empty(), "{refused:?}");
    Ok(account)
}
