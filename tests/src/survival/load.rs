//! The load test: pushes at a steady pace to several repositories while a part of them is bad and calls fail.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_core::leaf::Record;
use countersign_core::outcome::OutcomeResult;
use countersign_core::time::Timestamp;
use countersign_local::database::Database;

use super::development::{Development, now};
use super::invariants::{self, Ends};
use super::pushes::{Pusher, config_map};

/// What is asked of an installation.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// For how long is pushed.
    pub time: Duration,
    /// Pushes a second, of all repositories together.
    pub rate: f64,
    /// How many repositories are pushed to.
    pub repositories: usize,
    /// So many of a hundred pushes are bad: told twice, not told at all until the next, or of a commit that cannot be
    /// rendered.
    pub bad: u64,
    /// So many of a thousand calls to queue, store and cluster fail, half of them after their effect.
    pub failing: u32,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How many pushes there were.
    pub pushes: usize,
    /// How long after its time the most belated push began: the pace was kept if it is little.
    pub late: Duration,
    /// How long the server took to answer the telling of each.
    pub answered: Percentiles,
    /// How long it took from each push until it, or a later one, ran and was healthy.
    pub deployed: Percentiles,
    /// The same of those during which no outcome of their application failed: a failure is tried again after 10 s.
    pub unharmed: Percentiles,
    /// How many these are.
    pub unharmed_count: usize,
    /// The server's resident memory in KiB, once a second.
    pub memory: Vec<u64>,
    /// How long it took after the last push until everything had settled.
    pub drained: Duration,
    /// The leaves of the log.
    pub leaves: usize,
}

/// The middle, the tail and the end of a distribution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Percentiles {
    /// The median.
    pub p50: Duration,
    /// All but one of a hundred are faster.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Percentiles {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |part: usize| all.get((all.len() * part / 100).min(all.len().saturating_sub(1))).copied();
        let at = |part| at(part).unwrap_or_default();
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?}, slowest {:.1?}", self.p50, self.p99, self.max)
    }
}

impl Figures {
    /// Resident memory after a fifth of the time, and at its end, in KiB.
    #[must_use]
    pub fn memory_early_and_late(&self) -> (u64, u64) {
        let early = self.memory.get(self.memory.len() / 5).copied().unwrap_or_default();
        (early, self.memory.last().copied().unwrap_or_default())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (early, late) = self.memory_early_and_late();
        writeln!(f, "pushes            {}, each within {:.1?} of its time", self.pushes, self.late)?;
        writeln!(f, "webhook answered  {}", self.answered)?;
        writeln!(f, "push to healthy   {}", self.deployed)?;
        writeln!(f, "  nothing failed  {} (of {})", self.unharmed, self.unharmed_count)?;
        writeln!(f, "queues drained    {:.1?} after the last push", self.drained)?;
        writeln!(f, "memory            {early} KiB after a fifth of the time, {late} KiB at its end")?;
        write!(f, "log               {} leaves, verified", self.leaves)
    }
}

/// What is known while it runs.
#[derive(Debug, Default)]
struct Progress {
    /// Of each application: every good commit that was pushed and does not run yet, with its time.
    waiting: BTreeMap<String, Vec<(String, Timestamp)>>,
    deployed: Vec<Deployed>,
}

/// A push that runs.
#[derive(Debug)]
struct Deployed {
    application: String,
    pushed: Timestamp,
    runs: Timestamp,
}

impl Deployed {
    fn took(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.runs.as_millis() - self.pushed.as_millis()).unwrap_or(0))
    }
}

impl Load {
    /// Puts the load on a new installation.
    ///
    /// # Errors
    /// When something is lost, does not drain, or the log does not verify.
    pub fn run(&self) -> Result<Figures> {
        let mut world = Development::start(self.repositories)?;
        let faults = world.installation.faults()?;
        faults.fail(self.failing)?;
        let (progress, ended) = (Mutex::new(Progress::default()), AtomicBool::new(false));
        let (pushed, memory) = std::thread::scope(|scope| -> Result<_> {
            let watching = scope.spawn(|| watch(&world, &progress, &ended));
            let measuring = scope.spawn(|| measure(&world, &ended));
            let pushed = self.push(&world, &progress);
            ended.store(true, Ordering::Release);
            let watched = watching.join();
            let memory = measuring.join().unwrap_or_else(|_| Ok(Vec::new()))?;
            watched.map_err(|_| anyhow::anyhow!("whoever watched panicked"))??;
            Ok((pushed?, memory))
        })?;
        let begun = Instant::now();
        faults.fail(0)?;
        settle(&world, &progress)?;
        let drained = begun.elapsed();
        world.installation.stop()?;
        let leaves = invariants::check(&world.installation, Ends::AlsoAgain)?.leaves;
        let all = std::mem::take(&mut progress.lock().expect("nobody panicked").deployed);
        let failed = failures(&world)?;
        let unharmed = all.iter().filter(|one| {
            let times = failed.get(&one.application).into_iter().flatten();
            !times.into_iter().any(|time| (one.pushed..=one.runs).contains(time))
        });
        let unharmed: Vec<_> = unharmed.map(Deployed::took).collect();
        let unharmed_count = unharmed.len();
        let unharmed = Percentiles::of(unharmed);
        let deployed = Percentiles::of(all.iter().map(Deployed::took).collect());
        let late = pushed.iter().map(|push| push.late).max().unwrap_or_default();
        let answered = Percentiles::of(pushed.iter().flat_map(|push| push.answered.clone()).collect());
        let pushes = pushed.len();
        Ok(Figures { pushes, late, answered, deployed, unharmed, unharmed_count, memory, drained, leaves })
    }

