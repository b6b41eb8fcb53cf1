//! When an invocation ends, and what is given up before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lambda_runtime::Context;

use super::machine_clock;

/// What is left of an invocation's time when its work is stopped, so that it can still be told of.
const MARGIN: Duration = Duration::from_secs(3);

/// When the work of the invocation that is under way is stopped, in milliseconds of the machine's clock. An instance has
/// one invocation at a time.
static STOPPED_AT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Begins an invocation; returns how long it may work: to the deadline that Lambda names, less what telling takes.
pub fn begin(context: &Context) -> Duration {
    let margin = u64::try_from(MARGIN.as_millis()).unwrap_or_default();
    let stopped_at = context.deadline.saturating_sub(margin);
    STOPPED_AT.store(stopped_at, Ordering::Relaxed);
    until(stopped_at)
}

/// Works for no longer than an invocation may.
///
/// # Errors
/// When the work is not done by then; it is stopped where it waits.
pub async fn within<T>(context: &Context, work: impl Future<Output = T>) -> Result<T> {
    let done = tokio::time::timeout(begin(context), work).await;
    done.context("the invocation's time is over, and its work is not done: it goes on at the next")
}

/// Tells when `limit` is over, counted from this call on, or the time of this invocation.
#[must_use]
pub fn gives_up_after(limit: Duration) -> Arc<dyn Fn() -> bool + Send + Sync> {
    given_up(limit, STOPPED_AT.load(Ordering::Relaxed))
}

fn given_up(limit: Duration, stopped_at: u64) -> Arc<dyn Fn() -> bool + Send + Sync> {
    let (started, limit) = (Instant::now(), limit.min(until(stopped_at)));
    Arc::new(move || started.elapsed() > limit)
}

fn until(millis: u64) -> Duration {
    let now = u64::try_from(machine_clock().as_millis()).unwrap_or_default();
    Duration::from_millis(millis.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// An invocation that ends so long after now.
    fn context(left: Duration) -> Context {
        let mut context = Context::default();
        context.deadline = u64::try_from(machine_clock().plus(left).as_millis()).unwrap();
        context
    }

    #[tokio::test]
    async fn work_is_stopped_before_its_invocation_ends() {
        let begun = Instant::now();
        let stopped =
            within(&context(MARGIN + Duration::from_millis(200)), std::future::pending::<()>()).await;
        assert!(stopped.is_err_and(|error| error.to_string().contains("time is over")));
        assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
        assert!(within(&context(MINUTE), async { 7 }).await.is_ok_and(|done| done == 7));
    }

    #[test]
    fn nothing_is_tried_for_longer_than_the_invocation_lasts() {
        let awhile = || std::thread::sleep(Duration::from_millis(2));
        let is_over =
            [(MINUTE, 0), (Duration::ZERO, u64::MAX)].map(|(limit, stopped)| given_up(limit, stopped));
        let goes_on = given_up(MINUTE, u64::MAX);
        awhile();
        assert!(is_over.iter().all(|gives_up| gives_up()) && !goes_on());
    }
}
