//! The ports: how a stage touches the world. Each has two real implementations that pass one contract test.

pub mod cluster;
pub mod forge;
pub mod queue;
pub mod secrets;
pub mod signer;
pub mod store;

/// Why a port did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// It may work later: busy, unreachable, throttled, timed out.
    #[error("{0}")]
    Unavailable(String),
    /// It will never work as asked: too large, forbidden, malformed.
    #[error("{0}")]
    Refused(String),
}
