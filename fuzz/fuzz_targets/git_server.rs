//! What a Git server says: greetings, lists of references, and what comes before a pack.
#![no_main]

use countersign_git::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzzing::read(bytes));
