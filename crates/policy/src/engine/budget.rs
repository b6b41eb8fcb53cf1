//! What a rule may cost, and how it is stopped: by the work that it does, never by the time it takes, so
//! that the same rule is stopped at the same place on every machine.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::{Engine, utils};

/// The steps of the interpreter (statements, expressions, iterations, calls) that one rule may take.
pub const WORK: NonZeroU32 = match NonZeroU32::new(1_000_000) {
    Some(steps) => steps,
    None => NonZeroU32::MIN,
};

/// The stack that rules run on, in bytes. Only what is touched is ever in memory.
const STACK: usize = 64 * 1024 * 1024;

/// How the engine says that the timer stopped it.
const SPENT: &str = "execution exceeded time limit";

/// Why an evaluation ended without a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// More work than [`WORK`].
    #[error("{0}")]
    OverBudget(String),
    /// An error or a panic.
    #[error("{0}")]
    Errored(String),
}

/// Makes `engine` stop after [`WORK`] steps.
///
/// The interpreter counts steps and looks at a clock once in `check_interval` of them. With a limit of no
/// time at all, the first look stops it, which makes the interval a budget of work and the clock irrelevant.
pub fn limit(engine: &mut Engine) {
    engine.set_execution_timer_config(utils::limits::ExecutionTimerConfig {
        limit: Duration::ZERO,
        check_interval: WORK,
    });
}

/// Runs `evaluate`; an error, a panic and a spent budget are results.
///
/// # Errors
/// [`Stopped`], with the reason for people.
pub fn guarded<T, E: Display>(evaluate: impl FnOnce() -> Result<T, E>) -> Result<T, Stopped> {
    match catch_unwind(AssertUnwindSafe(evaluate)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let text = error.to_string();
            // An error that passed through a function of a policy is only text when it arrives here.
            Err(match text.contains(SPENT) {
                true => Stopped::OverBudget(format!(
                    "the rule took more than {WORK} steps: let it look at each object once"
                )),
                false => Stopped::Errored(text.trim().to_owned()),
            })
        }
        Err(panic) => Err(Stopped::Errored(format!("the engine panicked: {}", panic_text(&*panic)))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Runs `work` on a thread with a stack that the deepest policy allowed cannot exhaust.
///
/// # Errors
/// Why the thread could not be started, or that it panicked.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("rules".into()).stack_size(STACK).spawn_scoped(scope, work);
        match thread {
            Ok(thread) => {
                thread.join().map_err(|panic| format!("the engine panicked: {}", panic_text(&*panic)))
            }
            Err(error) => Err(format!("no thread for the rules could be started: {error}")),
        }
    })
}
