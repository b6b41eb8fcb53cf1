//! What the system says of a process.

use std::fs;

use anyhow::{Context, Result};

/// The memory that a process holds now, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn memory(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kibibytes.context("the system does not say how much memory a process has")? / 1_024.0)
}

/// The processor time that a process has used, in milliseconds.
///
/// # Errors
/// When there is no such process.
pub fn processor_time(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).context("the process is gone")?;
    // The name may hold spaces: what is counted begins after it. The unit is a hundredth of a second.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * 10.0)
}
