//! How an installation in the cloud form gets other keys, as `docs/OPERATIONS.md` tells.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use countersign_core::keys;
use countersign_core::leaf::Record;
use countersign_core::ports::store::Store as _;
use countersign_ledger::note::NoteKey;

use super::first_day::{Cloud, trust};
use crate::world::aws::kms;

/// The epoch that the keys of the genesis are of is the first.
const NEXT: u32 = 2;

impl Cloud {
    /// Changes both of the log's keys: the root key vouches for the new ones, the cluster and the witness are told of
    /// them, and `record` announces them. Returns the index of the leaf that does.
    ///
    /// # Errors
    /// When a step fails, or they are not announced in time.
    pub fn rotate(&mut self) -> Result<u64> {
        let services = &self.stack.services;
        let files = ["log-2.pub", "authorization-2.pub"];
        for (file, key) in files.iter().zip(&services.next_keys) {
            fs::write(self.installation.folder().join(file), &key.pem)?;
        }
        let [log, authorization] = files;
        let named = ["--log-key", log, "--authorization-key", authorization];
        let rotate = ["rotate", "--data", "data", "--root-key", "root.pem"];
        let rotated = self.installation.json(&[&rotate[..], &named].concat())?;
        trust(services, &self.installation)?;
        let vkey: NoteKey = rotated["vkey"].as_str().context("no vkey was printed")?.parse()?;
        self.log_keys.insert(0, vkey);
        let vkeys: Vec<_> = self.log_keys.iter().map(ToString::to_string).collect();
        self.deploy("witness", &[("COUNTERSIGN_LOG_VKEY", vkeys.join(" "))])?;
        let signed = fs::read(self.installation.data().join(keys::rotation(NEXT)))?;
        self.runtime.block_on(services.store.put(&keys::rotation(NEXT), &signed))?;
        self.deploy(
            "record",
            &[
                ("COUNTERSIGN_EPOCH", NEXT.to_string()),
                ("COUNTERSIGN_LOG_KEY", kms::NEXT_ED25519_KEY.to_owned()),
                ("COUNTERSIGN_AUTHORIZATION_KEY", kms::NEXT_P256_KEY.to_owned()),
                ("COUNTERSIGN_PREVIOUS_LOG_KEY", kms::ED25519_KEY.to_owned()),
                ("COUNTERSIGN_PREVIOUS_AUTHORIZATION_KEY", kms::P256_KEY.to_owned()),
            ],
        )?;
        self.until("the new keys are announced", || {
            let leaves = self.leaves()?;
            let announced = leaves.iter().find_map(|(index, leaf)| match &leaf.record {
                Record::Rotation(rotation) if rotation.epoch == NEXT => Some(*index),
                _ => None,
            });
            announced.context("no leaf does")
        })
    }

    /// Gives a function, by its name in the contract, other values for some of its variables.
    ///
    /// # Errors
    /// When it is not told of one of these variables.
    pub fn deploy(&self, function: &str, variables: &[(&str, String)]) -> Result<()> {
        for (variable, _) in variables {
            let told = self.stack.services.is_told(function, variable);
            ensure!(told, "CONTRACT.md does not tell {function} of {variable}");
        }
        self.stack.lambda.deploy(&self.stack.services.function(function), variables)
    }
}
