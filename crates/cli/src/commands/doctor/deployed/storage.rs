//! Buckets and keys: there, closed, versioned, and able to sign.

use serde_json::Value;

use crate::commands::aws::Aws;
use crate::commands::doctor::finding::Findings;

/// Looks at buckets and keys of the core, as the template names them.
pub fn core(aws: &Aws, installation: &str, account: &str, findings: &mut Findings) {
    let region = aws.ask(&[
        "lambda",
        "get-function-configuration",
        "--function-name",
        &format!("{installation}-record"),
    ]);
    let region = region.ok().and_then(|found| {
        found
            .get("FunctionArn")
            .and_then(Value::as_str)
            .and_then(|arn| arn.split(':').nth(3))
            .map(str::to_owned)
    });
    let name =
        |kind: &str| format!("{installation}-{kind}-{account}-{}", region.as_deref().unwrap_or_default());
    for kind in ["data", "manifests", "log"] {
        bucket(aws, &name(kind), kind == "log", findings);
    }
    for key in ["log", "authorization", "storage", "manifests"] {
        kms(aws, installation, key, findings);
    }
}

/// Looks at a bucket.
pub fn bucket(aws: &Aws, name: &str, is_log: bool, findings: &mut Findings) {
    let mend = "deploy the core again: somebody changed the bucket by hand";
    let is = |answer: &Value, pointer: &str, wanted: &str| {
        answer.pointer(pointer).and_then(Value::as_str) == Some(wanted)
    };
    let mut checks: Vec<(&str, &str, &str, &str)> =
        vec![("get-bucket-versioning", "/Status", "Enabled", "it keeps no versions")];
    if is_log {
        let pointer = "/ObjectLockConfiguration/ObjectLockEnabled";
        checks.push(("get-object-lock-configuration", pointer, "Enabled", "what is in it can be deleted"));
    }
    for (call, pointer, wanted, otherwise) in checks {
        match aws.ask(&["s3api", call, "--bucket", name]) {
            Ok(answer) if is(&answer, pointer, wanted) => findings.good("bucket", name, call),
            Ok(_) => findings.bad("bucket", name, otherwise, mend),
            Err(error) => findings.unread("bucket", name, &error, mend),
        }
    }
    match aws.ask(&["s3api", "get-public-access-block", "--bucket", name]) {
        Ok(answer) => {
            let block = answer.get("PublicAccessBlockConfiguration").and_then(Value::as_object);
            let closed = block.is_some_and(|block| block.values().all(|one| one == &Value::Bool(true)));
            match closed {
                true => findings.good("bucket", name, "closed to the public"),
                false => findings.bad("bucket", name, "it can be opened to the public", mend),
            }
        }
        Err(error) => findings.unread("bucket", name, &error, mend),
    }
}

/// A key that was disabled, or is about to be deleted, stops everything that it signs or encrypts.
pub fn kms(aws: &Aws, installation: &str, key: &str, findings: &mut Findings) {
    let alias = format!("alias/{installation}-{key}");
    match aws.ask(&["kms", "describe-key", "--key-id", &alias]) {
        Ok(answer) => {
            let state = answer.pointer("/KeyMetadata/KeyState").and_then(Value::as_str).unwrap_or_default();
            match state {
                "Enabled" => findings.good("key", alias, "enabled"),
                _ => {
                    let mend = "aws kms cancel-key-deletion, or aws kms enable-key; without the key what it protects is lost";
                    findings.bad("key", alias, state, mend);
                }
            }
        }
        Err(error) => {
            let mend = "a key of your own has no alias here: describe it by its ARN";
            findings.warn("key", alias, format!("{error:#}"), mend);
        }
    }
}
