//! A real API server that is down, slow, silent, unwilling, or another one than was configured; and a server that dies
//! around what it writes there.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_cluster::inventory::{self, InventoryState};
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::ports::cluster::Cluster as _;
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants::{self, Ends};
use countersign_tests::survival::proxy::{Behavior, Proxy, Stop, Writes};
use countersign_tests::world::control_plane::ControlPlane;

use crate::flow_real::{LIVE, Live};

/// The longest pause between two looks at a target that keeps failing, and some.
const BACKOFF: i64 = 640;

/// Longer than an answer may be silent.
const SILENCE: Duration = Duration::from_secs(110);

const MINUTE: Duration = Duration::from_mins(1);

/// If it is set, everything is tried, and not only a part of it.
const LONG: &str = "COUNTERSIGN_LONG";

/// A manifest whose object has another name in each round, so that the one before it is pruned.
const EXTRA: &str = "deploy/staging/extra.yaml";

struct Bad {
    live: Live,
    proxy: Proxy,
    /// How the cluster is reached without the proxy.
    kubeconfig: PathBuf,
    clock: i64,
    rounds: u64,
}

impl Bad {
    async fn start() -> Result<Self> {
        let world = tokio::task::spawn_blocking(ControlPlane::start).await??;
        let kubeconfig = world.kubeconfig().to_owned();
        let proxy = Proxy::before_cluster(&kubeconfig)?;
        let reached = proxy.kubeconfig(world.folder())?;
        let live = Live::on(world, "bad", &reached).await?;
        // What the server is started with: without it, it suffers no faults.
        live.installation.faults()?;
        let mut bad = Self { live, proxy, kubeconfig, clock: 0, rounds: 0 };
        bad.live.installation.stop()?;
        bad.live.installation.serve()?;
        // From here on each change has something to prune.
        let commit = bad.push()?;
        bad.arrives(&commit).await?;
        Ok(bad)
    }

