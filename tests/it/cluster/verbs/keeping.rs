//! What a cluster keeps for us.

use countersign_cluster::keep;
use countersign_core::ports::cluster::Cluster;

pub async fn tells_its_uid(cluster: &impl Cluster, _: &str) {
    let uid = keep::uid(cluster).await.expect("a UID");
    assert!(!uid.is_empty());
    assert_eq!(keep::uid(cluster).await, Ok(uid));
}

/// The only test that writes these two: there is one of each on a cluster.
pub async fn keeps_trust_and_checkpoint(cluster: &impl Cluster, _: &str) {
    assert_eq!(keep::trust(cluster).await, Ok(None));
    keep::install_trust(cluster, "{\"v\":1}").await.expect("installed");
    keep::install_trust(cluster, "{\"v\":2}").await.expect("replaced");
    assert_eq!(keep::trust(cluster).await, Ok(Some("{\"v\":2}".into())));

    assert_eq!(keep::checkpoint(cluster).await, Ok(None));
    assert_eq!(keep::keep_checkpoint(cluster, "one", None).await, Ok(true));
    assert_eq!(keep::keep_checkpoint(cluster, "another", None).await, Ok(false), "there is one already");
    let first = keep::checkpoint(cluster).await.expect("read").expect("there");
    assert_eq!(first.text, "one");
    assert_eq!(keep::keep_checkpoint(cluster, "two", Some(&first)).await, Ok(true));
    assert_eq!(keep::keep_checkpoint(cluster, "three", Some(&first)).await, Ok(false), "it was replaced");
    assert_eq!(keep::checkpoint(cluster).await.expect("read").expect("there").text, "two");
}
