#![doc = include_str!("../README.md")]

pub mod database;
pub mod error;
pub mod fault;
pub mod key_file;
mod lock;
pub mod queue;
pub mod secrets;
pub mod simulated;
pub mod store;
