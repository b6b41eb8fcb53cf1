//! `drift` on Lambda, for one cluster of EKS.

use std::time::Duration;

use countersign_aws::eks::{Connection, Reached};
use countersign_aws::lambda::deadline::within;
use countersign_aws::lambda::{Scheduled, Start, now, variable};
use countersign_cluster::kube::KubeCluster;
use countersign_core::active::ConfigurationCache;
use countersign_core::names::ClusterName;
use countersign_drift::Drifter;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// How long to wait while a CRD that was put back becomes established.
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let name: &ClusterName = &variable("COUNTERSIGN_CLUSTER")?.parse()?;
    let (store, queue) = (&start.store(), &start.queue()?);
    let configurations = &ConfigurationCache::default();
    let connection = &Connection::new(&start.config, &variable("COUNTERSIGN_EKS_CLUSTER")?);
    let answer = |event: LambdaEvent<Scheduled>| async move {
        let look = async {
            let connect =
                async |eks: &Reached| KubeCluster::of_bearer(&eks.endpoint, &eks.authority, &eks.token).await;
            let cluster = &connection.client(connect).await?;
            let pause = || tokio::time::sleep(PAUSE);
            let drifter = Drifter { name, store, queue, cluster, configurations, pause };
            Ok::<_, Error>(drifter.handle(now()).await?)
        };
        let looked = within(&event.context, look).await??;
        tracing::info!(metric = "Drifted", value = u64::from(looked.drifted), ?looked, "looked");
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(answer)).await
}
