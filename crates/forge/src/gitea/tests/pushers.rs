//! Who pushed to a pull request's branch, before it was opened and since.

use super::*;

/// The creation of the branch `topic`, which is told before what was pushed with it.
pub(super) fn created(id: u64, by: i64) -> Value {
    activity(id, by, "refs/heads/topic", String::new())
}

/// A push to the branch `topic`.
pub(super) fn push(id: u64, by: i64, before: char, after: char) -> Value {
    activity(id, by, "refs/heads/topic", content(commit(before).as_str(), after))
}

fn content(before: &str, after: char) -> String {
    let after = commit(after);
    let commits = json!([{ "Sha1": after, "Message": "m\n", "AuthorEmail": "ada@example.com" }]);
    let compared = format!("team/shop/compare/{before}...{after}");
    json!({ "Commits": commits, "HeadCommit": { "Sha1": after }, "CompareURL": compared, "Len": 1 })
        .to_string()
}

fn activity(id: u64, by: i64, reference: &str, content: String) -> Value {
    json!({
        "id": id, "user_id": by, "op_type": "commit_repo", "act_user_id": by, "act_user": user(by), "repo_id": 5,
        "ref_name": reference, "is_private": true, "content": content, "created": "2026-11-20T10:00:00Z"
    })
}

/// The server with an open pull request of `a`, whose commits are `a` and `b` on `0`, and what happened there.
async fn opened(feed: Option<Vec<Value>>) -> (Server, Gitea<Vault>, Shared) {
    let mut request = pull(7, 'a', "open", None);
    request["merge_base"] = json!(commit('0'));
    request["head"]["label"] = json!("topic");
    let world = Shared::default();
    {
        let mut world = world.lock().unwrap();
        (world.pulls, world.feed, world.commits) = (vec![request], feed, ["ab", "01"]);
    }
    let (server, gitea) = gitea(&world).await;
    (server, gitea, world)
}

/// The accounts that pushed, 0 for one that is not known.
async fn pushers(gitea: &Gitea<Vault>) -> Vec<u64> {
    let told = evidence(gitea, "a").await;
    told.pull_requests[0].pushers.iter().map(|one| one.account.unwrap_or_default()).collect()
}

#[tokio::test]
async fn whoever_pushed_before_it_was_opened_is_told() {
    let mut deleted = activity(7, 44, "refs/heads/topic", String::new());
    deleted["op_type"] = json!("delete_branch");
    let feed = vec![
        push(6, 41, 'b', 'a'),
        activity(5, 42, "refs/heads/other", content(commit('b').as_str(), 'a')),
        push(4, 40, '0', 'b'),
        created(3, 40),
        deleted,
        push(2, 43, '0', 'b'),
    ];
    let (_server, gitea, world) = opened(Some(feed)).await;
    assert_eq!(pushers(&gitea).await, [41, 43, 40], "whoever had pushed the same commit before is told too");
    // The branch is gone, as after a merge: its name is told still.
    world.lock().unwrap().pulls[0]["head"]["ref"] = json!("refs/pull/7/head");
    assert_eq!(pushers(&gitea).await, [41, 43, 40]);
}

#[tokio::test]
async fn of_a_new_branch_it_counts_that_it_was_created() {
    // Gitea compares a new branch with the default one, or with whatever is below its last ten commits.
    let unnamed = activity(4, 40, "refs/heads/topic", content("release/1", 'a'));
    let (_server, gitea, world) = opened(Some(vec![unnamed, created(3, 40)])).await;
    assert_eq!(pushers(&gitea).await, [40]);
    world.lock().unwrap().feed = Some(vec![push(4, 40, 'b', 'a'), created(3, 40)]);
    assert_eq!(pushers(&gitea).await, [40]);
    world.lock().unwrap().feed = Some(vec![push(4, 40, 'b', 'a'), created(3, 41)]);
    assert_eq!(
        pushers(&gitea).await,
        [40, 0],
        "somebody else created it, and what was pushed then is not told"
    );
}

