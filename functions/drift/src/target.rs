//! One target: compared, told, and put back where its environment says so.

use std::future::Future;

use countersign_apply::Applier;
use countersign_cluster::diff::{self, Drifted};
use countersign_cluster::inventory::{self, Inventory};
use countersign_cluster::told::{self, Held, Told};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::outcome::{Outcome, OutcomeResult};
use countersign_core::ports::cluster::Cluster;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{self, Store};
use countersign_core::time::Timestamp;

use crate::account::Account;
use crate::{Drifter, Found};

impl<S: Store, Q: Queue, C: Cluster, W, P> Drifter<'_, S, Q, C, P>
where
    W: Future<Output = ()> + Send,
    P: Fn() -> W + Sync,
{
    /// Compares a target with its manifest, tells what is new, and puts back what differs if it is to `heal`.
    pub(crate) async fn compare(
        &self,
        now: Timestamp,
        inventory: &Inventory,
        heal: bool,
    ) -> Result<Found, String> {
        let manifest: Manifest = store::get_blob(self.store, keys::manifest, &inventory.manifest)
            .await
            .map_err(|error| error.to_string())?;
        let Some(drift) = self.look(inventory, &manifest).await? else { return Ok(Found::Busy) };
        self.tell(now, inventory, &Account::of(&drift)).await?;
        if drift.is_empty() {
            return Ok(Found::Clean);
        }
        if !heal {
            return Ok(Found::Drifted);
        }
        if let Err(why) = self.put_back(now, inventory).await {
            self.tell(now, inventory, &Account::of(&drift).stuck(why)).await?;
            return Ok(Found::Drifted);
        }
        let Some(left) = self.look(inventory, &manifest).await? else { return Ok(Found::Busy) };
        self.tell(now, inventory, &Account::of(&left).after_putting_back(&drift)).await?;
        Ok(if left.is_empty() { Found::Clean } else { Found::Drifted })
    }

    /// How the target differs; none if a change is on its way, which may have written between two reads.
    async fn look(&self, inventory: &Inventory, manifest: &Manifest) -> Result<Option<Vec<Drifted>>, String> {
        let drift = diff::diff(self.cluster, &inventory.target, &manifest.objects)
            .await
            .map_err(|failure| failure.to_string())?;
        let now =
            inventory::read(self.cluster, &inventory.target).await.map_err(|error| error.to_string())?;
        let is_same = now.is_some_and(|now| {
            (now.sequence, now.manifest, now.state)
                == (inventory.sequence, inventory.manifest, inventory.state)
        });
        Ok(is_same.then_some(drift))
    }

    /// Applies once more what the inventory holds. The checks are those of `apply`, but for the end of its time.
    async fn put_back(&self, now: Timestamp, inventory: &Inventory) -> Result<(), String> {
        let applier = Applier {
            name: self.name,
            store: self.store,
            queue: self.queue,
            cluster: self.cluster,
            pause: &self.pause,
        };
        let due = DeployDue { attempt: inventory.attempt, target: inventory.target.clone() };
        applier.again(&due, inventory.sequence, now).await.map_err(|ending| ending.to_string())
    }

    /// Tells an account, unless it is what was told last. It is kept before it is sent, and as sent after that: a crash in
    /// between repeats the same report, under the same name, also where it is over by then.
    async fn tell(&self, now: Timestamp, inventory: &Inventory, account: &Account) -> Result<(), String> {
        let mut held = told::read(self.cluster, &inventory.target, inventory.sequence)
            .await
            .map_err(|error| error.to_string())?;
        if held.told.unsent {
            held = self.send(now, inventory, held, account).await?;
        }
        let Some(next) = next(&held.told, account)? else { return Ok(()) };
        let held = self.keep(inventory, next, &held).await?;
        self.send(now, inventory, held, account).await?;
        Ok(())
    }

    /// Sends the report that is kept, and keeps it as sent. Its account is this one, if that differs alike.
    async fn send(
        &self,
        now: Timestamp,
        inventory: &Inventory,
        held: Held,
        account: &Account,
    ) -> Result<Held, String> {
        let alike = held.told.differs == differs(account)?;
        let outcome = outcome(now, inventory, &held.told, Some(account).filter(|_| alike));
        tracing::info!(target = %outcome.target, result = ?outcome.result, summary = outcome.summary, "drift");
        let message = [(QueueName::Outcomes(self.name.clone()), vec![outgoing(&outcome)?])];
        self.queue.send_all(&message).await.map_err(|error| error.to_string())?;
        self.keep(inventory, held.told.sent(), &held).await
    }

    async fn keep(&self, inventory: &Inventory, told: Told, over: &Held) -> Result<Held, String> {
        told::write(self.cluster, &inventory.target, told, over).await.map_err(|error| error.to_string())
    }
}

/// What will have been told with this account; none if nothing of it is new.
fn next(told: &Told, account: &Account) -> Result<Option<Told>, String> {
    let differs = differs(account)?;
    // A look that did not try to put anything back says nothing of what stood against it.
    let stuck = account.stuck.clone().or_else(|| told.stuck.clone().filter(|_| told.differs == differs));
    if (told.differs, &told.stuck) == (differs, &stuck) {
        return Ok(None);
    }
    Ok(Some(told.and(differs, stuck)))
}

/// The digest of how it differs; none if it does not.
fn differs(account: &Account) -> Result<Option<Digest>, String> {
    if account.drift.is_empty() {
        return Ok(None);
    }
    let bytes = canonical_json(&account.drift)
        .map_err(|error| format!("drift cannot be written as JSON: {error}"))?;
    Ok(Some(Digest::of(&bytes)))
}

/// A report as an outcome; without an account where what it told of is seen no more.
fn outcome(now: Timestamp, inventory: &Inventory, told: &Told, account: Option<&Account>) -> Outcome {
    let report = told.reports;
    let result = match told.differs {
        Some(differs) => OutcomeResult::Drifted { report, differs },
        None => OutcomeResult::Restored { report },
    };
    Outcome {
        attempt: inventory.attempt,
        target: inventory.target.clone(),
        sequence: Some(inventory.sequence.index),
        time: now,
        result,
        summary: account.map_or_else(|| Account::PAST.to_owned(), Account::summary),
        objects: account.map(Account::objects).unwrap_or_default(),
    }
}

fn outgoing(outcome: &Outcome) -> Result<Outgoing, String> {
    let name = outcome.id().hex();
    let trace: String = name.chars().take(16).collect();
    let body = serde_json::to_string(&Message::new(&trace, outcome))
        .map_err(|error| format!("a message cannot be written as JSON: {error}"))?;
    Ok(Outgoing { group: outcome.target.key(), deduplication: name, body, delay: std::time::Duration::ZERO })
}
