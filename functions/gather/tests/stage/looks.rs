//! Which targets an event makes the stage look at, and at which commit.

use countersign_core::decision::Verdict;
use countersign_core::digest::Digest;
use countersign_core::event::EventKind;
use countersign_core::facts::{Facts, Operation, Relation};
use countersign_core::keys;
use countersign_core::leaf::Disposition;
use countersign_core::names::CommitId;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{self, Store as _};
use countersign_core::statement::{Command, Says, SignedStatement, Statement};
use countersign_core::target::{Look, TargetState};

use crate::world::{World, at, cart, main_branch, pushed, repository, shop};

fn every_target() -> EventKind {
    EventKind::RefDue { reference: main_branch(), every_target: true }
}

fn names(facts: &[Facts]) -> Vec<&str> {
    facts.iter().map(|facts| facts.target.target.application.as_str()).collect()
}

/// A world in which both applications run as the first commit has them.
async fn settled() -> (World, Vec<Facts>) {
    let world = World::new().await;
    let first = world.push("main", None, "1", "1");
    let facts = world.take("e1", pushed(&first)).await;
    assert_eq!(names(&facts), ["cart", "shop"], "nothing was ever seen of this ref");
    for facts in &facts {
        world.authorize(facts, true).await;
    }
    (world, facts)
}

#[tokio::test]
async fn a_push_looks_at_what_it_touches_only() {
    let (world, first) = settled().await;
    world.store.reads_of("");
    let second = world.push("main", None, "2", "1");
    let facts = world.take("e2", pushed(&second)).await;
    assert_eq!(names(&facts), ["shop"]);
    let shop = &facts[0];
    assert_eq!((&shop.change.commit, shop.range.relation), (&second, Relation::Descends));
    assert_eq!(shop.range.altering, std::slice::from_ref(&second));
    assert_eq!(shop.history.authorized.as_ref(), Some(&first[1].change.commit));
    assert_eq!(world.take("e2b", pushed(&second)).await, [], "nothing is new");
}

#[tokio::test]
async fn an_untouched_target_makes_no_look_and_costs_one_lookup() {
    let (world, _) = settled().await;
    world.store.reads_of("");
    assert_eq!(world.take("start", every_target()).await, []);
    assert_eq!(world.store.reads_of(&keys::target(&cart())), 1);
}

#[tokio::test]
async fn a_target_that_is_not_settled_is_looked_at_with_every_push() {
    let (world, first) = settled().await;
    world.authorize(&first[0], false).await;
    let second = world.push("main", None, "2", "1");
    assert_eq!(names(&world.take("e2", pushed(&second)).await), ["cart", "shop"]);
}

#[tokio::test]
async fn what_is_still_under_way_is_looked_at_again() {
    let (world, _) = settled().await;
    let second = world.push("main", None, "2", "1");
    assert_eq!(names(&world.take("e2", pushed(&second)).await), ["shop"]);
    assert_eq!(world.take("e2b", pushed(&second)).await, [], "the same, told twice");
    // `record` has not yet what came of it: an approval would be missed, and so would the way back.
    let due = EventKind::RefDue { reference: main_branch(), every_target: false };
    assert_eq!(names(&world.take("e3", due.clone()).await), ["shop"]);
    let back = world.push("main", None, "1", "1");
    let facts = world.take("e4", pushed(&back)).await;
    assert_eq!(names(&facts), ["shop"]);
    world.authorize(&facts[0], true).await;
    assert_eq!(world.take("e5", due).await, []);
}

#[tokio::test]
async fn what_is_on_its_way_is_looked_at_again_only_by_a_start() {
    let (world, first) = settled().await;
    world.authorize(&first[0], false).await;
    let due = EventKind::RefDue { reference: main_branch(), every_target: false };
    assert_eq!(world.take("e2", due.clone()).await, [], "what is said makes it no more allowed");
    assert_eq!(names(&world.take("e3", every_target()).await), ["cart"], "what was lost is found");
    let key = keys::target(&cart());
    let mut state: TargetState = store::get_json(&world.store, &key).await.unwrap().unwrap();
    state.latest.bundle = Digest::of(b"other rules");
    store::put_json(&world.store, &key, &state).await.unwrap();
    assert_eq!(names(&world.take("e4", due).await), ["cart"], "it was decided by other rules");
}

#[tokio::test]
async fn a_repeated_event_makes_the_same_facts_and_hides_no_later_push() {
    let (world, _) = settled().await;
    let second = world.push("main", None, "2", "1");
    let facts = world.take("e2", pushed(&second)).await;
    let before = world.stored("e2", &shop()).await.unwrap();
    // The first try died before it noted what it had seen, and another push came meanwhile.
    world.store.delete(&keys::seen_tip(&facts[0].target.follows)).await.unwrap();
    let third = world.push("main", None, "3", "1");
    world.take("e2", pushed(&second)).await;
    assert_eq!(world.stored("e2", &shop()).await.unwrap(), before, "the first write wins");
    let facts = world.take("e3", pushed(&third)).await;
    assert!(facts.iter().any(|facts| facts.target.target == shop() && facts.change.commit == third));
}

