//! The cloud form on this machine: the real programs of the functions under a Lambda Runtime API, with servers that speak
//! AWS's protocols, the real Gitea and the real Kubernetes API server.
//!
//! [`stack`] puts it together, [`first_day`] makes an installation of it. What a function is told and what its role
//! allows is read from `infra/` ([`contract`]).

pub mod authenticator;
pub mod chaos;
pub mod contract;
pub mod first_day;
pub mod gateway;
pub mod http_api;
pub mod lambda;
pub mod mapping;
pub mod reading;
pub mod rotation;
pub mod schedules;
pub mod sigv4;
pub mod stack;
