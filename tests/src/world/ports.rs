//! Ports for servers that must be told theirs before they start.

use std::fs::{self, File};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

/// The ports that are given out: below those that a system gives to whoever asks for any.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A TCP port of 127.0.0.1 that is nobody's, and is given to no other test of this machine while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves one.
    ///
    /// # Errors
    /// When none is left, or the folder of the reservations cannot be written.
    pub fn reserve() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("countersign-ports");
        fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        // Processes begin far from one another, so that they rarely meet.
        let start = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT))?;
        for _ in 0..COUNT {
            let number = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
            let path = folder.join(number.to_string());
            let lock = File::options().create(true).append(true).open(&path);
            let lock = lock.with_context(|| format!("{}: cannot be written", path.display()))?;
            // The operating system lets go of it when this process ends, however it ends.
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no port of 127.0.0.1 from {FIRST} on is free: is the loopback interface up?")
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_can_be_bound_and_is_given_to_nobody_else() {
        let reserved: Vec<_> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<_> = reserved.iter().map(Port::number).collect();
        for number in &numbers {
            TcpListener::bind(("127.0.0.1", *number)).unwrap();
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), reserved.len());
    }
}