#[tokio::test]
async fn a_branch_that_lives_long_is_followed_to_what_its_base_had() {
    let feed = vec![push(6, 41, '1', 'a'), push(5, 42, '2', '1'), push(4, 43, '0', '2')];
    let (server, gitea, world) = opened(Some(feed)).await;
    assert_eq!(pushers(&gitea).await, [41], "an earlier state of the branch was merged");
    let asked = server.log().into_iter().find(|line| line.contains("/commits?sha=")).unwrap();
    assert!(asked.contains(&format!("sha={}&not={}&limit=1", commit('1'), commit('0'))), "{asked}");
    world.lock().unwrap().commits[1] = "0";
    assert_eq!(pushers(&gitea).await, [41, 42, 43], "what was taken away was pushed too");
}

#[tokio::test]
async fn a_pusher_on_a_later_page_is_found_and_one_beyond_the_last_is_unknown() {
    let comment = |id| {
        let mut comment = activity(id, 50, "", "7|well".to_owned());
        comment["op_type"] = json!("comment_pull");
        comment
    };
    let mut feed: Vec<_> = (0..160).map(|index| comment(1000 - index)).collect();
    feed.insert(0, push(2000, 41, 'b', 'a'));
    feed.extend([push(4, 40, '0', 'b'), created(3, 40)]);
    let (server, gitea, world) = opened(Some(feed)).await;
    assert_eq!(pushers(&gitea).await, [41, 40]);
    let pages = |server: &Server| server.log().iter().filter(|line| line.contains("/feeds")).count();
    assert_eq!(pages(&server), 4);
    let all: Vec<_> = (0..3000).map(|index| comment(9000 - index)).collect();
    world.lock().unwrap().feed.as_mut().unwrap().splice(1..1, all);
    assert_eq!(pushers(&gitea).await, [41, 0]);
    assert_eq!(pages(&server), 4 + 50, "not all of it is read");
}

#[tokio::test]
async fn whoever_hides_their_activity_is_unknown() {
    let (_server, gitea, world) = opened(Some(vec![push(6, 41, 'b', 'a')])).await;
    assert_eq!(pushers(&gitea).await, [41, 0]);
    // What is too long is told without its content.
    let cut = activity(5, 40, "refs/heads/topic", "{}".to_owned());
    world.lock().unwrap().feed.as_mut().unwrap().extend([cut, created(4, 40)]);
    assert_eq!(pushers(&gitea).await, [41, 0]);
    world.lock().unwrap().feed = None;
    assert_eq!(pushers(&gitea).await, [0], "an older server tells nothing");
}

#[tokio::test]
async fn the_feed_is_given_time_to_tell_of_a_push() {
    let (_server, gitea, world) = opened(Some(Vec::new())).await;
    world.lock().unwrap().pulls[0]["created_at"] = json!("2026-11-20T21:59:55Z");
    let (main, commits) = ("refs/heads/main".parse().unwrap(), [commit('a')]);
    let error = gitea.evidence(&"forge/team/shop".parse().unwrap(), &main, &commits).await.unwrap_err();
    assert!(matches!(&error, PortError::Unavailable(why) if why.contains("does not tell yet")), "{error}");
    world.lock().unwrap().pulls[0]["created_at"] = json!("2026-11-20T21:59:45Z");
    assert_eq!(pushers(&gitea).await, [0]);
    world
        .lock()
        .unwrap()
        .timelines
        .insert(7, json!([{ "type": "pull_push", "user": user(41), "created_at": "2026-11-20T21:59:59Z" }]));
    let error = gitea.evidence(&"forge/team/shop".parse().unwrap(), &main, &commits).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn what_was_pushed_to_the_pull_request_itself_was_pushed_by_who_opened_it() {
    let (server, gitea, world) = opened(Some(Vec::new())).await;
    {
        let mut world = world.lock().unwrap();
        world.pulls[0]["head"]["ref"] = json!("refs/pull/7/head");
        world.pulls[0]["head"]["label"] = json!("");
    }
    assert!(pushers(&gitea).await.is_empty());
    assert!(server.log().iter().all(|line| !line.contains("/feeds")));
}
