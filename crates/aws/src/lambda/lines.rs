//! The log: one line of JSON for each event, which is how CloudWatch finds fields. No line has a key twice: those who
//! read JSON differ in which of the two they take.

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{machine_clock, write_line};

/// Writes each event, with its fields beside `timestamp`, `level`, `module` and `message`.
pub struct Lines {
    write: fn(&Value),
}

impl Lines {
    /// On standard output.
    pub fn new() -> Self {
        Self { write: write_line }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line::default();
        line.put("timestamp", machine_clock().to_string().into());
        line.put("level", metadata.level().as_str().into());
        line.put("module", metadata.target().into());
        event.record(&mut line);
        (self.write)(&Value::Object(line.0));
    }
}

/// The line as far as it is known.
#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    /// Adds a field; one whose name is taken gets an underscore.
    fn put(&mut self, name: &str, value: Value) {
        let mut name = name.trim_start_matches("r#").to_owned();
        while self.0.contains_key(&name) {
            name.insert(0, '_');
        }
        self.0.insert(name, value);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    static WRITTEN: Mutex<Vec<Value>> = Mutex::new(Vec::new());

    #[test]
    fn a_line_has_every_field_of_its_event_and_no_key_twice() {
        let lines = Lines { write: |line| WRITTEN.lock().unwrap().push(line.clone()) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let error = std::io::Error::other("no");
            tracing::warn!(target = %"shop/staging/east", message = "id-1", count = 2_u64, %error, "sent {}", 1);
        });
        let mut line = WRITTEN.lock().unwrap().remove(0);
        let time = line["timestamp"].take();
        assert!(time.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{time}");
        let expected = json!({
            "timestamp": null, "level": "WARN", "module": module_path!(), "target": "shop/staging/east",
            "message": "sent 1", "_message": "id-1", "count": 2, "error": "no",
        });
        assert_eq!(line, expected);
    }
}
