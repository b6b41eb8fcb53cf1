//! Who pushed to a merge request's branch, in a project where much else is pushed.

use super::*;

/// A push to the branch `topic`; from `-` it created the branch.
pub(super) fn push(by: u64, before: char, after: char) -> Value {
    let from = (before != '-').then(|| commit(before));
    let data = json!({
        "commit_count": 1, "action": if before == '-' { "created" } else { "pushed" }, "ref_type": "branch",
        "commit_from": from, "commit_to": commit(after), "ref": "topic", "commit_title": "m", "ref_count": null
    });
    json!({ "action_name": "pushed to", "author_id": by, "author": user(by), "push_data": data })
}

/// As [`push`], to something else.
fn elsewhere(change: &Value) -> Value {
    let mut push = push(60, 'b', 'a');
    for (key, value) in change.as_object().unwrap() {
        push["push_data"][key] = value.clone();
    }
    push
}

/// The server with an open merge request of `a`, whose commits are `a` and `b` on `0`, and these pushes.
async fn opened(events: Vec<Value>) -> (Server, Gitlab<Vault>, Shared) {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![request(5, 'a', "opened", &json!({}))];
    world.lock().unwrap().events = events;
    set(&world, "5", "commits", json!([{ "id": commit('a') }, { "id": commit('b') }]));
    set(&world, "5", "versions", json!([version(1, 'a', "09:00:01.000")]));
    let (server, gitlab) = gitlab(&world).await;
    (server, gitlab, world)
}

/// The accounts that pushed, 0 for one that is not known.
async fn pushers(gitlab: &Gitlab<Vault>) -> Vec<u64> {
    let told = evidence(gitlab, "a").await;
    told.pull_requests[0].pushers.iter().map(|one| one.account.unwrap_or_default()).collect()
}

fn pages(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("/events?")).count()
}

#[tokio::test]
async fn a_pusher_on_the_fourth_page_is_found() {
    let mut events = vec![elsewhere(&json!({ "ref": "other" })); 320];
    events[0] = push(41, 'b', 'a');
    events[310] = push(40, '-', 'b');
    let (server, gitlab, _) = opened(events).await;
    assert_eq!(pushers(&gitlab).await, [41, 40]);
    assert_eq!(pages(&server), 4);
}

#[tokio::test]
async fn a_pusher_beyond_what_is_read_is_unknown() {
    let mut events = vec![elsewhere(&json!({ "ref": "other" })); 5200];
    events[0] = push(41, 'b', 'a');
    events[5100] = push(40, '-', 'b');
    let (server, gitlab, world) = opened(events).await;
    assert_eq!(pushers(&gitlab).await, [41, 0]);
    assert_eq!(pages(&server), 50);
    // What was read is used for every merge request.
    world.lock().unwrap().requests.push(request(6, 'c', "opened", &json!({ "source_branch": "more" })));
    let told = evidence(&gitlab, "9").await;
    assert_eq!(told.pull_requests.len(), 2);
    assert_eq!(told.pull_requests[1].pushers, [countersign_core::review::Identity::default()]);
    assert_eq!(pages(&server), 100);
}

#[tokio::test]
async fn what_was_pushed_with_many_others_is_by_someone_unknown() {
    let together = json!({ "ref": null, "commit_from": null, "commit_to": null, "ref_count": 4 });
    let tag = json!({ "ref_type": "tag", "commit_from": null });
    let (_server, gitlab, _) = opened(vec![elsewhere(&tag), elsewhere(&together)]).await;
    assert_eq!(pushers(&gitlab).await, [0], "a tag of the same name is no push of the branch");
}

#[tokio::test]
async fn a_branch_that_lives_long_is_followed_to_what_its_target_had() {
    let events = vec![push(41, 'b', 'a'), push(40, '1', 'b'), push(39, '2', '1'), push(38, '-', '2')];
    let (server, gitlab, world) = opened(events).await;
    world.lock().unwrap().base = "01";
    assert_eq!(pushers(&gitlab).await, [41, 40]);
    let asked: Vec<_> = server.log().into_iter().filter(|line| line.contains("/merge_base")).collect();
    let refs = format!("?refs%5B%5D={}&refs%5B%5D={}", commit('0'), commit('1'));
    assert!(asked.len() == 1 && asked[0].ends_with(&refs), "{asked:?}");
    world.lock().unwrap().base = "0";
    assert_eq!(pushers(&gitlab).await, [41, 40, 39, 38], "what was taken away was pushed too");
}

#[tokio::test]
async fn the_events_are_given_time_to_tell_of_a_push() {
    let (_server, gitlab, world) = opened(Vec::new()).await;
    set(&world, "5", "versions", json!([version(1, 'a', "21:59:55.000")]));
    let (main, commits) = ("refs/heads/main".parse().unwrap(), [commit('a')]);
    let error = gitlab.evidence(&"forge/team/shop".parse().unwrap(), &main, &commits).await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable(why) if why.contains("does not tell yet")), "{error}");
}

#[tokio::test]
async fn every_page_of_open_merge_requests_is_listed() {
    let world = Shared::default();
    world.lock().unwrap().requests =
        (1..=250).map(|number| request(number, 'a', "opened", &json!({}))).collect();
    let (server, gitlab) = gitlab(&world).await;
    let listed = gitlab.open_pull_requests(&"forge/team/shop".parse().unwrap()).await.unwrap().unwrap();
    let numbers: Vec<u64> = listed.iter().map(|one| one.id.parse().unwrap()).collect();
    assert_eq!(numbers, (1..=250).collect::<Vec<_>>());
    let asked: Vec<_> = server.log().iter().map(|line| line.contains("state=opened")).collect();
    assert_eq!(asked, [true; 3], "the parameters are kept");
}
