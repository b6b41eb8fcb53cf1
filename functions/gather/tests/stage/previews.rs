//! Pull requests: looked at, and never authorized.

use countersign_core::digest::Digest;
use countersign_core::event::{EventKind, PullRequestAction, ReviewAction};
use countersign_core::facts::{ChangeKind, Relation, Render};
use countersign_core::keys;
use countersign_core::names::CommitId;
use countersign_core::ports::store;
use countersign_core::review::{FORK_PREVIEW_LABEL, Identity, PullRequest, PullRequestState};
use countersign_core::target::{Ended, SeenTip};

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

/// A pull request as a forge tells of it.
pub fn told(head: &CommitId, fork: bool, state: PullRequestState, labels: &[&str]) -> PullRequest {
    PullRequest {
        id: "7".to_owned(),
        title: "A change".to_owned(),
        url: None,
        author: Identity { account: Some(5), ..Identity::default() },
        base: main_branch(),
        head: head.clone(),
        fork,
        state,
        pushers: Vec::new(),
        contributors: Vec::new(),
        reviews: Vec::new(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    }
}

#[tokio::test]
async fn what_was_told_of_a_pull_request_that_is_previewed_is_noted() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    let noted = async |world: &World| {
        let key = keys::previewed(&crate::world::repository(), "7");
        store::get_json::<Digest>(&world.store, &key).await.unwrap()
    };
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &[])];
    world.take("p1", pull_request(PullRequestAction::Opened, &head, false)).await;
    let first = noted(&world).await;
    assert_eq!(first, Some(world.pull_requests[0].fingerprint(&[])));
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &["urgent"])];
    world.take("p2", pull_request(PullRequestAction::Edited, &head, false)).await;
    assert_ne!(noted(&world).await, first);
}

#[tokio::test]
async fn a_branch_that_is_behind_is_previewed_merged() {
    let world = World::new().await;
    let base = world.push("main", None, "1", "1");
    let first = world.take("e1", pushed(&base)).await;
    world.authorize(&first[1], true).await;
    let head = world.push("topic", Some(&base), "2", "1");
    let tip = world.push("main", Some(&base), "1", "2");
    let looks = world.take("p1", pull_request(PullRequestAction::Opened, &head, false)).await;
    assert_eq!(looks.len(), 1, "what the base changed meanwhile is not the pull request's");
    let facts = &looks[0];
    assert_eq!((&facts.change.commit, facts.range.relation), (&head, Relation::Descends));
    assert_eq!(facts.range.altering, std::slice::from_ref(&head));
    assert_eq!(facts.proposed[&head].len(), 1);
    assert_ne!(facts.change.tree.as_str(), head.as_str());
    let fields: Vec<_> =
        facts.diff.iter().flat_map(|object| &object.fields).map(|field| &*field.field).collect();
    assert_eq!(fields, ["/data/value"]);

    // Merged as it was shown, the same manifest is what is decided on.
    let merged = world.push("main", Some(&tip), "2", "2");
    let after = world.take("e2", pushed(&merged)).await;
    assert_eq!(after.iter().find(|one| one.target == facts.target).unwrap().manifest, facts.manifest);
}

#[tokio::test]
async fn a_branch_that_conflicts_is_told_where() {
    let world = World::new().await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    world.push("main", Some(&base), "3", "1");
    let looks = world.take("p1", pull_request(PullRequestAction::Opened, &head, false)).await;
    let Render::Failed { problems } = &looks[0].render else { panic!("it renders") };
    assert_eq!(problems[0].at.file, "deploy/shop/all.yaml");
    assert!(looks[0].manifest.is_none() && looks[0].objects.is_empty());
}

