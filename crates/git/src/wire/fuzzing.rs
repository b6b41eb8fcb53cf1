//! What a server says, read as if it had come from one.

use std::collections::BTreeSet;

use git2::Oid;

use super::request::{self, Take};
use super::{Trouble, server};

/// Takes a pack, and looks at none of it.
struct Nothing;

impl Take for Nothing {
    fn cut(&mut self, _: &BTreeSet<Oid>) -> Result<(), Trouble> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), Trouble> {
        Ok(())
    }
}

/// Reads bytes as a greeting, as a list of references, and as the answer to a fetch in both versions.
pub fn read(bytes: &[u8]) {
    let _ = server::greeted(&mut &*bytes);
    let _ = server::listed(bytes);
    for parted in [false, true] {
        let _ = request::receive(&mut &*bytes, parted, &mut Nothing);
    }
}
