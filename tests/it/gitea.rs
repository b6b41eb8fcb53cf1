//! The path of a change on a real Gitea: what a developer sees on the pull request is what happened.

mod forge;
mod forks;
mod merging;
mod owners;
mod people;
mod ssh;
mod statuses;
mod story;
