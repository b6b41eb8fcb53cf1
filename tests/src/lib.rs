#![doc = include_str!("../README.md")]

pub mod bench;
pub mod contract;
pub mod installation;
pub mod world;
