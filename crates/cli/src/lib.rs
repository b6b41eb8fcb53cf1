#![doc = include_str!("../README.md")]

pub mod arguments;
pub mod commands;
pub mod installation;
pub mod output;
pub mod remote;
pub mod serve;
