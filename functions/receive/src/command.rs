//! `POST /commands`: signed statements that need no forge, so that people can act while it is down.

use countersign_core::configuration::Configuration;
use countersign_core::event::{Event, EventKind, PullRequestAction};
use countersign_core::keys;
use countersign_core::names::FollowedRef;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::secrets::Secrets;
use countersign_core::ports::store::Store;
use countersign_core::statement::{NAMESPACE, NotAStatement, Says, SignedStatement, Statement};
use countersign_core::time::Timestamp;
use countersign_provenance::{root, sshsig};

use crate::{Answer, Receiver, unavailable};

impl<S: Store, Q: Queue, K: Secrets> Receiver<'_, S, Q, K> {
    /// Takes a statement: a line of JSON and its SSH signature. Only known keys may put anything here.
    pub async fn statement(&self, body: &[u8], received: Timestamp) -> Answer {
        let answer = match self.accept_statement(body, received).await {
            Ok(answer) | Err(answer) => answer,
        };
        tracing::info!(status = answer.status, answer = answer.text, "statement");
        answer
    }

    async fn accept_statement(&self, body: &[u8], received: Timestamp) -> Result<Answer, Answer> {
        let malformed = |error: &dyn std::fmt::Display| Answer::new(400, "malformed", error.to_string());
        let statement = SignedStatement::from_bytes(body).map_err(|error| match error {
            NotAStatement::TooLarge(_) => Answer::new(413, "too_large", error.to_string()),
            _ => malformed(&error),
        })?;
        let claims = statement.claims().map_err(|error| malformed(&error))?;
        let active = self.active().await?;
        if !self.is_by_known_key(&active.configuration, &statement)? {
            let text =
                "the signer's key belongs to nobody in countersign.yaml: add it to your entry in people";
            return Err(Answer::new(401, "bad_signature", text));
        }
        if !active.configuration.knows(&claims.repository) {
            let text = format!("repository {} is not in countersign.yaml", claims.repository);
            return Err(Answer::new(404, "unknown_repository", text));
        }
        let id = statement.id();
        let key = format!("{}{}", keys::statements(&claims.repository), id.hex());
        self.store.put_if_absent(&key, &statement.to_bytes()).await.map_err(unavailable)?;
        let trace: String = id.hex().chars().take(16).collect();
        let kinds = event_kinds(&active.configuration, &claims, &statement);
        let events: Vec<_> = kinds
            .into_iter()
            .enumerate()
            .map(|(number, kind)| Event {
                id: format!("statement/{}/{number}", id.hex()),
                received,
                repository: claims.repository.clone(),
                actor: None,
                kind,
            })
            .collect();
        self.send(&trace, &events).await?;
        Ok(Answer::new(200, "accepted", format!("accepted as {id}, trace {trace}")))
    }

    /// Whether somebody in the configuration, or the root key, made the signature.
    fn is_by_known_key(
        &self,
        configuration: &Configuration,
        statement: &SignedStatement,
    ) -> Result<bool, Answer> {
        let signer = sshsig::verify(NAMESPACE, statement.payload.as_bytes(), &statement.signature)
            .map_err(|error| Answer::new(401, "bad_signature", error.to_string()))?;
        let is_signer = |key: &String| sshsig::fingerprint(key).is_ok_and(|found| found == signer);
        let known = configuration.people.values().flat_map(|person| &person.keys).any(is_signer);
        Ok(known || root::fingerprint(self.root_key).is_ok_and(|root| root == signer))
    }
}

/// What a statement makes due. What it speaks of is not read here, so a review makes every branch due that
/// the repository's targets follow; those that it does not touch cost a lookup each.
fn event_kinds(
    configuration: &Configuration,
    claims: &Statement,
    statement: &SignedStatement,
) -> Vec<EventKind> {
    let due = |reference: &FollowedRef| EventKind::RefDue {
        reference: reference.reference.clone(),
        every_target: false,
    };
    let followed = configuration.followed_refs();
    let ours = followed.iter().filter(|follows| follows.repository == claims.repository);
    match &claims.says {
        Says::Command { .. } => vec![EventKind::Command { statement: statement.clone() }],
        Says::Propose { base, head, .. } => {
            let opened = EventKind::PullRequest {
                action: PullRequestAction::Opened,
                pull_request: statement.id().hex(),
                base: base.clone(),
                head: head.clone(),
                fork: false,
            };
            let hints = ours.filter(|follows| follows.reference == *base).map(due);
            std::iter::once(opened).chain(hints).collect()
        }
        Says::Approve { .. } | Says::Dismiss { .. } | Says::Close { .. } => ours.map(due).collect(),
    }
}
