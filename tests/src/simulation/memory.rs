//! Queue and store in memory: what the ports promise, and nothing that goes wrong.

pub mod queue;
pub mod store;

use std::pin::Pin;
use std::time::Duration;

use super::executor::Sim;

/// Where time comes from: a simulation, or the runtime of a test.
#[derive(Clone)]
pub enum Clock {
    /// The simulation's.
    Simulated(Sim),
    /// The runtime's, since then.
    Runtime(tokio::time::Instant),
}

impl Clock {
    /// Milliseconds since it began.
    fn now(&self) -> i64 {
        match self {
            Self::Simulated(sim) => sim.now(),
            Self::Runtime(begun) => i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Waits until so many milliseconds since it began.
    fn sleep_until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            Self::Simulated(sim) => {
                let sim = sim.clone();
                Box::pin(async move { sim.sleep_until(at).await })
            }
            Self::Runtime(begun) => {
                let at = *begun + Duration::from_millis(u64::try_from(at).unwrap_or(0));
                Box::pin(tokio::time::sleep_until(at))
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
