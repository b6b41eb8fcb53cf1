#![doc = include_str!("../README.md")]

// What is to be done, and in which order.
pub mod order;
pub mod plan;

// The verbs, in the order in which a change meets them.
pub mod apply;
pub mod diff;
pub mod health;
pub mod inventory;
pub mod prune;

// What a cluster keeps for us, and what every verb may answer.
pub mod failure;
pub mod keep;
mod ownership;
pub mod parallel;
pub mod told;

#[cfg(feature = "kube")]
pub mod kube;
