//! The stage on the embedded store, queue and keys: from messages to leaves, state, authorizations and messages.

mod commands;
mod crashes;
mod drifts;
mod dying;
mod flow;
mod restore;
mod rotation;
mod world;
