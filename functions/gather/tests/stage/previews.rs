//! Pull requests: looked at, and never authorized.

use countersign_core::event::{EventKind, PullRequestAction, ReviewAction};
use countersign_core::names::CommitId;

use crate::world::{World, main_branch, pushed};

fn pull_request(action: PullRequestAction, head: &CommitId, fork: bool) -> EventKind {
    let (base, head) = (main_branch(), head.clone());
    EventKind::PullRequest { action, pull_request: "7".to_owned(), base, head, fork }
}

#[tokio::test]
async fn an_open_proposal_is_previewed_where_it_touches_something() {
    let world = World::new().await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    let opened = world.take("p1", pull_request(PullRequestAction::Opened, &head, false)).await;
    assert_eq!(opened.len(), 1);
    assert!(opened[0].preview && opened[0].change.commit == head);
    assert_eq!(opened[0].target.target.application.as_str(), "shop");
    assert!(opened[0].proposed.contains_key(&head), "whose commits they are is known");
    let review = EventKind::Review {
        action: ReviewAction::Approved,
        pull_request: "7".to_owned(),
        base: main_branch(),
        head: Some(head),
    };
    assert!(world.take("r1", review).await.iter().all(|facts| facts.preview));
}

#[tokio::test]
async fn what_is_closed_merged_foreign_or_contained_is_not_previewed() {
    let world = World::new().await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    let open = PullRequestAction::Opened;
    let gone: CommitId = "1".repeat(40).parse().unwrap();
    for (id, kind) in [
        ("closed", pull_request(PullRequestAction::Closed, &head, false)),
        ("merged", pull_request(PullRequestAction::Merged, &head, false)),
        ("fork", pull_request(open, &head, true)),
        ("contained", pull_request(open, &base, false)),
        ("gone", pull_request(open, &gone, false)),
    ] {
        assert_eq!(world.take(id, kind).await, [], "{id}");
    }
    // What a preview looked at is still looked at when it is merged.
    let merged = world.push("main", Some(&head), "2", "1");
    assert_eq!(world.take("e1", pushed(&merged)).await.iter().filter(|facts| !facts.preview).count(), 2);
}
