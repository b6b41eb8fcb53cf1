//! kustomize: from a folder with a kustomization to objects, exactly as kustomize 5.8.2 makes them, over a
//! tree of files. No checkout, no process, no network. What it is built from, and each difference, is in
//! `docs/KUSTOMIZE.md`.

pub mod context;
pub(crate) mod fields;
pub(crate) mod id;
pub(crate) mod kustomization;
pub(crate) mod resource;
pub(crate) mod set;

mod accumulate;
pub(crate) mod build;

pub(crate) mod config;
mod crds;
mod defaults;
mod each;
pub(crate) mod fieldspec;

mod generate;
mod go_regex;
mod hash;
mod image_names;
mod namespace;
mod origin;
mod pairs;
mod plugins;
mod replicas;
mod transform;

mod copied;
mod json_patch;
mod merge;
mod merge_list;
mod names;
mod notes;
mod patches;
mod paths;
mod replacements;
mod schema;
mod selector;
pub(crate) mod shared;
pub(crate) mod sort;
mod value_add;
mod variables;
