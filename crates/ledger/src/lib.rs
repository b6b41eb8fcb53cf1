#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

// Words first, then the log that is made of them, then what is proven from the log.
pub mod checkpoint;
mod edge;
pub mod epochs;
pub mod error;
pub mod key;
pub mod log;
pub mod merkle;
pub mod note;
mod staging;
pub mod tile;
pub mod view;

pub mod audit;
pub mod authorization;
pub mod dsse;
pub mod folder;
pub mod genesis;
pub mod issue;
pub mod proof;
pub mod trust;

#[cfg(test)]
mod testing;
