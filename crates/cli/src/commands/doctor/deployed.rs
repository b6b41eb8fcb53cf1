//! An installation on AWS, by what an operator's own credentials may read. Asked with the `aws` command, so that every
//! way of signing in works that it knows, and this program needs none of them.

mod aws;
mod day;
mod functions;
mod storage;

use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use serde_json::Value;

use super::finding::Findings;
use aws::Aws;

/// Looks at the core of an installation, and at these clusters' stacks in the same account.
///
/// # Errors
/// When the `aws` command is not there, or has no credentials.
pub fn look(installation: &str, clusters: &[ClusterName], findings: &mut Findings) -> anyhow::Result<()> {
    ask(&Aws::new("aws"), installation, clusters, findings)
}

fn ask(
    aws: &Aws,
    installation: &str,
    clusters: &[ClusterName],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let identity = aws.ask(&["sts", "get-caller-identity"])?;
    let text = |name: &str| identity.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    findings.good("aws", text("Account"), format!("asked as {}", text("Arn")));
    functions::look(aws, installation, clusters, findings);
    queues(aws, installation, clusters, findings);
    let buckets = storage::look(aws, installation, &text("Account"), findings);
    day::look(aws, installation, &buckets, findings);
    alarms(aws, installation, findings);
    Ok(())
}

/// Dead letters, and queues that are not there.
fn queues(aws: &Aws, installation: &str, clusters: &[ClusterName], findings: &mut Findings) {
    for queue in QueueName::all(clusters) {
        let ending = if queue.is_ordered() { ".fifo" } else { "" };
        let name = format!("{installation}-{queue}{ending}");
        let mend = "deploy the stack again: make deploy";
        if let Some(count) = waiting(aws, &name, mend, findings) {
            findings.good("queue", &name, format!("{count} wait"));
        }
        // What tells record of dead letters has none of its own.
        if queue.dead_letters().is_none() {
            continue;
        }
        let dead = format!("{installation}-dead-{queue}{ending}");
        match waiting(aws, &dead, mend, findings) {
            Some(0) => findings.good("queue", &dead, "empty"),
            Some(count) => {
                let mend = "read the attribute `reason` of each, mend that, and redrive: docs/OPERATIONS.md, A dead letter";
                findings.bad("queue", &dead, format!("{count} dead letters"), mend);
            }
            None => {}
        }
    }
}

/// How many messages a queue holds; nothing where it cannot be asked, which is noted.
fn waiting(aws: &Aws, name: &str, mend: &str, findings: &mut Findings) -> Option<u64> {
    let url = aws.ask(&["sqs", "get-queue-url", "--queue-name", name]);
    let url = url.and_then(|answer| {
        let url = answer.get("QueueUrl").and_then(Value::as_str).unwrap_or_default().to_owned();
        let attribute = "ApproximateNumberOfMessages";
        aws.ask(&["sqs", "get-queue-attributes", "--queue-url", &url, "--attribute-names", attribute])
    });
    match url {
        Ok(answer) => {
            let count = answer.pointer("/Attributes/ApproximateNumberOfMessages").and_then(Value::as_str);
            count.and_then(|count| count.parse().ok())
        }
        Err(error) => {
            aws.note(findings, "queue", name, &error, mend);
            None
        }
    }
}

/// What CloudWatch cries about now.
fn alarms(aws: &Aws, installation: &str, findings: &mut Findings) {
    let prefix = format!("{installation}-");
    let asked = ["cloudwatch", "describe-alarms", "--state-value", "ALARM", "--alarm-name-prefix", &prefix];
    let answer = match aws.ask(&asked) {
        Ok(answer) => answer,
        Err(error) => return aws.note(findings, "alarm", installation, &error, "deploy the stack again"),
    };
    let crying = answer.get("MetricAlarms").and_then(Value::as_array).cloned().unwrap_or_default();
    if crying.is_empty() {
        findings.good("alarm", installation, "none cries");
    }
    for alarm in crying {
        let text = |name: &str| alarm.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mend = "docs/OPERATIONS.md, What an alarm asks for";
        findings.bad("alarm", text("AlarmName"), text("AlarmDescription"), mend);
    }
}

#[cfg(test)]
mod tests;
