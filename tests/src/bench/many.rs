//! One push that changes many applications.

use anyhow::Result;

use super::breakdown::Mark;
use super::field::Plan;
use super::figures::Results;
use super::flux::{self, Race};
use super::{Options, field, floor};
use crate::world::control_plane::ControlPlane;

/// More applications at once Flux is not given: it takes minutes.
const MOST_OF_FLUX: usize = 300;

/// One push each for every number of applications that the options name.
///
/// # Errors
/// When a change does not arrive.
pub async fn at_once(options: &Options, world: &ControlPlane, results: &mut Results) -> Result<()> {
    let most = options.changed.iter().copied().max().unwrap_or_default();
    let objects = options.changed_objects;
    let plan = Plan { name: "many".to_owned(), applications: most, first_objects: objects, objects };
    let mut field = field(options, world, results, plan).await?;
    let applies = options.changed.first().copied().unwrap_or(1) * objects;
    let floor = floor::measure(&field, applies, 5).await?;
    floor.report("many", applies, results);
    for changed in &options.changed {
        let applications: Vec<_> = (0..*changed).collect();
        let mark = Mark::of(&field)?;
        let change = field.change(&applications).await?;
        let seconds = change.shown.as_secs_f64();
        let name = format!("many{changed}");
        let what = format!("one push changes {changed} applications of {objects} objects");
        results.number(&format!("{name}.shown"), &what, seconds, "s");
        results.number(&format!("{name}.rate"), "applications a second", *changed as f64 / seconds, "/s");
        let settled = change.settled.as_secs_f64();
        results.number(
            &format!("{name}.settled"),
            "until all are healthy, recorded and reported",
            settled,
            "s",
        );
        results.number(&format!("{name}.processor"), "processor time of serve", change.processor / 1e3, "s");
        let floor = floor.apply.median() / 1e3 * (*changed * objects) as f64 / applies as f64;
        results.ratio(&format!("{name}.ratio"), "ratio to the floor's applies", seconds, floor);
        mark.report(&name, &field, results)?;
        results.number(&format!("{name}.memory"), "memory of serve afterwards", field.memory()?, "MiB");
        if !options.without_flux && *changed <= MOST_OF_FLUX {
            let plan = Plan { name: format!("flux-{name}"), applications: *changed, ..field.plan().clone() };
            let race = Race { plan, changed: *changed, samples: 1, ours: seconds * 1e3 };
            flux::beside(&field, race, results).await?;
        }
    }
    Ok(())
}
