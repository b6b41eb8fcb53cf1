#![doc = include_str!("../README.md")]

pub mod error;

pub mod merged;
pub mod mirror;
pub mod owners;
pub mod repository;
pub mod tree;

mod wire;
#[cfg(feature = "fuzzing")]
pub use wire::fuzzing;

mod changes;
mod commit;
mod explain;
mod folders;
mod history;
mod range;
pub mod statements;

pub mod hook;
pub mod plain;

#[cfg(test)]
mod testing;
