//! The harness itself: the control plane works, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use countersign_tests::world::control_plane::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

#[tokio::test]
async fn a_deployment_becomes_available() -> Result<()> {
    let world = ControlPlane::shared()?;
    let namespace = world.namespace("deployment").await?;
    let deployments = Api::<Deployment>::namespaced(world.client().await?, &namespace);
    let labels = json!({ "app": "web" });
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "web", "image": "registry.example/web:1" }] },
            },
        },
    });
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;

    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = deployments.get("web").await?.status.unwrap_or_default();
        if status.available_replicas == Some(3) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the deployment is not available: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn namespaces_of_one_label_differ() -> Result<()> {
    let world = ControlPlane::shared()?;
    let (first, second) = (world.namespace("same").await?, world.namespace("same").await?);
    ensure!(first != second, "both are {first}");
    Ok(())
}

#[test]
fn nothing_outlives_a_control_plane_that_is_killed() -> Result<()> {
    let mut program = Running::start()?;
    ensure!(
        processes_in(&program.folder)?.len() >= 5,
        "its servers do not run in {}",
        program.folder.display()
    );
    program.child.kill()?; // SIGKILL: not one line of its own code runs after this.
    program.child.wait()?;
    program.expect_nothing_left()
}

#[test]
fn a_control_plane_ends_when_its_stdin_closes() -> Result<()> {
    let mut program = Running::start()?;
    drop(program.child.stdin.take());
    let status = program.child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    program.expect_nothing_left()
}

/// The program `countersign-control-plane`, ready, and the folder of its servers.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start() -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-control-plane"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has no stdout")?).read_line(&mut line)?;
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("it printed {line:?}, not JSON"))?;
        let kubeconfig = Path::new(ready["kubeconfig"].as_str().context("it printed no kubeconfig")?);
        ensure!(kubeconfig.exists(), "{} does not exist", kubeconfig.display());
        let folder = kubeconfig.parent().context("the kubeconfig is in no folder")?.to_owned();
        Ok(Self { child, folder })
    }

    /// Fails unless, within seconds, no process works in the folder and the folder is gone.
    fn expect_nothing_left(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let processes = processes_in(&self.folder)?;
            if processes.is_empty() && !self.folder.exists() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "left behind: processes {processes:?}, {} exists: {}",
                    self.folder.display(),
                    self.folder.exists()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The ids of the processes whose working directory is `folder`, even one that is removed.
fn processes_in(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.to_str().context("the folder is not UTF-8")?;
    let mut found = Vec::new();
    for process in fs::read_dir("/proc")? {
        let process = process?;
        // A process may end while it is looked at, and one of another user does not tell.
        let Ok(place) = fs::read_link(process.path().join("cwd")) else {
            continue;
        };
        if place.to_string_lossy().starts_with(folder) {
            found.push(process.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}
