//! Metrics: what a log line asks to have counted, in CloudWatch's embedded metric format.
//!
//! A stage says `tracing::info!(metric = "Appended", value = 3_u64, …)` where it would log anyway, and knows nothing of
//! CloudWatch. Each line of JSON on standard output that has the format becomes a metric.

use countersign_core::time::Timestamp;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{now, write_line};

/// Counts what events ask to have counted.
pub struct Metrics {
    dimensions: Vec<(&'static str, String)>,
    write: fn(&Value),
}

impl Metrics {
    /// For the function of an installation, and of one cluster where it serves one.
    pub fn new(installation: Option<String>, cluster: Option<String>) -> Self {
        let dimensions = [("Installation", installation), ("Cluster", cluster)];
        let dimensions = dimensions.into_iter().filter_map(|(name, of)| Some((name, of?))).collect();
        Self { dimensions, write: write_line }
    }

    fn line(&self, at: Timestamp, metric: &str, value: u64) -> Value {
        let names: Vec<_> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": at.as_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": "Countersign",
                    "Dimensions": [names],
                    "Metrics": [{ "Name": metric, "Unit": "Count" }],
                }],
            },
            metric: value,
        });
        for (name, of) in &self.dimensions {
            line[*name] = of.as_str().into();
        }
        line
    }
}

impl<S: Subscriber> Layer<S> for Metrics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut counted = Counted::default();
        event.record(&mut counted);
        if let Some(metric) = counted.metric {
            (self.write)(&self.line(now(), &metric, counted.value));
        }
    }
}

/// The two fields that count.
#[derive(Default)]
struct Counted {
    metric: Option<String>,
    value: u64,
}

impl Visit for Counted {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "metric" {
            self.metric = Some(value.to_owned());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "value" {
            self.value = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    static WRITTEN: Mutex<Vec<Value>> = Mutex::new(Vec::new());

    #[test]
    fn only_what_asks_to_be_counted_is_with_the_dimensions_of_its_function() {
        let metrics = Metrics::new(Some("countersign".to_owned()), Some("east".to_owned()));
        let metrics = Metrics { write: |line| WRITTEN.lock().unwrap().push(line.clone()), ..metrics };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(metrics), || {
            tracing::info!(value = 9_u64, "nothing to count");
            tracing::warn!(metric = "Refused", value = 2_u64, target_name = "shop", "refused");
        });
        let written = WRITTEN.lock().unwrap();
        assert_eq!(written.len(), 1);
        assert_eq!((&written[0]["Refused"], &written[0]["Cluster"]), (&json!(2), &json!("east")));
        let format = &written[0]["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(format["Dimensions"], json!([["Installation", "Cluster"]]));
        assert_eq!(format["Metrics"], json!([{ "Name": "Refused", "Unit": "Count" }]));
    }
}
