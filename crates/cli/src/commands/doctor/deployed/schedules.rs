//! What invokes functions from time to time: without it nothing heals by itself, and no alarm says so.

use countersign_core::names::ClusterName;
use serde_json::Value;

use crate::commands::aws::Aws;
use crate::commands::doctor::finding::Findings;

/// The schedules of the core, each with the function that it invokes.
const CORE: [(&str, &str); 3] = [("due", "poll"), ("refs", "poll"), ("settle", "record")];

/// Looks at the schedules of the core and of clusters.
pub fn core(aws: &Aws, installation: &str, clusters: &[ClusterName], findings: &mut Findings) {
    for (name, function) in CORE {
        one(aws, &format!("{installation}-{name}"), &format!("{installation}-{function}"), findings);
    }
    for cluster in clusters {
        let drift = format!("{installation}-{cluster}-drift");
        one(aws, &drift, &drift, findings);
    }
}

/// Looks at one schedule, which is to invoke a function.
pub fn one(aws: &Aws, name: &str, function: &str, findings: &mut Findings) {
    let mend = "deploy the stack again (make deploy): it makes the schedule as it was";
    let found = match aws.ask(&["scheduler", "get-schedule", "--name", name]) {
        Ok(found) => found,
        Err(error) => return findings.unread("schedule", name, &error, mend),
    };
    let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (state, target) = (text("/State"), text("/Target/Arn"));
    if state != "ENABLED" {
        findings.bad("schedule", name, format!("it is {state}: {function} is not invoked by it"), mend);
    } else if target.rsplit(':').next() != Some(function) {
        findings.bad("schedule", name, format!("it invokes {target}, not {function}"), mend);
    } else {
        findings.good("schedule", name, format!("{}, invokes {function}", text("/ScheduleExpression")));
    }
}
