//! The kill test: `countersign serve` dies at every point where it touches the world, and at any moment; what was
//! pushed is deployed all the same, once, and the log holds all of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::development::Development;
use super::invariants::{self, Account, Ends};
use crate::installation::STAGING;

/// What is done to make the server pass points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    /// A commit is pushed, and deployed.
    Push,
    /// The rules change, and become active.
    Rules,
    /// A target is held, and released.
    Hold,
}

const ERRANDS: [Errand; 3] = [Errand::Push, Errand::Rules, Errand::Hold];

/// How long one errand may take, deaths included.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// A series of kills of one installation.
#[derive(Debug)]
pub struct Kills {
    world: Development,
    round: u64,
    random: u64,
    /// How often the server was killed.
    pub killed: u64,
}

impl Kills {
    /// An installation to kill; `seed` says at which moments it dies where that is random.
    ///
    /// # Errors
    /// When it does not start.
    pub fn new(seed: u64) -> Result<Self> {
        Ok(Self { world: Development::start(1)?, round: 0, random: seed, killed: 0 })
    }

    /// Every point that an errand passes, with an errand that passes it, and how often one passed it.
    ///
    /// # Errors
    /// When an errand fails though nothing dies.
    pub fn points(&mut self) -> Result<Vec<Point>> {
        let mut points: BTreeMap<String, Point> = BTreeMap::new();
        for errand in ERRANDS {
            self.world.installation.faults()?.count()?;
            let done = self.begin(errand)?;
            self.goes_on(&done, false)?;
            for (name, count) in self.world.installation.faults()?.counted()? {
                points.entry(name.clone()).or_insert(Point { name, errand, count });
            }
        }
        Ok(points.into_values().collect())
    }

    /// Kills the server at a point; whether it passed it at all.
    ///
    /// # Errors
    /// When what was begun does not end as if nothing had happened.
    pub fn at(&mut self, point: &Point, count: u64) -> Result<bool> {
        let faults = self.world.installation.faults()?;
        faults.kill_at(&point.name, count)?;
        let done = self.begin(point.errand).with_context(|| format!("before {}", point.name))?;
        let died = self.dies_before(&done).with_context(|| format!("waiting for {}", point.name))?;
        ensure!(faults.killed()? == died, "the server died at another point than {}", point.name);
        self.goes_on(&done, died).with_context(|| format!("killed at {} ({count})", point.name))?;
        Ok(died)
    }

    /// Kills the server at any moment of a push.
    ///
    /// # Errors
    /// When what was pushed is not deployed.
    pub fn anywhere(&mut self) -> Result<()> {
        let done = self.begin(Errand::Push)?;
        let pause = Duration::from_millis(self.draw(400));
        std::thread::sleep(pause);
        self.world.installation.kill()?;
        self.goes_on(&done, true).with_context(|| format!("killed {pause:?} after a push"))
    }

    /// Kills the server at the so-manieth point that it passes.
    ///
    /// # Errors
    /// When what was pushed is not deployed.
    pub fn at_any_point(&mut self, of: u64) -> Result<bool> {
        let count = 1 + self.draw(of);
        self.at(&Point { name: "any".to_owned(), errand: Errand::Push, count: of }, count)
    }

    /// Stops the server, and checks all that must hold.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn end(mut self) -> Result<Account> {
        self.world.installation.stop()?;
        let account = invariants::check(&self.world.installation, Ends::Once)?;
        let deployment = self.world.object("app-0", "apps/v1", "Deployment")?;
        let generation = deployment["metadata"]["generation"].as_u64();
        // It was made with the baseline, and each round changed it: more would be the same change a second time.
        ensure!(
            generation == Some(1 + self.round),
            "{} changes came to generation {generation:?}",
            self.round
        );
        Ok(account)
    }

    fn draw(&mut self, below: u64) -> u64 {
        // Knuth's linear congruential generator: what is drawn only has to differ.
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    fn begin(&mut self, errand: Errand) -> Result<Done> {
        let installation = &self.world.installation;
        match errand {
            Errand::Push => {
                self.round += 1;
                let clone = installation.clone("app-0")?;
                let commit = Development::change(&clone, self.round)?;
                clone.push()?;
                Ok(Done::Runs(commit))
            }
            Errand::Rules => {
                let size = &installation.status()?["log"]["size"];
                let commit = installation.change_control("Say how long the log is", |control| {
                    let rules = control.read("countersign.yaml")?;
                    control.write("countersign.yaml", &format!("{rules}# The log has {size} leaves.\n"))
                })?;
                Ok(Done::Active(commit))
            }
            Errand::Hold => {
                installation.clone("shop")?.say("grace", &["hold", STAGING, "--reason", "a kill"])?;
                Ok(Done::Held)
            }
        }
    }

    /// Waits until the server dies, or until all is done; whether it died.
    fn dies_before(&mut self, done: &Done) -> Result<bool> {
        let begun = Instant::now();
        loop {
            if self.world.installation.has_died()? {
                return Ok(true);
            }
            // Whatever cannot be asked while the server dies is asked again.
            if done.holds(&self.world).unwrap_or(false) {
                break;
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "it neither died nor ended:\n{}",
                self.world.installation.log()
            );
            std::thread::sleep(PAUSE);
        }
        // It may have passed the point just now.
        if self.world.installation.faults()?.killed()? {
            while !self.world.installation.has_died()? {
                std::thread::sleep(PAUSE);
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn goes_on(&mut self, done: &Done, died: bool) -> Result<()> {
        if died {
            self.killed += 1;
            self.world.installation.serve()?;
        }
        self.until(done)?;
        if *done == Done::Held {
            let installation = &self.world.installation;
            installation.clone("shop")?.say("grace", &["release", STAGING])?;
            installation.until_target(STAGING, "is released", |state| state["hold"].is_null())?;
        }
        Ok(())
    }

    fn until(&self, done: &Done) -> Result<()> {
        let what = format!("{done:?}");
        self.world.installation.until(&what, || Ok(done.holds(&self.world)?.then_some(())))
    }
}

/// When an errand is done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    /// When this commit of the application runs, and whoever pushed it was told.
    Runs(String),
    /// When the bundle of this commit of the control repository is active.
    Active(String),
    /// When the target is held.
    Held,
}

impl Done {
    fn holds(&self, world: &Development) -> Result<bool> {
        let installation = &world.installation;
        Ok(match self {
            Self::Runs(commit) => {
                let runs = world.runs("app-0", commit)?;
                ensure!(runs, "{:?}", world.state("app-0")?);
                let report = installation.report("app-0", commit, "development")?;
                // Its title says so also where a repeated look found nothing left to do.
                let told = report.lines().next().is_some_and(|title| title.ends_with(": deployed"));
                ensure!(told, "the report is still:\n{report}");
                true
            }
            Self::Active(commit) => installation.status()?["activeBundle"]["commit"] == commit.as_str(),
            Self::Held => installation.target(STAGING)?["hold"].is_object(),
        })
    }
}

/// A point that the server passes.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// What makes the server pass it.
    errand: Errand,
    /// How often it is passed then.
    pub count: u64,
}
