//! Dead letters in SQS. It shows a message only by handing it out, so that whoever looks holds it for a moment: what was
//! looked at is given back at once, and at the latest when that moment is over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow, bail};
use countersign_core::message::QueueName;
use countersign_core::time::Timestamp;
use countersign_local::queue::Depth;
use countersign_local::queue::dead::Redriven;
use serde_json::{Value, json};

use super::queues::Urls;
use crate::commands::aws::Aws;
use crate::commands::dlq::letters::Letter;

/// How long what is looked at is held, in seconds.
const HELD: &str = "120";

/// How long SQS is asked to look for messages, in seconds: without a wait it asks only some of its servers.
const WAIT: &str = "1";

/// The most messages of one call.
const MOST: usize = 10;

/// The most dead letters of one queue that are looked at.
const MAX_LETTERS: usize = 200;

/// What is said of a message that SQS moved by itself.
const UNTOLD: &str = "nothing said why: its function ended each time it had it, or could not start at all; read the \
                      function's log lines from before this time";

/// The dead letters of one queue.
pub struct DeadLetters<'a> {
    aws: &'a Aws,
    queue: &'a QueueName,
    /// Where they lie.
    dead: &'a str,
    /// Where they came from.
    alive: &'a str,
}

/// A message that was handed out.
struct Held {
    letter: Letter,
    receipt: String,
    attributes: Value,
}

/// All dead letters of these queues, of each as [`DeadLetters::list`] finds them. Who has none by these depths is not
/// asked.
///
/// # Errors
/// When they cannot be read.
pub fn of_all(
    aws: &Aws,
    queues: &BTreeMap<QueueName, Urls>,
    depths: &[(QueueName, Depth)],
) -> anyhow::Result<Vec<Letter>> {
    let mut all = Vec::new();
    for (queue, _) in depths.iter().filter(|(_, depth)| depth.dead > 0) {
        let urls = queues.get(queue).with_context(|| format!("{queue} is not in this account"))?;
        all.extend(DeadLetters::of(aws, queue, urls)?.list()?);
    }
    Ok(all)
}

impl<'a> DeadLetters<'a> {
    /// Those of a queue.
    ///
    /// # Errors
    /// When it has none.
    pub fn of(aws: &'a Aws, queue: &'a QueueName, urls: &'a Urls) -> anyhow::Result<Self> {
        let dead = urls.dead.as_deref();
        let dead = dead.with_context(|| format!("{queue} has no queue of dead letters in this account"))?;
        Ok(Self { aws, queue, dead, alive: &urls.alive })
    }

