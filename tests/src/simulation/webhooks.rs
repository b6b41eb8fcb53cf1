//! What the forge sends, and what people post: late, twice, out of order, or never.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::active::ConfigurationCache;
use countersign_core::names::RepositoryId;
use countersign_core::review::PullRequestState;
use countersign_core::statement::{Command, NAMESPACE, Says, SignedStatement, Statement};
use countersign_forge::headers::Headers;
use countersign_forge::plain;
use countersign_provenance::sshsig;
use countersign_receive::{Receiver, Request};
use serde_json::{Value, json};

use super::executor::{Sim, Spawner};
use super::faults::Fault;
use super::forge::Forge;
use super::installation::{Person, Prepared, control};
use super::ports::{FailingQueue, FailingSecrets, FailingStore, SECRET};
use super::repository::BRANCH;

/// How often a forge sends again what was not taken.
const TRIES: u32 = 3;

/// Sends to `receive`.
#[derive(Clone)]
pub struct Sender {
    /// The time, and what goes wrong.
    pub sim: Sim,
    /// Starts deliveries.
    pub spawner: Spawner,
    /// Who sends.
    pub forge: Forge,
    /// What everything begins with.
    pub prepared: Arc<Prepared>,
    /// What `receive` keeps.
    pub store: FailingStore,
    /// Where `receive` sends.
    pub queue: FailingQueue,
    /// Numbers deliveries.
    pub delivery: Rc<Cell<u64>>,
    /// Whether the forge tells nobody of anything.
    pub silent: Rc<Cell<bool>>,
}

impl Sender {
    /// Tells of a branch that moved.
    pub fn push(&self, repository: &RepositoryId, before: &countersign_core::names::CommitId) {
        let after = self.forge.model().repositories[repository].tip();
        self.sim.note(&["moved", after.as_str()]);
        let body = json!({
            "ref": BRANCH, "before": before, "after": after,
            "repository": { "full_name": repository.path }, "sender": { "login": "ada" },
        });
        self.webhook("push", &body);
    }

    /// Tells of a pull request.
    pub fn pull_request(&self, event: &str, action: &str, number: u64) {
        let pull = self.forge.model().pulls[number as usize - 1].clone();
        let repository = json!({ "full_name": pull.repository.path });
        let body = json!({
            "action": action,
            "commit_id": pull.head,
            "pull_request": {
                "number": number, "merged": pull.state == PullRequestState::Merged,
                "base": { "ref": "main", "repo": repository },
                "head": { "ref": "change", "sha": pull.head, "repo": repository },
            },
            "repository": repository, "sender": { "login": "ada" },
        });
        self.webhook(event, &body);
    }

    fn webhook(&self, event: &str, body: &Value) {
        self.delivery.set(self.delivery.get() + 1);
        if self.sim.fault(Fault::Unheard, event) || self.silent.get() {
            return;
        }
        let body = serde_json::to_vec(body).expect("JSON");
        let signature = plain::sign(SECRET, &body).expect("a signature");
        let signature = signature.trim_start_matches("sha256=").to_owned();
        let headers: Headers = [
            ("X-Gitea-Event", event.to_owned()),
            ("X-Gitea-Delivery", format!("delivery-{}", self.delivery.get())),
            ("X-Gitea-Signature", signature),
        ]
        .into_iter()
        .collect();
        for _ in 0..=u32::from(self.sim.fault(Fault::Twice, event)) {
            let (sender, headers, body) = (self.clone(), headers.clone(), body.clone());
            let work = async move {
                sender.wait().await;
                for tried in 0..TRIES {
                    let answer = sender.receiver(&ConfigurationCache::default(), &headers, &body).await;
                    if answer < 500 {
                        return;
                    }
                    sender.sim.sleep(30_000 << tried).await;
                }
            };
            self.spawner.once("webhook", true, Box::pin(work));
        }
    }

    async fn wait(&self) {
        if self.sim.fault(Fault::Late, "webhook") {
            self.sim.sleep(self.sim.fault_between(1_000, 3_600_000)).await;
        }
        self.sim.step().await;
    }

    async fn receiver(&self, configurations: &ConfigurationCache, headers: &Headers, body: &[u8]) -> u16 {
        let secrets = FailingSecrets { sim: self.sim.clone() };
        let receiver = Receiver {
            store: &self.store,
            queue: &self.queue,
            secrets: &secrets,
            configurations,
            root_key: &self.prepared.genesis.1.root_key,
        };
        let received = self.sim.clock("forge");
        let answer = receiver.webhook(Request { host: "forge", headers, body, received }).await;
        self.sim.note(&["webhook", &answer.status.to_string()]);
        answer.status
    }

    /// Posts a command, again and again until it is taken or refused: whoever gave it waits for the answer.
    pub fn command(&self, by: &Person, nonce: u64, command: Command) {
        let time = self.sim.true_time();
        let expires = time.plus(Duration::from_hours(48));
        let statement = Statement {
            v: 1,
            repository: control(),
            time,
            nonce: format!("{nonce:032x}"),
            says: Says::Command { command, expires },
        };
        let payload = serde_json::to_string(&statement).expect("JSON");
        let signature = sshsig::sign(&by.private, NAMESPACE, payload.as_bytes()).expect("a signature");
        let body = SignedStatement { payload, signature }.to_bytes();
        let sender = self.clone();
        let work = async move {
            loop {
                let configurations = ConfigurationCache::default();
                let secrets = FailingSecrets { sim: sender.sim.clone() };
                let receiver = Receiver {
                    store: &sender.store,
                    queue: &sender.queue,
                    secrets: &secrets,
                    configurations: &configurations,
                    root_key: &sender.prepared.genesis.1.root_key,
                };
                let answer = receiver.statement(&body, sender.sim.clock("forge")).await;
                sender.sim.note(&["command", &answer.status.to_string()]);
                if answer.status < 500 {
                    return;
                }
                sender.sim.sleep(60_000).await;
            }
        };
        self.spawner.once("command", false, Box::pin(work));
    }
}
