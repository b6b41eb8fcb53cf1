//! `observe` on Lambda, for one cluster of EKS.

use countersign_aws::eks::{Connection, Reached};
use countersign_aws::lambda::batch::Batches;
use countersign_aws::lambda::{Start, max_receives, now, variable};
use countersign_cluster::kube::KubeCluster;
use countersign_core::message::QueueName;
use countersign_core::names::ClusterName;
use countersign_observe::{Answered, Observer};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let name: &ClusterName = &variable("COUNTERSIGN_CLUSTER")?.parse()?;
    let (store, queue) = (&start.store(), &start.queue()?);
    let batches = Batches::limited(queue, max_receives()?);
    let observations = &QueueName::Observations(name.clone());
    let connection = &Connection::new(&start.config, &variable("COUNTERSIGN_EKS_CLUSTER")?);
    let answered = &Answered::default();
    let answer = |event: LambdaEvent<_>| async move {
        let connect =
            async |eks: &Reached| KubeCluster::of_bearer(&eks.endpoint, &eks.authority, &eks.token).await;
        let cluster = &connection.client(connect).await?;
        let stage = Observer { name, store, queue, cluster, answered };
        let work = async |batch: &_| stage.handle(now(), batch).await;
        Ok::<_, Error>(batches.answer(observations, &event.context, event.payload, work).await)
    };
    lambda_runtime::run(service_fn(answer)).await
}
