#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

// In the order in which a change flows through them.
pub mod digest;
pub mod names;
pub mod time;

pub mod configuration;
pub mod event;
pub mod statement;
pub mod tree;
pub mod facts;
pub mod bundle;
pub mod manifest;
pub mod review;
pub mod decision;
pub mod leaf;
pub mod authorization;
pub mod outcome;
pub mod target;

pub mod active;
pub mod keys;
pub mod message;
pub mod stage;

pub mod ports;
pub mod report;
