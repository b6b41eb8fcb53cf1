#![doc = include_str!("../README.md")]

// A webhook's way: its headers, the proof of who sent it, and what it says.
#[cfg(feature = "webhook")]
pub mod headers;
#[cfg(feature = "webhook")]
pub mod plain;
#[cfg(feature = "webhook")]
pub mod verify;
#[cfg(feature = "webhook")]
pub mod webhook;

// What reading and reporting stand on.
#[cfg(any(feature = "read", feature = "report"))]
mod client;
#[cfg(any(feature = "read", feature = "report"))]
pub mod host;
#[cfg(any(feature = "read", feature = "report"))]
mod place;

// What people said, and how they are told, in one shape for every forge.
#[cfg(feature = "read")]
mod candidates;
#[cfg(feature = "report")]
mod comment;
#[cfg(feature = "read")]
mod pushes;
#[cfg(feature = "read")]
mod statuses;
#[cfg(feature = "report")]
mod told;

#[cfg(test)]
mod testing;

// The forges.
#[cfg(any(feature = "read", feature = "report"))]
pub mod gitea;
#[cfg(any(feature = "read", feature = "report"))]
pub mod github;
#[cfg(any(feature = "read", feature = "report"))]
pub mod gitlab;
#[cfg(any(feature = "read", feature = "report"))]
pub mod hosts;
