//! The functions: there, able to run, of one build, and fed by their queues.

use countersign_core::names::ClusterName;
use serde_json::Value;

use crate::commands::aws::Aws;
use crate::commands::doctor::finding::Findings;

/// The functions of the core.
const CORE: [&str; 6] = ["receive", "gather", "evaluate", "record", "report", "poll"];

/// The functions of a cluster's stack.
const CLUSTER: [&str; 3] = ["apply", "observe", "drift"];

/// What stands where the template found no value.
const SET: [&str; 4] = [
    "COUNTERSIGN_WITNESS_BUCKET",
    "COUNTERSIGN_CLUSTERS_ELSEWHERE",
    "COUNTERSIGN_PREVIOUS_LOG_KEY",
    "COUNTERSIGN_PREVIOUS_AUTHORIZATION_KEY",
];

/// Looks at every function of the core and of clusters.
pub fn core(aws: &Aws, installation: &str, clusters: &[ClusterName], findings: &mut Findings) {
    let core = CORE.iter().map(|name| format!("{installation}-{name}"));
    let of = |cluster: &ClusterName| CLUSTER.map(|name| format!("{installation}-{cluster}-{name}"));
    for name in core.chain(clusters.iter().flat_map(of)) {
        one(aws, &name, findings);
    }
}

/// Looks at one function.
pub fn one(aws: &Aws, name: &str, findings: &mut Findings) {
    let asked = ["lambda", "get-function-configuration", "--function-name", name];
    let found = match aws.ask(&asked) {
        Ok(found) => found,
        Err(error) => return findings.unread("function", name, &error, "deploy the stack: make deploy"),
    };
    let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (state, update) = (text("/State"), text("/LastUpdateStatus"));
    if state != "Active" && state != "Inactive" || update == "Failed" {
        let what = format!("{state}, its last update {update}: {}", text("/LastUpdateStatusReason"));
        return findings.bad(
            "function",
            name,
            what,
            "deploy the stack again, and read what CloudFormation says",
        );
    }
    let variables = found.pointer("/Environment/Variables").and_then(Value::as_object);
    let empty = variables
        .into_iter()
        .flatten()
        .find(|(name, value)| !SET.contains(&name.as_str()) && value.as_str().is_none_or(str::is_empty));
    if let Some((variable, _)) = empty {
        let mend = "deploy the stack again with all parameters: infra/CONTRACT.md, Variables";
        return findings.bad("function", name, format!("{variable} is empty"), mend);
    }
    findings.good("function", name, format!("{state}, {}", text("/LastModified")));
    concurrency(aws, name, findings);
    mappings(aws, name, findings);
}

/// A function that was stopped for a restore, and forgotten, takes nothing, and fails at nothing.
fn concurrency(aws: &Aws, name: &str, findings: &mut Findings) {
    let mend = "deploy the stack again (make deploy): it says how many may run";
    match aws.ask(&["lambda", "get-function-concurrency", "--function-name", name]) {
        Ok(found) if found.get("ReservedConcurrentExecutions").and_then(Value::as_u64) == Some(0) => {
            findings.bad("function", name, "none of it may run: somebody reserved 0 executions", mend);
        }
        Ok(_) => {}
        Err(error) => findings.unread("function", name, &error, mend),
    }
}

/// A mapping that was disabled for an upgrade, and forgotten, stops everything without an error.
fn mappings(aws: &Aws, name: &str, findings: &mut Findings) {
    let asked = ["lambda", "list-event-source-mappings", "--function-name", name];
    let found = match aws.ask(&asked) {
        Ok(found) => found,
        Err(error) => return findings.unread("mapping", name, &error, "deploy the stack: make deploy"),
    };
    for mapping in found.get("EventSourceMappings").and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| mapping.get(field).and_then(Value::as_str).unwrap_or_default();
        let subject = text("EventSourceArn").rsplit(':').next().unwrap_or(name).to_owned();
        if text("State") == "Enabled" {
            findings.good("mapping", subject, format!("feeds {name}"));
        } else {
            let mend = format!("aws lambda update-event-source-mapping --uuid {} --enabled", text("UUID"));
            findings.bad(
                "mapping",
                subject,
                format!("{} does not take from it: {}", name, text("State")),
                &mend,
            );
        }
    }
}
