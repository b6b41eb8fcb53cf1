//! The functions, their roles, and who their roles are to the cluster.

use std::collections::BTreeMap;

use anyhow::Result;

use super::CLUSTER;
use crate::cloud::gateway::Credentials;
use crate::cloud::lambda::ACCOUNT;
use crate::world::aws::moto::Moto;

/// The functions that run here.
pub const FUNCTIONS: [&str; 10] =
    ["receive", "gather", "evaluate", "record", "report", "poll", "apply", "observe", "drift", "witness"];

/// Those of one cluster.
pub const CLUSTER_FUNCTIONS: [&str; 3] = ["apply", "observe", "drift"];

/// The name of a function in Lambda.
pub fn lambda_name(installation: &str, function: &str) -> String {
    if CLUSTER_FUNCTIONS.contains(&function) {
        format!("{installation}-{CLUSTER}-{function}")
    } else {
        format!("{installation}-{function}")
    }
}

/// The name of a function's role.
fn role_name(installation: &str, function: &str) -> String {
    if CLUSTER_FUNCTIONS.contains(&function) {
        format!("{installation}.{CLUSTER}.{function}")
    } else {
        lambda_name(installation, function)
    }
}

/// A session of each function's role.
pub async fn assume(moto: &Moto, installation: &str) -> Result<Vec<Credentials>> {
    let mut roles = Vec::new();
    for function in FUNCTIONS {
        let (role, name) = (role_name(installation, function), lambda_name(installation, function));
        let session = moto.assume(&format!("arn:aws:iam::{ACCOUNT}:role/{role}"), &name).await?;
        roles.push(Credentials {
            function: function.to_owned(),
            access_key: session.access_key,
            secret: session.secret,
            token: session.token,
        });
    }
    Ok(roles)
}

/// The access entries that the cluster stack makes.
pub fn groups(installation: &str) -> BTreeMap<String, String> {
    let entry = |function: &&str| (role_name(installation, function), format!("countersign:{function}"));
    CLUSTER_FUNCTIONS.iter().map(entry).collect()
}
