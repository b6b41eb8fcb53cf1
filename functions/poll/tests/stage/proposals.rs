//! What was said of pull requests, open and merged ones.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::names::{CommitId, FollowedRef, Target};
use countersign_core::ports::forge::OpenPullRequest;
use countersign_core::ports::store;
use countersign_core::review::{PullRequest, Status};
use countersign_core::target::{Ended, SeenTip};
use serde_json::json;

use crate::world::{main_branch, shop};

#[tokio::test]
async fn pull_requests_that_changed_unheard_are_previewed_and_their_branches_looked_at() {
    let (world, first) = shop().await;
    let open = |version: &str, base: &str| OpenPullRequest {
        id: "7".to_owned(),
        base: base.parse().unwrap(),
        head: first.clone(),
        fork: false,
        version: version.to_owned(),
    };
    let tell = |one| *world.forge.open.lock().unwrap() = Some(vec![one]);
    tell(open("1", "refs/heads/other"));
    assert_eq!(world.poll(120).await, [] as [&str; 0], "nothing follows its base");
    tell(open("1", "refs/heads/main"));
    let all =
        ["local/control #7", "local/control refs/heads/main", "local/shop #7", "local/shop refs/heads/main"];
    assert_eq!(world.poll(180).await, all);
    assert_eq!(world.poll(240).await, [] as [&str; 0]);
    tell(open("2", "refs/heads/main"));
    assert_eq!(world.poll(300).await, all, "the branch may have waited for what was said there");
}

#[tokio::test]
async fn what_a_webhook_told_of_a_pull_request_is_not_previewed_once_more() {
    let (world, first) = shop().await;
    let tell = |version: &str, told: Option<&PullRequest>| {
        *world.forge.open.lock().unwrap() = Some(vec![OpenPullRequest {
            id: "7".to_owned(),
            base: main_branch(),
            head: first.clone(),
            fork: false,
            version: version.to_owned(),
        }]);
        *world.forge.told.lock().unwrap() = told.map(|told| vec![told.clone()]);
    };
    let nothing: [&str; 0] = [];
    let told = request(&first, "open");
    // As `gather` notes it, when it has previewed what a webhook told of.
    for repository in ["local/control", "local/shop"] {
        let key = keys::previewed(&repository.parse().unwrap(), "7");
        store::put_json(&world.store, &key, &told.fingerprint(&[])).await.unwrap();
    }
    tell("1", Some(&told));
    assert_eq!(world.poll(120).await, nothing, "it was previewed");
    tell("2", None);
    assert_eq!(world.poll(180).await, nothing, "the forge does not say what changed");
    tell("2", Some(&told));
    assert_eq!(world.poll(240).await, nothing, "our own comment changed it, and nothing else");
    let labeled = PullRequest { labels: vec!["urgent".to_owned()], ..told };
    tell("2", Some(&labeled));
    assert_eq!(world.poll(300).await, nothing, "that version is known");
    tell("3", Some(&labeled));
    let both =
        ["local/control #7", "local/control refs/heads/main", "local/shop #7", "local/shop refs/heads/main"];
    assert_eq!(world.poll(360).await, both);
    assert_eq!(world.poll(420).await, nothing);
}

