//! An installation on AWS, by what an operator's own credentials may read.

mod day;
mod functions;
mod schedules;
mod storage;
mod witness;

use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use serde_json::Value;

use super::finding::Findings;
use crate::commands::aws::Aws;
use crate::commands::deployed::queues;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The core, and the stacks of these clusters in the same account.
    Core(&'a [ClusterName]),
    /// The witness's stack, which is in an account of its own.
    Witness,
}

/// Looks at a part of an installation.
///
/// # Errors
/// When the `aws` command is not there, or has no credentials.
pub fn look(installation: &str, part: Part<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    ask(&Aws::new("aws"), installation, part, findings)
}

fn ask(aws: &Aws, installation: &str, part: Part<'_>, findings: &mut Findings) -> anyhow::Result<()> {
    let identity = aws.ask(&["sts", "get-caller-identity"])?;
    let text = |name: &str| identity.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    findings.good("aws", text("Account"), format!("asked as {}", text("Arn")));
    match part {
        Part::Core(clusters) => {
            functions::core(aws, installation, clusters, findings);
            schedules::core(aws, installation, clusters, findings);
            queues(aws, installation, clusters, findings);
            storage::core(aws, installation, &text("Account"), findings);
            day::look(aws, installation, findings);
            alarms(aws, &format!("{installation}-"), findings);
        }
        Part::Witness => witness::look(aws, installation, findings),
    }
    Ok(())
}

/// Dead letters, and queues that are not there.
fn queues(aws: &Aws, installation: &str, clusters: &[ClusterName], findings: &mut Findings) {
    for queue in QueueName::all(clusters) {
        let name = queues::name(installation, &queue);
        if let Some(count) = waiting(aws, &name, findings) {
            findings.good("queue", &name, format!("{count} wait"));
        }
        // What tells record of dead letters has none of its own.
        let Some(dead) = queues::dead_name(installation, &queue) else { continue };
        match waiting(aws, &dead, findings) {
            Some(0) => findings.good("queue", &dead, "empty"),
            Some(count) => {
                let mend = format!(
                    "read why: countersign dlq list {queue} --aws {installation}; mend that, then countersign dlq \
                     redrive {queue} --all --aws {installation}"
                );
                findings.bad("queue", &dead, format!("{count} dead letters"), &mend);
            }
            None => {}
        }
    }
}

/// How many messages a queue holds; nothing where it cannot be asked, which is noted.
fn waiting(aws: &Aws, name: &str, findings: &mut Findings) -> Option<u32> {
    match queues::url(aws, name).and_then(|url| queues::depth(aws, &url)) {
        Ok(depth) => Some(depth.visible + depth.in_flight + depth.delayed),
        Err(error) => {
            findings.unread("queue", name, &error, "deploy the stack again: make deploy");
            None
        }
    }
}

/// What CloudWatch cries about now.
fn alarms(aws: &Aws, prefix: &str, findings: &mut Findings) {
    let asked = ["cloudwatch", "describe-alarms", "--state-value", "ALARM", "--alarm-name-prefix", prefix];
    let answer = match aws.ask(&asked) {
        Ok(answer) => answer,
        Err(error) => return findings.unread("alarm", prefix, &error, "deploy the stack again"),
    };
    let crying = answer.get("MetricAlarms").and_then(Value::as_array).cloned().unwrap_or_default();
    if crying.is_empty() {
        findings.good("alarm", prefix, "none cries");
    }
    for alarm in crying {
        let text = |name: &str| alarm.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mend = "docs/OPERATIONS.md, What an alarm asks for";
        findings.bad("alarm", text("AlarmName"), text("AlarmDescription"), mend);
    }
}

#[cfg(test)]
mod tests;
