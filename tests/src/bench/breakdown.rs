//! Where the time goes: between the log lines of one trace, and in what the server counts of its stages.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::field::Field;
use super::figures::{Results, Samples};

/// The log lines that end a step, in order, and what the step is.
const STEPS: [(&str, &str); 6] = [
    ("enqueued", "received"),
    ("gathered", "gathered: read, rendered, facts stored"),
    ("decided", "evaluated: decided by policy"),
    ("appended to the log", "recorded: appended, checkpoint signed"),
    ("authorized", "recorded: settled, authorization issued"),
    ("apply", "applied: verified, dry runs, writes"),
];

/// Where the log of a server stands, and what it had counted.
pub struct Mark {
    log: usize,
    metrics: BTreeMap<String, f64>,
}

impl Mark {
    /// Now.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn of(field: &Field<'_>) -> Result<Self> {
        Ok(Self { log: field.installation().log().len(), metrics: counted(&field.metrics()?) })
    }

    /// Adds what happened since to the results.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn report(&self, name: &str, field: &Field<'_>, results: &mut Results) -> Result<()> {
        let log = field.installation().log();
        let steps = steps(log.get(self.log..).unwrap_or_default());
        for ((_, what), samples) in STEPS.iter().zip(&steps).filter(|(_, samples)| !samples.is_empty()) {
            results.samples(&format!("{name}.step.{what}"), &format!("  {what}"), samples);
        }
        let now = counted(&field.metrics()?);
        let since = |key: &str| now.get(key).unwrap_or(&0.0) - self.metrics.get(key).unwrap_or(&0.0);
        let mut table = Vec::new();
        for queue in queues(&now) {
            let series = |metric: &str, part: &str| {
                since(&format!("countersign_{metric}_seconds_{part}{{queue=\"{queue}\"}}"))
            };
            let (batches, worked) = (series("batch_duration", "count"), series("batch_duration", "sum"));
            let (messages, waited) = (series("queue_wait", "count"), series("queue_wait", "sum"));
            if batches == 0.0 {
                continue;
            }
            let line = format!(
                "{messages:6.0} messages in {batches:5.0} batches   at work {:8.1} ms   a batch {:7.2}   waited {:8.2}",
                worked * 1e3,
                worked * 1e3 / batches,
                if messages > 0.0 { waited * 1e3 / messages } else { 0.0 },
            );
            results.line(&format!("  stage of {queue}"), &line);
            table.push(json!({
                "queue": queue, "messages": messages, "batches": batches, "workedSeconds": worked,
                "waitedSeconds": waited,
            }));
        }
        let (commits, took) =
            (since("countersign_database_commits_total"), since("countersign_database_commit_seconds_total"));
        let writes = since("countersign_database_writes_total");
        let line = format!("{writes:6.0} writes in {commits:5.0} durable commits, {:8.1} ms", took * 1e3);
        results.line("  database", &line);
        results.table(&format!("{name}.stages"), Value::from(table));
        results.table(
            &format!("{name}.database"),
            json!({ "writes": writes, "commits": commits, "seconds": took }),
        );
        Ok(())
    }
}

/// Every value of a text in Prometheus' format, by its series.
fn counted(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
        .collect()
}

/// The queues that a stage took something of.
fn queues(counted: &BTreeMap<String, f64>) -> Vec<String> {
    let prefix = "countersign_batch_duration_seconds_count{queue=\"";
    counted.keys().filter_map(|key| Some(key.strip_prefix(prefix)?.strip_suffix("\"}")?.to_owned())).collect()
}

/// How long each step took of each trace that went through all of them.
fn steps(log: &str) -> Vec<Samples> {
    let mut traces: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    let mut appended = None;
    for line in log.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let Ok(at) = moment(&entry) else { continue };
        let message = entry["message"].as_str().unwrap_or_default();
        let Some(step) = STEPS.iter().position(|(text, _)| *text == message) else { continue };
        // An append is of many traces: it belongs to each that is settled after it.
        let Some(trace) = entry["trace"].as_str() else {
            appended = Some(at);
            continue;
        };
        let times = traces.entry(trace.to_owned()).or_insert_with(|| vec![None; STEPS.len()]);
        if STEPS[step].0 == "authorized" {
            times[step - 1] = appended;
        }
        times[step] = Some(at);
    }
    let mut samples = vec![Samples::default(); STEPS.len()];
    for times in traces.values() {
        for (step, pair) in times.windows(2).enumerate() {
            if let [Some(before), Some(after)] = pair {
                samples[step + 1].push_millis(after - before);
            }
        }
    }
    samples
}

/// When a log line was written, in milliseconds of its day.
fn moment(entry: &Value) -> Result<f64> {
    let text = entry["timestamp"].as_str().context("a line without a time")?;
    let time = text.split('T').nth(1).context("no time")?.trim_end_matches('Z');
    let mut seconds = 0.0;
    for part in time.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>()?;
    }
    Ok(seconds * 1_000.0)
}
