//! Schedules: what invokes a function from time to time, with the task that it is to do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::lambda::Lambda;

/// How often each schedule of the templates fires here, where minutes would be too long to wait for.
pub const SCHEDULES: [(&str, &str, Duration); 5] = [
    ("record", "settle", Duration::from_secs(5)),
    ("poll", "due", Duration::from_millis(500)),
    ("poll", "refs", Duration::from_secs(5)),
    ("drift", "drift", Duration::from_secs(2)),
    ("witness", "witness", Duration::from_secs(2)),
];

/// Schedules that fire until they are dropped. One that is still at work is not invoked again, and a failure is left to
/// the next time.
#[derive(Debug)]
pub struct Schedules(#[expect(dead_code, reason = "its drop ends them")] JoinSet<()>);

impl Schedules {
    /// Starts them: functions by their names in Lambda, tasks, and periods.
    #[must_use]
    pub fn start(lambda: &Arc<Lambda>, schedules: Vec<(String, &'static str, Duration)>) -> Self {
        let mut running = JoinSet::new();
        for (function, task, period) in schedules {
            let (lambda, event) = (Arc::clone(lambda), json!({ "task": task }).to_string());
            running.spawn(async move {
                loop {
                    let _ = lambda.invoke(&function, event.as_bytes()).await;
                    tokio::time::sleep(period).await;
                }
            });
        }
        Self(running)
    }
}
