//! What every implementation of a port must do: one test of each rule, for any implementation.
//!
//! Each function panics where the rule is broken. Time passes by `tokio::time`, so that a queue with a
//! clock of its own can be tested on a paused runtime, in no time, and one of a service as it is.

pub mod cluster;
pub mod queue;
pub mod signer;
pub mod store;
