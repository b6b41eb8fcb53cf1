//! One scheduler, one clock: every wait of every worker ends here, in an order that follows from the seed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use countersign_core::time::Timestamp;

use super::faults::{Fault, Faults};
use super::random::Random;

/// When every run begins.
const BEGIN: i64 = 1_795_212_000_000;

/// What a worker does.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The simulated time with all that follows from it; clones share it.
#[derive(Clone)]
pub struct Sim(Arc<Mutex<State>>);

struct State {
    now: i64,
    timers: BTreeMap<(i64, u64), Waker>,
    timer: u64,
    latency: Random,
    faults: Faults,
    hash: u64,
    steps: u64,
    tells: bool,
    violation: Option<String>,
}

/// How long a step may take, mostly.
const QUICK: i64 = 12;

impl Sim {
    /// A time that has not begun. `tells` prints what happens.
    #[must_use]
    pub fn new(seed: u64, faults: Faults, tells: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: 0,
            timers: BTreeMap::new(),
            timer: 0,
            latency: Random::new(seed, "latency"),
            faults,
            hash: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            tells,
            violation: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the run began.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.lock().now
    }

    /// The right time.
    #[must_use]
    pub fn true_time(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN + self.now())
    }

    /// What the clock of a zone shows.
    #[must_use]
    pub fn clock(&self, zone: &str) -> Timestamp {
        let state = self.lock();
        Timestamp::from_millis(BEGIN + state.now + state.faults.skew(zone, state.now))
    }

    /// Whether a fault of this kind happens here and now.
    #[must_use]
    pub fn fault(&self, fault: Fault, place: &str) -> bool {
        let mut state = self.lock();
        let now = state.now;
        let happens = state.faults.happens(fault, now);
        if happens {
            state.note(&[fault.to_string().as_str(), place]);
        }
        happens
    }

    /// A number for a fault that happens.
    #[must_use]
    pub fn fault_between(&self, first: i64, end: i64) -> i64 {
        self.lock().faults.between(first, end)
    }

    /// Whether faults of a kind are among those of this run.
    #[must_use]
    pub fn knows(&self, fault: Fault) -> bool {
        self.lock().faults.kinds.contains(&fault)
    }

    /// How many faults happened.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.lock().faults.happened()
    }

    /// Whether `thing` is away now.
    #[must_use]
    pub fn is_away(&self, thing: &str) -> bool {
        let state = self.lock();
        state.faults.is_away(thing, state.now)
    }

    /// Notes that something happened.
    pub fn note(&self, what: &[&str]) {
        self.lock().note(what);
    }

    /// A number that two runs share exactly if the same happened in both, in the same order at the same times.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lock().hash
    }

    /// How many steps were made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Says that an invariant does not hold. The first one counts.
    pub fn violate(&self, what: impl Into<String>) {
        let mut state = self.lock();
        let what = what.into();
        state.note(&["VIOLATION", &what]);
        let now = state.now;
        state.violation.get_or_insert_with(|| format!("after {} s: {what}", now / 1000));
    }

    /// The invariant that does not hold, if there is one.
    #[must_use]
    pub fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// Waits until this time of the run.
    pub async fn sleep_until(&self, at: i64) {
        let mut registered = false;
        poll_fn(|context| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            if !registered {
                self.wake_at(at, context.waker().clone());
                registered = true;
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits so many milliseconds.
    pub async fn sleep(&self, millis: i64) {
        self.sleep_until(self.now().saturating_add(millis)).await;
    }

    /// Wakes a task at a time of the run.
    pub fn wake_at(&self, at: i64, waker: Waker) {
        let mut state = self.lock();
        state.timer += 1;
        let timer = state.timer;
        state.timers.insert((at, timer), waker);
    }

    /// Waits as long as a request takes: others go on meanwhile.
    pub async fn step(&self) {
        let millis = {
            let latency = &mut self.lock().latency;
            match latency.below(400) {
                0 => latency.between(QUICK, 5_000),
                _ => latency.between(0, QUICK),
            }
        };
        match millis {
            0 => yield_once().await,
            _ => self.sleep(millis).await,
        }
    }

    /// Lets time go on to the next timer; false if there is none.
    fn advance(&self) -> bool {
        let mut state = self.lock();
        let Some((&(at, _), _)) = state.timers.first_key_value() else { return false };
        state.now = state.now.max(at);
        let later = state.timers.split_off(&(at + 1, 0));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl State {
    /// Hashes what happened (FNV-1a), and prints it where it is asked for.
    fn note(&mut self, what: &[&str]) {
        let now = self.now;
        let mut add = |bytes: &[u8]| {
            for byte in bytes {
                self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        add(&now.to_le_bytes());
        what.iter().for_each(|part| {
            add(part.as_bytes());
            add(b"\0");
        });
        self.steps += 1;
        if self.tells {
            let mut line = format!("{:>9}.{:03}", now / 1000, now % 1000);
            what.iter().for_each(|part| {
                let _ = write!(line, " {part}");
            });
            println!("{line}");
        }
    }
}

/// Starts workers while others run.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Task>>>);

impl Spawner {
    /// Starts a worker that ends by itself. Where it may die, it does not come again.
    pub fn once(&self, name: impl Into<String>, mortal: bool, work: Work) {
        self.0.borrow_mut().push(Task {
            name: name.into(),
            mortal,
            make: None,
            work: Some(work),
            rests_until: 0,
        });
    }

    /// Starts a worker that begins anew whenever it dies.
    pub fn worker(&self, name: impl Into<String>, make: impl Fn() -> Work + 'static) {
        let make: Box<dyn Fn() -> Work> = Box::new(make);
        let work = Some(make());
        let task = Task { name: name.into(), mortal: true, make: Some(make), work, rests_until: 0 };
        self.0.borrow_mut().push(task);
    }
}

struct Task {
    name: String,
    mortal: bool,
    make: Option<Box<dyn Fn() -> Work>>,
    work: Option<Work>,
    /// It is dead, or stands still, until then.
    rests_until: i64,
}

/// Runs workers, one at a time.
pub struct Executor {
    sim: Sim,
    spawner: Spawner,
    tasks: BTreeMap<u64, Task>,
    next: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
    choice: Random,
}

struct TaskWaker {
    id: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(self.id);
    }
}

impl Executor {
    /// With no worker yet.
    #[must_use]
    pub fn new(sim: Sim, spawner: Spawner, seed: u64) -> Self {
        let choice = Random::new(seed, "schedule");
        Self { sim, spawner, tasks: BTreeMap::new(), next: 0, ready: Arc::default(), choice }
    }

    /// Runs until `rested` says so while nobody can go on at the present time, until nobody ever can, or until
    /// an invariant does not hold. More than `most` steps count as one that does not.
    pub fn run(&mut self, most: u64, mut rested: impl FnMut() -> bool) {
        while self.sim.violation().is_none() {
            self.adopt();
            if self.sim.steps() > most {
                self.sim.violate(format!("it does not come to rest: more than {most} steps"));
                return;
            }
            let chosen = {
                let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                ready.iter().nth(self.choice.below(ready.len() as u64) as usize).copied()
            };
            match chosen {
                Some(id) => self.poll(id),
                None if rested() || !self.sim.advance() => return,
                None => {}
            }
        }
    }

    fn adopt(&mut self) {
        for task in self.spawner.0.take() {
            self.next += 1;
            self.tasks.insert(self.next, task);
            self.wake(self.next);
        }
    }

    fn wake(&self, id: u64) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&self.ready) }))
    }

    fn poll(&mut self, id: u64) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let waker = self.waker(id);
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.rests_until <= self.sim.now()) else {
            return;
        };
        if task.mortal && self.sim.fault(Fault::Crash, &task.name) {
            return self.die(id);
        }
        if task.mortal && task.make.is_some() && self.sim.fault(Fault::Restart, "everything") {
            let all: Vec<_> = self.tasks.iter().filter(|(_, task)| task.mortal).map(|(id, _)| *id).collect();
            return all.into_iter().for_each(|id| self.die(id));
        }
        if task.mortal && self.sim.fault(Fault::Pause, &task.name) {
            task.rests_until = self.sim.now() + self.sim.fault_between(1_000, 8 * 60_000);
            return self.sim.wake_at(task.rests_until, waker);
        }
        if task.work.is_none() {
            task.work = task.make.as_ref().map(|make| make());
        }
        let Some(work) = &mut task.work else { return };
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks.remove(&id);
        }
    }

    /// Drops all that a worker had in memory, and lets it begin anew after a while.
    fn die(&mut self, id: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.work = None;
        if task.make.is_none() {
            self.tasks.remove(&id);
            return;
        }
        let until = self.sim.now() + self.sim.fault_between(500, 120_000);
        task.rests_until = until;
        self.sim.wake_at(until, self.waker(id));
    }
}
