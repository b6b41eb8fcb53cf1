//! Everything goes wrong at once: functions are killed, AWS throttles, fails, and loses answers after the effect, messages
//! come twice and in another order, KMS denies, clocks differ. When it is over, everything is as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinHandle;

use super::first_day::Cloud;
use super::gateway::faults::Rates;
use super::lambda::Lambda;
use super::stack::{CLUSTER_FUNCTIONS, Settings};
use crate::simulation::random::Random;
use crate::survival::invariants::{Account, Ends, of_log};

/// How long a received message is hidden: the templates have minutes, and nothing here works for longer than this.
const VISIBILITY: Duration = Duration::from_secs(15);

/// How far apart the clocks of the outermost zones are, half of it: forge behind, cluster ahead.
const CLOCK: i64 = 5 * 60 * 1000;

/// How often something goes wrong, of a thousand calls of AWS.
const RATES: Rates = Rates { throttled: 20, failed: 15, lost: 15, kms_denied: false, out_of_order: &[] };

/// How many of a thousand batches of a standard queue are delivered twice, in another order.
const REPEATED: u64 = 200;

/// The longest pause between two kills, in milliseconds.
const BETWEEN_KILLS: i64 = 3_000;

/// What is to go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// How many changes are pushed, one after the other and without waiting.
    pub changes: u64,
    /// What random moments are drawn from.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Survived {
    /// What the log holds.
    pub account: Account,
    /// How many processes were killed.
    pub kills: u64,
    /// How many calls of AWS were made.
    pub calls: u64,
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
        clocks: clocks.collect(),
        approvals: Some(0),
        witnessed: true,
        seed: chaos.seed,
    };
    let cloud = Cloud::start(settings)?;
    let kills = Arc::new(AtomicU64::new(0));
    let killer = begin(&cloud, chaos, &kills);
    let last = push(&cloud, chaos)?;
    // What is under way when everything is mended again must not be lost either.
    std::thread::sleep(Duration::from_secs(2));
    killer.abort();
    cloud.stack.services.gateway.faults().set(Rates::default());
    cloud.stack.mappings.repeat(0);
    let account = settled(&cloud, chaos, &last)?;
    let calls = cloud.stack.services.gateway.counts().values().sum();
    Ok(Survived { account, kills: kills.load(Ordering::Relaxed), calls })
}

fn begin(cloud: &Cloud, chaos: &Chaos, kills: &Arc<AtomicU64>) -> JoinHandle<()> {
    cloud.stack.services.gateway.faults().set(RATES);
    cloud.stack.mappings.repeat(REPEATED);
    let (lambda, kills) = (Arc::clone(&cloud.stack.lambda), Arc::clone(kills));
    cloud.runtime.spawn(kill(lambda, Random::new(chaos.seed, "kills"), kills))
}

/// Kills a function, and another one after a while, for ever.
async fn kill(lambda: Arc<Lambda>, mut random: Random, kills: Arc<AtomicU64>) {
    let names: Vec<_> = lambda.names().into_iter().map(str::to_owned).collect();
    loop {
        let pause = u64::try_from(random.between(100, BETWEEN_KILLS)).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let count = u64::try_from(names.len()).unwrap_or(1);
        let chosen = usize::try_from(random.below(count)).unwrap_or(0);
        if names.get(chosen).is_some_and(|name| lambda.kill(name, &mut random)) {
            kills.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Pushes the changes; returns the last commit. In the middle KMS denies for a while.
fn push(cloud: &Cloud, chaos: &Chaos) -> Result<String> {
    let shop = cloud.clone("ada")?;
    let mut random = Random::new(chaos.seed, "pushes");
    let faults = cloud.stack.services.gateway.faults();
    for change in 0..chaos.changes {
        if change == chaos.changes / 2 {
            faults.set(Rates { kms_denied: true, ..RATES });
        }
        shop.greet("ada", "staging", &greeting(change))?;
        shop.push()?;
        let pause = u64::try_from(random.between(0, 300)).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(pause));
    }
    std::thread::sleep(Duration::from_secs(3));
    faults.set(RATES);
    shop.head()
}

fn greeting(change: u64) -> String {
    format!("change-{change}")
}

fn settled(cloud: &Cloud, chaos: &Chaos, last: &str) -> Result<Account> {
    cloud.until_runs("staging", last)?;
    let newest = greeting(chaos.changes.saturating_sub(1));
    let found = cloud.greeting()?;
    ensure!(found == newest, "the last change runs, and {found} is on the cluster");
    // A call that fails after its effect is made again, and what it asked for may end twice; never not at all.
    let account =
        cloud.until("every change has its outcome", || of_log(&cloud.leaves()?, Ends::AlsoAgain))?;
    let told = cloud.until_status(last, "staging", "success")?;
    ensure!(told.starts_with("deployed"), "{told}");
    cloud.audit().context("after everything went wrong")?;
    let dead = cloud.dead_letters()?;
    ensure!(dead.is_empty(), "there are dead letters: {dead:?}");
    let refused = cloud.stack.services.gateway.refused();
    ensure!(refused.is_empty(), "{refused:?}");
    Ok(account)
}
