//! Tests that need real servers: one program, so that they share them.

mod cluster;
mod ports;
mod world;
