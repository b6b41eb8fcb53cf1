//! For the demo: a thief who got hold of the store and the queues, but of no signing key. Takes the newest
//! authorization, changes one byte of what it allows, and puts it to work again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use countersign_core::authorization::ProvenAuthorization;
use countersign_core::keys;
use countersign_core::message::{DeployDue, Message, QueueName};
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{self, Store};
use countersign_core::target::{Authorized, TargetState};
use countersign_core::time::Timestamp;
use countersign_local::database::Database;
use countersign_local::queue::LocalQueue;
use countersign_local::store::LocalStore;

/// What comes before the first namespace in an authorization.
const NAMESPACES: &[u8] = br#""namespaces":[""#;

/// Changes one byte of the newest authorization, and puts it to work again.
#[derive(Debug, Parser)]
struct Arguments {
    /// The data folder of an installation whose `serve` is stopped.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let database = Database::open(&Arguments::parse().data)?;
    let store = LocalStore::new(&database);
    let (state, newest) = newest(&store).await?;
    let key = keys::authorization(&newest.attempt);
    let mut proven: ProvenAuthorization =
        store::get_json(&store, &key).await?.with_context(|| format!("{key}: not in the store"))?;
    let mut payload = STANDARD.decode(&proven.envelope.payload)?;
    let (was, is) = change_one_byte(&mut payload)?;
    proven.envelope.payload = STANDARD.encode(payload);
    store::put_json(&store, &key, &proven).await?;
    let queue = QueueName::Deploys(state.target.cluster.clone());
    send(&LocalQueue::new(&database, Arc::new(now), u32::MAX), &queue, &state, &newest).await?;
    println!("took     the authorization of {}, from leaf {}", state.target, newest.sequence);
    println!("changed  one byte of it: it allowed the namespace {was}, and now says {is}");
    println!("put it   back into the store, and on the queue {queue}");
    Ok(())
}

/// What was authorized last, and for which target.
async fn newest(store: &LocalStore) -> Result<(TargetState, Authorized)> {
    let mut newest: Option<(TargetState, Authorized)> = None;
    for key in store.list(keys::TARGETS, None, usize::MAX).await? {
        let state: Option<TargetState> = store::get_json(store, &key).await?;
        let Some((state, wanted)) = state.and_then(|state| Some((state.clone(), state.wanted?))) else {
            continue;
        };
        if newest.as_ref().is_none_or(|(_, other)| other.sequence < wanted.sequence) {
            newest = Some((state, wanted));
        }
    }
    newest.context("nothing was ever authorized here: deploy something first")
}

/// Changes the last letter of the first namespace; gives its name before and after.
fn change_one_byte(payload: &mut [u8]) -> Result<(String, String)> {
    let unlike = || anyhow!("the authorization names no namespace: this is another program's");
    let at = payload.windows(NAMESPACES.len()).position(|window| window == NAMESPACES).ok_or_else(unlike)?;
    let start = at + NAMESPACES.len();
    let length = payload[start..].iter().position(|byte| *byte == b'"').filter(|length| *length > 0);
    let name = start..start + length.ok_or_else(unlike)?;
    let was = String::from_utf8_lossy(&payload[name.clone()]).into_owned();
    payload[name.end - 1] ^= 1;
    Ok((was, String::from_utf8_lossy(&payload[name]).into_owned()))
}

async fn send(queue: &LocalQueue, name: &QueueName, state: &TargetState, newest: &Authorized) -> Result<()> {
    let due = DeployDue { attempt: newest.attempt, target: state.target.clone() };
    let outgoing = Outgoing {
        group: state.target.key(),
        deduplication: format!("thief-{}", newest.attempt.hex()),
        body: serde_json::to_string(&Message::new("thief", due))?,
        delay: Duration::ZERO,
    };
    Ok(queue.send(name, &[outgoing]).await?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
