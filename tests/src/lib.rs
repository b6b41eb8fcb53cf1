#![doc = include_str!("../README.md")]

pub mod bench;
pub mod contract;
pub mod http;
pub mod installation;
pub mod simulation;
pub mod survival;
pub mod world;
