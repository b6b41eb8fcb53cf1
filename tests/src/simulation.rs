//! Deterministic simulation: a whole installation under one seeded scheduler with a simulated clock, on ports
//! that fail. The same seed gives the same run, step by step.
//!
//! The working folder of the process must be one of its own: repositories are named by relative paths, so that
//! no path of a machine is part of what is hashed. `countersign-simulate` sees to that.

pub mod cluster;
pub mod ends;
pub mod executor;
pub mod faults;
pub mod forge;
pub mod installation;
pub mod invariants;
pub mod memory;
pub mod mutant;
pub mod people;
pub mod ports;
pub mod random;
pub mod repository;
pub mod shrink;
pub mod webhooks;
pub mod workers;
pub mod workload;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use countersign_cluster::keep;
use countersign_core::ports::cluster::Cluster as _;
use countersign_evaluate::bundles::Bundles;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use serde_json::json;

use cluster::FailingCluster;
use executor::{Executor, Sim, Spawner};
use faults::{Fault, Faults};
use forge::Forge;
use installation::{CLUSTERS, Prepared, WITNESS, WITNESSED_CLUSTER};
use invariants::Watch;
use memory::Clock;
use memory::queue::MemoryQueue;
use memory::store::MemoryStore;
use mutant::Mutant;
use webhooks::Sender;
use workers::World;
use workload::acting::People;
use workload::ending::Ending;

/// How long things happen and go wrong, in milliseconds, where it is not said.
pub const SPAN: i64 = 4 * 3_600_000;

/// How long everything may take to come to rest afterwards.
const REST: i64 = 30 * 3_600_000;

/// How long at least it is watched afterwards: every followed ref is polled some times.
const WATCHED: i64 = 2_400_000;

/// More steps than any run takes.
const MOST_STEPS: u64 = 400_000;

/// A message that was received this often becomes a dead letter.
const MAX_RECEIVES: u32 = 288;

/// One run, or what is left of it when parts are taken out.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything follows from this.
    pub seed: u64,
    /// Only these of what people do; none for all of it.
    pub actions: Option<BTreeSet<usize>>,
    /// Without these kinds of fault.
    pub without: BTreeSet<Fault>,
    /// At most so many faults.
    pub limit: u64,
    /// What people do, and what goes wrong, is spread over so many milliseconds of the run.
    pub span: i64,
    /// Nothing happens, and nothing goes wrong, from here on, in milliseconds of the run.
    pub until: i64,
    /// What is broken on purpose.
    pub mutant: Option<Mutant>,
    /// Whether each step is printed.
    pub tells: bool,
}

