//! What the role of a function allows: what `infra/permissions.json` and `infra/CONTRACT.md` say, and nothing else.

use std::collections::BTreeSet;

use super::call::{Call, On};
use crate::cloud::contract::Contract;
use crate::cloud::stack::CLUSTER_FUNCTIONS;

/// The letter of what is only read after a write whose answer was lost.
const READS_BACK: char = 'b';

/// A right that was used: a function, a row of the contract, and a letter of `rwdl` or the name of a call.
pub type Used = (String, String, String);

/// The rights in one installation.
#[derive(Clone, Debug)]
pub struct Rights {
    contract: Contract,
    /// Every queue is named `INSTALLATION-NAME`.
    installation: String,
    /// The name of the one cluster.
    cluster: String,
}

impl Rights {
    /// The rights of an installation with one cluster.
    #[must_use]
    pub fn new(contract: &Contract, installation: &str, cluster: &str) -> Self {
        let (contract, installation, cluster) =
            (contract.clone(), installation.to_owned(), cluster.to_owned());
        Self { contract, installation, cluster }
    }

    /// Whether a key that is not there is a 404 for this function, and not a 403.
    #[must_use]
    pub fn tells_absence(&self, function: &str, call: &Call) -> bool {
        let lists = self.contract.functions.get(function).is_some_and(|found| found.lists);
        let On::Object(_, key) = &call.on else { return lists };
        // Manifests are listed by nobody, and a cluster's functions list the log alone.
        let of_cluster = CLUSTER_FUNCTIONS.contains(&function);
        lists && !key.starts_with("manifests/") && (!of_cluster || key.starts_with("log/"))
    }

    /// What of the contract allows this call.
    ///
    /// # Errors
    /// Why nothing does.
    pub fn allow(&self, function: &str, call: &Call) -> Result<Used, String> {
        let name = &call.name;
        let known =
            self.contract.functions.get(function).ok_or_else(|| format!("{function}: no such role"))?;
        if !known.calls.contains(right_of(name)) {
            return Err(format!("the role of {function} does not allow {name}"));
        }
        let used = |row: &str, what: &str| (function.to_owned(), row.to_owned(), what.to_owned());
        match &call.on {
            On::Object(_, key) | On::Prefix(_, key) => {
                let letter = call.right().unwrap_or('?');
                let keys = self.contract.keys_of(key).ok_or_else(|| format!("{key}: not in the contract"))?;
                let rights = keys.rights.get(function).map(String::as_str).unwrap_or_default();
                if rights.contains(letter) || (letter == 'r' && rights.contains(READS_BACK)) {
                    Ok(used(&keys.patterns.join(", "), &letter.to_string()))
                } else {
                    Err(format!("the role of {function} does not allow {name} on {key}"))
                }
            }
            On::Queue(queue) => {
                let allowed = self.queue(function, call, queue);
                allowed
                    .map(|row| used(&row, name))
                    .ok_or_else(|| format!("the role of {function} does not allow {name} on {queue}"))
            }
            On::Named(_) => Ok(used(name, name)),
        }
    }

    /// The row of a queue, where the function may do this to it: send to those that it feeds and to the dead letters of
    /// its own, hide messages of its own.
    fn queue(&self, function: &str, call: &Call, queue: &str) -> Option<String> {
        let name = queue.strip_prefix(&self.installation)?.strip_prefix('-')?;
        let name = name.strip_suffix(".fifo").unwrap_or(name);
        let row = |name: &str| {
            let general = name.strip_suffix(&self.cluster).map(|kind| format!("{kind}CLUSTER"));
            general.filter(|row| self.contract.queues.contains_key(row)).unwrap_or_else(|| name.to_owned())
        };
        let buried = name.strip_prefix("dead-").map(row);
        let (row, sends) = (row(name), call.name == "sqs.SendMessageBatch");
        let queues = &self.contract.queues;
        let takes = |row: &str| queues.get(row).is_some_and(|traffic| traffic.taker == function);
        let feeds = queues.get(&row).is_some_and(|traffic| traffic.senders.contains(function));
        let buries = buried.is_some_and(|row| takes(&row));
        let allowed = if sends { feeds || buries } else { takes(&row) };
        allowed.then_some(row)
    }

    /// Every right that the contract gives, and that is used where nothing goes wrong.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Used> {
        let mut all = BTreeSet::new();
        for keys in &self.contract.keys {
            for (function, letters) in &keys.rights {
                let row = keys.patterns.join(", ");
                let usual = letters.chars().filter(|letter| *letter != READS_BACK);
                all.extend(usual.map(|one| (function.clone(), row.clone(), one.to_string())));
            }
        }
        all
    }
}

/// The call whose right a call needs: to change several at once is to change each ("Amazon SQS API permissions").
fn right_of(call: &str) -> &str {
    if call == "sqs.ChangeMessageVisibilityBatch" { "sqs.ChangeMessageVisibility" } else { call }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(function: &str, name: &str, on: On) -> Result<Used, String> {
        let rights = Rights::new(&Contract::read().unwrap(), "shop", "east");
        rights.allow(function, &Call { name: name.to_owned(), on })
    }

    #[test]
    fn a_role_allows_what_the_contract_says_and_nothing_else() {
        let object = |key: &str| On::Object("data".into(), key.into());
        assert!(allowed("gather", "s3.PutObject", object("facts/00")).is_ok());
        assert!(allowed("gather", "s3.PutObject", object("state/settled")).is_err());
        assert!(allowed("evaluate", "s3.DeleteObject", object("facts/00")).is_err());
        assert!(allowed("record", "s3.PutObject", object("log/checkpoint")).is_ok());
        assert!(allowed("poll", "kms.Sign", On::Named("a".into())).is_err());
    }

    #[test]
    fn a_function_sends_where_the_contract_says() {
        let queue = |name: &str| On::Queue(name.into());
        let sends = |function: &str, name: &str| allowed(function, "sqs.SendMessageBatch", queue(name));
        assert_eq!(sends("apply", "shop-outcomes-east.fifo").unwrap().1, "outcomes-CLUSTER");
        assert!(sends("gather", "shop-dead-events.fifo").is_ok());
        assert!(sends("gather", "shop-dead-facts.fifo").is_err());
        assert!(sends("apply", "shop-dead-deploys-east.fifo").is_ok());
        assert!(sends("gather", "shop-decisions.fifo").is_err());
        assert!(sends("gather", "other-facts.fifo").is_err());
        for call in ["sqs.ChangeMessageVisibility", "sqs.ChangeMessageVisibilityBatch"] {
            let hides = |function: &str, name: &str| allowed(function, call, queue(name));
            assert!(hides("gather", "shop-events.fifo").is_ok(), "{call}");
            assert!(hides("gather", "shop-facts.fifo").is_err(), "{call}");
            assert!(hides("poll", "shop-events.fifo").is_err(), "{call}");
        }
    }
}
