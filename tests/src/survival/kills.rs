//! The kill test: `countersign serve` dies at every point where it touches the world, at any moment, and while it
//! recovers from that; what was asked for is done all the same, once, and the log holds all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::development::Development;
use super::errands::{ALL, Done, EXTRA, Errand, PUSHED};
use super::invariants::{self, Account, Ends};
use super::reports;
use crate::installation::{Installation, PRODUCTION, STAGING};

/// How long one errand may take, deaths included.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// How many points an errand passes, as long as that was not counted.
const PASSES: u64 = 100;

/// How many points a server passes, roughly, before it has recovered.
const RECOVERY: u64 = 80;

/// A series of kills of one installation.
#[derive(Debug)]
pub struct Kills {
    world: Development,
    round: u64,
    /// How often the deployment was altered.
    altered: u64,
    random: u64,
    passes: BTreeMap<Errand, u64>,
    /// How often the server was killed.
    pub killed: u64,
    /// How often of these it was killed while it recovered from another kill.
    pub recovering: u64,
}

/// How often a server was killed at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtRandom {
    /// At a point.
    pub points: u64,
    /// At a moment.
    pub moments: u64,
    /// While it recovered; the kill before it is another one.
    pub recovering: u64,
}

impl Kills {
    /// An installation to kill; `seed` says at which moments it dies where that is random.
    ///
    /// # Errors
    /// When it does not start.
    pub fn new(seed: u64) -> Result<Self> {
        let passes = ALL.into_iter().map(|errand| (errand, PASSES)).collect();
        let world = Development::start(2)?;
        let mut made = Self { world, round: 0, altered: 0, random: seed, passes, killed: 0, recovering: 0 };
        // From here on there is something to prune.
        let done = made.begin(Errand::Prune)?;
        made.until(&done)?;
        Ok(made)
    }

