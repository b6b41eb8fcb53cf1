use countersign_core::review::StatusState;

use super::*;

fn status(id: u64, by: u64, name: &str, state: &str) -> Value {
    json!({ "id": id, "sha": commit('a'), "ref": "topic", "name": name, "status": state, "description": null,
        "author": user(by), "allow_failure": false, "target_url": null, "coverage": null, "pipeline_id": 3,
        "created_at": "2026-11-20T10:00:00.000Z", "started_at": null, "finished_at": "2026-11-20T10:05:00.000Z" })
}

#[tokio::test]
async fn the_latest_word_of_each_account_is_told_in_whatever_order_it_comes() {
    let world = Shared::default();
    world.lock().unwrap().statuses = vec![
        status(7, 12, "build", "success"),
        status(8, 12, "build", "failed"),
        status(9, 66, "build", "success"),
        status(3, 12, "manual", "manual"),
        status(4, 12, "late", "waiting_for_resource"),
        status(5, 12, "other", "success"),
    ];
    let (server, gitlab) = gitlab(&world).await;
    let contexts = ["build", "manual", "late"].map(str::to_owned).into();
    let told = gitlab.statuses(&"lab/team/shop".parse().unwrap(), &commit('a'), &contexts).await.unwrap();
    let shown: Vec<_> =
        told.iter().map(|one| (one.id.as_str(), one.state, one.said.as_str(), one.setter.account)).collect();
    assert_eq!(
        shown,
        [
            ("9", StatusState::Success, "success", Some(66)),
            ("8", StatusState::Failure, "failed", Some(12)),
            ("4", StatusState::Pending, "waiting_for_resource", Some(12)),
            ("3", StatusState::Neutral, "manual", Some(12)),
        ]
    );
    assert_eq!(told[0].set.to_string(), "2026-11-20T10:05:00.000Z");
    let asked = server.log();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].ends_with("statuses?per_page=100&name=build&all=true"), "{asked:?}");
}
