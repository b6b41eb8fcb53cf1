//! `countersign cluster add`: installs what a cluster is to trust.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use countersign_cluster::keep;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::active::ConfigurationCache;
use countersign_core::configuration::{Cluster as Configured, ClusterKind, Configuration, SecretReference};
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_ledger::epochs::Epochs;
use countersign_ledger::note::NoteKey;
use countersign_ledger::trust::{Trust, Witnesses};
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;
use serde_json::json;

use crate::commands::block_on;
use crate::commands::control::Control;
use crate::installation::DataFolder;
use crate::output::Printed;

/// Arguments of `cluster add`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign cluster add east --data data --kubeconfig ~/.kube/config --context east\n  \
    countersign cluster add local --data data --control control\n\n\
    The kubeconfig's identity must be allowed to write ConfigMaps in the namespace countersign-system, and to create it."
)]
pub struct AddArguments {
    /// The cluster's name in countersign.yaml.
    #[arg(value_name = "NAME")]
    pub name: ClusterName,
    /// The data folder that `countersign init` made.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The control repository that names the cluster [default: the bundle that is active in --data].
    #[arg(long, value_name = "DIR")]
    pub control: Option<PathBuf>,
    /// The kubeconfig [default: the one that countersign.yaml names].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub context: Option<String>,
    /// Demand a witness's cosignature, by its vkey, for whatever is applied. Given more than once, one of them is
    /// enough, as while a witness's key is changed [default: what the cluster demands already].
    #[arg(long, value_name = "VKEY")]
    pub witness: Vec<NoteKey>,
    /// Demand no witness any more.
    #[arg(long, conflicts_with = "witness")]
    pub no_witness: bool,
    /// Replace what another installation had the cluster trust.
    #[arg(long)]
    pub replace: bool,
}

/// What was found and done.
struct Added {
    uid: String,
    kind: ClusterKind,
    installed: Installed,
}

/// What became of the cluster's trust.
#[derive(Debug, PartialEq, Eq)]
struct Installed {
    action: &'static str,
    /// The names of the witnesses of which one must cosign.
    witnesses: Vec<String>,
    /// The log that the cluster trusted before, if it is another one.
    instead_of: Option<String>,
}

/// Installs trust on a cluster.
///
/// # Errors
/// When the cluster is not the one that `countersign.yaml` names, trusts another installation, or cannot be
/// written to.
pub fn run(arguments: &AddArguments) -> anyhow::Result<Printed> {
    let data = DataFolder::new(&arguments.data);
    let (_, genesis) = data.read_genesis()?;
    let epochs = data.read_epochs(&genesis)?;
    let configuration = configuration(arguments, &data)?;
    let configured = configuration.as_ref().and_then(|found| found.clusters.get(&arguments.name));
    let kind = configured.map_or(ClusterKind::Kubernetes, |cluster| cluster.kind);
    let added = match (kind, configured) {
        (ClusterKind::Simulated, Some(cluster)) => simulated(arguments, &epochs, &data, cluster)?,
        (_, configured) => kubernetes(arguments, &epochs, configured)?,
    };
    report(arguments, &added, configured.is_some())
}

/// What `countersign.yaml` says; none if nothing was ever activated and no control repository is named.
fn configuration(arguments: &AddArguments, data: &DataFolder) -> anyhow::Result<Option<Configuration>> {
    if let Some(control) = &arguments.control {
        return Control::open(control, None)?.configuration().map(Some);
    }
    if !data.path().join(countersign_local::database::FILE).exists() {
        return Ok(None);
    }
    let store = LocalStore::new(&Database::open_read_only(data.path())?);
    let active = block_on(async { Ok(ConfigurationCache::default().active(&store).await?) })?;
    Ok(active.map(|active| (*active.configuration).clone()))
}

fn simulated(
    arguments: &AddArguments,
    epochs: &Epochs,
    data: &DataFolder,
    configured: &Configured,
) -> anyhow::Result<Added> {
    ensure!(
        arguments.kubeconfig.is_none(),
        "{} is simulated in countersign.yaml, so it has no kubeconfig: leave --kubeconfig out, or change its kind",
        arguments.name
    );
    let database = Database::open(data.path())?;
    let cluster = SimulatedCluster::open(&database, &arguments.name, &configured.uid)?;
    let installed = block_on(install(&cluster, epochs, &configured.uid, arguments))?;
    Ok(Added { uid: configured.uid.clone(), kind: ClusterKind::Simulated, installed })
}

fn kubernetes(
    arguments: &AddArguments,
    epochs: &Epochs,
    configured: Option<&Configured>,
) -> anyhow::Result<Added> {
    let name = &arguments.name;
    let of_configuration = configured.and_then(|cluster| cluster.kubeconfig.as_ref());
    let kubeconfig = match (&arguments.kubeconfig, of_configuration) {
        (Some(given), _) => given.clone(),
        (None, Some(reference)) => file(reference)?,
        (None, None) => bail!(
            "{name} is not in countersign.yaml yet: give --kubeconfig for a Kubernetes cluster, or, for a simulated one, \
             name it there first and give --control DIR"
        ),
    };
    block_on(async {
        let connection =
            Connection { kubeconfig: Some(kubeconfig.clone()), context: arguments.context.clone() };
        let cluster = KubeCluster::connect(&connection).await?;
        let uid = keep::uid(&cluster).await.map_err(|error| unusable(&kubeconfig, &error))?;
        if let Some(configured) = configured {
            ensure!(
                configured.uid == uid,
                "{} leads to the cluster with UID {uid}, and countersign.yaml names {} for {name}: nothing was \
                 installed; give the kubeconfig of {name}, or correct its uid",
                kubeconfig.display(),
                configured.uid
            );
        }
        let installed = install(&cluster, epochs, &uid, arguments).await?;
        Ok(Added { uid, kind: ClusterKind::Kubernetes, installed })
    })
}

