use std::collections::BTreeSet;

use countersign_core::review::StatusState;

use super::*;

fn status(id: u64, by: i64, context: &str, state: &str) -> Value {
    json!({ "id": id, "status": state, "context": context, "description": "", "creator": user(by),
        "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z" })
}

#[tokio::test]
async fn the_latest_word_of_each_account_on_what_is_asked_about_is_told() {
    let world = Shared::default();
    // Of one second, and so in no order.
    world.lock().unwrap().statuses = vec![
        status(7, 12, "ci/build", "success"),
        status(8, 12, "ci/build", "failure"),
        status(9, 66, "ci/build", "success"),
        status(6, 12, "coverage", "success"),
        // Gitea's own Actions have no account.
        status(5, -2, "ci/scan", "warning"),
    ];
    let (server, gitea) = gitea(&world).await;
    let contexts = ["ci/build", "ci/scan", "ci/other"].map(str::to_owned).into();
    let told = gitea.statuses(&"forge/team/shop".parse().unwrap(), &commit('a'), &contexts).await.unwrap();
    let shown: Vec<_> = told
        .iter()
        .map(|one| (one.id.as_str(), one.context.as_str(), one.state, one.said.as_str(), one.setter.account))
        .collect();
    assert_eq!(
        shown,
        [
            ("9", "ci/build", StatusState::Success, "success", Some(66)),
            ("8", "ci/build", StatusState::Failure, "failure", Some(12)),
            ("5", "ci/scan", StatusState::Neutral, "warning", None),
        ]
    );
    assert!(told.iter().all(|one| one.commit == commit('a') && one.app.is_none()));
    let path = format!("/api/v1/repos/team/shop/statuses/{}?sort=recentupdate&limit=50", commit('a'));
    assert_eq!(server.log(), [format!("GET {path}")]);
}

#[tokio::test]
async fn of_a_commit_that_is_not_known_nothing_was_said() {
    let server = Server::start(|_: &Request| Reply::status(404, &[], "{}")).await;
    let host = host(HostKind::Gitea, &server.base);
    let gitea = Gitea::new(&"forge".parse().unwrap(), &host, Vault::default(), clock()).unwrap();
    let contexts = BTreeSet::from(["ci/build".to_owned()]);
    let told = gitea.statuses(&"forge/team/shop".parse().unwrap(), &commit('a'), &contexts).await;
    assert_eq!(told.unwrap(), []);
}
