//! What no webhook brought is found, on a store and a queue as they are, and repositories in folders.

mod proposals;
mod world;

use std::sync::atomic::Ordering;

use countersign_core::event::EventKind;
use countersign_core::keys;
use countersign_core::names::Target;
use countersign_core::ports::store::{self, Store as _};
use serde_json::{Value, json};

use world::{World, at, failing, shop};

const DAY: i64 = 24 * 60 * 60;

#[tokio::test]
async fn a_push_that_no_webhook_brought_is_found_within_its_period_and_told_once() {
    let (world, first) = shop().await;
    let second = world.commit("local/shop", "2");
    assert_eq!(world.poll(100).await, [] as [&str; 0], "its period is not over");
    assert_eq!(world.poll(120).await, ["local/shop refs/heads/main pushed"]);
    assert_eq!(world.poll(180).await, [] as [&str; 0], "gather knows");
    assert_eq!(world.poll(720).await, ["local/shop refs/heads/main pushed"], "nobody looked for ten minutes");
    world.see("local/shop", &second).await;
    assert_eq!(world.poll(780).await, [] as [&str; 0]);
    // Back and forth, each between two looks: each is another event.
    world.commit("local/shop", "1");
    assert_eq!(world.poll(840).await, ["local/shop refs/heads/main pushed"]);
    world.see("local/shop", &first).await;
    world.commit("local/shop", "2");
    assert_eq!(world.poll(900).await, ["local/shop refs/heads/main pushed"]);
}

#[tokio::test]
async fn a_day_of_downtime_is_made_up_for_at_once_and_two_hints_at_one_tip_are_two_events() {
    let (world, _) = shop().await;
    world.commit("local/shop", "2");
    world.poller().handle(at(DAY)).await.unwrap();
    let first = world.events().await;
    world.poller().handle(at(2 * DAY)).await.unwrap();
    let second = world.events().await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].id, second[0].id);
    assert_eq!(first[0].received, at(DAY));
}

#[tokio::test]
async fn a_crash_after_the_hint_makes_the_same_event_again() {
    let (world, _) = shop().await;
    world.commit("local/shop", "2");
    let key = keys::polled(&"local/shop".parse().unwrap());
    let before = world.store.get(&key).await.unwrap().unwrap().bytes;
    assert_eq!(world.poll(120).await.len(), 1);
    world.store.put(&key, &before).await.unwrap();
    assert_eq!(world.poll(121).await, [] as [&str; 0], "the queue drops it as a repeat");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_ever_more_rarely_and_hinders_no_other() {
    let (url, count) = failing();
    let world = World::new(&[("down/shop", url), ("local/cart", Value::Null)]).await;
    world.commit("local/cart", "1");
    world.poll(0).await;
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let mut found = Vec::new();
    for minute in 1..=60 {
        let before = count.load(Ordering::SeqCst);
        let hints = world.poll(minute * 60).await;
        assert_eq!(
            hints.contains(&"local/cart refs/heads/main pushed".to_owned()),
            [1, 11, 31].contains(&minute)
        );
        if count.load(Ordering::SeqCst) > before {
            found.push(minute);
        }
    }
    assert_eq!(found, [1, 3, 7, 15, 25, 35, 45, 55], "widening to ten minutes");
    // It is back, by another address: what was pushed meanwhile is found, the newest alone.
    world.commit("local/shop", "1");
    let newest = world.commit("local/shop", "2");
    let path = json!(world.path("local/shop"));
    world.configure(&[("down/shop", path), ("local/cart", Value::Null)]).await;
    world.poller().handle(at(65 * 60)).await.unwrap();
    let events = world.events().await;
    let shop: Vec<_> = events.iter().filter(|event| event.id.contains("down/shop")).collect();
    assert_eq!(shop.len(), 1);
    assert!(shop[0].id.contains(newest.as_str()), "{}", shop[0].id);
}

#[tokio::test]
async fn a_host_that_is_down_costs_a_few_questions_however_many_repositories_it_has() {
    let (url, count) = failing();
    let names: Vec<String> = (0..50).map(|at| format!("down/shop{at}")).collect();
    let repositories: Vec<_> = names.iter().map(|name| (name.as_str(), url.clone())).collect();
    let world = World::new(&repositories).await;
    world.poll(0).await;
    world.poll(60).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn statements_that_came_unheard_make_a_look_due() {
    let (world, _) = shop().await;
    let git = git2::Repository::open_bare(world.path("local/shop")).unwrap();
    let name = format!("refs/countersign/statements/{}", "0".repeat(64));
    git.reference(&name, git.blob(b"s").unwrap(), true, "").unwrap();
    assert_eq!(world.poll(120).await, ["local/shop refs/heads/main"]);
    assert_eq!(world.poll(180).await, [] as [&str; 0]);
    git.find_reference(&name).unwrap().delete().unwrap();
    assert_eq!(world.poll(240).await, ["local/shop refs/heads/main"], "one that was taken away counts too");
}

#[tokio::test]
async fn what_waits_is_woken_when_its_time_has_come_also_after_the_clock_was_put_back() {
    let (world, _) = shop().await;
    let target: Target = "local-shop/production/east".parse().unwrap();
    let gone: Target = "gone/production/east".parse().unwrap();
    for (when, target) in [(70, &target), (70, &gone), (90, &target)] {
        store::put_json(&world.store, &keys::due(at(when), target), target).await.unwrap();
    }
    assert_eq!(world.poll(69).await, [] as [&str; 0]);
    assert_eq!(world.poll(70).await, ["local/shop local-shop/production/east"]);
    assert_eq!(world.poll(71).await, [] as [&str; 0]);
    assert_eq!(world.poll(-DAY).await, ["local/shop local-shop/production/east"]);
}

#[tokio::test]
async fn a_start_makes_every_followed_reference_due() {
    let (world, _) = shop().await;
    assert_eq!(world.poller().everything(at(7)).await.unwrap(), 2);
    let events = world.events().await;
    assert!(events.iter().all(|event| matches!(event.kind, EventKind::RefDue { every_target: true, .. })));
}
