//! What the functions log, as CloudWatch reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use countersign_tests::cloud::first_day::Cloud;
use countersign_tests::cloud::stack::FUNCTIONS;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

/// The functions that a change passes, in their order, each with what it says of a change that it passes on.
const WAY: [(&str, &str); 8] = [
    ("receive", "enqueued"),
    ("gather", "gathered"),
    ("evaluate", "decided"),
    ("record", "authorized"),
    ("apply", "apply"),
    ("observe", "observe"),
    ("record", "outcome"),
    ("report", "reported"),
];

/// A line of a log. Another one with the same key is an error.
struct Line(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut line = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if line.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("{key} is there twice")));
                    }
                }
                Ok(Line(line))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl Line {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Each line that a function logged is one JSON object, without a key twice; one trace leads from a webhook through
/// every function to what the forge is told; and what is to be counted is in the format of CloudWatch's metrics.
pub fn each_line_is_a_document_and_a_trace_goes_all_the_way(cloud: &Cloud) -> Result<()> {
    let mut logs = BTreeMap::new();
    for function in FUNCTIONS {
        logs.insert(function, read(cloud, function)?);
    }
    one_trace_goes_all_the_way(&logs)?;
    ensure!(counted(&logs["record"], "Appended")? > 0, "no leaf was counted");
    ensure!(counted(&logs["drift"], "Drifted")? > 0, "no drift was counted");
    Ok(())
}

fn read(cloud: &Cloud, function: &str) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(cloud.stack.services.log(function))?;
    let line = |line: &str| serde_json::from_str(line).with_context(|| format!("{function} logged {line:?}"));
    let lines: Vec<Line> = text.lines().map(line).collect::<Result<_>>()?;
    for line in lines.iter().filter(|line| !line.0.contains_key("_aws")) {
        for key in ["timestamp", "level", "module", "message"] {
            ensure!(!line.text(key).is_empty(), "{function}: no {key} in {:?}", line.0);
        }
    }
    ensure!(!lines.is_empty(), "{function} logged nothing");
    Ok(lines)
}

/// When a function said something of each trace.
fn said<'a>(lines: &'a [Line], message: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut times: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.text("message") == message && !line.text("trace").is_empty())
    {
        times.entry(line.text("trace")).or_default().push(line.text("timestamp"));
    }
    times
}

fn one_trace_goes_all_the_way(logs: &BTreeMap<&str, Vec<Line>>) -> Result<()> {
    let steps: Vec<_> = WAY.iter().map(|(function, message)| said(&logs[function], message)).collect();
    let traces: BTreeSet<_> = steps[0].keys().copied().collect();
    let goes_on = |trace: &&str| {
        // Each step after the one before; what is said more than once may also be said earlier.
        let mut reached = "";
        steps.iter().all(|times| {
            let next = times.get(trace).and_then(|times| times.iter().find(|time| **time >= reached));
            reached = next.copied().unwrap_or_default();
            next.is_some()
        })
    };
    let complete = traces.iter().filter(|trace| goes_on(trace)).count();
    let passed: Vec<_> = WAY.iter().zip(&steps).map(|(step, times)| (step, times.len())).collect();
    ensure!(complete > 0, "no trace of {traces:?} goes all the way: {passed:?}");
    Ok(())
}

/// How much was counted under a name, each with the dimensions that alarms ask for.
fn counted(lines: &[Line], metric: &str) -> Result<u64> {
    let mut sum = 0;
    for line in lines.iter().filter(|line| line.0.contains_key("_aws") && line.0.contains_key(metric)) {
        let format = &line.0["_aws"]["CloudWatchMetrics"][0];
        ensure!(format["Namespace"] == "Countersign" && format["Metrics"][0]["Name"] == metric, "{format}");
        ensure!(line.0["_aws"]["Timestamp"].is_i64(), "{:?}", line.0);
        for dimension in format["Dimensions"][0].as_array().context("no dimensions")? {
            let name = dimension.as_str().unwrap_or_default();
            ensure!(!line.text(name).is_empty(), "{name} has no value in {:?}", line.0);
        }
        sum += line.0[metric].as_u64().with_context(|| format!("{:?}: no number", line.0))?;
    }
    Ok(sum)
}
