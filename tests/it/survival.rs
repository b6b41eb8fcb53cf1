//! What an installation survives. The long forms are in `make soak`.

mod clock;
mod cluster_faults;
mod concurrency;
mod dead_letters;
mod disk;
mod forge_faults;
mod kills;
mod load;
