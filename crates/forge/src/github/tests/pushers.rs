//! Who pushed to a pull request's branch, as GitHub's activities tell.

use super::*;

fn pushed(by: u64, kind: &str, before: char, after: char) -> Value {
    json!({
        "ref": "refs/heads/topic", "before": commit(before), "after": commit(after), "activity_type": kind,
        "actor": { "id": by }
    })
}

/// A GitHub with the open pull request of `a`, which brings `brought`, that answers for activities with `activities`.
async fn hub(
    brought: &'static str,
    activities: impl Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
) -> Option<openapi::Github> {
    let answer = move |asked: &Asked<'_>| {
        Some(match asked.operation.as_str() {
            "GET /repos/{owner}/{repo}/pulls" => {
                let side = json!({ "sha": commit('a'), "ref": "topic" });
                let open =
                    json!({ "state": "open", "merged_at": null, "head": side, "base": { "ref": "main" } });
                Reply::json(&asked.items(&[open]))
            }
            "GET /repos/{owner}/{repo}/pulls/{pull_number}/commits" => {
                let commits: Vec<_> = brought.chars().map(|digit| json!({ "sha": commit(digit) })).collect();
                Reply::json(&asked.items(&commits))
            }
            "GET /repos/{owner}/{repo}/activity" => activities(asked),
            _ => return None,
        })
    };
    Some(openapi::Github::start(description()?, answer).await)
}

/// The accounts that pushed, 0 for one that is not known.
async fn pushers(hub: &openapi::Github) -> Vec<u64> {
    let told = evidence(&by_token(&hub.server.base), "main", &[commit('a')]).await;
    hub.nothing_was_wrong();
    let told = told.unwrap();
    told.pull_requests[0].pushers.iter().map(|one| one.account.unwrap_or_default()).collect()
}

fn asked_for_activity(hub: &openapi::Github) -> Vec<bool> {
    let log = hub.server.log();
    log.iter().filter(|line| line.contains("/activity")).map(|line| line.contains("ref=")).collect()
}

/// A page with one of `all`, and a link to the next.
fn page(asked: &Asked<'_>, all: &[Value]) -> Reply {
    let url = reqwest::Url::parse(&format!("http://host{}", asked.request.target)).unwrap();
    let at = url.query_pairs().find(|(name, _)| name == "after");
    let at: usize = at.map_or(0, |(_, cursor)| cursor.parse().unwrap());
    let next = format!(
        "<https://api.example/x?ref=refs%2Fheads%2Ftopic&per_page=100&after={}>; rel=\"next\"",
        at + 1
    );
    let links = (at + 1 < all.len()).then_some(("link", next));
    Reply::Whole(200, links.into_iter().collect(), json!([all[at]]).to_string())
}

#[tokio::test]
async fn a_pusher_on_a_later_page_is_found() {
    let pushes = || {
        vec![
            pushed(41, "push", 'b', 'a'),
            pushed(42, "force_push", 'd', 'b'),
            pushed(43, "push", 'c', 'd'),
            pushed(44, "branch_creation", '0', 'c'),
            pushed(45, "push", 'e', 'f'),
        ]
    };
    let Some(hub) = hub("abc", move |asked| page(asked, &pushes())).await else { return };
    assert_eq!(pushers(&hub).await, [41, 42, 43, 44], "what a forced push took away was pushed too");
    assert_eq!(asked_for_activity(&hub), [true; 4], "and no further page is read");
}

#[tokio::test]
async fn a_push_that_found_the_branch_at_what_its_base_has_is_the_first() {
    let pushes = || vec![pushed(41, "push", 'b', 'a'), pushed(42, "pr_merge", '9', 'b')];
    let Some(found) = hub("ab", move |asked| page(asked, &pushes())).await else { return };
    assert_eq!(pushers(&found).await, [41, 42]);
    // A forced push took something away that may have had a part of it.
    let pushes = || vec![pushed(41, "push", 'b', 'a'), pushed(42, "force_push", '9', 'b')];
    let Some(forced) = hub("ab", move |asked| page(asked, &pushes())).await else { return };
    assert_eq!(pushers(&forced).await, [41, 42, 0]);
    // Of so many commits GitHub does not tell all.
    const MANY: &str = "abbbbbbbbb";
    let pushes = || vec![pushed(41, "push", 'b', 'a'), pushed(42, "push", '9', 'b')];
    let many: &'static str = MANY.repeat(25).leak();
    let Some(part) = hub(many, move |asked| page(asked, &pushes())).await else { return };
    assert_eq!(pushers(&part).await, [41, 42, 0]);
}

#[tokio::test]
async fn a_pusher_beyond_what_is_read_is_unknown() {
    let pushes: Vec<_> =
        std::iter::once(pushed(41, "push", 'b', 'a')).chain(vec![pushed(42, "push", 'e', 'f'); 40]).collect();
    let Some(hub) = hub("abc", move |asked| page(asked, &pushes)).await else { return };
    assert_eq!(pushers(&hub).await, [41, 0]);
    assert_eq!(asked_for_activity(&hub), [true; 20]);
}

#[tokio::test]
async fn where_a_branch_alone_is_not_told_of_it_is_found_among_all() {
    let all = || {
        let mut elsewhere = pushed(42, "push", 'c', 'b');
        elsewhere["ref"] = json!("refs/heads/other");
        let mut deleted = pushed(43, "branch_deletion", 'a', '0');
        deleted["after"] = Value::Null;
        json!([deleted, pushed(41, "push", 'b', 'a'), elsewhere, pushed(40, "branch_creation", '0', 'b')])
    };
    for nothing in [
        Reply::status(404, &[], "{\"message\":\"Not Found\"}"),
        Reply::status(422, &[], "{\"message\":\"Validation Failed\"}"),
        Reply::json(&json!([])),
    ] {
        let answer = move |asked: &Asked<'_>| {
            if asked.request.target.contains("ref=") { nothing.clone() } else { Reply::json(&all()) }
        };
        let Some(hub) = hub("ab", answer).await else { return };
        assert_eq!(pushers(&hub).await, [41, 40]);
        assert_eq!(asked_for_activity(&hub), [true, false]);
    }
}

#[tokio::test]
async fn where_nothing_is_told_someone_unknown_pushed() {
    let nothing = |_: &Asked<'_>| Reply::status(404, &[], "{\"message\":\"Not Found\"}");
    let Some(hub) = hub("ab", nothing).await else { return };
    assert_eq!(pushers(&hub).await, [0]);
}
