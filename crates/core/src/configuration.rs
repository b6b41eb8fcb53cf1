//! The compiled `countersign.yaml`: who may do what, where. Secrets appear only as references.
//!
//! Every name that another part refers to has been resolved when a [`Configuration`] exists in a
//! bundle; the reading and checking of the file itself is the `policy` crate's.

mod find;
pub mod index;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{
    ApplicationName, ClusterName, CommitId, EnvironmentName, HostName, PersonName, RepositoryId, StatusName,
    Target, TeamName,
};

/// The whole of `countersign.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Configuration {
    /// The version of this format: 1.
    pub version: u32,
    /// Where the control repository itself is, and the branch that counts.
    pub control: Control,
    /// Forges and places of plain Git repositories.
    pub hosts: BTreeMap<HostName, Host>,
    /// Everyone whose approval or signature may count.
    #[serde(default)]
    pub people: BTreeMap<PersonName, Person>,
    /// Groups of people that rules speak of.
    #[serde(default)]
    pub teams: BTreeMap<TeamName, Team>,
    /// Source repositories that applications may name.
    #[serde(default)]
    pub repositories: BTreeMap<RepositoryId, Repository>,
    /// What other applications say of a commit, and whose word on it counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<StatusName, ExpectedStatus>,
    /// What is deployed, from where, to where.
    #[serde(default)]
    pub applications: BTreeMap<ApplicationName, Application>,
    /// Stages such as staging and production, and what they demand.
    #[serde(default)]
    pub environments: BTreeMap<EnvironmentName, Environment>,
    /// Clusters that changes are applied to.
    #[serde(default)]
    pub clusters: BTreeMap<ClusterName, Cluster>,
}

/// The control repository, and who decides on its changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Control {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch whose tip is decided, as `main`.
    pub branch: String,
    /// The approvals that a change of the control repository needs.
    pub approvals: Approvals,
}

/// A forge, or a place of plain Git repositories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// What speaks there.
    pub kind: HostKind,
    /// The base that a repository's path is appended to for Git, as `https://git.example.com`, or a folder.
    pub url: String,
    /// The REST interface, where it is not found by the forge's own convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The secret that webhooks are signed with.
    pub webhook_secret: SecretReference,
    /// The credential for reading and for reporting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretReference>,
    /// For `github`: the GitHub App that reads and reports, in place of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<GithubApp>,
    /// The user that goes with the token when Git reads, where it is not the forge's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What Git reads with where a URL begins with `ssh://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// How often, in seconds, is looked for pushes that no webhook told of. Default: 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_seconds: Option<u32>,
}

/// A GitHub App and its installation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GithubApp {
    /// The App's id, as its settings page shows it.
    pub id: u64,
    /// The installation's id: the number that its page's address ends in.
    pub installation: u64,
    /// The App's private key in PEM.
    pub private_key: SecretReference,
}

/// How a repository is read over SSH.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ssh {
    /// The private key, in OpenSSH's form and without a passphrase.
    pub key: SecretReference,
    /// The server's keys, as lines of a `known_hosts` file: `git.example.com ssh-ed25519 AAAA…`. A server with
    /// another key is not spoken to.
    pub known_hosts: Vec<String>,
}

/// The kinds of host that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// Bare repositories whose receive hooks call `countersign hook`.
    Plain,
    /// GitHub or GitHub Enterprise Server.
    Github,
    /// Gitea or Forgejo.
    Gitea,
    /// GitLab.
    Gitlab,
}

/// Where a secret is found: `env:NAME`, `file:PATH` or, in the cloud, `secret:NAME`. Never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|secret:[A-Za-z0-9/_+=.@:-]+)$"))]
pub enum SecretReference {
    /// An environment variable of the process.
    Environment(String),
    /// A file that the process can read.
    File(String),
    /// A secret of this name, or ARN, in Secrets Manager.
    Managed(String),
}

/// A text that names no place of a secret.
#[derive(Debug, thiserror::Error)]
#[error("a secret is given by reference: write env:NAME, file:PATH or secret:NAME, never the secret itself")]
pub struct NotASecretReference;

impl TryFrom<String> for SecretReference {
    type Error = NotASecretReference;

