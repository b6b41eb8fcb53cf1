//! What programs said of the heads that take part.

use countersign_core::digest::Digest;
use countersign_core::event::EventKind;
use countersign_core::keys;
use countersign_core::names::{CommitId, FollowedRef};
use countersign_core::ports::store;
use countersign_core::review::{Identity, PullRequestState, Status, StatusState};
use countersign_core::target::SeenTip;

use crate::previews::told;
use crate::world::{World, at, main_branch, pushed, repository, shop};

fn status(commit: &CommitId, context: &str, by: u64) -> Status {
    Status {
        id: by.to_string(),
        context: context.to_owned(),
        commit: commit.clone(),
        state: StatusState::Success,
        said: "success".to_owned(),
        setter: Identity { account: Some(by), ..Identity::default() },
        app: None,
        set: at(0),
    }
}

fn said(commit: &CommitId, context: &str) -> EventKind {
    EventKind::Status { commit: commit.clone(), context: Some(context.to_owned()) }
}

#[tokio::test]
async fn statuses_of_the_reviewed_head_are_facts_whoever_set_them() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let first = world.take("e1", pushed(&base)).await;
    assert!(first.iter().all(|facts| facts.statuses.is_empty()), "nobody asks for any");
    world.authorize(&first[1], true).await;
    world.ask_for_a_status().await;
    let head = world.push("topic", Some(&base), "2", "1");
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &[])];
    let (expected, other) = (status(&head, "ci/build", 12), status(&head, "ci/build", 13));
    world.statuses =
        vec![expected.clone(), other.clone(), status(&head, "coverage", 12), status(&base, "ci/build", 12)];

    let looks = world.take("s1", said(&head, "ci/build")).await;
    assert_eq!(looks.len(), 1, "only what the pull request touches");
    assert!(looks[0].preview && looks[0].target.target == shop());
    assert_eq!(looks[0].statuses, [expected.clone(), other.clone()]);
    assert_eq!(looks[0].cause.kind, "status");
    let noted: Option<Digest> =
        store::get_json(&world.store, &keys::previewed(&repository(), "7")).await.unwrap();
    let seen = [expected.clone(), other.clone()];
    assert_eq!(
        noted,
        Some(world.pull_requests[0].fingerprint(&seen)),
        "`poll` compares it with what it finds"
    );

    let merged = world.push("main", Some(&head), "2", "1");
    world.pull_requests[0].state = PullRequestState::Merged;
    let decided = world.take("e2", pushed(&merged)).await;
    let decided = decided.iter().find(|facts| facts.target.target == shop()).unwrap();
    assert_eq!(decided.statuses, [expected, other], "of the head that explains it");
    let follows = FollowedRef { repository: repository(), reference: main_branch() };
    let tip: SeenTip = store::get_json(&world.store, &keys::seen_tip(&follows)).await.unwrap().unwrap();
    assert_eq!(tip.ended["7"].told, world.pull_requests[0].fingerprint(&seen));
}

#[tokio::test]
async fn a_status_that_changes_nothing_is_not_looked_at() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &[])];
    assert_eq!(world.take("s1", said(&head, "ci/build")).await, [], "nobody asks for any");
    world.ask_for_a_status().await;
    assert_eq!(world.take("s2", said(&head, "coverage")).await, [], "nobody asks for this one");
    assert_eq!(world.take("s3", said(&base, "ci/build")).await, [], "no pull request has this head");
    assert_eq!(world.take("s4", EventKind::Status { commit: head.clone(), context: None }).await.len(), 1);
    world.pull_requests[0].state = PullRequestState::Closed;
    assert_eq!(world.take("s5", said(&head, "ci/build")).await, []);
}

#[tokio::test]
async fn of_a_tip_that_stands_alone_its_own_statuses_are_facts() {
    let mut world = World::on("gitea").await;
    world.ask_for_a_status().await;
    let tip = world.push("main", None, "1", "1");
    world.statuses = vec![status(&tip, "ci/build", 12)];
    let looks = world.take("e1", pushed(&tip)).await;
    assert!(looks.iter().all(|facts| facts.statuses == world.statuses), "{looks:?}");
}