/// The file that a reference leads to.
fn file(reference: &SecretReference) -> anyhow::Result<PathBuf> {
    match reference {
        SecretReference::File(path) => Ok(PathBuf::from(path)),
        SecretReference::Environment(variable) => {
            std::env::var_os(variable).map(PathBuf::from).with_context(|| {
                format!(
                    "countersign.yaml names env:{variable}, which is not set: set it, or give --kubeconfig"
                )
            })
        }
        SecretReference::Managed(name) => Err(anyhow!(
            "countersign.yaml names secret:{name}, which only cloud functions read: give --kubeconfig"
        )),
    }
}

fn unusable(kubeconfig: &Path, error: &impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{}: the cluster cannot be used: {error}", kubeconfig.display())
}

/// Installs trust unless it is there; another installation's is replaced only if that was asked for.
async fn install(
    cluster: &impl Cluster,
    epochs: &Epochs,
    uid: &str,
    arguments: &AddArguments,
) -> anyhow::Result<Installed> {
    let (replace, found) = (arguments.replace, keep::trust(cluster).await?.filter(|text| !text.is_empty()));
    let wanted = Trust::new(epochs, uid, witnesses(arguments, epochs, found.as_deref())?);
    let names = wanted.witnesses.keys.iter().map(|key| key.name().to_owned()).collect();
    let mut installed = Installed { action: "configured", witnesses: names, instead_of: None };
    match found {
        None => installed.action = "created",
        Some(text) => match Trust::parse(text.as_bytes()) {
            Ok(found) if found == wanted => installed.action = "unchanged",
            Ok(found) if found.root_key == wanted.root_key => ensure!(
                found.epoch <= wanted.epoch,
                "the cluster trusts epoch {} of this log, and the data folder knows {} only: use the folder of today",
                found.epoch,
                wanted.epoch
            ),
            Ok(found) if replace => installed.instead_of = Some(found.origin),
            Err(_) if replace => {}
            Ok(found) => bail!(
                "the cluster trusts another installation, with the log {}: to make it trust this one instead, with \
                 the log {}, add --replace",
                found.origin,
                wanted.origin
            ),
            Err(error) => {
                bail!("what the cluster trusts is not understood ({error}): to write over it, add --replace")
            }
        },
    }
    if installed.action != "unchanged" {
        keep::install_trust(cluster, &serde_json::to_string(&wanted)?).await?;
    }
    // Only now: until then the other log is trusted, and must not go back. Also where an earlier try ended in between.
    if replace {
        keep::forget_checkpoint_of_others(cluster, &wanted.origin).await?;
    }
    Ok(installed)
}

/// The witnesses to demand: those that are given, else those that the cluster demands already of this installation.
fn witnesses(arguments: &AddArguments, epochs: &Epochs, found: Option<&str>) -> anyhow::Result<Witnesses> {
    if let Some(key) = arguments.witness.iter().find(|key| !key.is_witness()) {
        bail!("--witness {key}: a log's key, not a witness's: give the vkey that countersign witness prints");
    }
    if arguments.no_witness {
        return Ok(Witnesses::default());
    }
    if !arguments.witness.is_empty() {
        return Ok(Witnesses { required: 1, keys: arguments.witness.clone() });
    }
    let kept = found.and_then(|text| Trust::parse(text.as_bytes()).ok());
    let kept = kept.filter(|trust| trust.root_key == *epochs.root_key());
    Ok(kept.map(|trust| trust.witnesses).unwrap_or_default())
}

fn report(arguments: &AddArguments, added: &Added, known: bool) -> anyhow::Result<Printed> {
    let Added { uid, kind, installed: Installed { action, witnesses, instead_of } } = added;
    let name = &arguments.name;
    let mut text =
        format!("{action}: {name} ({uid}) trusts this installation, as ConfigMap {}/trust", keep::NAMESPACE);
    if !witnesses.is_empty() {
        text += &format!("\nnothing is applied that no witness has cosigned: {}", witnesses.join(" or "));
    }
    if let Some(log) = instead_of {
        let kept = "its checkpoint and its inventories are still kept there, and what this one sends is refused until \
                    the cluster's owner deletes these ConfigMaps";
        text += &format!("\nit trusted the log {log} before: {kept}");
    }
    let snippet = (!known).then(|| snippet(arguments, uid)).transpose()?;
    if let Some(snippet) = &snippet {
        text += &format!("\nadd it to countersign.yaml:\n\n{snippet}");
    }
    let document = json!({
        "cluster": name, "kind": kind, "uid": uid, "action": action, "configured": known, "snippet": snippet,
        "insteadOf": instead_of, "witnesses": witnesses,
    });
    Printed::done(text, &document)
}

/// What to write into `countersign.yaml`.
fn snippet(arguments: &AddArguments, uid: &str) -> anyhow::Result<String> {
    let path = arguments.kubeconfig.as_deref().map(std::path::absolute).transpose()?.unwrap_or_default();
    let reference = serde_json::Value::from(format!("file:{}", path.display()));
    Ok(format!(
        "clusters:\n  {}:\n    kind: kubernetes\n    uid: {uid}\n    kubeconfig: {reference}",
        arguments.name
    ))
}

#[cfg(test)]
mod tests;
