//! One application changed: alone in its repository, and among many.

use anyhow::Result;

use super::breakdown::Mark;
use super::field::{Field, Plan};
use super::figures::{Results, Samples};
use super::flux::{self, Race};
use super::{Options, field, floor};
use crate::world::control_plane::ControlPlane;

/// How many changes are made before it is measured.
const WARM_UP: usize = 5;

/// In larger repositories Flux is not measured: it takes minutes for each push.
const MOST_OF_FLUX: usize = 300;

/// One application in a repository of its own.
///
/// # Errors
/// When a change does not arrive.
pub async fn alone(options: &Options, world: &ControlPlane, results: &mut Results) -> Result<()> {
    let plan = Plan { name: "one".to_owned(), applications: 1, first_objects: options.objects, objects: 1 };
    let mut field = field(options, world, results, plan).await?;
    let floor = floor::measure(&field, options.objects, options.samples).await?;
    floor.report("one", options.objects, results);
    let shown = measure(options, &mut field, results).await?;
    results.ratio("one.ratio", "ratio to the floor's sum", shown.median(), floor.total());
    beside(options, &field, options.samples, &shown, results).await
}

/// One application changed in repositories of many.
///
/// # Errors
/// As [`alone`].
pub async fn among_many(options: &Options, world: &ControlPlane, results: &mut Results) -> Result<()> {
    let mut first = None;
    let more = options.applications.iter().copied().filter(|applications| *applications > 1);
    for applications in std::iter::once(1).chain(more) {
        let name = format!("of{applications}");
        let plan = Plan { name: name.clone(), applications, first_objects: options.objects, objects: 1 };
        let mut field = field(options, world, results, plan).await?;
        let shown = measure(options, &mut field, results).await?;
        let alone = *first.get_or_insert(shown.median());
        results.ratio(&format!("{name}.ratio"), "ratio to one application alone", shown.median(), alone);
        if (2..=MOST_OF_FLUX).contains(&applications) {
            beside(options, &field, options.samples.min(10), &shown, results).await?;
        }
    }
    Ok(())
}

/// Flux, which looks at every application of a repository at each push.
async fn beside(
    options: &Options,
    field: &Field<'_>,
    samples: usize,
    shown: &Samples,
    results: &mut Results,
) -> Result<()> {
    if options.without_flux {
        return Ok(());
    }
    let plan = Plan { name: format!("flux-{}", field.plan().name), ..field.plan().clone() };
    flux::beside(field, Race { plan, changed: 1, samples, ours: shown.median() }, results).await
}

async fn measure(options: &Options, field: &mut Field<'_>, results: &mut Results) -> Result<Samples> {
    for _ in 0..WARM_UP {
        field.change(&[0]).await?;
    }
    let name = field.plan().name.clone();
    let mark = Mark::of(field)?;
    let (mut shown, mut settled, mut processor) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..options.samples {
        let change = field.change(&[0]).await?;
        shown.push(change.shown);
        settled.push(change.settled);
        processor.push_millis(change.processor);
    }
    results.samples(&format!("{name}.shown"), "end of the push until all objects are changed", &shown);
    results.samples(&format!("{name}.settled"), "until healthy, recorded and reported", &settled);
    results.samples(&format!("{name}.processor"), "processor time of serve for one change", &processor);
    mark.report(&name, field, results)?;
    results.number(&format!("{name}.memory.after"), "memory of serve afterwards", field.memory()?, "MiB");
    Ok(shown)
}
