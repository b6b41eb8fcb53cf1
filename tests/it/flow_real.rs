//! The path of a change on a real Kubernetes API server.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use countersign_tests::installation::Installation;
use countersign_tests::world::control_plane::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt as _};

/// The target on the real cluster.
pub const LIVE: &str = "shop/live/real";

/// A namespace of the real cluster that the sample is deployed to.
pub struct Live {
    pub installation: Installation,
    /// The UID of the cluster.
    pub uid: String,
    _world: ControlPlane,
    client: Client,
    namespace: String,
}

impl Live {
    async fn start(label: &str) -> Result<Self> {
        // Its own, since what a cluster trusts is one for the whole cluster, and other tests play with it.
        let world = tokio::task::spawn_blocking(ControlPlane::start).await??;
        let kubeconfig = world.kubeconfig().to_owned();
        Self::on(world, label, &kubeconfig).await
    }

    /// An installation that reaches a cluster of its own by `reached`.
    pub async fn on(world: ControlPlane, label: &str, reached: &Path) -> Result<Self> {
        let reached = reached.to_str().context("the path is not UTF-8")?.to_owned();
        let namespace = world.namespace(label).await?;
        let client = world.client().await?;
        let system = Api::<Namespace>::all(client.clone()).get("kube-system").await?;
        let uid = system.uid().context("kube-system has no UID")?;
        let kubeconfig = world.kubeconfig().to_str().context("the path is not UTF-8")?;
        let installation = Installation::start()?;
        let add = ["cluster", "add", "real", "--data", "data", "--replace", "--kubeconfig", kubeconfig];
        let added = installation.json(&add)?;
        ensure!(added["uid"] == uid.as_str() && added["configured"] == false, "{added}");
        let baseline = installation.clone("shop")?.head()?;
        let commit = installation.change_control("Deploy to a real cluster", |control| {
            let cluster = format!("clusters:\n  real:\n    kind: kubernetes\n    uid: {uid}\n    kubeconfig: \"file:{reached}\"\n");
            control.replace("countersign.yaml", "\nclusters:\n", &format!("\n{cluster}"))?;
            let environment = "\nenvironments:\n  live:\n    approvals:\n      count: 1\n    clusters: [real]\n";
            control.replace("countersign.yaml", "\nenvironments:\n", environment)?;
            let placement = format!(
                "      live:\n        path: deploy/staging\n        branch: main\n        namespaces: [{namespace}]\n        \
                 baseline: \"{baseline}\"\n      production:\n        path"
            );
            control.replace("countersign.yaml", "      production:\n        path", &placement)
        })?;
        installation.until_active(&commit)?;
        installation.until_runs(LIVE, &baseline)?;
        Ok(Self { installation, uid, _world: world, client, namespace })
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + k8s_openapi::Metadata,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn greeting(&self) -> Result<String> {
        let found = self.api::<ConfigMap>().get("web").await?;
        found.data.and_then(|mut data| data.remove("greeting")).context("it greets nobody")
    }

    async fn is_available(&self) -> Result<bool> {
        let conditions =
            self.api::<Deployment>().get("web").await?.status.and_then(|status| status.conditions);
        Ok(conditions
            .unwrap_or_default()
            .iter()
            .any(|one| one.type_.as_deref() == Some("Available") && one.status.as_deref() == Some("True")))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_a_real_cluster() -> Result<()> {
    let live = Live::start("live").await?;
    is_denied_approved_applied_and_pruned(&live).await?;
    does_not_take_over_what_belongs_to_someone_else(&live).await
}

async fn is_denied_approved_applied_and_pruned(live: &Live) -> Result<()> {
    let shop = live.installation.clone("shop")?;
    ensure!(live.is_available().await?, "the baseline is called healthy and is not available");

    let commit = shop.greet("ada", "staging", "Welcome")?;
    shop.push()?;
    live.installation.reported(&commit, "live", &["Denied: nothing was deployed."])?;
    ensure!(live.greeting().await? != "Welcome", "what was denied runs");
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    live.installation.until_runs(LIVE, &commit)?;
    ensure!(
        live.greeting().await? == "Welcome" && live.is_available().await?,
        "what is healthy is not there"
    );

    ensure!(live.api::<Service>().get_opt("web").await?.is_some(), "the service is not there");
    shop.git(&["rm", "-q", "deploy/staging/service.yaml"])?;
    let removed = shop.commit_all("ada", "Remove the service")?;
    shop.propose("ada")?;
    shop.approve("grace", &removed)?;
    shop.push()?;
    live.installation.until_runs(LIVE, &removed)?;
    ensure!(live.api::<Service>().get_opt("web").await?.is_none(), "the service was not pruned");
    let deleted = format!("Service {}/web` deleted", live.namespace);
    live.installation.reported(&removed, "live", &["Deployed and healthy.", &deleted])?;
    let audit = live.installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "{audit}");
    Ok(())
}

async fn does_not_take_over_what_belongs_to_someone_else(live: &Live) -> Result<()> {
    let foreign: ConfigMap = serde_json::from_value(
        serde_json::json!({ "metadata": { "name": "foreign" }, "data": { "owner": "another" } }),
    )?;
    live.api::<ConfigMap>().create(&PostParams::default(), &foreign).await?;
    let shop = live.installation.clone("shop")?;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: foreign\ndata:\n  owner: shop\n";
    shop.write("deploy/staging/foreign.yaml", text)?;
    shop.greet("ada", "staging", "Mine")?;
    let commit = shop.head()?;
    shop.propose("ada")?;
    shop.approve("grace", &commit)?;
    shop.push()?;
    let texts = ["the cluster's side refused it: nothing was written.", "foreign", "adopt"];
    live.installation.reported(&commit, "live", &texts)?;
    let found = live.api::<ConfigMap>().get("foreign").await?;
    ensure!(found.data.is_some_and(|data| data["owner"] == "another"), "it was taken over");
    ensure!(live.greeting().await? != "Mine", "a part of a refused change was written");
    Ok(())
}
