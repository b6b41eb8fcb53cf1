use countersign_core::configuration::ClusterKind;
use countersign_core::tree::Tree as _;
use countersign_policy::bundle::Bundle;

use super::*;
use crate::installation::DataFolder;

const KEYS: [(&str, &str); 3] = [
    ("ada", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXcG69j3h44/+MQEWAQ13R6ryoA/u/BjSkg5Ubd+q5O"),
    ("alan", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKK1YKTd5543OJeKREaJQWRoN9HbHXHMBCrHwsDw1Lr+"),
    ("grace", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHYEuSUM2oi82AHWZKCvnWG2dBkqLkcVm5Mf3KwrUgjB"),
];

fn plan(people: usize, sample: bool) -> Plan {
    let people = KEYS.iter().take(people).map(|(name, key)| (name.parse().unwrap(), (*key).to_owned()));
    Plan {
        folder: "/new/control".into(),
        data: DataFolder::new("/new/data dir".as_ref()),
        repositories: "/new/git \"quoted\"".into(),
        root_key: "/new/root.pem".into(),
        origin: "example.com/log".into(),
        people: people.collect(),
        server: "http://127.0.0.1:7466".into(),
        sample,
        cluster: SampleCluster { uid: "11111111-1111-4111-8111-111111111111".into(), kubeconfig: None },
    }
}

#[test]
fn every_new_control_repository_is_valid_and_holds_nothing_of_the_sample() {
    let baseline = "1".repeat(40).parse().unwrap();
    for (people, baseline) in [(2, None), (3, None), (2, Some(&baseline)), (3, Some(&baseline))] {
        let files = files(&plan(people, baseline.is_some()), baseline);
        let bundle = Bundle::compile(&files).unwrap();
        let configuration = bundle.configuration();
        assert_eq!(configuration.people.len(), people);
        assert_eq!(configuration.targets().count(), if baseline.is_some() { 2 } else { 0 });
        assert!(bundle.rules().iter().count() > 5);
        let text = String::from_utf8(files.get(CONFIGURATION).unwrap().clone()).unwrap();
        for leftover in ["/srv/", "katherine", "env:COUNTERSIGN", "schema=", "6f1d3a52"] {
            assert!(!text.contains(leftover), "{leftover} in\n{text}");
        }
        assert!(text.contains("# This repository itself"), "comments of the sample stay");
        assert!(files.read("waivers/README.md", 10_000).unwrap().is_some());
    }
}

#[test]
fn the_places_of_the_installation_are_named() {
    let bundle = Bundle::compile(&files(&plan(2, false), None)).unwrap();
    let configuration = bundle.configuration();
    let url = configuration.git_url(&"local/control".parse().unwrap()).unwrap();
    assert_eq!(url, "/new/git \"quoted\"/control.git");
    let host = configuration.hosts.values().next().unwrap();
    assert_eq!(String::from(host.webhook_secret.clone()), "file:/new/data dir/keys/webhook-local");
}

#[test]
fn a_real_cluster_is_named_with_its_kubeconfig() {
    let baseline = "1".repeat(40).parse().unwrap();
    let mut plan = plan(2, true);
    plan.cluster.kubeconfig = Some("/new/kube \"config\"".into());
    let bundle = Bundle::compile(&files(&plan, Some(&baseline))).unwrap();
    let cluster = bundle.configuration().clusters.values().next().unwrap();
    assert_eq!(cluster.kind, ClusterKind::Kubernetes);
    assert_eq!(cluster.uid, plan.cluster.uid);
    assert_eq!(String::from(cluster.kubeconfig.clone().unwrap()), "file:/new/kube \"config\"");
}
