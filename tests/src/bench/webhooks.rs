//! How fast a webhook is answered while events wait.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::breakdown::Mark;
use super::field::{Field, Plan};
use super::figures::{Results, Samples};
use super::{Options, field};
use crate::installation::http::pushed;
use crate::world::control_plane::ControlPlane;

/// How many threads fill the queue.
const SENDERS: usize = 4;

/// Sends webhooks while at least so many events wait as the options say.
///
/// # Errors
/// When the server refuses one.
pub async fn answered(options: &Options, world: &ControlPlane, results: &mut Results) -> Result<()> {
    let plan = Plan { name: "hooks".to_owned(), applications: 1, first_objects: options.objects, objects: 1 };
    let field = field(options, world, results, plan).await?;
    let commit = field.installation().clone("bench")?.head()?;
    let mark = Mark::of(&field)?;
    let (mut samples, mut least) = (Samples::default(), u64::MAX);
    let mut number = 0;
    let waiting = options.waiting as u64;
    while samples.len() < options.samples.max(100) {
        // What is gathered meanwhile is made up for, and a sample counts only while enough wait.
        if field.waiting("events")? < waiting + 200 {
            number = fill(&field, &commit, number, options.waiting + 400)?;
        }
        for _ in 0..20 {
            number += 1;
            let took = send(&field, &commit, number)?;
            let now = field.waiting("events")?;
            if now >= waiting {
                least = least.min(now);
                samples.push(took);
            }
        }
    }
    let what = format!("a webhook is answered while at least {least} events wait");
    results.samples("hooks.answered", &what, &samples);
    field.until_quiet(Duration::from_secs(600)).await?;
    mark.report("hooks", &field, results)?;
    results.number("hooks.memory", "memory of serve afterwards", field.memory()?, "MiB");
    Ok(())
}

fn send(field: &Field<'_>, commit: &str, number: usize) -> Result<Duration> {
    let body = serde_json::to_vec(&pushed(&format!("hook-{number}"), "bench", commit))?;
    let begun = Instant::now();
    let answer = field.installation().webhook(&body)?;
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(begun.elapsed())
}

/// Sends so many more, several at once; returns the number of the last.
fn fill(field: &Field<'_>, commit: &str, after: usize, more: usize) -> Result<usize> {
    std::thread::scope(|scope| {
        let sender = |at: usize| {
            move || {
                (1..=more / SENDERS)
                    .try_for_each(|step| send(field, commit, after + step * SENDERS + at).map(drop))
            }
        };
        let senders: Vec<_> = (0..SENDERS).map(|at| scope.spawn(sender(at))).collect();
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().unwrap_or_else(|_| anyhow::bail!("a sender panicked")))
    })?;
    Ok(after + more + SENDERS)
}
