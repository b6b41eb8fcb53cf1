//! Why a server does not start, and what it says.

use std::fs;
use std::net::TcpListener;

use anyhow::{Result, ensure};
use countersign_tests::installation::Installation;

/// Runs `serve`, which must end at once with exit code 2 and say each of `texts`.
fn refused(installation: &Installation, control: &str, address: &str, texts: &[&str]) -> Result<()> {
    let output = installation.run(&["serve", "--control", control, "--data", "data", "--listen", address])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "it ended with {}: {said}", output.status);
    for text in texts {
        ensure!(said.contains(text), "{text:?} is not said: {said}");
    }
    Ok(())
}

#[test]
fn a_server_holds_its_memory_in_two_arenas() -> Result<()> {
    let installation = Installation::start()?;
    let environment = fs::read(format!("/proc/{}/environ", installation.server_id()?))?;
    let mut variables = environment.split(|byte| *byte == 0);
    ensure!(variables.any(|variable| variable == b"MALLOC_ARENA_MAX=2"), "it did not start itself anew");
    Ok(())
}

const CONTROL: &str = "repositories/control.git";
const ANY_PORT: &str = "127.0.0.1:0";

#[test]
fn a_port_that_is_taken() -> Result<()> {
    let installation = Installation::new()?;
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    refused(&installation, CONTROL, &address, &["cannot listen on", &address, "--listen"])
}

#[test]
fn a_control_repository_that_is_not_there() -> Result<()> {
    let installation = Installation::new()?;
    refused(&installation, "nowhere.git", ANY_PORT, &["nowhere.git", "check --control"])?;
    // Another repository than the genesis speaks of is none either.
    refused(&installation, "repositories/shop.git", ANY_PORT, &["this is another control repository"])
}

#[test]
fn a_data_folder_that_is_none() -> Result<()> {
    let installation = Installation::new()?;
    fs::rename(installation.data(), installation.folder().join("away"))?;
    refused(&installation, CONTROL, ANY_PORT, &["data/genesis.json", "countersign init"])?;
    fs::rename(installation.folder().join("away"), installation.data())?;
    let genesis = installation.data().join("genesis.json");
    let altered = fs::read_to_string(&genesis)?.replacen("\"payload\":\"", "\"payload\":\"A", 1);
    fs::write(&genesis, altered)?;
    refused(&installation, CONTROL, ANY_PORT, &["data/genesis.json", "not what the root key signed"])
}

#[test]
fn a_database_that_is_corrupt() -> Result<()> {
    let mut installation = Installation::start()?;
    installation.stop()?;
    let file = installation.data().join("countersign.sqlite");
    let wal = installation.data().join("countersign.sqlite-wal");
    ensure!(!wal.exists(), "a server that ended well left a write-ahead log behind");
    let good = fs::read(&file)?;
    let mut bad = good.clone();
    for page in bad.chunks_mut(4096).skip(1) {
        page[..64].fill(0xff);
    }
    fs::write(&file, &bad)?;
    let output =
        installation.run(&["serve", "--control", CONTROL, "--data", "data", "--listen", ANY_PORT])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(2) && said.contains("countersign.sqlite"),
        "{}: {said}",
        output.status
    );
    ensure!(fs::read(&file)? == bad, "the damaged file was written to");
    fs::write(&file, b"not a database at all, but long enough to look at")?;
    refused(&installation, CONTROL, ANY_PORT, &["countersign.sqlite"])?;
    // A database that is gone is a loss, not a first day: a second beginning of one log must not be.
    fs::remove_file(&file)?;
    refused(&installation, CONTROL, ANY_PORT, &["has begun", "restore"])?;
    fs::write(&file, good)?;
    installation.serve()?;
    installation.stop()
}

#[test]
fn a_second_server_on_the_same_data() -> Result<()> {
    let installation = Installation::start()?;
    refused(&installation, CONTROL, ANY_PORT, &["data", "in use by another countersign process"])?;
    ensure!(installation.get("/readyz")?.status == 200, "the first one does not serve any more");
    Ok(())
}
