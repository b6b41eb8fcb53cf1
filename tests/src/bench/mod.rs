//! `make bench`: how fast the real `serve` brings changes to a real API server, where the time goes, and what the
//! parts it stands on cost by themselves, measured in the same run.
//!
//! Nothing here passes or fails: a benchmark shows figures, and a test that is timed lies on a busy machine.

pub mod breakdown;
#[cfg(feature = "aws")]
pub mod cloud;
pub mod field;
pub mod figures;
pub mod floor;
pub mod flux;
pub mod forge;
pub mod many;
pub mod one;
pub mod process;
pub mod sources;
pub mod watch;
pub mod webhooks;

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::world::control_plane::ControlPlane;
use field::Field;
use figures::Results;

/// What is measured.
#[derive(Clone, Debug, clap::Parser)]
pub struct Options {
    /// Which scenarios: one, scale, many, webhooks, and cloud where it is built with `aws`. The floor and the memory are measured with each.
    #[arg(long, value_delimiter = ',', default_value = "one,scale,many,webhooks")]
    pub only: Vec<String>,
    /// How many pushes the figures of one application are of.
    #[arg(long, default_value_t = 100)]
    pub samples: usize,
    /// How many objects the application has that is pushed alone.
    #[arg(long, default_value_t = 10)]
    pub objects: usize,
    /// How many applications the repository has of which one is changed.
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    pub applications: Vec<usize>,
    /// How many applications one push changes.
    #[arg(long, value_delimiter = ',', default_value = "100,300")]
    pub changed: Vec<usize>,
    /// How many objects each of those has.
    #[arg(long, default_value_t = 5)]
    pub changed_objects: usize,
    /// How many events wait while webhooks are answered.
    #[arg(long, default_value_t = 500)]
    pub waiting: usize,
    /// Do not measure Flux beside us: its controllers take a quarter of an hour to build, once.
    #[arg(long)]
    pub without_flux: bool,
    /// Where the results go as JSON.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Keep the folder of the installation, with the log of `serve`, and print where it is.
    #[arg(long)]
    pub keep: bool,
}

/// Runs what `options` ask for, and prints it.
///
/// # Errors
/// When a server cannot be started, or a change does not arrive.
pub async fn run(options: &Options) -> Result<()> {
    let world = tokio::task::spawn_blocking(ControlPlane::start).await??;
    let mut results = Results::new();
    for scenario in &options.only {
        match scenario.as_str() {
            "one" => one::alone(options, &world, &mut results).await?,
            "scale" => one::among_many(options, &world, &mut results).await?,
            "many" => many::at_once(options, &world, &mut results).await?,
            "webhooks" => webhooks::answered(options, &world, &mut results).await?,
            #[cfg(feature = "aws")]
            "cloud" => tokio::task::block_in_place(|| cloud::measure(options, &mut results))?,
            other => anyhow::bail!("{other}: no such scenario: one, scale, many, webhooks, cloud"),
        }
    }
    results.print();
    if let Some(path) = &options.results {
        std::fs::write(path, serde_json::to_vec_pretty(&results.document(machine()))?)?;
    }
    Ok(())
}

/// What the figures were measured on.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo");
    let total = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    json!({
        "processor": model.map_or("unknown", |(_, name)| name),
        "processors": std::thread::available_parallelism().map_or(1, usize::from),
        "memoryMiB": total.unwrap_or_default() / 1024,
        "loadBefore": read("/proc/loadavg").split(' ').next(),
    })
}

/// Makes a field for a scenario, and says so, since that takes a while.
async fn field<'a>(
    options: &Options,
    world: &'a ControlPlane,
    results: &mut Results,
    plan: field::Plan,
) -> Result<Field<'a>> {
    eprintln!("bench: deploying {} applications for {:?}", plan.applications, plan.name);
    let field = Field::start(world, plan).await?;
    if options.keep {
        eprintln!("bench: {}", field.folder().display());
    }
    results.idle(&field)?;
    Ok(field)
}
