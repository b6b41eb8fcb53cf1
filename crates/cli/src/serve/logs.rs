//! Structured logs on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. A second start in one process changes nothing.
pub fn start(level: tracing::Level, json: bool) {
    let ours = Targets::new().with_default(LevelFilter::WARN).with_target("countersign", level);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines =
        if json { lines.json().flatten_event(true).boxed() } else { lines.with_target(false).boxed() };
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}
