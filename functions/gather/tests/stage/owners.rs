//! Who owns what a head brings.

use countersign_core::event::{EventKind, PullRequestAction};
use countersign_core::facts::Facts;
use countersign_core::names::CommitId;
use countersign_core::owners::CodeOwners;
use countersign_core::review::PullRequestState;

use crate::previews::told;
use crate::world::{World, main_branch, pushed, shop};

fn opened(head: &CommitId) -> EventKind {
    EventKind::PullRequest {
        action: PullRequestAction::Opened,
        pull_request: "7".to_owned(),
        base: main_branch(),
        head: head.clone(),
        fork: false,
    }
}

fn of_shop(looks: &[Facts]) -> &Facts {
    looks.iter().find(|facts| facts.target.target == shop()).unwrap()
}

/// What is owned, as `line owners: paths`.
fn owned(owners: &CodeOwners) -> Vec<String> {
    let shown = |one: &countersign_core::owners::OwnedFiles| {
        format!("{} {}: {}", one.line, one.owners.join(" "), one.paths.join(" "))
    };
    owners.owned.iter().map(shown).collect()
}

#[tokio::test]
async fn who_owns_what_is_said_by_the_base_and_never_by_the_head() {
    let mut world = World::on("gitea").await;
    world.push("main", None, "1", "1");
    let base = world.add_file("main", "CODEOWNERS", "deploy/shop/.* @grace\nCODEOWNERS @linus\n");
    let first = world.take("e1", pushed(&base)).await;
    assert!(first.iter().all(|facts| facts.owners.is_empty()), "nobody asks for them");
    world.authorize(&first[1], true).await;
    world.ask_owners().await;
    world.point("topic", &base);
    world.push("topic", None, "2", "1");
    let head = world.add_file("topic", "CODEOWNERS", "deploy/.* @mallory\n");
    world.pull_requests = vec![told(&head, false, PullRequestState::Open, &[])];

    let expected = ["1 @grace: deploy/shop/all.yaml", "2 @linus: CODEOWNERS"];
    let looks = world.take("p1", opened(&head)).await;
    let preview = of_shop(&looks);
    assert_eq!(preview.owners.len(), 1, "{:?}", preview.owners);
    assert_eq!(owned(&preview.owners[0]), expected);
    assert_eq!((&preview.owners[0].head, preview.owners[0].base.as_ref()), (&head, Some(&base)));

    world.point("main", &head);
    let looks = world.take("e2", pushed(&head)).await;
    let decided = of_shop(&looks);
    let judged = decided.owners.iter().find(|owners| owners.head == head && owners.commit == head).unwrap();
    assert_eq!(
        (owned(judged), judged.file.as_deref()),
        (expected.map(str::to_owned).to_vec(), Some("CODEOWNERS"))
    );
    assert!(decided.range.altering.contains(&head), "who changes the owners alters what is decided on");
}

#[tokio::test]
async fn a_change_of_the_owners_alone_is_looked_at() {
    let world = World::on("gitea").await;
    let base = world.push("main", None, "1", "1");
    world.ask_owners().await;
    for facts in world.take("e1", pushed(&base)).await {
        world.authorize(&facts, true).await;
    }
    let tip = world.add_file("main", "CODEOWNERS", ".* @mallory\n");
    let looks = world.take("e2", pushed(&tip)).await;
    assert_eq!(looks.len(), 2, "both applications ask");
    assert!(looks.iter().all(|facts| facts.range.altering == [tip.clone()]), "{looks:?}");
    assert!(looks.iter().all(|facts| facts.owners.is_empty()), "nothing explains it");
}

#[tokio::test]
async fn where_nothing_was_authorized_the_commit_says_it_itself_and_what_is_not_read_is_told() {
    let world = World::on("gitea").await;
    world.ask_owners().await;
    world.push("main", None, "1", "1");
    let tip = world.add_file("main", "CODEOWNERS", "deploy/shop/.* @grace\n");
    let looks = world.take("e1", pushed(&tip)).await;
    assert_eq!(owned(&of_shop(&looks).owners[0]), ["1 @grace: deploy/shop/all.yaml"]);
    assert_eq!(of_shop(&looks).owners[0].base.as_ref(), Some(&tip));
    let tip = world.add_file("main", "CODEOWNERS", "(?!x).* @grace\n");
    let looks = world.take("e2", pushed(&tip)).await;
    let problem = of_shop(&looks).owners[0].problem.clone().unwrap();
    assert!(problem.starts_with("CODEOWNERS:1: the pattern is not understood here"), "{problem}");
}
