//! What somebody changes on a cluster is told, and put back where that was asked for.

use anyhow::{Result, ensure};
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ApplyOptions, Cluster as _};
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use countersign_tests::installation::{Installation, STAGING};
use serde_json::{Value, json};

use super::verify_log;

/// Looks for drift as often as can be asked for.
pub const OFTEN: [&str; 2] = ["--drift-seconds", "1"];

/// Does something on the cluster while nothing of ours runs.
async fn on_the_cluster<T>(
    installation: &Installation,
    work: impl AsyncFnOnce(&SimulatedCluster) -> T,
) -> Result<T> {
    let database = Database::open(&installation.data())?;
    Ok(work(&SimulatedCluster::kept(&database, &"local".parse()?)).await)
}

/// Scales the sample by hand, as `kubectl edit` would.
pub async fn scale(installation: &Installation, replicas: u32) -> Result<()> {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop-staging" }, "spec": { "replicas": replicas },
    });
    let options = ApplyOptions { manager: "kubectl-edit".into(), force: true, dry_run: false };
    on_the_cluster(installation, async |cluster| cluster.apply(&object, &options).await).await??;
    Ok(())
}

async fn replicas(installation: &Installation) -> Result<Value> {
    let key = ObjectKey {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some("shop-staging".into()),
        name: "web".into(),
    };
    let object = on_the_cluster(installation, async |cluster| cluster.get(&key).await).await??;
    Ok(object.unwrap_or_default()["spec"]["replicas"].clone())
}

/// How often the log says so of the staging target.
pub fn told(installation: &Installation, word: &str) -> Result<usize> {
    let history = installation.history()?;
    let records = history.iter().map(|entry| &entry["leaf"]["record"]);
    Ok(records
        .filter(|record| record["result"]["is"] == word && record["target"]["environment"] == "staging")
        .count())
}

#[tokio::test]
async fn what_was_changed_by_hand_is_told_and_put_back_where_asked() -> Result<()> {
    let mut installation = Installation::start()?;
    installation.stop()?;
    let before = replicas(&installation).await?;
    scale(&installation, 7).await?;
    installation.serve_with(&OFTEN)?;
    let state = installation.until_target(STAGING, "is seen to drift", |state| state["drift"].is_object())?;
    ensure!(state["outcome"]["result"]["is"] == "healthy", "drift is no failure of the attempt: {state}");
    let text = String::from_utf8(installation.run(&["status", "--data", "data"])?.stdout)?;
    ensure!(text.contains("/spec/replicas, by kubectl-edit"), "{text}");
    ensure!(installation.counted("countersign_targets_drifted")? == 1, "it is not counted");

    // Nothing is repeated, and nothing put back, until somebody asks for it.
    std::thread::sleep(std::time::Duration::from_secs(3));
    ensure!(told(&installation, "drifted")? == 1, "it was told again");
    let commit = installation.change_control("Put staging back", |control| {
        control.replace(
            "countersign.yaml",
            "  staging:\n    approvals:",
            "  staging:\n    selfHeal: true\n    approvals:",
        )
    })?;
    installation.until_active(&commit)?;
    installation.until_target(STAGING, "is put back", |state| state["drift"].is_null())?;
    ensure!((told(&installation, "drifted")?, told(&installation, "restored")?) == (1, 1), "what was told");
    installation.stop()?;
    ensure!(replicas(&installation).await? == before, "it was not put back");
    verify_log(&installation)
}
