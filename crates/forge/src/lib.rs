#![doc = include_str!("../README.md")]

// A webhook's way: its headers, the proof of who sent it, and what it says.
#[cfg(feature = "webhook")]
mod body;
#[cfg(feature = "webhook")]
pub mod headers;
#[cfg(feature = "webhook")]
pub mod verify;
#[cfg(feature = "webhook")]
pub mod webhook;

// What each forge sends.
#[cfg(feature = "webhook")]
mod gitea;
#[cfg(feature = "webhook")]
mod github;
#[cfg(feature = "webhook")]
mod gitlab;
#[cfg(feature = "webhook")]
mod hub;
#[cfg(feature = "webhook")]
pub mod plain;