    /// Every point that each errand passes, and how often it does.
    ///
    /// # Errors
    /// When an errand fails though nothing dies.
    pub fn points(&mut self) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        let mut known = BTreeSet::new();
        for errand in ALL {
            self.world.installation.faults()?.count()?;
            let done = self.begin(errand)?;
            self.until(&done)?;
            let counted = self.world.installation.faults()?.counted()?;
            done.undo(&self.world)?;
            self.passes.insert(errand, counted.values().sum());
            for (name, count) in counted {
                points.push(Point { first: known.insert(name.clone()), name, errand, count });
            }
        }
        Ok(points)
    }

    /// Kills the server at a point; whether it passed it at all.
    ///
    /// # Errors
    /// When what was begun does not end as if nothing had happened.
    pub fn at(&mut self, point: &Point, count: u64) -> Result<bool> {
        let died = self.dies_at(point, count)?;
        self.goes_on(&died.done, died.died).with_context(|| format!("killed at {point} ({count})"))?;
        Ok(died.died)
    }

    /// Kills the server as soon as it has answered that it was told of a push.
    ///
    /// # Errors
    /// When what was pushed is not deployed.
    pub fn once_it_answered(&mut self) -> Result<()> {
        let done = self.begin(Errand::Push)?;
        self.world.installation.kill()?;
        self.goes_on(&done, true).context("killed as soon as it had answered")
    }

    /// Kills the server at any moment of any errand.
    ///
    /// # Errors
    /// When the errand is not done.
    pub fn anywhere(&mut self) -> Result<()> {
        let errand = self.errand();
        let done = self.begin(errand)?;
        let pause = Duration::from_millis(self.draw(400));
        std::thread::sleep(pause);
        self.world.installation.kill()?;
        self.goes_on(&done, true).with_context(|| format!("killed {pause:?} into {errand:?}"))
    }

    /// Kills the server at any point of any errand; whether it passed as many.
    ///
    /// # Errors
    /// As [`Kills::at`].
    pub fn at_any_point(&mut self) -> Result<bool> {
        let (point, count) = self.any_point();
        self.at(&point, count)
    }

    /// Kills the server at any point of any errand, and again at any point while it recovers; whether it was killed
    /// twice.
    ///
    /// # Errors
    /// As [`Kills::at`].
    pub fn while_it_recovers(&mut self) -> Result<bool> {
        let (point, count) = self.any_point();
        let died = self.dies_at(&point, count)?;
        if !died.died {
            self.goes_on(&died.done, false)?;
            return Ok(false);
        }
        self.killed += 1;
        let second = 1 + self.draw(RECOVERY);
        let what = || format!("killed at {point} ({count}), and at point {second} of the recovery");
        let faults = self.world.installation.faults()?;
        faults.kill_at("any", second)?;
        let again = match self.world.installation.serve() {
            Ok(()) => self.dies_before(&died.done).with_context(what)?,
            // It died before it took requests.
            Err(error) if !faults.killed()? => return Err(error).with_context(what),
            Err(_) => true,
        };
        // Also where it was not reached: nothing may die later.
        faults.killed()?;
        self.recovering += u64::from(again);
        self.goes_on(&died.done, again).with_context(what)?;
        Ok(again)
    }

    /// Kills at random until that happened so often: at points, as often at moments, and a tenth as often while it
    /// recovers.
    ///
    /// # Errors
    /// When something is lost, or the server hardly ever dies.
    pub fn at_random(&mut self, wanted: u64) -> Result<AtRandom> {
        let wanted = AtRandom { points: wanted, moments: wanted, recovering: wanted.div_ceil(10) };
        let mut counted = AtRandom::default();
        for _ in 0..20 + 10 * wanted.points {
            if counted == wanted {
                return Ok(counted);
            }
            if counted.points < wanted.points {
                counted.points += u64::from(self.at_any_point()?);
            }
            if counted.moments < wanted.moments {
                self.anywhere()?;
                counted.moments += 1;
            }
            if counted.recovering < wanted.recovering {
                counted.recovering += u64::from(self.while_it_recovers()?);
            }
        }
        ensure!(counted == wanted, "it hardly ever dies: {counted:?}");
        Ok(counted)
    }

    /// Stops the server, and checks all that must hold.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn end(mut self) -> Result<Account> {
        let installation = &self.world.installation;
        installation
            .until("all queues are empty", || Ok(invariants::is_drained(installation)?.then_some(())))?;
        self.world.installation.stop()?;
        let installation = &self.world.installation;
        let account = invariants::check(installation, Ends::OnceAfterFailures)?;
        let told: usize = ["control", "shop", PUSHED, "app-1"]
            .into_iter()
            .map(|repository| reports::are_final(installation, repository))
            .sum::<Result<_>>()?;
        ensure!(told > 0, "nobody was told of anything");
        self.altered_once_each()?;
        self.holds_what_the_branch_says()?;
        Ok(account)
    }

    fn altered_once_each(&self) -> Result<()> {
        let deployment = self.world.object(PUSHED, "apps/v1", "Deployment")?;
        let generation = deployment["metadata"]["generation"].as_u64();
        // It was made with the baseline: more would be the same change a second time.
        ensure!(
            generation == Some(1 + self.altered),
            "{} changes came to generation {generation:?}",
            self.altered
        );
        Ok(())
    }

    fn holds_what_the_branch_says(&self) -> Result<()> {
        let extra = self.world.installation.clone(PUSHED)?.read(EXTRA).unwrap_or_default();
        let extra = extra.lines().find_map(|line| line.strip_prefix("  name: ").map(str::to_owned));
        let wanted: BTreeSet<_> = extra.into_iter().chain(["web".to_owned()]).collect();
        let held = self.world.names(PUSHED, "v1", "ConfigMap")?;
        ensure!(held == wanted, "the cluster holds {held:?}, and the branch {wanted:?}");
        Ok(())
    }

    fn draw(&mut self, below: u64) -> u64 {
        // Knuth's linear congruential generator: what is drawn only has to differ.
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below.max(1)
    }

    fn errand(&mut self) -> Errand {
        let at = usize::try_from(self.draw(ALL.len() as u64)).unwrap_or_default();
        ALL.get(at).copied().unwrap_or(Errand::Push)
    }

    fn any_point(&mut self) -> (Point, u64) {
        let errand = self.errand();
        let count = self.passes.get(&errand).copied().unwrap_or(PASSES);
        (Point { name: "any".to_owned(), errand, count, first: false }, 1 + self.draw(count))
    }

    fn begin(&mut self, errand: Errand) -> Result<Done> {
        self.round += 1;
        let begun = errand.begin(&self.world, self.round)?;
        self.altered += u64::from(begun.alters);
        Ok(begun.done)
    }

    /// Begins an errand, and waits until it is done, or the server dies on the way.
    fn dies_at(&mut self, point: &Point, count: u64) -> Result<Died> {
        let faults = self.world.installation.faults()?;
        faults.kill_at(&point.name, count)?;
        let done = self.begin(point.errand).with_context(|| format!("before {point}"))?;
        let died = self.dies_before(&done).with_context(|| format!("waiting for {point} ({count})"))?;
        ensure!(faults.killed()? == died, "the server died at another point than {point}");
        Ok(Died { done, died })
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
        done.undo(&self.world)
    }

    fn until(&self, done: &Done) -> Result<()> {
        let what = format!("{done:?}");
        self.world.installation.until(&what, || Ok(done.holds(&self.world)?.then_some(())))
    }
}

/// Kills a new installation's server at the so-manieth point that it passes on its first day; whether there are as many
/// until the sample is deployed.
///
/// # Errors
/// When it does not begin as if nothing had happened.
pub fn on_the_first_day(count: u64) -> Result<bool> {
    let mut installation = Installation::new()?;
    let faults = installation.faults()?;
    faults.kill_at("any", count)?;
    let is_deployed = |installation: &Installation| {
        let healthy = |state: &serde_json::Value| state["outcome"]["result"]["is"] == "healthy";
        [STAGING, PRODUCTION]
            .iter()
            .all(|target| installation.target(target).is_ok_and(|state| healthy(&state)))
    };
    match installation.serve() {
        Ok(()) => {
            let begun = Instant::now();
            while !installation.has_died()? && !is_deployed(&installation) {
                ensure!(begun.elapsed() < PATIENCE, "it neither died nor ended:\n{}", installation.log());
                std::thread::sleep(PAUSE);
            }
        }
        // It died before it took requests.
        Err(error) if !faults.killed()? => return Err(error),
        Err(_) => {}
    }
    let died = faults.killed()?;
    if died {
        while !installation.has_died()? {
            std::thread::sleep(PAUSE);
        }
        installation.serve()?;
    }
    installation
        .until("the sample is deployed", || Ok(is_deployed(&installation).then_some(())))
        .with_context(|| format!("killed at point {count} of the first day"))?;
    installation.stop()?;
    invariants::check(&installation, Ends::Once)?;
    Ok(died)
}

/// An errand that ended, or that the server died of.
struct Died {
    done: Done,
    died: bool,
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
    /// Whether no errand before passes it.
    pub first: bool,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {:?}", self.name, self.errand)
    }
}
