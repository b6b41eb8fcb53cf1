//! What is at work is hidden for a minute, again and again, and no longer than somebody works on it.
//!
//! A queue hides what is received for several times as long as its function may run. Without this the messages of a
//! function that was killed, and all that waits in their groups, would wait for all of that.

use std::sync::OnceLock;
use std::time::Duration;

use countersign_core::message::QueueName;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::of_a_test;
use crate::sqs::SqsQueue;

/// How long messages are hidden, each time.
const VISIBILITY: Duration = Duration::from_secs(60);

/// Messages are hidden again when this part of that time is over.
const PART: u32 = 3;

/// [`VISIBILITY`], where no test asks for less by `COUNTERSIGN_HIDDEN_MILLIS`.
pub fn visibility() -> Duration {
    of_a_test("COUNTERSIGN_HIDDEN_MILLIS").map_or(VISIBILITY, Duration::from_millis)
}

/// Hides the messages of a batch until it is dropped, or the invocation's time is over.
pub struct Hiding {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Hiding {
    /// Begins, at once. None where there is no thread for it: then messages are hidden for as long as their queue says.
    pub fn begin(queue: &SqsQueue, work: Work) -> Option<Self> {
        let (stop, stopped) = oneshot::channel();
        let task = runtime()?.spawn(hide(queue.clone(), work, stopped));
        Some(Self { stop, task })
    }

    /// Ends it. What is hidden afterwards stays as it is.
    pub async fn end(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "hiding what is at work has ended early");
        }
    }
}

/// What is at work.
pub struct Work {
    /// The queue that the messages came by.
    pub name: QueueName,
    /// What SQS wants to see of each message.
    pub handles: Vec<String>,
    /// How long they are hidden, each time.
    pub visibility: Duration,
    /// How long they are at work at most.
    pub left: Duration,
}

async fn hide(queue: SqsQueue, work: Work, mut stopped: oneshot::Receiver<()>) {
    let Work { name, handles, visibility, left } = work;
    let end = Instant::now() + left;
    loop {
        let again = Instant::now() + visibility / PART;
        // One that is under way ends before it stops: it must not undo what its messages are given back with.
        if let Err(error) = queue.hide_all(&name, &handles, visibility).await {
            tracing::warn!(queue = %name, %error, "what is at work may come twice, or late if it is ended");
        }
        tokio::select! {
            _ = &mut stopped => return,
            () = sleep_until(again.min(end)) => {}
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// A thread of its own, for all batches of this process: a stage may hold up the thread that it runs on.
fn runtime() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let start = || match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            tracing::warn!(%error, "no thread can be started that hides what is at work");
            None
        }
    };
    RUNTIME.get_or_init(start).as_ref()
}
