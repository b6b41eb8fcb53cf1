//! Tests that need real servers: one program, so that they share them.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod cloud;
mod cluster;
mod demo;
mod flow;
mod flow_real;
mod gitea;
mod ports;
mod refused;
mod simulation;
mod survival;
mod tidy;
mod world;