#[tokio::test]
async fn a_fork_waits_for_a_label_and_is_shown_nothing_that_runs() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let first = world.take("e1", pushed(&base)).await;
    world.authorize(&first[1], true).await;
    let tip = world.push("main", Some(&base), "2", "1");
    let head = world.push("topic", Some(&tip), "3", "1");
    let opened = pull_request(PullRequestAction::Opened, &head, true);
    let review = || EventKind::Review {
        action: ReviewAction::Approved,
        pull_request: "7".to_owned(),
        base: main_branch(),
        head: Some(head.clone()),
    };
    world.pull_requests = vec![told(&head, true, PullRequestState::Open, &["help wanted"])];
    assert_eq!(world.take("p1", opened.clone()).await, []);
    assert_eq!(world.take("r1", review()).await, [], "a review starts no look either");
    world.pull_requests.clear();
    assert_eq!(world.take("r2", review()).await, [], "nor does one of a pull request that is not told of");

    world.pull_requests = vec![told(&head, true, PullRequestState::Open, &[FORK_PREVIEW_LABEL])];
    for (id, kind) in [("p2", opened), ("r3", review())] {
        let looks = world.take(id, kind).await;
        let facts = &looks[0];
        assert_eq!((looks.len(), facts.range.from.as_ref()), (1, Some(&tip)), "measured from its base");
        let history = &facts.history;
        assert!(
            history.authorized.is_none() && history.running.is_none() && history.running_manifest.is_none()
        );
        assert!(facts.conflicts.is_empty());
        let diff = &facts.diff[0];
        assert_eq!(diff.change, ChangeKind::Changed, "compared with what the base renders to");
        assert_eq!(diff.fields[0].before, Some("2".into()), "and not with what runs");
    }
}

#[tokio::test]
async fn the_end_of_a_pull_request_is_reported_and_nothing_else() {
    let world = World::new().await;
    let base = world.push("main", None, "1", "1");
    let head = world.push("topic", Some(&base), "2", "1");
    for (id, action) in [("c1", PullRequestAction::Closed), ("m1", PullRequestAction::Merged)] {
        assert_eq!(world.take(id, pull_request(action, &head, false)).await, []);
        let reports = world.reports().await;
        assert_eq!(reports.len(), 1, "both applications are in one environment");
        assert_eq!((&reports[0].commit, reports[0].environment.as_str()), (&head, "production"));
    }
}

#[tokio::test]
async fn who_approved_a_merge_that_was_edited_is_kept_for_the_report() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let first = world.take("e1", pushed(&base)).await;
    world.authorize(&first[1], true).await;
    let head = world.push("topic", Some(&base), "2", "1");
    let edited = world.push("main", Some(&base), "evil", "1");
    world.pull_requests = vec![told(&head, false, PullRequestState::Merged, &[])];
    let facts = world.take("e2", pushed(&edited)).await;
    let facts = facts.iter().find(|facts| facts.target.target == crate::world::shop()).unwrap();
    assert_eq!(facts.range.explanations, []);
    assert!(facts.proposed.contains_key(&head), "its commits are kept");
    assert_eq!(facts.pull_requests.len(), 1);
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &[])];
    let open = world.take("e3", EventKind::RefDue { reference: main_branch(), every_target: true }).await;
    assert!(
        open.iter().all(|facts| facts.pull_requests.is_empty()),
        "one that was not merged is not its cause"
    );
}

#[tokio::test]
async fn pull_requests_that_ended_are_noted_with_the_tip_for_what_is_said_of_them_later() {
    let mut world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    let first = world.take("e1", pushed(&base)).await;
    let head = world.push("topic", Some(&base), "2", "1");
    let merged = world.push("main", Some(&base), "2", "1");
    let (ended, open) = (
        told(&head, false, PullRequestState::Merged, &[]),
        PullRequest { id: "8".to_owned(), ..told(&head, false, PullRequestState::Open, &[]) },
    );
    world.pull_requests = vec![ended.clone(), open];
    world.take("e2", pushed(&merged)).await;
    let seen: Option<SeenTip> =
        store::get_json(&world.store, &keys::seen_tip(&first[0].target.follows)).await.unwrap();
    let expected = Ended { head, told: ended.fingerprint(&[]) };
    assert_eq!(seen.unwrap().ended, [(ended.id, expected)].into());
}
