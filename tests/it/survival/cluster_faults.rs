//! A real API server that is down, slow, silent, unwilling, or another one than was configured; and a server that dies
//! while it applies to it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_tests::world::control_plane::ControlPlane;
use countersign_tests::world::proxy::{Behavior, Proxy};

use crate::flow_real::{LIVE, Live};

/// The longest pause between two looks at a target that keeps failing, and some.
const BACKOFF: i64 = 640;

/// Longer than an answer may be silent.
const SILENCE: Duration = Duration::from_secs(110);

struct Bad {
    live: Live,
    proxy: Proxy,
    clock: i64,
    rounds: u64,
}

impl Bad {
    async fn start() -> Result<Self> {
        let world = tokio::task::spawn_blocking(ControlPlane::start).await??;
        let proxy = Proxy::start(&world)?;
        let live = Live::on(world, "bad", proxy.kubeconfig()).await?;
        // What the server is started with: without it, it suffers no faults.
        live.installation.faults()?;
        let mut bad = Self { live, proxy, clock: 0, rounds: 0 };
        bad.live.installation.stop()?;
        bad.live.installation.serve()?;
        Ok(bad)
    }

    fn push(&mut self) -> Result<String> {
        self.rounds += 1;
        let shop = self.live.installation.clone("shop")?;
        let commit = shop.greet("ada", "staging", &format!("Round{}", self.rounds))?;
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
        ensure!(self.live.greeting().await? == format!("Round{}", self.rounds), "another state runs");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_fails_in_any_way_gets_its_change_once_it_is_well() -> Result<()> {
    let mut bad = Bad::start().await?;
    let minute = Duration::from_mins(1);
    bad.survives(Behavior::Slow(Duration::from_millis(300)), minute, "result=Applied").await?;
    bad.survives(Behavior::Answers(409), minute, "comes again").await?;
    for code in [422, 429, 500] {
        let shows = format!("the proxy was told to answer {code}");
        bad.survives(Behavior::Answers(code), minute, &shows).await?;
    }
    bad.survives(Behavior::Hangs, SILENCE, "result=Failed").await?;
    is_down_for_longer_than_an_authorization_lives(&mut bad).await?;
    is_another_one(&mut bad).await?;
    dies_while_it_applies(&mut bad).await?;
    let installation = &mut bad.live.installation;
    installation.stop()?;
    let audit = installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "{audit}");
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
    ensure!(bad.live.greeting().await? != format!("Round{}", bad.rounds), "it was applied all the same");
    let installation = &bad.live.installation;
    let mended = installation.change_control("Name the cluster that it is", |control| {
        control.replace("countersign.yaml", other, &configured)
    })?;
    installation.until_active(&mended)?;
    bad.arrives(&commit).await
}

async fn dies_while_it_applies(bad: &mut Bad) -> Result<()> {
    for pause in [20, 120, 260, 400] {
        let commit = bad.push()?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        bad.live.installation.kill()?;
        bad.live.installation.serve()?;
        bad.arrives(&commit).await.with_context(|| format!("killed {pause} ms after the push"))?;
    }
    Ok(())
}
