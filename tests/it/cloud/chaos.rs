//! The short form of what `make soak` does for longer.

use anyhow::Result;
use countersign_tests::cloud::chaos::{Chaos, run};

#[test]
fn everything_that_goes_wrong_is_mended() -> Result<()> {
    let survived = run(&Chaos { changes: 8, seed: 1 })?;
    anyhow::ensure!(survived.kills > 0 && survived.account.healthy > 0, "{survived:?}");
    Ok(())
}
