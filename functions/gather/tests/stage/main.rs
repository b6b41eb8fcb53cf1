//! The stage on a repository of Git and the embedded store and queue: from events to facts.

mod bases;
mod faults;
mod looks;
mod meanwhile;
mod owners;
mod previews;
mod private;
mod statuses;
mod watched;
mod world;
