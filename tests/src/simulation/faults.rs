//! What goes wrong, how often, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::installation::WITNESS;
use super::random::Random;

/// A way in which something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A worker dies at an await, and starts again later with nothing in memory.
    Crash,
    /// All workers die at once.
    Restart,
    /// A port does not do what it is asked.
    Refused,
    /// A port does what it is asked, and its answer is lost.
    Lost,
    /// A conditional write is stored, and reported as lost to another writer: an adapter had tried twice.
    /// On a cluster: another writer was first.
    Race,
    /// A message or a webhook comes twice.
    Twice,
    /// A message is sent once more when its queue has forgotten that it was sent.
    Again,
    /// A message or a webhook comes late, also after those sent later where no order is promised.
    Late,
    /// A webhook never comes.
    Unheard,
    /// Clocks go wrong, each zone's by up to ten minutes.
    Skew,
    /// A cluster is away for hours.
    ClusterAway,
    /// The forge is away for hours.
    ForgeAway,
    /// The witness is away for hours.
    WitnessAway,
    /// A worker stands still for a while, and then goes on as if nothing had been.
    Pause,
    /// A second `record` takes the same messages as the one that should work alone, and appends beside it.
    Rival,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Crash,
        Self::Restart,
        Self::Refused,
        Self::Lost,
        Self::Race,
        Self::Twice,
        Self::Again,
        Self::Late,
        Self::Unheard,
        Self::Skew,
        Self::ClusterAway,
        Self::ForgeAway,
        Self::WitnessAway,
        Self::Pause,
        Self::Rival,
    ];

    /// How often in a million chances, where it happens at all and often.
    fn rate(self) -> u64 {
        match self {
            Self::Crash => 6_000,
            Self::Restart => 150,
            Self::Refused | Self::Lost => 12_000,
            Self::Race | Self::Rival => 60_000,
            Self::Twice => 150_000,
            Self::Again => 40_000,
            Self::Late => 100_000,
            Self::Unheard => 250_000,
            Self::Pause => 1_000,
            Self::Skew | Self::ClusterAway | Self::ForgeAway | Self::WitnessAway => 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Race => "race",
            Self::Twice => "twice",
            Self::Again => "again",
            Self::Late => "late",
            Self::Unheard => "unheard",
            Self::Skew => "skew",
            Self::ClusterAway => "cluster-away",
            Self::ForgeAway => "forge-away",
            Self::WitnessAway => "witness-away",
            Self::Pause => "pause",
            Self::Rival => "rival",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|fault| fault.to_string()).join(", ");
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| format!("{text:?} is no fault: use one of {}", known()))
    }
}

/// When something is away: from, and up to, milliseconds of the run.
pub type Window = (i64, i64);

/// What goes wrong in one run.
#[derive(Clone, Debug)]
pub struct Faults {
    /// The kinds that happen.
    pub kinds: BTreeSet<Fault>,
    /// At most so many happen, counted over all kinds.
    pub limit: u64,
    /// Nothing goes wrong from here on, in milliseconds of the run.
    pub until: i64,
    /// How often in a million chances.
    rates: BTreeMap<Fault, u64>,
    /// For each thing that can be away, when it is.
    away: BTreeMap<&'static str, Vec<Window>>,
    /// For each zone, from when its clock is wrong by how many milliseconds.
    skews: BTreeMap<&'static str, Vec<(i64, i64)>>,
    happened: u64,
    random: Random,
}

const HOUR: i64 = 3_600_000;

/// No clock is further from the right time.
const WIDEST_SKEW: i64 = 600_000;

impl Faults {
    /// The faults of a seed. Each seed has kinds of its own: where everything goes wrong at once, nothing gets
    /// far enough to go wrong later.
    #[must_use]
    pub fn new(seed: u64, until: i64, zones: &[&'static str], things: &[&'static str]) -> Self {
        let mut random = Random::new(seed, "faults");
        let kinds: BTreeSet<_> = Fault::ALL.into_iter().filter(|_| random.chance(550_000)).collect();
        let rates = Fault::ALL.map(|fault| (fault, fault.rate() / (1 << random.below(4))));
        let mut skews = BTreeMap::new();
        for zone in zones {
            let jumps = (0..random.below(4))
                .map(|_| (random.between(0, until), random.between(-WIDEST_SKEW, WIDEST_SKEW)));
            let mut jumps: Vec<_> = std::iter::once((0, 0)).chain(jumps).collect();
            jumps.sort_unstable();
            skews.insert(*zone, jumps);
        }
        let mut away = BTreeMap::new();
        for thing in things {
            let windows = (0..random.below(3)).map(|_| {
                let from = random.between(0, until);
                (from, until.min(from + random.between(HOUR / 60, 3 * HOUR)))
            });
            away.insert(*thing, windows.collect());
        }
        Self { kinds, limit: u64::MAX, until, rates: rates.into(), away, skews, happened: 0, random }
    }

    /// Whether a fault of this kind happens now.
    pub fn happens(&mut self, fault: Fault, now: i64) -> bool {
        let rate = self.rates.get(&fault).copied().unwrap_or(0);
        let drawn = self.random.chance(rate);
        let happens = drawn && now < self.until && self.kinds.contains(&fault) && self.happened < self.limit;
        self.happened += u64::from(happens);
        happens
    }

    /// A number for a fault that happens.
    pub fn between(&mut self, first: i64, end: i64) -> i64 {
        self.random.between(first, end)
    }

    /// How many happened.
    #[must_use]
    pub fn happened(&self) -> u64 {
        self.happened
    }

    /// Whether `thing` is away.
    #[must_use]
    pub fn is_away(&self, thing: &str, now: i64) -> bool {
        let kind = match thing {
            "forge" => Fault::ForgeAway,
            WITNESS => Fault::WitnessAway,
            _ => Fault::ClusterAway,
        };
        let windows = self.away.get(thing).into_iter().flatten();
        self.kinds.contains(&kind) && windows.into_iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    /// How far the clock of `zone` is from the right time, in milliseconds.
    #[must_use]
    pub fn skew(&self, zone: &str, now: i64) -> i64 {
        if now >= self.until || !self.kinds.contains(&Fault::Skew) {
            return 0;
        }
        let mut jumps = self.skews.get(zone).into_iter().flatten();
        jumps.rfind(|(from, _)| *from <= now).map_or(0, |(_, skew)| *skew)
    }
}
