//! What an installation must survive: kills, faults and load, in a short form for every test run, and in a long one
//! for `make soak`.

pub mod development;
pub mod errands;
pub mod faults;
pub mod invariants;
pub mod kills;
pub mod load;
pub mod on_gitea;
pub mod proxy;
pub mod pushes;
pub mod reports;
