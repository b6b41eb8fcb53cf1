//! Check runs, statuses and comments, on a GitHub that keeps them.

use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Kept {
    runs: Vec<Value>,
    statuses: Vec<Value>,
    comments: Vec<Value>,
    /// Annotations of each run.
    annotations: BTreeMap<u64, usize>,
}

type Shared = Arc<Mutex<Kept>>;

fn keep(kept: &mut Kept, asked: &Asked<'_>) -> Option<Reply> {
    if let Some(reply) = session(asked) {
        return Some(reply);
    }
    let id = 100 + kept.runs.len() + kept.comments.len();
    Some(match asked.operation.as_str() {
        "GET /repos/{owner}/{repo}/commits/{ref}/check-runs" => {
            let known: Vec<_> = kept.runs.iter().rev().take(1).cloned().collect();
            Reply::json(&json!({ "total_count": known.len(), "check_runs": known }))
        }
        "POST /repos/{owner}/{repo}/check-runs" => {
            let mut run = openapi::merged(&asked.example, &asked.body);
            run["id"] = json!(id);
            note_annotations(kept, &mut run, &asked.body);
            kept.runs.push(run.clone());
            Reply::status(201, &[], &run.to_string())
        }
        "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}" => {
            let id: u64 = asked.path["check_run_id"].parse().unwrap();
            let at = kept.runs.iter().position(|run| run["id"] == id).unwrap();
            let mut run = openapi::merged(&kept.runs[at], &asked.body);
            note_annotations(kept, &mut run, &asked.body);
            kept.runs[at] = run.clone();
            Reply::json(&run)
        }
        "GET /repos/{owner}/{repo}/commits/{ref}/statuses" => Reply::json(&json!(kept.statuses)),
        "POST /repos/{owner}/{repo}/statuses/{sha}" => {
            let status = openapi::merged(&asked.example, &asked.body);
            kept.statuses.insert(0, status.clone());
            Reply::status(201, &[], &status.to_string())
        }
        "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls" => {
            let change = json!({ "number": 4, "head": { "sha": commit('a') }, "base": { "ref": "main" } });
            Reply::json(&asked.items(&[change]))
        }
        "GET /repos/{owner}/{repo}/issues/{issue_number}/comments" => Reply::json(&json!(kept.comments)),
        "POST /repos/{owner}/{repo}/issues/{issue_number}/comments" => {
            let mut comment = openapi::merged(&asked.example, &asked.body);
            comment["id"] = json!(id);
            comment["performed_via_github_app"] = json!({ "id": 7 });
            kept.comments.push(comment.clone());
            Reply::status(201, &[], &comment.to_string())
        }
        "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}" => {
            let id: u64 = asked.path["comment_id"].parse().unwrap();
            let comment = kept.comments.iter_mut().find(|comment| comment["id"] == id).unwrap();
            comment["body"] = asked.body["body"].clone();
            Reply::json(comment)
        }
        _ => return None,
    })
}

/// GitHub counts annotations, and adds those of every request to those before.
fn note_annotations(kept: &mut Kept, run: &mut Value, body: &Value) {
    let new = body["output"]["annotations"].as_array().map_or(0, Vec::len);
    let count = kept.annotations.entry(run["id"].as_u64().unwrap()).or_default();
    *count += new;
    run["output"]["annotations_count"] = json!(*count);
}

async fn hub(kept: &Shared) -> Option<openapi::Github> {
    let kept = kept.clone();
    let world = move |asked: &Asked<'_>| keep(&mut kept.lock().unwrap(), asked);
    Some(openapi::Github::start(description()?, world).await)
}

/// A denial with violations in as many lines.
fn denied(lines: u32, index: u64) -> countersign_core::ports::forge::Report {
    let mut denied = report('a', "staging", index, "denied");
    let violation = |line| json!({ "message": format!("line {line} is wrong"), "at": { "file": "deploy/shop.yaml", "line": line } });
    let rule = json!({
        "rule": "images.pinned", "title": "Images are pinned", "description": "", "remedy": "pin it",
        "severity": "error", "controls": [], "outcome": "failed",
        "violations": (1..=lines).map(violation).collect::<Vec<_>>()
    });
    denied.targets[0].decision.rules = vec![serde_json::from_value(rule).unwrap()];
    denied
}

