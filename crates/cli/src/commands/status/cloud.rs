//! How an installation on AWS stands, by what an operator's own credentials may read.

use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::outcome::Outcome;
use countersign_core::target::TargetState;

use super::{Known, Standing, all_targets};
use crate::commands::aws::Aws;
use crate::commands::deployed::{Deployed, dead, queues};

/// Reads how the installation of this name stands.
pub fn read(aws: &Aws, installation: &str) -> anyhow::Result<Standing> {
    let deployed = Deployed::open(aws, installation)?;
    let epochs = deployed.epochs(&deployed.genesis()?)?;
    let checkpoint = deployed.checkpoint(&epochs)?;
    let active = deployed.active()?;
    let mut known = Vec::new();
    for state in deployed.states()? {
        let drift = drift(&deployed, &state)?;
        known.push(Known { target: state.target.clone(), state: Some(state), drift });
    }
    let configuration = active.as_ref().map(|(_, configuration)| configuration);
    let here = queues::of(aws, installation)?;
    let all = QueueName::all(configuration.into_iter().flat_map(|found| found.clusters.keys()));
    let elsewhere = all.iter().filter(|name| !here.contains_key(name)).map(ToString::to_string).collect();
    let depths = queues::depths(aws, &here)?;
    Ok(Standing {
        origin: epochs.origin().to_owned(),
        size: checkpoint.as_ref().map_or(0, |(checkpoint, _)| checkpoint.checkpoint().size),
        appended: checkpoint.map(|(_, written)| written),
        targets: all_targets(known, configuration),
        dead: dead::of_all(aws, &here, &depths)?,
        queues: depths.into_iter().map(|(name, depth)| (name.to_string(), depth)).collect(),
        elsewhere,
        active: active.map(|(active, _)| active),
    })
}

/// How a target differs from what was authorized. The report is a blob, which may have been deleted.
fn drift(deployed: &Deployed<'_>, state: &TargetState) -> anyhow::Result<Option<Outcome>> {
    let Some(drift) = &state.drift else { return Ok(None) };
    let Some(bytes) = deployed.object(&keys::blob(&drift.details))? else { return Ok(None) };
    anyhow::ensure!(
        Digest::of(&bytes) == drift.details,
        "{}: not what its name says",
        keys::blob(&drift.details)
    );
    Ok(Some(serde_json::from_slice(&bytes)?))
}
