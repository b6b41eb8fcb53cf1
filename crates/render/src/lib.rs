#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// In the order in which a file flows through them: found, parsed, made an object, placed, looked at.
pub mod budget;
pub mod closure;
mod files;
pub mod kustomize;
mod objects;
mod plain;
mod problems;
pub mod remote;
pub mod rendered;
mod scope;
pub mod yaml;

pub mod diff;
pub mod images;
pub mod mask;
