//! Runs seeds of the simulation, replays one, and makes a failing one smaller.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;
use std::{env, io, thread};

use anyhow::Context as _;
use clap::Parser;
use countersign_tests::simulation::faults::Fault;
use countersign_tests::simulation::installation::{self, Prepared};
use countersign_tests::simulation::mutant::Mutant;
use countersign_tests::simulation::shrink::shrink;
use countersign_tests::simulation::{Ran, SPAN, Setup, run};
use tempfile::TempDir;

/// Runs a whole installation under a seeded scheduler, with everything going wrong that may.
#[derive(Parser)]
struct Arguments {
    /// The seed to run.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The seeds to run, as FIRST..END without the last, or how many.
    #[arg(long, value_parser = range)]
    seeds: Option<(u64, u64)>,
    /// How many processes share the seeds; as many as there are cores, if it is not said.
    #[arg(long)]
    jobs: Option<u64>,
    /// Only these of what people do, by number, as 0,3,4, or none.
    #[arg(long, value_parser = numbers)]
    actions: Option<Numbers>,
    /// Without these kinds of fault, as crash,lost.
    #[arg(long, value_delimiter = ',')]
    without: Vec<Fault>,
    /// At most so many faults.
    #[arg(long, default_value_t = u64::MAX)]
    limit: u64,
    /// What people do, and what goes wrong, is spread over so many seconds.
    #[arg(long, default_value_t = SPAN / 1000)]
    span: i64,
    /// Nothing of it happens after so many seconds.
    #[arg(long)]
    until: Option<i64>,
    /// A stage that is broken on purpose.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Print every step.
    #[arg(long)]
    tell: bool,
    /// Run every seed twice, and compare.
    #[arg(long)]
    twice: bool,
    /// Do not make a failing run smaller.
    #[arg(long)]
    no_shrink: bool,
}

/// After so many seeds that fail, enough is known.
const MOST_FAILURES: u32 = 10;

/// After so many seeds it is said how far it went.
const NOTICE: u64 = 1_000;

/// The seeds that are run if it is not said.
const SEEDS: (u64, u64) = (0, 200);

const HOLDS: &str = "all invariants hold";
const FAILS: &str = "SOME INVARIANT DOES NOT HOLD";

/// Of what people do, some.
#[derive(Clone)]
struct Numbers(BTreeSet<usize>);

fn numbers(text: &str) -> Result<Numbers, String> {
    let parsed: Result<_, _> = text.split(',').filter(|text| *text != "none").map(str::parse).collect();
    parsed.map(Numbers).map_err(|_| format!("{text:?}: write it as 0,3,4, or none"))
}

