//! Figures: medians and percentiles, ratios, and how they are printed and written.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::field::Field;

/// What was measured many times, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1_000.0);
    }

    /// Adds one that is given in milliseconds.
    pub fn push_millis(&mut self, millis: f64) {
        self.0.push(millis);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest that at least `percent` of all do not exceed; 0 where there is none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(rank).copied().unwrap_or_default()
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    fn document(&self) -> Value {
        json!({
            "samples": self.len(), "p50": rounded(self.median()), "p90": rounded(self.percentile(90)),
            "p99": rounded(self.percentile(99)), "max": rounded(self.percentile(100)),
        })
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// Everything that was measured, as lines for people and as a document for programs.
#[derive(Debug)]
pub struct Results {
    lines: Vec<String>,
    document: Map<String, Value>,
}

impl Results {
    /// Nothing measured yet.
    #[must_use]
    pub fn new() -> Self {
        Self { lines: Vec::new(), document: Map::new() }
    }

    /// Begins a scenario.
    pub fn begin(&mut self, title: &str) {
        self.lines.push(String::new());
        self.lines.push(title.to_owned());
    }

    /// Samples, in milliseconds.
    pub fn samples(&mut self, name: &str, what: &str, samples: &Samples) {
        let (p50, p90, p99) = (samples.median(), samples.percentile(90), samples.percentile(99));
        let count = samples.len();
        self.line(what, &format!("p50 {p50:9.2} ms   p90 {p90:9.2}   p99 {p99:9.2}   ({count})"));
        self.document.insert(name.to_owned(), samples.document());
    }

    /// One number.
    pub fn number(&mut self, name: &str, what: &str, number: f64, unit: &str) {
        self.line(what, &format!("    {number:9.2} {unit}"));
        self.document.insert(name.to_owned(), json!(rounded(number)));
    }

    /// How much larger `number` is than `reference`.
    pub fn ratio(&mut self, name: &str, what: &str, number: f64, reference: f64) {
        self.number(name, what, if reference > 0.0 { number / reference } else { 0.0 }, "times");
    }

    /// A line of a table.
    pub fn line(&mut self, what: &str, text: &str) {
        self.lines.push(format!("  {what:<58} {text}"));
        eprintln!("bench: {what}: {text}");
    }

    /// What a table says, for programs.
    pub fn table(&mut self, name: &str, table: Value) {
        self.document.insert(name.to_owned(), table);
    }

    /// The memory of a server that has nothing to do.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn idle(&mut self, field: &Field<'_>) -> Result<()> {
        let idle = field.idle_memory();
        let name = field.plan().name.clone();
        self.begin(&format!("{name}: {} applications", field.plan().applications));
        self.number(
            &format!("{name}.memory.idle"),
            "memory of serve before anything is deployed",
            idle,
            "MiB",
        );
        let now = field.memory()?;
        self.number(&format!("{name}.memory.deployed"), "memory once they are deployed", now, "MiB");
        Ok(())
    }

    /// Prints all lines.
    pub fn print(&self) {
        for line in &self.lines {
            println!("{line}");
        }
    }

    /// All figures, with what they were measured on.
    #[must_use]
    pub fn document(&self, machine: Value) -> Value {
        json!({ "v": 1, "machine": machine, "figures": self.document })
    }
}

impl Default for Results {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let mut samples = Samples::default();
        assert!(samples.percentile(99) == 0.0);
        for millis in (1..=200).rev() {
            samples.push_millis(f64::from(millis));
        }
        let found = [samples.median(), samples.percentile(99), samples.percentile(100)];
        assert_eq!(found.map(|millis| millis as u32), [100, 198, 200]);
    }
}
