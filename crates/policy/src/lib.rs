#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod yaml;

pub mod bundle;
pub mod configuration;
pub mod engine;
pub mod lint;
pub mod metadata;
pub mod waiver;

pub mod approval;
pub mod decide;
pub mod input;
pub mod owners;
pub mod path;
pub mod replay;
pub mod status;

pub mod test;

#[cfg(test)]
mod fixture;