    fn try_from(text: String) -> Result<Self, NotASecretReference> {
        let variable = |name: &str| {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        };
        let managed = |name: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@:-".contains(&b);
            !name.is_empty() && name.bytes().all(plain)
        };
        match text.split_once(':') {
            Some(("env", name)) if variable(name) => Ok(Self::Environment(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            Some(("secret", name)) if managed(name) => Ok(Self::Managed(name.to_owned())),
            _ => Err(NotASecretReference),
        }
    }
}

impl From<SecretReference> for String {
    fn from(reference: SecretReference) -> Self {
        match reference {
            SecretReference::Environment(name) => format!("env:{name}"),
            SecretReference::File(path) => format!("file:{path}"),
            SecretReference::Managed(name) => format!("secret:{name}"),
        }
    }
}

/// Someone whose approval or signature may count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Person {
    /// Public keys in OpenSSH form, as `ssh-ed25519 AAAA…`.
    #[serde(default)]
    pub keys: Vec<String>,
    /// E-mail addresses. They can only exclude (an author cannot approve); they never count.
    #[serde(default)]
    pub emails: Vec<String>,
    /// Numeric account ids by host; a login can be renamed and taken over, an id cannot.
    #[serde(default)]
    pub accounts: BTreeMap<HostName, u64>,
    /// The names by which CODEOWNERS files mean them, as `@ada`. They only tell whose approval is asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub handles: BTreeSet<String>,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Team {
    /// Its members.
    pub members: BTreeSet<PersonName>,
    /// The names by which CODEOWNERS files mean it, as `@acme/sre`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub handles: BTreeSet<String>,
}

/// A source repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The Git URL, where it is not the host's URL and the repository's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The credential for this repository alone, as a deploy token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretReference>,
    /// The user that goes with its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What this repository alone is read with over SSH, as a deploy key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// Whether kustomizations of other repositories may be built on it, at a full commit id. Who may change those
    /// can then read what this repository holds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bases: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A commit status or a check run that other applications set, and whose it has to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedStatus {
    /// The status's context or the check run's name, exactly as the forge shows it.
    pub context: String,
    /// The account that sets it as a commit status, by its numeric id, on each host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<HostName, u64>,
    /// The GitHub App that sets it as a check run, by its id, on each host of kind `github`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<HostName, u64>,
}

/// Something that is deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// The team that owns it.
    pub team: TeamName,
    /// The repository that its manifests are read from.
    pub repository: RepositoryId,
    /// Cluster-scoped kinds that it may hold, as `rbac.authorization.k8s.io/ClusterRole`. Default: none.
    #[serde(default)]
    pub cluster_kinds: BTreeSet<String>,
    /// Where it runs.
    pub environments: BTreeMap<EnvironmentName, Placement>,
}

/// One application in one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// The folder or file of its manifests, from the repository's root.
    pub path: String,
    /// The branch that is followed, as `main`.
    pub branch: String,
    /// The namespaces that its objects may live in. An object without one takes the first.
    pub namespaces: Vec<String>,
    /// The clusters; default: those of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterName>,
    /// A commit whose state is accepted as the start, by the approvals of the change that names it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<CommitId>,
    /// Whether objects that exist already on the cluster may be taken over.
    #[serde(default)]
    pub adopt: bool,
    /// `removed` is a tombstone: everything it owns is deleted.
    #[serde(default)]
    pub state: PlacementState,
}

/// Whether a placement is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlacementState {
    /// It runs.
    #[default]
    Active,
    /// It is asked to be removed; stays here until the log holds its removal.
    Removed,
}

/// A stage such as staging or production.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// The approvals that a change needs.
    pub approvals: Approvals,
    /// The clusters of its placements that name none.
    #[serde(default)]
    pub clusters: Vec<ClusterName>,
    /// Whether the rendered objects must equal those that were reviewed, even where nothing else rides along.
    #[serde(default)]
    pub exact: bool,
    /// The statuses that each reviewed head must have, by their names under `statuses`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<StatusName>,
    /// Whether what was changed by other means is put back as it was authorized. It is reported in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_heal: bool,
}

/// How many approvals a change needs, and of whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approvals {
    /// How many people must approve.
    pub count: u32,
    /// Teams of which one member each must be among them; without any, members of the application's team count.
    #[serde(default)]
    pub teams: Vec<TeamName>,
    /// Whether only approvals signed with a person's own key count.
    #[serde(default)]
    pub signed: bool,
    /// Whether the owners of the files that a change touches must approve it, as the repository's CODEOWNERS says.
    #[serde(default)]
    pub code_owners: bool,
}

/// A cluster that changes are applied to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// How it is reached.
    pub kind: ClusterKind,
    /// The UID of its `kube-system` namespace: the audience of every authorization.
    pub uid: String,
    /// The kubeconfig, for `kubernetes`; its current context is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<SecretReference>,
    /// `retired` for a cluster that is gone for ever.
    #[serde(default)]
    pub state: ClusterState,
}

/// The kinds of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterKind {
    /// Kept in the installation's own database: for a laptop, a demo, a test.
    Simulated,
    /// Any Kubernetes or OpenShift API.
    Kubernetes,
}

/// Whether a cluster is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterState {
    /// It takes changes.
    #[default]
    Active,
    /// It is gone; nothing is sent to it.
    Retired,
}

/// A target, with the parts of the configuration that describe it.
#[derive(Clone, Debug)]
pub struct TargetConfiguration<'a> {
    /// The target.
    pub target: Target,
    /// Its application.
    pub application: &'a Application,
    /// Its place in the environment.
    pub placement: &'a Placement,
    /// Its environment.
    pub environment: &'a Environment,
    /// Its cluster.
    pub cluster: &'a Cluster,
}