    /// Those that SQS hands out, oldest first within a group: of each group of an ordered queue the first ten, since it
    /// hands out the next only when these are gone.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<Letter>> {
        let held = self.hold()?;
        self.give_back(&held)?;
        Ok(held.into_iter().map(|held| held.letter).collect())
    }

    /// Puts one at the end of its group, unless that would turn the order of the group around.
    ///
    /// # Errors
    /// When a queue cannot be read or written.
    pub fn redrive(&self, id: &str) -> anyhow::Result<Redriven> {
        self.with(id, |older, held| match older {
            Some(older) if self.queue.is_ordered() => Ok(Redriven::After(older)),
            _ => {
                self.send(held)?;
                self.delete(std::slice::from_ref(held))?;
                Ok(Redriven::Sent)
            }
        })
        .map(|redriven| redriven.unwrap_or(Redriven::Unknown))
    }

    /// Puts all that died before a time at the end of their groups, in order; returns their ids. What dies again
    /// meanwhile is left.
    ///
    /// # Errors
    /// When a queue cannot be read or written, with how many were redriven before.
    pub fn redrive_all(&self, before: Timestamp) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        loop {
            let held = self.receive()?;
            let newer = held.iter().position(|one| one.letter.died >= before).unwrap_or(held.len());
            // One by one: of a batch any may fail alone, and what follows it must not be there before it.
            let failed = held[..newer].iter().find_map(|one| Some((one, self.send(one).err()?)));
            let at = failed.as_ref().map(|(one, _)| &one.letter.id);
            let sent = held[..newer].iter().take_while(|one| Some(&one.letter.id) != at).count();
            self.delete(&held[..sent])?;
            ids.extend(held[..sent].iter().map(|one| one.letter.id.clone()));
            if sent < held.len() {
                // What follows stays behind it.
                self.give_back(&held[sent..])?;
            }
            if let Some((one, error)) = failed {
                let why = format!("{} {}, after {} were redriven", self.queue, one.letter.id, ids.len());
                return Err(error.context(why));
            }
            if sent < held.len() || held.is_empty() {
                return Ok(ids);
            }
        }
    }

    /// Drops one; says whether it was there.
    ///
    /// # Errors
    /// When the queue cannot be read or written.
    pub fn dismiss(&self, id: &str) -> anyhow::Result<bool> {
        Ok(self.with(id, |_, held| self.delete(std::slice::from_ref(held)))?.is_some())
    }

    /// Does something with one, told the oldest before it in its group, and gives back all others.
    fn with<T>(
        &self,
        id: &str,
        work: impl FnOnce(Option<String>, &Held) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let held = self.hold()?;
        let Some(at) = held.iter().position(|held| held.letter.id == id) else {
            self.give_back(&held)?;
            return Ok(None);
        };
        let (before, one) = (&held[..at], &held[at]);
        let older = before.iter().find(|older| older.letter.group == one.letter.group);
        let done = work(older.map(|older| older.letter.id.clone()), one);
        // Of what is gone SQS says that it cannot be given back, and gives back the others.
        self.give_back(&held)?;
        done.map(Some)
    }

    /// Sends one to where it came from. Who dies before it is deleted here sends it again: SQS drops the second one within
    /// five minutes, and later it is a look more.
    fn send(&self, held: &Held) -> anyhow::Result<()> {
        let mut message = json!({
            "QueueUrl": self.alive, "MessageBody": held.letter.body, "MessageAttributes": held.attributes,
        });
        if self.queue.is_ordered() {
            message["MessageGroupId"] = json!(held.letter.group);
            message["MessageDeduplicationId"] = json!(format!("redriven-{}", held.letter.id));
        }
        self.aws.tell(&["sqs", "send-message"], &message).map(drop)
    }

    fn delete(&self, held: &[Held]) -> anyhow::Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let entry =
            |(index, held): (usize, &Held)| json!({ "Id": index.to_string(), "ReceiptHandle": held.receipt });
        let entries: Vec<_> = held.iter().enumerate().map(entry).collect();
        let answer = self
            .aws
            .tell(&["sqs", "delete-message-batch"], &json!({ "QueueUrl": self.dead, "Entries": entries }))?;
        let failed = answer.get("Failed").and_then(Value::as_array).and_then(|failed| failed.first());
        match failed {
            Some(failed) => bail!("{}: not all could be taken from the dead letters: {failed}", self.queue),
            None => Ok(()),
        }
    }

    /// Holds all that SQS hands out.
    fn hold(&self) -> anyhow::Result<Vec<Held>> {
        let (mut all, mut known) = (Vec::new(), BTreeSet::new());
        while all.len() < MAX_LETTERS {
            let held = self.receive()?;
            let before = all.len();
            all.extend(held.into_iter().filter(|held| known.insert(held.letter.id.clone())));
            if all.len() == before {
                break;
            }
        }
        Ok(all)
    }

    fn receive(&self) -> anyhow::Result<Vec<Held>> {
        let most = MOST.to_string();
        let call = ["sqs", "receive-message", "--queue-url", self.dead, "--max-number-of-messages", &most];
        let how = ["--visibility-timeout", HELD, "--wait-time-seconds", WAIT];
        let what = ["--attribute-names", "All", "--message-attribute-names", "All"];
        let answer = self.aws.ask(&[&call[..], &how, &what].concat())?;
        let messages = answer.get("Messages").and_then(Value::as_array).into_iter().flatten();
        messages.map(|message| self.held(message)).collect()
    }

    fn held(&self, message: &Value) -> anyhow::Result<Held> {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let missing = |part| anyhow!("{}: SQS handed out a message without its {part}", self.queue);
        let sent = text("/Attributes/SentTimestamp").and_then(|millis| millis.parse().ok());
        let mut attributes = message.get("MessageAttributes").cloned().unwrap_or_else(|| json!({}));
        if let Some(attributes) = attributes.as_object_mut() {
            attributes.remove("reason");
        }
        let letter = Letter {
            queue: self.queue.to_string(),
            id: text("/MessageId").ok_or_else(|| missing("id"))?,
            group: text("/Attributes/MessageGroupId")
                .or_else(|| text("/MessageAttributes/group/StringValue"))
                .unwrap_or_default(),
            body: text("/Body").ok_or_else(|| missing("body"))?,
            reason: text("/MessageAttributes/reason/StringValue").unwrap_or_else(|| UNTOLD.to_owned()),
            receives: None,
            sent: None,
            died: Timestamp::from_millis(sent.unwrap_or_default()),
        };
        Ok(Held { letter, receipt: text("/ReceiptHandle").ok_or_else(|| missing("receipt"))?, attributes })
    }

    fn give_back(&self, held: &[Held]) -> anyhow::Result<()> {
        // The last ones first: where some are back and others not yet, the order of a group holds.
        for held in held.chunks(MOST).rev() {
            let entry = |(index, held): (usize, &Held)| json!({ "Id": index.to_string(), "ReceiptHandle": held.receipt, "VisibilityTimeout": 0 });
            let entries: Vec<_> = held.iter().enumerate().map(entry).collect();
            let asked = json!({ "QueueUrl": self.dead, "Entries": entries });
            self.aws.tell(&["sqs", "change-message-visibility-batch"], &asked)?;
        }
        Ok(())
    }
}