fn range(text: &str) -> Result<(u64, u64), String> {
    if let Ok(end) = text.parse() {
        return Ok((0, end));
    }
    let ends = text.split_once("..").and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
    ends.filter(|(first, end)| first < end).ok_or_else(|| format!("{text:?}: write it as 0..200"))
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let cores = || thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let jobs = if arguments.seed.is_some() { 1 } else { arguments.jobs.unwrap_or_else(cores) };
    if jobs > 1 {
        return share(&arguments, jobs);
    }
    let folder = folder().context("no temporary folder can be made")?;
    let before = env::current_dir()?;
    env::set_current_dir(folder.path())?;
    let failed = all(&arguments, &Arc::new(installation::prepare()));
    env::set_current_dir(before)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A folder in memory, where there is one: every run makes repositories and a database anew.
fn folder() -> io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// The seeds in turn; the first that fails is made smaller. Whether one did.
fn all(arguments: &Arguments, prepared: &Arc<Prepared>) -> bool {
    let (first, end) = arguments.seeds.or(arguments.seed.map(|seed| (seed, seed + 1))).unwrap_or(SEEDS);
    let begun = Instant::now();
    let (mut steps, mut faults, mut leaves, mut hours, mut fails) = (0, 0, 0, 0, 0);
    for seed in first..end {
        if seed > first && (seed - first).is_multiple_of(NOTICE) {
            eprintln!("seeds {first}..{seed}: {fails} failed, after {:.0} s", begun.elapsed().as_secs_f64());
        }
        let setup = setup(arguments, seed);
        let ran = run(prepared, &setup);
        if arguments.twice && run(prepared, &setup).hash != ran.hash {
            println!("seed {seed}: two runs of it differ");
            return true;
        }
        if ran.violation.is_some() {
            fails += 1;
            failed(arguments, prepared, &setup, ran, fails == 1);
            if arguments.mutant.is_some() || fails == MOST_FAILURES {
                return true;
            }
            continue;
        }
        if arguments.seed.is_some() {
            println!("seed {seed}: trace {:016x}", ran.hash);
        }
        steps += ran.steps;
        faults += ran.faults;
        leaves += ran.leaves;
        hours += ran.hours;
    }
    let holds = if fails == 0 { HOLDS } else { FAILS };
    println!(
        "seeds {first}..{end}: {holds}; {hours} simulated hours, {steps} steps, {faults} faults, \
         {leaves} leaves, in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    fails > 0
}

fn setup(arguments: &Arguments, seed: u64) -> Setup {
    Setup {
        actions: arguments.actions.clone().map(|actions| actions.0),
        without: arguments.without.iter().copied().collect(),
        limit: arguments.limit,
        until: arguments.until.unwrap_or(arguments.span) * 1000,
        mutant: arguments.mutant,
        tells: arguments.tell,
        ..Setup::of(seed, arguments.span * 1000)
    }
}

fn failed(arguments: &Arguments, prepared: &Arc<Prepared>, setup: &Setup, ran: Ran, first: bool) {
    tell(setup, &ran);
    if first && !arguments.no_shrink && !arguments.tell {
        let (smaller, ran) = shrink(prepared, setup, ran);
        println!("smaller:");
        tell(&smaller, &ran);
    }
}

fn tell(setup: &Setup, ran: &Ran) {
    let violation = ran.violation.as_deref().unwrap_or("nothing");
    println!("seed {} fails: {violation}", setup.seed);
    println!(
        "  {} steps, {} faults, {} leaves, trace {:016x}; replay it with",
        ran.steps, ran.faults, ran.leaves, ran.hash
    );
    println!("  {}", command(setup));
}

/// The command that runs exactly this again.
fn command(setup: &Setup) -> String {
    let mut text = format!("countersign-simulate --seed {}", setup.seed);
    let list = |items: Vec<String>| items.join(",");
    if let Some(actions) = &setup.actions {
        let numbers = list(actions.iter().map(ToString::to_string).collect());
        text += &format!(" --actions={}", if numbers.is_empty() { "none" } else { &numbers });
    }
    if !setup.without.is_empty() {
        text += &format!(" --without={}", list(setup.without.iter().map(ToString::to_string).collect()));
    }
    if setup.limit != u64::MAX {
        text += &format!(" --limit={}", setup.limit);
    }
    if setup.span != SPAN {
        text += &format!(" --span={}", setup.span / 1000);
    }
    if setup.until != setup.span {
        text += &format!(" --until={}", setup.until / 1000);
    }
    if let Some(mutant) = setup.mutant {
        text += &format!(" --mutant={mutant}");
    }
    text
}

/// Shares the seeds among processes: each needs a working folder of its own.
fn share(arguments: &Arguments, jobs: u64) -> anyhow::Result<ExitCode> {
    let (first, end) = arguments.seeds.unwrap_or(SEEDS);
    let program = env::current_exe()?;
    let share = (end - first).div_ceil(jobs);
    let children: io::Result<Vec<_>> = (0..jobs)
        .map(|job| (first + job * share, end.min(first + (job + 1) * share)))
        .filter(|(from, to)| from < to)
        .map(|(from, to)| {
            let mut command = Command::new(&program);
            command.args(["--jobs=1".to_owned(), format!("--seeds={from}..{to}")]).args(options(arguments));
            command.stdin(Stdio::null()).spawn()
        })
        .collect();
    let mut failed = false;
    for mut child in children? {
        failed |= !child.wait()?.success();
    }
    println!("seeds {first}..{end}: {}", if failed { FAILS } else { HOLDS });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What applies to each share of the seeds alike.
fn options(arguments: &Arguments) -> Vec<String> {
    let mut options = vec![format!("--span={}", arguments.span), format!("--limit={}", arguments.limit)];
    options.extend(arguments.until.map(|until| format!("--until={until}")));
    options.extend(arguments.without.iter().map(|fault| format!("--without={fault}")));
    options.extend(arguments.mutant.map(|mutant| format!("--mutant={mutant}")));
    options.extend(arguments.twice.then(|| "--twice".to_owned()));
    options.extend(arguments.no_shrink.then(|| "--no-shrink".to_owned()));
    options
}