#[tokio::test]
async fn what_is_pushed_while_the_stage_looks_is_looked_at_next() {
    let (world, _) = settled().await;
    let second = world.push("main", None, "2", "1");
    let path = world.path();
    let meanwhile = || {
        let git = git2::Repository::open_bare(&path).unwrap();
        let tip = git.find_commit(git.refname_to_id("refs/heads/main").unwrap()).unwrap();
        if tip.id().to_string() == second.as_str() {
            let who = git2::Signature::new("Bob", "bob@example.com", &git2::Time::new(1, 0)).unwrap();
            let tree = tip.parent(0).unwrap().tree().unwrap();
            git.commit(Some("refs/heads/main"), &who, &who, "back", &tree, &[&tip]).unwrap();
        }
        Ok(())
    };
    let due = EventKind::RefDue { reference: main_branch(), every_target: false };
    let facts = world.take_while("e2", due.clone(), &meanwhile).await.unwrap();
    assert_eq!(facts[0].change.commit, second);
    world.authorize(&facts[0], true).await;
    let facts = world.take("e3", due).await;
    assert_eq!(names(&facts), ["shop"], "the push that came meanwhile changed the shop");
}

#[tokio::test]
async fn a_deleted_branch_removes_nothing() {
    let (world, _) = settled().await;
    world.delete_branch("main");
    let deleted = EventKind::Deleted { reference: main_branch(), before: None };
    for kind in [deleted, every_target(), EventKind::TargetDue { target: shop(), at_tip: false }] {
        assert_eq!(world.take("e2", kind).await, []);
    }
}

/// The state in which `tip` was denied.
fn denied(state: &TargetState, tip: &CommitId) -> TargetState {
    let latest = Look {
        commit: tip.clone(),
        verdict: Verdict::Denied,
        disposition: Disposition::Refused,
        ..state.latest.clone()
    };
    TargetState { latest, ..state.clone() }
}

#[tokio::test]
async fn a_retry_looks_at_what_is_wanted_beside_a_denied_tip() {
    let (world, first) = settled().await;
    let tip = world.push("main", None, "2", "1");
    let due = EventKind::TargetDue { target: shop(), at_tip: false };
    let wanted = world.authorize(&first[1], false).await;
    let facts = world.take("t1", due.clone()).await;
    assert_eq!(facts[0].change.commit, tip, "the tip comes first");
    world.set(&denied(&wanted, &tip)).await;
    let facts = world.take("t2", due.clone()).await;
    assert_eq!(facts[0].change.commit, first[1].change.commit);
    let facts = world.take("t2b", EventKind::TargetDue { target: shop(), at_tip: true }).await;
    assert_eq!(facts[0].change.commit, tip, "a look at the tip that was overtaken is made again at the tip");
    let runs = world.authorize(&first[1], true).await;
    world.set(&denied(&runs, &tip)).await;
    let facts = world.take("t3", due).await;
    assert_eq!(facts[0].change.commit, tip, "what runs needs no retry");
}

#[tokio::test]
async fn an_object_that_another_target_owns_is_a_conflict() {
    let (world, first) = settled().await;
    assert_eq!(first[1].conflicts, []);
    let mut stolen = first[0].clone();
    stolen.objects.clone_from(&first[1].objects);
    world.authorize(&stolen, true).await;
    let second = world.push("main", None, "2", "1");
    let facts = world.take("e2", pushed(&second)).await;
    assert_eq!(facts[0].conflicts.len(), 1);
    assert_eq!(facts[0].conflicts[0].owner, cart());
}

#[tokio::test]
async fn a_render_that_fails_is_part_of_the_facts() {
    let (world, _) = settled().await;
    let second = world.push("main", None, "\"\n: : :\n", "1");
    let facts = world.take("e2", pushed(&second)).await;
    let countersign_core::facts::Render::Failed { problems } = &facts[0].render else {
        panic!("{:?}", facts[0].render)
    };
    assert_eq!(problems[0].at.file, "deploy/shop/all.yaml");
    assert_eq!(facts[0].manifest, None);
}

#[tokio::test]
async fn a_command_works_while_the_forge_does_not_answer() {
    let (world, _) = settled().await;
    let second = world.push("main", None, "2", "1");
    let down = || Err(PortError::Unavailable("the forge is down".to_owned()));
    let refused = world.take_while("e2", pushed(&second), &down).await;
    assert!(refused.is_err(), "a change needs what people said of it");
    let command = Command::Hold { target: shop(), reason: "incident".to_owned() };
    let says = Says::Command { command, expires: at(100) };
    let statement = Statement { v: 1, repository: repository(), time: at(0), nonce: "n".to_owned(), says };
    let payload = serde_json::to_string(&statement).unwrap();
    let statement = SignedStatement { payload, signature: String::new() };
    let kind = EventKind::Command { statement: statement.clone() };
    let facts = world.take_while("c1", kind, &down).await.unwrap();
    assert_eq!((facts[0].change.operation, facts[0].change.command), (Operation::Hold, Some(statement.id())));
    assert_eq!(facts[0].statements, [statement]);
}
