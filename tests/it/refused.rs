//! Bad input: each ends in a message that says what, where and what to do, and nothing happens.

mod authorizations;
mod records;
mod requests;
mod starting;
mod stopped;