#[tokio::test]
async fn what_is_said_of_a_merged_pull_request_is_found_where_a_target_waits_for_it() {
    let (world, tip) = shop().await;
    let follows = FollowedRef { repository: "local/shop".parse().unwrap(), reference: main_branch() };
    let merged = request(&tip, "merged");
    let ended = Ended { head: tip.clone(), told: merged.fingerprint(&[]) };
    let seen = SeenTip {
        tip,
        bundle: Digest::of(b""),
        looked: BTreeSet::new(),
        ended: [("7".to_owned(), ended)].into(),
    };
    store::put_json(&world.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    let tell = |told: &PullRequest| *world.forge.told.lock().unwrap() = Some(vec![told.clone()]);
    let nothing: [&str; 0] = [];
    let labeled = |label: &str| PullRequest { labels: vec![label.to_owned()], ..merged.clone() };
    tell(&labeled("late"));
    assert_eq!(world.poll(120).await, nothing, "nothing waits");
    let target: Target = "local-shop/production/east".parse().unwrap();
    store::put_json(&world.store, &keys::unsettled(&follows, &target), &target).await.unwrap();
    tell(&merged);
    assert_eq!(world.poll(180).await, nothing, "nothing new was said");
    tell(&PullRequest { url: Some("https://forge.example/7".to_owned()), ..merged.clone() });
    assert_eq!(world.poll(240).await, nothing, "it is only shown elsewhere");
    tell(&labeled("late"));
    assert_eq!(world.poll(300).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(360).await, nothing, "it was hinted at");
    tell(&labeled("later"));
    assert_eq!(world.poll(420).await, ["local/shop refs/heads/main"]);
}

/// What a forge tells of a pull request.
fn request(head: &CommitId, state: &str) -> PullRequest {
    serde_json::from_value(json!({
        "id": "7", "title": "Faster", "author": {"account": 1}, "base": main_branch(), "head": head, "fork": false,
        "state": state, "pushers": [], "reviews": [], "labels": [],
    }))
    .unwrap()
}

/// What a program says of a commit.
fn status(commit: &CommitId, id: &str, state: &str) -> Status {
    serde_json::from_value(json!({
        "id": id, "context": "ci/build", "commit": commit, "state": state, "said": state,
        "setter": {"account": 12}, "set": "2026-11-20T12:00:00Z",
    }))
    .unwrap()
}

#[tokio::test]
async fn a_status_that_no_webhook_told_of_is_found_before_and_after_a_merge() {
    let (world, head) = shop().await;
    let follows = FollowedRef { repository: "local/shop".parse().unwrap(), reference: main_branch() };
    let proposed = request(&head, "open");
    let one = OpenPullRequest {
        id: "7".to_owned(),
        base: main_branch(),
        head: head.clone(),
        fork: false,
        version: "1".to_owned(),
    };
    let say = |id: &str, state: &str| *world.forge.said.lock().unwrap() = vec![status(&head, id, state)];
    let nothing: [&str; 0] = [];
    say("1", "pending");
    *world.forge.told.lock().unwrap() = Some(vec![proposed.clone()]);
    *world.forge.open.lock().unwrap() = Some(vec![one]);
    // As `gather` notes what it previewed.
    for repository in ["local/control", "local/shop"] {
        let key = keys::previewed(&repository.parse().unwrap(), "7");
        let statuses =
            if repository == "local/shop" { vec![status(&head, "1", "pending")] } else { Vec::new() };
        store::put_json(&world.store, &key, &proposed.fingerprint(&statuses)).await.unwrap();
    }
    assert_eq!(world.poll(120).await, nothing, "it was previewed with that status");
    say("2", "success");
    assert_eq!(world.poll(180).await, ["local/shop #7", "local/shop refs/heads/main"]);
    assert_eq!(world.poll(240).await, nothing);

    *world.forge.open.lock().unwrap() = Some(Vec::new());
    let merged = request(&head, "merged");
    *world.forge.told.lock().unwrap() = Some(vec![merged.clone()]);
    let told = merged.fingerprint(&[status(&head, "2", "success")]);
    let seen = SeenTip {
        tip: head.clone(),
        bundle: Digest::of(b""),
        looked: BTreeSet::new(),
        ended: [("7".to_owned(), Ended { head: head.clone(), told })].into(),
    };
    store::put_json(&world.store, &keys::seen_tip(&follows), &seen).await.unwrap();
    let target: Target = "local-shop/production/east".parse().unwrap();
    store::put_json(&world.store, &keys::unsettled(&follows, &target), &target).await.unwrap();
    assert_eq!(world.poll(300).await, nothing, "it was looked at with that status");
    say("3", "failure");
    assert_eq!(world.poll(360).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(420).await, nothing);
}
