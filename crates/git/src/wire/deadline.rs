//! Stops what waits for a server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::mirror::GiveUp;

/// How often is asked whether to give up.
const PULSE: Duration = Duration::from_millis(50);

/// Does `work`. Once `give_up` says so, `interrupt` is called until the work ends, and the flag that `work` is
/// given says so too. The second part of the result is whether it came to that.
pub(crate) fn within<T>(
    give_up: &GiveUp,
    interrupt: impl Fn() + Send,
    work: impl FnOnce(&AtomicBool) -> T,
) -> (T, bool) {
    let stop = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        let (at_work, ended) = mpsc::channel::<()>();
        let stop = &stop;
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(PULSE) {
                if give_up() {
                    stop.store(true, Ordering::Relaxed);
                    interrupt();
                }
            }
        });
        let result = work(stop);
        drop(at_work);
        result
    });
    (result, stop.into_inner())
}
