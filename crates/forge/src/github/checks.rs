//! Check runs: how a GitHub App tells how a commit stands.

use countersign_core::digest::Digest;
use countersign_core::ports::forge::Report;
use countersign_core::ports::secrets::Secrets;
use countersign_core::report::Standing;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::annotations::{self, Annotation};
use super::{Github, PAGE};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::told::Told;

/// Annotations that one request may carry.
const AT_ONCE: usize = 50;

/// The most characters of a check run's title.
const MAX_TITLE: usize = 255;

#[derive(Debug, Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
struct CheckRun {
    id: u64,
    status: String,
    external_id: Option<String>,
    output: Output,
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(default)]
    annotations_count: usize,
}

/// A check run as it is to be.
struct Wanted<'a> {
    name: &'a str,
    commit: &'a str,
    standing: Standing,
    output: Value,
    annotations: Vec<Annotation>,
    /// Names the annotations, and everything that is shown: GitHub keeps it with the run.
    id: String,
}

impl<'a> Wanted<'a> {
    fn of(report: &'a Report, told: &'a Told) -> Self {
        let annotations = annotations::of(report);
        let output = json!({ "title": told.description(MAX_TITLE), "summary": told.section.text });
        let standing = told.standing;
        let digest = |text: &str| Digest::of(text.as_bytes()).hex().chars().take(16).collect::<String>();
        let shown = digest(&format!("{} {output}", standing.words()));
        let id = format!("{}.{shown}", digest(&json!(annotations).to_string()));
        Self { name: &told.context, commit: report.commit.as_str(), standing, output, annotations, id }
    }

    /// Whether a run has the same annotations: a run's annotations can only grow.
    fn can_become(&self, run: &CheckRun) -> bool {
        let annotations = |id: &str| id.split_once('.').map(|(annotations, _)| annotations.to_owned());
        let same = run.external_id.as_deref().and_then(annotations) == annotations(&self.id);
        let ends = state(self.standing).1.is_some();
        (same || run.output.annotations_count == 0) && (ends || run.status != "completed")
    }

    fn body(&self, annotations: &[Annotation]) -> Value {
        let (status, conclusion) = state(self.standing);
        let mut output = self.output.clone();
        output["annotations"] = json!(annotations);
        let mut body =
            json!({ "name": self.name, "status": status, "external_id": self.id, "output": output });
        if let Some(conclusion) = conclusion {
            body["conclusion"] = json!(conclusion);
        }
        body
    }
}

impl<S: Secrets + Send + Sync> Github<S> {
    /// Sets the check run of this environment, unless it stands there already.
    pub(super) async fn set_check(
        &self,
        token: &Token,
        place: &Place<'_>,
        report: &Report,
        told: &Told,
        app: u64,
    ) -> Result<(), Failure> {
        let wanted = Wanted::of(report, told);
        let list = place
            .call(&["commits", wanted.commit, "check-runs"])
            .with("check_name", wanted.name)
            .with("app_id", app)
            .with("filter", "latest")
            .with("per_page", PAGE);
        let known: CheckRuns = self.client.read(token, &list).await?;
        let latest = known.check_runs.into_iter().max_by_key(|run| run.id);
        let (id, shown) = match latest {
            Some(run) if run.external_id.as_deref() == Some(wanted.id.as_str()) => {
                (run.id, run.output.annotations_count)
            }
            Some(run) if wanted.can_become(&run) => {
                let shown = run.output.annotations_count;
                let next = wanted.annotations.get(shown..).unwrap_or_default();
                let now = next.get(..AT_ONCE).unwrap_or(next);
                self.update(token, place, run.id, &wanted.body(now)).await?;
                (run.id, shown + now.len())
            }
            Some(run) => {
                if run.status != "completed" {
                    let replaced = json!({ "status": "completed", "conclusion": "neutral" });
                    self.update(token, place, run.id, &replaced).await?;
                }
                self.create(token, place, &wanted).await?
            }
            None => self.create(token, place, &wanted).await?,
        };
        let rest = wanted.annotations.get(shown..).unwrap_or_default();
        for more in rest.chunks(AT_ONCE) {
            self.update(token, place, id, &wanted.body(more)).await?;
        }
        Ok(())
    }

    /// Creates the run with its first annotations; returns its id and how many it has.
    async fn create(
        &self,
        token: &Token,
        place: &Place<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<(u64, usize), Failure> {
        let first = wanted.annotations.get(..AT_ONCE).unwrap_or(&wanted.annotations);
        let mut body = wanted.body(first);
        body["head_sha"] = json!(wanted.commit);
        let call = Call::send(Method::POST, &place.path(&["check-runs"]), body);
        let created: CheckRun = self.client.read(token, &call).await?;
        Ok((created.id, first.len()))
    }

    async fn update(&self, token: &Token, place: &Place<'_>, id: u64, body: &Value) -> Result<(), Failure> {
        let id = id.to_string();
        let call = Call::send(Method::PATCH, &place.path(&["check-runs", &id]), body.clone());
        self.client.run(token, &call).await
    }
}

/// The status and conclusion of a check run.
fn state(standing: Standing) -> (&'static str, Option<&'static str>) {
    match standing {
        Standing::Waiting | Standing::Checking | Standing::Allowed => ("in_progress", None),
        Standing::Denied | Standing::Abandoned | Standing::Failed => ("completed", Some("failure")),
        Standing::WouldBeAllowed | Standing::Deployed => ("completed", Some("success")),
        Standing::Overtaken => ("completed", Some("neutral")),
    }
}
