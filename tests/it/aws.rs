//! The ports on AWS pass the contract of every port, on servers that speak AWS's protocols.

mod batch;
mod queue;
mod secrets;
mod signer;
mod store;
