#![doc = include_str!("../README.md")]

pub mod root;
pub mod signatures;
pub mod sshsig;
