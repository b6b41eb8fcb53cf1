//! One push, stage by stage: what each put out, as the files of `samples/trace`.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::authorization::ProvenAuthorization;
use countersign_core::keys;
use countersign_core::message::{DecisionsMade, DeployDue, FactsGathered, Message, QueueName};
use countersign_core::names::{AttemptId, ClusterName, CommitId};
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::Incoming;
use countersign_core::statement::{REPORTS, Says};
use countersign_forge::headers::Headers;
use countersign_forge::plain::{PUSH_VERSION, PlainPush, SIGNATURE_HEADER, Update, sign};
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::installation::{self, Installation, SECRET, id};
use crate::people::point;
use crate::stages::Stages;

/// When the installation is made, and when the push comes.
const CREATED: &str = "2026-01-05T09:00:00Z";
const PROPOSED: &str = "2026-01-06T10:00:00Z";
const PUSHED: &str = "2026-01-06T10:30:00Z";

/// The file that the push changes, and what in it.
const FILE: &str = "deploy/staging/configmap.yaml";
const WAS: &str = "Hello from staging";
const IS: &str = "Good morning";

/// The files, by name.
pub type Files = BTreeMap<String, String>;

/// Makes everything and follows one push. `folder` becomes the folder that this process works in.
pub async fn trace(project: &Path, folder: &Path) -> Files {
    env::set_current_dir(folder).unwrap();
    let installation = installation::make(project, CREATED.parse().unwrap()).await;
    let stages = Stages::begin(&installation, &folder.join("data")).await;
    stages.settle().await;
    let head = propose(&installation, project);
    stages.set_time(PUSHED.parse().unwrap());
    point(&installation.shop, &installation.main, &head);
    let mut files = Files::new();
    let attempt = decided(&mut files, &installation, &stages, &head).await;
    deployed(&mut files, &stages, &attempt).await;
    assert!(!stages.step(&QueueName::Reports).await.is_empty());
    put(&mut files, "10-report.md", report(&installation, &head));
    files
}

fn put(files: &mut Files, name: &str, text: String) {
    assert!(files.insert(name.to_owned(), text).is_none(), "{name} twice");
}

/// From the webhook to the leaf.
async fn decided(
    files: &mut Files,
    installation: &Installation,
    stages: &Stages<'_>,
    head: &CommitId,
) -> AttemptId {
    let (request, headers, body) = webhook(installation, head);
    put(files, "01-webhook.json", pretty(&request));
    let answer = stages.receive(&headers, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let event = one(stages.step(&QueueName::Events).await);
    put(files, "02-event.json", pretty(&on(&QueueName::Events, &event)));
    let gathered: Message<FactsGathered> = parsed(&one(stages.step(&QueueName::Facts).await));
    let attempt = gathered.body.attempt;
    put(files, "03-facts.json", pretty(&stored(stages, &keys::facts(&attempt)).await));
    let made: Message<DecisionsMade> = parsed(&one(stages.step(&QueueName::Decisions).await));
    let decision = keys::blob(&made.body.decisions[0].decision);
    put(files, "04-decision.json", pretty(&stored(stages, &decision).await));
    put(files, "05-leaf.json", pretty(&leaf(stages, installation, &attempt).await));
    attempt
}

/// From the authorization to health.
async fn deployed(files: &mut Files, stages: &Stages<'_>, attempt: &AttemptId) {
    let cluster: ClusterName = "local".parse().unwrap();
    let due: Message<DeployDue> = parsed(&one(stages.step(&QueueName::Deploys(cluster.clone())).await));
    assert_eq!(due.body.attempt, *attempt);
    let (authorization, proof) = authorization(stages, attempt).await;
    put(files, "06-authorization.json", pretty(&authorization));
    put(files, "07-proof.txt", proof);
    let outcomes = QueueName::Outcomes(cluster.clone());
    let applied = one(stages.step(&outcomes).await);
    put(files, "08-outcome-applied.json", pretty(&on(&outcomes, &applied)));
    stages.step(&QueueName::Observations(cluster)).await;
    let healthy = one(stages.step(&outcomes).await);
    put(files, "09-outcome-healthy.json", pretty(&on(&outcomes, &healthy)));
}

/// Ada proposes a change, and grace approves it.
fn propose(installation: &Installation, project: &Path) -> CommitId {
    let Installation { ada, grace, shop, main, baseline, .. } = installation;
    let at = PROPOSED.parse().unwrap();
    let files = installation::read(&project.join("samples/application"), "deploy");
    let changed = files.into_iter().filter(|(path, _)| path == FILE).map(|(path, bytes)| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(WAS), "{FILE} of the sample has no {WAS:?} any more: change another line");
        (path, text.replace(WAS, IS).into_bytes())
    });
    let head = ada.commit(shop, Some(baseline), at, "Greet politely\n", &changed.collect::<Vec<_>>());
    let title = "Greet politely".to_owned();
    ada.say(shop, &id("local/shop"), at, 1, Says::Propose { base: main.clone(), head: head.clone(), title });
    grace.say(shop, &id("local/shop"), at, 2, Says::Approve { head: head.clone() });
    head
}