#[tokio::test]
async fn a_check_run_has_every_annotation_once() {
    let kept = Shared::default();
    let Some(hub) = hub(&kept).await else { return };
    let github = as_app(&hub.server.base, clock());
    for _ in 0..2 {
        github.report(&denied(120, 5)).await.unwrap();
    }
    hub.nothing_was_wrong();
    {
        let kept = kept.lock().unwrap();
        assert_eq!((kept.runs.len(), kept.annotations.values().collect::<Vec<_>>()), (1, vec![&120]));
        let run = &kept.runs[0];
        assert_eq!(
            (run["name"].as_str(), run["conclusion"].as_str()),
            (Some("countersign/staging"), Some("failure"))
        );
        assert_eq!(run["output"]["title"], "denied: because of 5");
    }
    let writes = |log: &[String]| {
        log.iter().filter(|line| line.contains("check-runs") && !line.starts_with("GET")).count()
    };
    assert_eq!(writes(&hub.server.log()), 3, "50, 50 and 20, and nothing the second time");
    github.report(&denied(3, 6)).await.unwrap();
    let kept = kept.lock().unwrap();
    assert_eq!(kept.runs.len(), 2, "annotations cannot be taken back: a new run shows the new ones");
    assert_eq!(kept.annotations.values().copied().collect::<Vec<_>>(), [120, 3]);
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn what_was_begun_is_taken_up_where_it_was_left() {
    let kept = Shared::default();
    let Some(description) = description() else { return };
    let (inner, seen) = (kept.clone(), AtomicUsize::new(0));
    let hub = openapi::Github::start(description, move |asked| {
        let reply = keep(&mut inner.lock().unwrap(), asked);
        let is_run = asked.operation.contains("check-runs") && asked.request.method != "GET";
        // The answers of the first two writes are lost.
        if is_run && seen.fetch_add(1, Ordering::SeqCst) < 2 { Some(Reply::Nothing) } else { reply }
    })
    .await;
    let github = as_app(&hub.server.base, clock());
    let mut results = Vec::new();
    for _ in 0..3 {
        results.push(github.report(&denied(120, 5)).await.is_ok());
    }
    assert_eq!(results, [false, false, true]);
    let kept = kept.lock().unwrap();
    assert_eq!((kept.runs.len(), kept.annotations.values().collect::<Vec<_>>()), (1, vec![&120]));
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn a_run_that_waits_is_completed_and_one_that_is_complete_is_followed_by_a_new_one() {
    let kept = Shared::default();
    let Some(hub) = hub(&kept).await else { return };
    let github = as_app(&hub.server.base, clock());
    for (index, verdict) in [(5, "pending"), (6, "denied"), (7, "allowed")] {
        github.report(&report('a', "staging", index, verdict)).await.unwrap();
    }
    hub.nothing_was_wrong();
    let kept = kept.lock().unwrap();
    let states: Vec<_> = kept.runs.iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["completed", "in_progress"]);
}

#[tokio::test]
async fn comments_are_the_apps_own_and_statuses_are_set_by_token() {
    let kept = Shared::default();
    let Some(hub) = hub(&kept).await else { return };
    let forged = json!({ "id": 1, "user": { "id": 1 }, "performed_via_github_app": { "id": 8 }, "body": "<!-- countersign:section staging 999 a b -->\nall is well" });
    kept.lock().unwrap().comments.push(forged);
    let github = as_app(&hub.server.base, clock());
    for _ in 0..2 {
        github.report(&report('a', "staging", 5, "denied")).await.unwrap();
    }
    assert_eq!(kept.lock().unwrap().comments.len(), 2);
    assert!(kept.lock().unwrap().comments[1]["body"].as_str().unwrap().contains("because of 5"));
    kept.lock().unwrap().comments.clear();
    let github = by_token(&hub.server.base);
    for _ in 0..2 {
        github.report(&report('a', "staging", 5, "denied")).await.unwrap();
    }
    let kept = kept.lock().unwrap();
    assert_eq!((kept.statuses.len(), kept.comments.len()), (1, 1));
    let status = &kept.statuses[0];
    assert_eq!(
        (status["context"].as_str(), status["state"].as_str()),
        (Some("countersign/staging"), Some("failure"))
    );
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn an_app_that_may_not_set_check_runs_sets_statuses() {
    let kept = Shared::default();
    let Some(description) = description() else { return };
    let (inner, statuses_too) = (kept.clone(), Arc::new(AtomicUsize::new(0)));
    let refusing = statuses_too.clone();
    let hub = openapi::Github::start(description, move |asked| {
        let refused = asked.operation.contains("check-runs")
            || asked.operation.contains("statuses") && refusing.load(Ordering::SeqCst) == 1;
        match refused {
            true => Some(Reply::status(403, &[], "{\"message\":\"Resource not accessible by integration\"}")),
            false => keep(&mut inner.lock().unwrap(), asked),
        }
    })
    .await;
    let github = as_app(&hub.server.base, clock());
    for (index, verdict) in [(5, "pending"), (5, "pending"), (6, "denied"), (6, "denied")] {
        github.report(&report('a', "staging", index, verdict)).await.unwrap();
    }
    hub.nothing_was_wrong();
    {
        let kept = kept.lock().unwrap();
        let states: Vec<_> = kept.statuses.iter().map(|one| one["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["failure", "pending"], "each is set once");
        assert_eq!((kept.runs.len(), kept.comments.len()), (0, 1), "the comment is the App's still");
    }
    let forged = json!({ "context": "countersign/staging", "state": "failure", "description": "denied: because of 6", "creator": { "id": 66 } });
    kept.lock().unwrap().statuses.insert(0, forged);
    github.report(&report('a', "staging", 6, "denied")).await.unwrap();
    assert_eq!(kept.lock().unwrap().statuses.len(), 4, "somebody else's is none of ours");
    statuses_too.store(1, Ordering::SeqCst);
    let error = github.report(&report('a', "staging", 7, "denied")).await.unwrap_err();
    let PortError::Refused(why) = error else { panic!("{error}") };
    for word in ["403", "/statuses", "not accessible by integration", "commit statuses: write"] {
        assert!(why.contains(word), "{why}");
    }
}