    /// Pushes a change of each object but the service, with an object less and one more.
    fn push(&mut self) -> Result<String> {
        self.rounds += 1;
        let shop = self.live.installation.clone("shop")?;
        let name = format!("extra-{}", self.rounds);
        shop.write(EXTRA, &format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"))?;
        Development::alter(&shop, self.rounds)?;
        let commit = shop.commit_all("ada", &format!("Round {}", self.rounds))?;
        shop.propose("ada")?;
        shop.approve("grace", &commit)?;
        shop.push()?;
        Ok(commit)
    }

    /// Pushes under a fault, waits until it shows, and until the change arrives once the fault is over.
    async fn survives(&mut self, behavior: Behavior, patience: Duration, shows: &str) -> Result<()> {
        self.proxy.behave(behavior);
        let before = self.live.installation.log().len();
        let commit = self.push()?;
        self.live.installation.until_within(patience, &format!("{behavior:?} shows as {shows:?}"), || {
            let log = self.live.installation.log();
            Ok(log.get(before..).is_some_and(|since| since.contains(shows)).then_some(()))
        })?;
        self.proxy.behave(Behavior::Well);
        self.arrives(&commit).await.with_context(|| format!("after {behavior:?}"))
    }

    async fn arrives(&mut self, commit: &str) -> Result<()> {
        self.clock += BACKOFF;
        self.live.installation.faults()?.clock(self.clock)?;
        self.live.installation.until_runs(LIVE, commit)?;
        ensure!(self.live.greeting().await? == format!("round {}", self.rounds), "another state runs");
        Ok(())
    }

    /// Kills the server at a write, and starts it again.
    fn dies_at(&mut self, stop: Stop) -> Result<String> {
        self.proxy.stop_at(stop);
        let commit = self.push()?;
        let begun = Instant::now();
        while !self.proxy.has_stopped() {
            ensure!(begun.elapsed() < MINUTE, "it writes less:\n{}", self.live.installation.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.live.installation.kill()?;
        self.proxy.behave(Behavior::Well);
        self.live.installation.serve()?;
        Ok(commit)
    }

    /// Stops the server, and checks all that must hold.
    async fn end(mut self) -> Result<()> {
        let installation = &mut self.live.installation;
        installation.stop()?;
        invariants::check(installation, Ends::Once)?;
        let connection = Connection { kubeconfig: Some(self.kubeconfig), context: None };
        let cluster = KubeCluster::connect(&connection).await?;
        invariants::of_a_cluster(&cluster, "real", &invariants::leaves(installation)?).await?;
        let held = inventory::read(&cluster, &LIVE.parse()?).await.map_err(|why| anyhow::anyhow!("{why}"))?;
        let held = held.context("nothing was applied")?;
        ensure!(held.state == InventoryState::Pruned && held.objects.len() == 4, "{held:?}");
        let deployment = held.objects.iter().find(|key| key.kind == "Deployment").context("no deployment")?;
        let deployment = cluster.get(deployment).await?.context("the deployment is gone")?;
        let generation = deployment["metadata"]["generation"].as_u64();
        ensure!(generation == Some(1 + self.rounds), "{} changes came to {generation:?}", self.rounds);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_fails_in_any_way_gets_its_change_once_it_is_well() -> Result<()> {
    let mut bad = Bad::start().await?;
    bad.survives(Behavior::Slow(Duration::from_millis(300)), MINUTE, "result=Applied").await?;
    refuses_writes(&mut bad).await?;
    is_down_for_longer_than_an_authorization_lives(&mut bad).await?;
    is_another_one(&mut bad).await?;
    dies_around_its_writes(&mut bad).await?;
    bad.end().await
}

/// It has a world of its own, since all that it does is wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_silent_gets_its_change_once_it_answers() -> Result<()> {
    let mut bad = Bad::start().await?;
    bad.survives(Behavior::Hangs, SILENCE, "result=Failed").await?;
    bad.end().await
}

/// The first write of all, one in the midst of applying, of one object, and of pruning, with each status.
async fn refuses_writes(bad: &mut Bad) -> Result<()> {
    let places = [Writes::All, Writes::After(3), Writes::To("/deployments/"), Writes::Deletions];
    for (at, place) in places.into_iter().enumerate() {
        for (number, code) in [409, 422, 429, 500].into_iter().enumerate() {
            if std::env::var_os(LONG).is_none() && at > 0 && number % 2 != at % 2 {
                continue;
            }
            let said = format!("the proxy was told to answer {code}");
            let shows = match (code, place) {
                // It comes again at once, and is told to nobody.
                (409, place) if place != Writes::Deletions => "comes again",
                _ => &said,
            };
            bad.survives(Behavior::Answers(code, place), MINUTE, shows).await?;
        }
    }
    Ok(())
}

async fn is_down_for_longer_than_an_authorization_lives(bad: &mut Bad) -> Result<()> {
    bad.proxy.down();
    let commit = bad.push()?;
    for _ in 0..3 {
        let failures = |state: &serde_json::Value| state["failures"].as_u64().unwrap_or_default();
        let before = failures(&bad.live.installation.target(LIVE)?);
        // Fifteen minutes and half an hour later it is tried again, with an authorization of its own each time.
        bad.clock += 1_000;
        bad.live.installation.faults()?.clock(bad.clock)?;
        bad.live.installation.until_target(LIVE, "fails again", |state| failures(state) > before)?;
    }
    bad.proxy.up()?;
    bad.arrives(&commit).await
}

async fn is_another_one(bad: &mut Bad) -> Result<()> {
    let installation = &bad.live.installation;
    let configured = bad.live.uid.clone();
    let other = "00000000-0000-4000-8000-000000000000";
    let set = |from: &str, to: &str| {
        installation
            .change_control("Name another cluster", |control| control.replace("countersign.yaml", from, to))
    };
    installation.until_active(&set(&configured, other)?)?;
    let commit = bad.push()?;
    let texts = ["the cluster's side refused it: nothing was written."];
    bad.live.installation.reported(&commit, "live", &texts)?;
    ensure!(bad.live.greeting().await? != format!("round {}", bad.rounds), "it was applied all the same");
    let installation = &bad.live.installation;
    let mended = installation.change_control("Name the cluster that it is", |control| {
        control.replace("countersign.yaml", other, &configured)
    })?;
    installation.until_active(&mended)?;
    bad.arrives(&commit).await
}

/// The server dies before and after each write of a change, or around some of them.
async fn dies_around_its_writes(bad: &mut Bad) -> Result<()> {
    bad.proxy.behave(Behavior::Well);
    let commit = bad.push()?;
    bad.arrives(&commit).await?;
    let writes = bad.proxy.writes();
    ensure!(writes > 6, "only {writes} writes for a change");
    for at in 1..=writes {
        for handed_on in [false, true] {
            // Now before a write, and now after one, every second.
            if std::env::var_os(LONG).is_none() && (at % 2 == 0 || handed_on != (at % 4 == 1)) {
                continue;
            }
            let stop = Stop { at, writes: true, handed_on };
            let commit = bad.dies_at(stop)?;
            bad.arrives(&commit).await.with_context(|| format!("killed at {stop:?} of {writes}"))?;
        }
    }
    Ok(())
}
