//! Secrets, read by reference at the moment of use, so that a rotated one is picked up.

use std::future::Future;

use super::PortError;
use crate::configuration::SecretReference;

/// Reads secrets.
pub trait Secrets: Sync {
    /// The secret's bytes, without a final newline.
    ///
    /// # Errors
    /// When it is not there or may not be read. The message names the reference, never the value.
    fn read(&self, reference: &SecretReference) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;
}
