//! The world that the product runs in: real servers, built once and started on free ports.
//!
//! Whatever starts here ends with the process that started it, however that process ends, and
//! leaves no file behind: see [`servers`].

#[cfg(feature = "aws")]
pub mod aws;
pub mod control_plane;
pub mod flux;
pub mod gitea;
pub mod ports;
pub mod script;
pub mod servers;
pub mod tools;
