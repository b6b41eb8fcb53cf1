//! The ports on AWS pass the contract of every port, on servers that speak AWS's protocols.

mod batch;
mod dead_letters;
mod queue;
mod secrets;
mod signer;
mod store;
