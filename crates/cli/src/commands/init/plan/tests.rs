use clap::Parser as _;
use rand_core::impls::fill_bytes_via_next;
use rand_core::{Error, RngCore};

use super::*;

/// The key that `public_key` reads in these tests, and another one.
const ADA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXcG69j3h44/+MQEWAQ13R6ryoA/u/BjSkg5Ubd+q5O ada";
const GRACE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHYEuSUM2oi82AHWZKCvnWG2dBkqLkcVm5Mf3KwrUgjB grace";

/// Randomness that is none, so that what is made of it can be asserted.
struct Ones;

impl RngCore for Ones {
    fn next_u32(&mut self) -> u32 {
        u32::MAX
    }

    fn next_u64(&mut self) -> u64 {
        u64::MAX
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        fill_bytes_via_next(self, bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    arguments: InitArguments,
}

/// The plan of a command line in a folder with two keys; `@` stands for that folder.
fn plan(folder: &Path, line: &str) -> anyhow::Result<Plan> {
    fs::write(folder.join("ada.pub"), ADA).unwrap();
    fs::write(folder.join("grace.pub"), format!("{GRACE}\n")).unwrap();
    let words = line.replace('@', folder.to_str().unwrap());
    let line = Line::try_parse_from(std::iter::once("init").chain(words.split(' '))).unwrap();
    Plan::check(&line.arguments, &mut Ones)
}

const PEOPLE: &str = "--person ada --key @/ada.pub --person grace --key @/grace.pub";

#[test]
fn a_plan_has_places_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let plan = plan(place, &format!("@/control --data @/data --root-key @/root.pem {PEOPLE}")).unwrap();
    assert_eq!(plan.control_repository(), place.join("repositories/control.git"));
    assert_eq!(plan.made_repositories(), [plan.control_repository()]);
    assert_eq!(plan.cluster.uid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert!(plan.cluster.is_simulated());
    assert_eq!(plan.origin, "localhost/countersign-ffffffffffffffff");
    assert_eq!(plan.people.values().collect::<Vec<_>>(), [ADA, GRACE]);
}

#[test]
fn what_is_in_the_way_is_named_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::create_dir_all(place.join("full/x")).unwrap();
    fs::write(place.join("root.pem"), "mine").unwrap();
    let refused = |line: &str, says: &str| {
        let error = plan(place, &format!("{line} {PEOPLE}")).map(drop).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused("@/full --data @/data --root-key @/new.pem", "full exists already and is not empty");
    refused("@/control --data @/full --root-key @/new.pem", "full exists already and is not empty");
    refused("@/control --data @/data --root-key @/root.pem", "root.pem exists already");
    refused("@/control --data @/data --root-key @/data/root.pem", "kept offline");
    refused("@/control --data @/control/data --root-key @/new.pem", "inside of the control repository");
    refused("@/control --data @/data --root-key @/new.pem --origin a+b", "cannot name a log");
    refused("@/control --data @/data --root-key @/new.pem --listen-url 127.0.0.1:1", "not a URL");
}

#[test]
fn nobody_changes_the_rules_alone() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |people: &str, says: &str| {
        let line = format!("@/control --data @/data --root-key @/root.pem{people}");
        let error = plan(folder.path(), &line).map(drop).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused("", "at least two people are needed, and none were given");
    refused(" --person ada --key @/ada.pub", "and one was given");
    refused(" --person ada --key @/ada.pub --person grace", "2 --person and 1 --key");
    refused(
        " --person ada --key @/ada.pub --person grace --key @/ada.pub",
        "grace and ada have the same key",
    );
    refused(" --person ada --key @/ada.pub --person ada --key @/grace.pub", "ada was given twice");
    refused(
        " --person ada --key @/ada.pub --person grace --key @/none.pub",
        "none.pub: the public key cannot be read",
    );
    fs::write(folder.path().join("private"), "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    refused(" --person ada --key @/private --person grace --key @/grace.pub", "give the .pub file beside it");
}
