//! Runs the benchmark: see `docs/PERFORMANCE.md`.

use anyhow::Result;
use clap::Parser as _;
use countersign_tests::bench::{self, Options};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    bench::run(&Options::parse()).await
}
