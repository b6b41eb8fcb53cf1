//! Conditional writes that are tried again without being made twice.
//!
//! When the answer of a write was lost, another try would find the condition broken by the first one. So every write
//! bears a mark of its own: what is there is read back, and where it bears that mark it is ours.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{Version, Written};

use super::{REFUSALS, S3Store, version};
use crate::failure::Failure;

/// How often one write is tried.
const TRIES: u32 = 5;

/// The pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The metadata that holds the mark of a write.
const MARK: &str = "countersign-write";

/// What must hold for a value to be stored.
pub(super) enum Condition<'a> {
    /// The key has no value.
    Absent,
    /// Its value is of this version.
    Is(&'a Version),
}

/// What became of one try.
enum Try {
    /// It is known what became of the write.
    Ended(Written),
    /// Another write was at work, and nothing was written.
    Busy(PortError),
    /// It may have been made, or may still be.
    Unknown(PortError),
}

/// What is found where a write whose answer was lost went to.
enum Found {
    /// The value of that write.
    Ours(Version),
    /// No value, or one that the condition still holds for.
    Unchanged,
    /// Another value.
    Other,
}

impl S3Store {
    /// Stores a value where the condition holds.
    pub(super) async fn write(
        &self,
        bucket: &str,
        key: &str,
        condition: &Condition<'_>,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        let mark = new_mark();
        let mut lost = None;
        let mut last = None;
        for number in 0..TRIES {
            if number > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(number - 1)).await;
            }
            match self.attempt(bucket, key, condition, bytes, &mark).await? {
                Try::Ended(Written::Conflict) if lost.is_some() => {}
                Try::Ended(written) => return Ok(written),
                Try::Busy(error) => {
                    last = Some(error);
                    continue;
                }
                Try::Unknown(error) => lost = Some(error),
            }
            match self.read_back(bucket, key, condition, &mark).await {
                Ok(Found::Ours(version)) => return Ok(Written::Stored(version)),
                Ok(Found::Unchanged) => {}
                // Ours may have been there and replaced since: no answer would be true.
                Ok(Found::Other) => return Err(unknown(key, lost)),
                Err(error) => last = Some(error),
            }
        }
        Err(lost.or(last).unwrap_or_else(|| unknown(key, None)))
    }

    async fn attempt(
        &self,
        bucket: &str,
        key: &str,
        condition: &Condition<'_>,
        bytes: &[u8],
        mark: &str,
    ) -> Result<Try, PortError> {
        let what = format!("s3: write {key}");
        let body = bytes.to_vec().into();
        let request = self.client.put_object().bucket(bucket).key(key).metadata(MARK, mark).body(body);
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Is(version) => request.if_match(&version.0),
        };
        // The SDK's own retries would take the first try's success for a conflict.
        let once = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
        let failure = match request.customize().config_override(once).send().await {
            Ok(put) => return version(&what, put.e_tag).map(Written::Stored).map(Try::Ended),
            Err(error) => Failure::new(&what, &error),
        };
        // A 404 is the answer where the value that was to be swapped is gone.
        if failure.has_status(412) || failure.is("NoSuchKey") {
            Ok(Try::Ended(Written::Conflict))
        } else if failure.has_status(409) || failure.has_status(429) || failure.is("SlowDown") {
            Ok(Try::Busy(failure.refused_if(&[])))
        } else if failure.may_have_been_done() {
            Ok(Try::Unknown(failure.refused_if(&[])))
        } else {
            Err(failure.refused_if(&REFUSALS))
        }
    }

    async fn read_back(
        &self,
        bucket: &str,
        key: &str,
        condition: &Condition<'_>,
        mark: &str,
    ) -> Result<Found, PortError> {
        let what = format!("s3: read back {key}");
        let found = match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure::new(&what, &error);
                return match (failure.is("NoSuchKey"), condition) {
                    (true, Condition::Absent) => Ok(Found::Unchanged),
                    (true, Condition::Is(_)) => Ok(Found::Other),
                    (false, _) => Err(failure.refused_if(&REFUSALS)),
                };
            }
        };
        let ours =
            found.metadata().and_then(|metadata| metadata.get(MARK)).is_some_and(|found| found == mark);
        let there = version(&what, found.e_tag)?;
        Ok(match condition {
            _ if ours => Found::Ours(there),
            Condition::Is(expected) if **expected == there => Found::Unchanged,
            Condition::Absent | Condition::Is(_) => Found::Other,
        })
    }
}

fn unknown(key: &str, lost: Option<PortError>) -> PortError {
    let why = lost.map(|error| format!(" ({error})")).unwrap_or_default();
    PortError::Unavailable(format!(
        "s3: write {key}: its answer was lost{why}, and by now another value is there: look again"
    ))
}

/// A mark that no other write bears. Nothing secret hangs on it, so the seeds of a hasher are random enough.
fn new_mark() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests;