/// What the hook posts of the push to main.
fn webhook(installation: &Installation, head: &CommitId) -> (Value, Headers, Vec<u8>) {
    let push = PlainPush {
        v: PUSH_VERSION,
        delivery: "0123456789abcdef0123456789abcdef".to_owned(),
        repository: id("local/shop").path,
        pusher: Some("ada".to_owned()),
        updates: vec![Update {
            reference: installation.main.clone(),
            before: Some(installation.baseline.clone()),
            after: Some(head.clone()),
            forced: false,
            statement: None,
        }],
    };
    let body = serde_json::to_vec(&push).unwrap();
    let headers = [(SIGNATURE_HEADER, sign(SECRET, &body).unwrap())];
    let shown: BTreeMap<_, _> = headers.iter().cloned().collect();
    let request = json!({ "method": "POST", "path": "/webhooks/local", "headers": shown, "body": push });
    (request, headers.into_iter().collect(), body)
}

/// A message as it waits on its queue.
fn on(queue: &QueueName, message: &Incoming) -> Value {
    let body: Value = serde_json::from_str(&message.body).unwrap();
    json!({ "queue": queue.to_string(), "group": message.group, "message": body })
}

#[track_caller]
fn one(mut batch: Vec<Incoming>) -> Incoming {
    assert_eq!(batch.len(), 1, "one message was to wait here: {batch:?}");
    batch.remove(0)
}

fn parsed<T: DeserializeOwned>(message: &Incoming) -> Message<T> {
    message.parse().unwrap()
}

async fn stored(stages: &Stages<'_>, key: &str) -> Value {
    store::get_json(&stages.store, key).await.unwrap().unwrap()
}

/// The decision's leaf, read through the published log.
async fn leaf(stages: &Stages<'_>, installation: &Installation, attempt: &AttemptId) -> Value {
    let genesis = &installation.genesis.1;
    let key = NoteKey::log(&genesis.origin, &genesis.log_key).unwrap();
    let index = stored(stages, &keys::by_name(&format!("decision-{attempt}"))).await.as_u64().unwrap();
    let mut view = log::open(&stages.store, &[key]).await.unwrap().unwrap();
    let leaf: Value = serde_json::from_slice(&view.leaf(index).await.unwrap()).unwrap();
    json!({ "index": index, "leaf": leaf })
}

/// The signed envelope beside what is in it, and the proof that travels with it.
async fn authorization(stages: &Stages<'_>, attempt: &AttemptId) -> (Value, String) {
    let bytes = stages.store.get(&keys::authorization(attempt)).await.unwrap().unwrap().bytes;
    let proven: ProvenAuthorization = serde_json::from_slice(&bytes).unwrap();
    let payload = STANDARD.decode(&proven.envelope.payload).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    (json!({ "envelope": proven.envelope, "decodedPayload": statement }), proven.proof)
}

/// The report, read from the repository as a developer would.
fn report(installation: &Installation, head: &CommitId) -> String {
    let object = installation.shop.revparse_single(&format!("{REPORTS}{head}:staging.md")).unwrap();
    String::from_utf8(object.as_blob().unwrap().content().to_vec()).unwrap()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