impl Setup {
    /// The whole run of a seed, over so many milliseconds.
    #[must_use]
    pub fn of(seed: u64, span: i64) -> Self {
        let without = BTreeSet::new();
        Self { seed, actions: None, without, limit: u64::MAX, span, until: span, mutant: None, tells: false }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The invariant that does not hold, if there is one.
    pub violation: Option<String>,
    /// Two runs of one setup have the same.
    pub hash: u64,
    /// How many steps it took.
    pub steps: u64,
    /// How many faults happened.
    pub faults: u64,
    /// How many leaves the log has.
    pub leaves: usize,
    /// How many hours passed in it.
    pub hours: i64,
}

/// What a future comes to that never waits.
pub(crate) fn immediate<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// Runs an installation from its first day until it has come to rest.
#[must_use]
pub fn run(prepared: &Arc<Prepared>, setup: &Setup) -> Ran {
    let zones: Vec<_> = ["forge", "countersign"].into_iter().chain(CLUSTERS.map(|(name, _)| name)).collect();
    let things: Vec<_> = ["forge", WITNESS].into_iter().chain(CLUSTERS.map(|(name, _)| name)).collect();
    let mut faults = Faults::new(setup.seed, setup.span, &zones, &things);
    faults.kinds.retain(|fault| !setup.without.contains(fault));
    (faults.limit, faults.until) = (setup.limit, setup.until);
    let sim = Sim::new(setup.seed, faults, setup.tells);
    let world = world(&sim, prepared, setup.mutant);
    world.start();
    people(&world, setup);
    let mut executor = Executor::new(sim.clone(), world.spawner.clone(), setup.seed);
    executor.run(MOST_STEPS, || rested(&world, setup.until));
    if sim.violation().is_none() {
        ends::check(&world);
    }
    let leaves = world.watch.seen().leaves.len();
    let (violation, hash, steps, faults) = (sim.violation(), sim.hash(), sim.steps(), sim.faults());
    Ran { violation, hash, steps, faults, leaves, hours: sim.now() / 3_600_000 }
}

fn world(sim: &Sim, prepared: &Arc<Prepared>, mutant: Option<Mutant>) -> World {
    let forge = Forge::new(sim, prepared, mutant);
    let watch = Arc::new(Watch::new(sim, &forge, prepared));
    let folder = Path::new("clusters");
    let _ = fs::remove_dir_all(folder);
    let database = Database::open(folder).expect("a database");
    let cluster = |(name, uid): (&'static str, &'static str)| {
        let inner = simulated(&database, prepared, name, uid);
        FailingCluster { name, sim: sim.clone(), inner, watch: Arc::clone(&watch), mutant }
    };
    World {
        sim: sim.clone(),
        spawner: Spawner::default(),
        prepared: Arc::clone(prepared),
        store: MemoryStore::default(),
        queue: MemoryQueue::new(Clock::Simulated(sim.clone()), MAX_RECEIVES),
        clusters: CLUSTERS.into_iter().map(cluster).collect(),
        forge,
        watch,
        mutant,
        lies: mutant::Lies::default(),
        alone: Arc::default(),
        bundles: Arc::new(Bundles::default()),
    }
}

/// A cluster with what its owner installs there.
fn simulated(database: &Database, prepared: &Prepared, name: &str, uid: &str) -> SimulatedCluster {
    let cluster = SimulatedCluster::open(database, &name.parse().expect("a name"), uid).expect("a cluster");
    let witnesses = match name == WITNESSED_CLUSTER {
        true => Witnesses { required: 1, keys: vec![prepared.witness_key()] },
        false => Witnesses::default(),
    };
    let trust = Trust::new(&Epochs::new(&prepared.genesis.1), uid, witnesses);
    let trust = serde_json::to_string(&trust).expect("JSON");
    immediate(keep::install_trust(&cluster, &trust)).expect("the keys are installed");
    for namespace in ["web-staging", "web-production", "cart"] {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        immediate(cluster.compare_and_swap(&object)).expect("a namespace");
    }
    cluster
}

/// Starts what people do; when nothing goes wrong any more, they end well.
fn people(world: &World, setup: &Setup) {
    let sender = Sender {
        sim: world.sim.clone(),
        spawner: world.spawner.clone(),
        forge: world.forge.clone(),
        prepared: Arc::clone(&world.prepared),
        store: world.store_of("receive"),
        queue: world.queue_of("receive"),
        delivery: Rc::default(),
        silent: Rc::default(),
    };
    let mut actions: Vec<_> = workload::plan(setup.seed, setup.span).into_iter().enumerate().collect();
    actions.retain(|(number, action)| {
        action.at < setup.until && setup.actions.as_ref().is_none_or(|kept| kept.contains(number))
    });
    let (prepared, until) = (Arc::clone(&world.prepared), setup.until);
    let (ending, touched) = (Ending::of(setup.seed), usize::try_from(setup.seed % 5).unwrap_or(0));
    let clusters: Vec<_> = world.clusters.iter().map(|cluster| cluster.inner.clone()).collect();
    let work = async move {
        let people = People { prepared: &prepared, sender: &sender, clusters: &clusters };
        for (number, action) in &actions {
            sender.sim.sleep_until(action.at).await;
            people.act(action, *number);
        }
        sender.sim.sleep_until(until + 1).await;
        people.end_well(ending, touched).await;
    };
    world.spawner.once("people", false, Box::pin(work));
}

/// Whether nothing is left to be done.
fn rested(world: &World, until: i64) -> bool {
    let now = world.sim.now();
    if now < until + WATCHED {
        return false;
    }
    let waiting = world.queue.waiting();
    let due = world.store.keys(countersign_core::keys::DUE);
    if now > until + REST {
        world.sim.violate(format!("it does not come to rest: due are {due:?}, and there wait {waiting:?}"));
    }
    waiting.is_empty() && due.is_empty()
}
