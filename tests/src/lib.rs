#![doc = include_str!("../README.md")]

pub mod bench;
#[cfg(feature = "aws")]
pub mod cloud;
pub mod contract;
pub mod http;
pub mod installation;
pub mod simulation;
pub mod survival;
pub mod world;
