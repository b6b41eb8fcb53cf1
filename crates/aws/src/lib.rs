#![doc = include_str!("../README.md")]

#[cfg(any(feature = "s3", feature = "sqs", feature = "kms", feature = "secrets", feature = "eks"))]
mod failure;

#[cfg(all(test, feature = "sdk"))]
mod answering;

#[cfg(feature = "eks")]
pub mod eks;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "sqs")]
pub mod sqs;