    /// Pushes at the pace, to each repository from a thread of its own: one that is answered late delays no other.
    fn push(&self, world: &Development, progress: &Mutex<Progress>) -> Result<Vec<Pushed>> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let push =
                |(place, name)| scope.spawn(move || self.push_to(world, (place, name), begun, progress));
            let pushing: Vec<_> = world.applications().iter().enumerate().map(push).collect();
            let pushed = pushing.into_iter().map(|pushing| {
                pushing.join().unwrap_or_else(|_| Err(anyhow::anyhow!("whoever pushed panicked")))
            });
            Ok(pushed.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// The pushes to one repository: every so many-th of all.
    fn push_to(
        &self,
        world: &Development,
        (place, name): (usize, &String),
        begun: Instant,
        progress: &Mutex<Progress>,
    ) -> Result<Vec<Pushed>> {
        let mut pusher = Pusher::new(&world.installation, name);
        let mut all = Vec::new();
        for number in (place..).step_by(world.applications().len()).map(|number| number as u64) {
            #[expect(clippy::cast_precision_loss, reason = "there are not so many pushes")]
            let due = Duration::from_secs_f64(number as f64 / self.rate);
            if due >= self.time {
                break;
            }
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            let late = begun.elapsed().saturating_sub(due);
            let bad = if number % 100 < self.bad { number % 3 } else { 3 };
            all.push(Pushed { late, answered: one(&mut pusher, name, number, bad, progress)? });
        }
        // The last word of each repository is a good one, and told.
        let answered = one(&mut pusher, name, u64::MAX, 3, progress)?;
        all.push(Pushed { late: Duration::ZERO, answered });
        Ok(all)
    }
}

/// How one push went.
struct Pushed {
    /// How long after its time it began.
    late: Duration,
    /// How long the server took to answer each telling of it.
    answered: Vec<Duration>,
}

/// One push: told twice, not told, of what cannot be rendered, or good.
fn one(
    pusher: &mut Pusher<'_>,
    name: &str,
    number: u64,
    bad: u64,
    progress: &Mutex<Progress>,
) -> Result<Vec<Duration>> {
    let map = if bad == 2 { "not: [a, manifest".to_owned() } else { config_map(&format!("push {number}")) };
    let pushed = now();
    let commit = pusher.commit(&map)?;
    if bad != 2 {
        let mut progress = progress.lock().expect("nobody panicked");
        progress.waiting.entry(name.to_owned()).or_default().push((commit.clone(), pushed));
    }
    let mut took = Vec::new();
    for _ in 0..[2, 0, 1, 1][usize::try_from(bad)?] {
        // A forge delivers again what was not taken.
        for _ in 0..50 {
            let begun = Instant::now();
            let answer = pusher.tell(&number.to_string(), &commit)?;
            took.push(begun.elapsed());
            if answer.status == 200 {
                break;
            }
        }
    }
    Ok(took)
}

/// Notes when what was pushed runs: a commit that runs speaks for all before it.
fn watch(world: &Development, progress: &Mutex<Progress>, ended: &AtomicBool) -> Result<()> {
    let database = world.reader()?;
    while !ended.load(Ordering::Acquire) {
        note(world, &database, progress)?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Notes what runs; whether nothing waits any more.
fn note(world: &Development, database: &Database, progress: &Mutex<Progress>) -> Result<bool> {
    for name in world.applications() {
        let Some(state) = Development::state_in(database, name)? else { continue };
        let healthy = state.outcome.is_some_and(|outcome| outcome.result == OutcomeResult::Healthy);
        let Some(running) = state.running.filter(|_| healthy) else { continue };
        let mut progress = progress.lock().expect("nobody panicked");
        let Progress { waiting, deployed } = &mut *progress;
        let Some(waiting) = waiting.get_mut(name) else { continue };
        let place = waiting.iter().position(|(commit, _)| commit == running.commit.as_str());
        if let Some(place) = place {
            let runs = now();
            let one = |(_, pushed)| Deployed { application: name.clone(), pushed, runs };
            deployed.extend(waiting.drain(..=place).map(one));
        }
    }
    let progress = progress.lock().expect("nobody panicked");
    Ok(progress.waiting.values().all(Vec::is_empty))
}

/// When outcomes failed, by application.
fn failures(world: &Development) -> Result<BTreeMap<String, Vec<Timestamp>>> {
    let mut failed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (_, leaf) in invariants::leaves(&world.installation)? {
        if let Record::Outcome(record) = leaf.record
            && record.result == OutcomeResult::Failed
        {
            failed.entry(record.target.application.to_string()).or_default().push(leaf.time);
        }
    }
    Ok(failed)
}

/// Waits until everything that was pushed runs, and no queue holds anything.
fn settle(world: &Development, progress: &Mutex<Progress>) -> Result<()> {
    let (begun, database) = (Instant::now(), world.reader()?);
    while !(note(world, &database, progress)? && invariants::is_drained(&world.installation)?) {
        ensure!(
            begun.elapsed() < Duration::from_mins(15),
            "it does not drain:\n{}",
            world.installation.status()?
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The resident memory of the server, once a second.
fn measure(world: &Development, ended: &AtomicBool) -> Result<Vec<u64>> {
    let path = format!("/proc/{}/status", world.installation.server_id()?);
    let mut all = Vec::new();
    while !ended.load(Ordering::Acquire) {
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no resident memory")?;
        all.push(line.split_whitespace().nth(1).context("no number")?.parse()?);
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(all)
}
