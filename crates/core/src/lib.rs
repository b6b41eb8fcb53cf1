#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

// In the order in which a change flows through them.
pub mod digest;
pub mod names;
pub mod time;

pub mod authorization;
pub mod bundle;
pub mod configuration;
pub mod decision;
pub mod event;
pub mod facts;
pub mod leaf;
pub mod manifest;
pub mod outcome;
pub mod owners;
pub mod review;
pub mod statement;
pub mod target;
pub mod tree;

pub mod active;
pub mod git_access;
pub mod keys;
pub mod message;
pub mod signatures;
pub mod stage;

pub mod ports;
pub mod report;
