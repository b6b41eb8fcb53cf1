//! What every stage answers: one result per message, the shape that a partial batch failure needs.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::message::{MESSAGE_VERSION, Message};
use crate::ports::PortError;

/// A message as a stage gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Names the message within its queue.
    pub id: String,
    /// The group that it belongs to.
    pub group: String,
    /// The JSON.
    pub body: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

impl Incoming {
    /// Why it has to wait, if a newer release sent it.
    #[must_use]
    pub fn waits_for_update(&self) -> Option<StageError> {
        self.parse::<IgnoredAny>().err().filter(|error| matches!(error, StageError::Retry(_)))
    }

    /// The message inside.
    ///
    /// # Errors
    /// [`StageError::Retry`] when the body is a message of a newer version: in the middle of an upgrade it waits for the
    /// newer program. [`StageError::Final`] when it is of an older one that is not understood any more, or no message.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Message<T>, StageError> {
        let other = |v: u32| {
            let id = &self.id;
            let why =
                format!("message {id}: version {v} is not understood, this release reads {MESSAGE_VERSION}");
            if v > MESSAGE_VERSION {
                StageError::Retry(format!("{why}: update this program"))
            } else {
                StageError::Final(why)
            }
        };
        match serde_json::from_str::<Message<T>>(&self.body) {
            Ok(message) if message.v == MESSAGE_VERSION => Ok(message),
            Ok(message) => Err(other(message.v)),
            Err(error) => match serde_json::from_str::<Version>(&self.body) {
                // What else is in it need not be of a shape that is known here.
                Ok(Version { v }) if v != MESSAGE_VERSION => Err(other(v)),
                _ => Err(StageError::Final(format!("message {}: not understood: {error}", self.id))),
            },
        }
    }
}

/// All that is read of a message of another release.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Why a stage did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// It may succeed later: the message comes again.
    #[error("{0}")]
    Retry(String),
    /// It can never succeed: the message becomes a dead letter.
    #[error("{0}")]
    Final(String),
}

impl From<PortError> for StageError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable(why) => Self::Retry(why),
            PortError::Refused(why) => Self::Final(why),
        }
    }
}

/// The results of a batch, one per message, in the order of the batch.
pub type BatchResult = Vec<Result<(), StageError>>;

/// The indexes of messages that must not be taken after `results`: every failure and, where the queue is
/// ordered, every later message of a failed message's group.
#[must_use]
pub fn left_over(batch: &[Incoming], results: &[Result<(), StageError>], ordered: bool) -> Vec<usize> {
    let mut blocked: Vec<&str> = Vec::new();
    let mut left = Vec::new();
    for (index, (message, result)) in batch.iter().zip(results).enumerate() {
        let retry = matches!(result, Err(StageError::Retry(_)));
        if retry || (ordered && blocked.contains(&message.group.as_str())) {
            blocked.push(&message.group);
            left.push(index);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(id: &str, group: &str) -> Incoming {
        Incoming { id: id.into(), group: group.into(), body: String::new(), receive_count: 1 }
    }

    #[test]
    fn a_failure_holds_back_the_rest_of_its_group_only() {
        let batch = [incoming("1", "a"), incoming("2", "b"), incoming("3", "a"), incoming("4", "b")];
        let results = [Err(StageError::Retry("later".into())), Ok(()), Ok(()), Ok(())];
        assert_eq!(left_over(&batch, &results, true), [0, 2]);
        assert_eq!(left_over(&batch, &results, false), [0]);
    }

    #[test]
    fn a_message_that_can_never_succeed_holds_back_nothing() {
        let batch = [incoming("1", "a"), incoming("2", "a")];
        let results = [Err(StageError::Final("never".into())), Ok(())];
        assert_eq!(left_over(&batch, &results, true), [] as [usize; 0]);
    }

    /// What becomes of messages of this version, in a shape that is known and in one that is not.
    fn parsed(v: u32) -> [Result<Message<u32>, StageError>; 2] {
        [r#""trace":"t","body":1"#, r#""content":{}"#].map(|rest| {
            let message = Incoming { body: format!(r#"{{"v":{v},{rest}}}"#), ..incoming("1", "a") };
            message.parse()
        })
    }

    #[test]
    fn a_newer_version_waits_for_a_newer_program() {
        for newer in [MESSAGE_VERSION + 1, u32::MAX] {
            let said = format!("version {newer} is not understood");
            for found in parsed(newer) {
                assert!(matches!(&found, Err(StageError::Retry(why)) if why.contains(&said)), "{found:?}");
            }
        }
    }

    #[test]
    fn an_older_version_that_is_not_understood_is_final() {
        for found in parsed(0) {
            assert!(matches!(&found, Err(StageError::Final(why)) if why.contains("version 0")), "{found:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_final() {
        for body in ["", "[]", r#"{"v":-1}"#, r#"{"v":"2"}"#, r#"{"v":1,"trace":"t","body":"x"}"#] {
            let message = Incoming { body: body.into(), ..incoming("1", "a") };
            assert!(matches!(message.parse::<u32>(), Err(StageError::Final(_))), "{body}");
        }
    }
}
