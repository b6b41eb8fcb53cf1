//! What programs said: commit statuses by accounts, check runs by Apps.

use std::collections::BTreeSet;

use countersign_core::review::StatusState;

use super::*;

fn said(asked: &Asked<'_>) -> Option<Reply> {
    let status = |id: u64, by: u64, context: &str, state: &str| {
        json!({ "id": id, "context": context, "state": state, "creator": { "id": by, "login": "ci" },
            "created_at": "2026-11-20T10:00:00Z" })
    };
    let run = |id: u64, app: Value, name: &str, status: &str, conclusion: Value| {
        let run = json!({ "id": id, "name": name, "status": status, "conclusion": conclusion });
        let mut run = openapi::merged(&asked.example["check_runs"][0], &run);
        run["app"] = app;
        run
    };
    let app = |id: u64| json!({ "id": id });
    Some(match asked.operation.as_str() {
        "GET /repos/{owner}/{repo}/commits/{ref}/statuses" => Reply::json(&asked.items(&[
            status(3, 12, "build", "failure"),
            status(2, 12, "build", "success"),
            status(1, 13, "build", "pending"),
            status(4, 12, "coverage", "success"),
        ])),
        "GET /repos/{owner}/{repo}/commits/{ref}/check-runs"
            if asked.request.target.contains("check_name=build")
                && !asked.request.target.contains("page=2") =>
        {
            let runs = json!({ "total_count": 6, "check_runs": [
                run(21, app(7), "build", "completed", json!("success")),
                run(22, app(7), "build", "completed", json!("timed_out")),
                run(23, app(8), "build", "in_progress", Value::Null),
                run(24, Value::Null, "build", "completed", json!("skipped")),
                run(25, app(7), "Build", "completed", json!("success")),
            ] });
            let next =
                "<https://api.example/more?check_name=build&filter=latest&per_page=100&page=2>; rel=\"next\"";
            Reply::Whole(200, vec![("link", next.to_owned())], runs.to_string())
        }
        "GET /repos/{owner}/{repo}/commits/{ref}/check-runs" => {
            let page = asked.request.target.contains("page=2");
            let more = page.then(|| run(26, app(9), "build", "completed", json!("neutral")));
            Reply::json(&json!({ "total_count": 6, "check_runs": Vec::from_iter(more) }))
        }
        _ => return None,
    })
}

#[tokio::test]
async fn statuses_and_check_runs_are_told_with_who_set_them() {
    let Some(description) = description() else { return };
    let hub = openapi::Github::start(description, said).await;
    let github = by_token(&hub.server.base);
    let contexts = ["build", "scan"].map(str::to_owned).into();
    let told = github.statuses(&"forge/team/shop".parse().unwrap(), &commit('a'), &contexts).await;
    hub.nothing_was_wrong();
    let told = told.unwrap();
    let shown: Vec<_> = told
        .iter()
        .map(|one| (one.id.as_str(), one.state, one.said.as_str(), one.setter.account, one.app))
        .collect();
    assert_eq!(
        shown,
        [
            ("3", StatusState::Failure, "failure", Some(12), None),
            ("1", StatusState::Pending, "pending", Some(13), None),
            ("21", StatusState::Success, "success", None, Some(7)),
            ("22", StatusState::Failure, "timed_out", None, Some(7)),
            ("23", StatusState::Pending, "in_progress", None, Some(8)),
            ("24", StatusState::Neutral, "skipped", None, None),
            ("26", StatusState::Neutral, "neutral", None, Some(9)),
        ]
    );
    assert!(told.iter().all(|one| one.context == "build" && one.commit == commit('a')));
}

#[tokio::test]
async fn every_example_of_a_status_is_understood() {
    let Some(description) = description() else { return };
    for app in [false, true] {
        let hub = openapi::Github::start(description, session).await;
        let github = if app { as_app(&hub.server.base, clock()) } else { by_token(&hub.server.base) };
        let contexts =
            BTreeSet::from(["continuous-integration/jenkins".to_owned(), "mighty_readme".to_owned()]);
        let told = github.statuses(&"forge/team/shop".parse().unwrap(), &commit('a'), &contexts).await;
        hub.nothing_was_wrong();
        let told = told.unwrap();
        let who: Vec<_> = told.iter().map(|one| (one.setter.account, one.app)).collect();
        assert_eq!(who, [(Some(1), None), (None, Some(1))], "{told:?}");
    }
}

#[tokio::test]
async fn of_a_commit_that_is_not_known_nothing_was_said() {
    let Some(description) = description() else { return };
    let hub = openapi::Github::start(description, |_| {
        Some(Reply::status(422, &[], "{\"message\":\"No commit found for SHA\"}"))
    })
    .await;
    let contexts = BTreeSet::from(["build".to_owned()]);
    let github = by_token(&hub.server.base);
    let told = github.statuses(&"forge/team/shop".parse().unwrap(), &commit('a'), &contexts).await;
    assert_eq!(told.unwrap(), []);
}
