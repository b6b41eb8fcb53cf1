//! A cluster that is only simulated: a Kubernetes API's semantics, kept in the database, without anything
//! that runs. For a laptop, a demo, a test.
//!
//! It keeps what the `Cluster` port speaks of: kinds and definitions, namespaces, server-side apply with
//! field managers, versions, dry runs, preconditions. It knows no schemas, sets no defaults beyond the
//! few that health is read from, and admits all that is well-formed.

use countersign_core::facts::ObjectKey;
use countersign_core::names::ClusterName;
use countersign_core::ports::PortError;
use countersign_core::ports::cluster::{
    ApplyOptions, Cluster, ClusterError, Preconditions, ServedKind, Swapped,
};
use countersign_core::time::Timestamp;
use rusqlite::Savepoint;
use serde_json::Value;

use crate::database::Database;
use crate::fault;

mod fields;
mod kinds;
mod merge;
mod objects;
mod session;
mod status;
mod validate;
mod write;

use session::Session;

/// A simulated cluster; clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedCluster {
    database: Database,
    name: String,
}

impl SimulatedCluster {
    /// The cluster of this name in the database; made with a `kube-system` namespace of this UID, from
    /// which every other UID is derived, where there is none yet.
    ///
    /// # Errors
    /// When the database cannot be written, or holds the cluster with another UID.
    pub fn open(database: &Database, name: &ClusterName, uid: &str) -> Result<Self, PortError> {
        let cluster = Self { database: database.clone(), name: name.to_string() };
        let found = database.with(|savepoint| {
            savepoint.execute_batch(include_str!("simulated/schema.sql"))?;
            Ok(Session::create(savepoint, &cluster.name, uid)?.uid().to_owned())
        })?;
        if found != uid {
            let message = format!(
                "the simulated cluster {name} has the UID {found}, not {uid}: write {found} in countersign.yaml"
            );
            return Err(PortError::Refused(message));
        }
        Ok(cluster)
    }

    /// The cluster of this name as the database keeps it, to look at: also while another process has the
    /// database open. Every verb fails where there is no such cluster.
    #[must_use]
    pub fn kept(database: &Database, name: &ClusterName) -> Self {
        Self { database: database.clone(), name: name.to_string() }
    }

    /// Gives every workload the status that its controllers would have given it by `now`: what can run
    /// runs. An image whose reference holds `does-not-start` never does.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn advance(&self, now: Timestamp) -> Result<(), ClusterError> {
        self.change("advance", |session| {
            session.set_now(now)?;
            for (key, object) in session.all()? {
                if let Some(status) = status::next(&object, now) {
                    write::status(session, &key, object, status)?;
                }
            }
            write::finish_namespaces(session)
        })
    }

    /// Runs `work`, which changes nothing, and waits for no one who does.
    fn look<T>(&self, work: impl FnOnce(&mut Session<'_>) -> Answer<T>) -> Result<T, ClusterError> {
        let done =
            self.database.read(|connection| match work(&mut Session::resume(connection, &self.name)?) {
                Ok(value) => Ok(Ok(value)),
                Err(Refusal::Cluster(error)) => Ok(Err(error)),
                Err(Refusal::Database(error)) => Err(error),
            });
        done.map_err(|error| ClusterError::Unavailable(error.to_string()))?
    }

    /// Runs `work` in one transaction; what it did is kept only if it succeeds.
    fn change<T>(
        &self,
        verb: &str,
        work: impl FnOnce(&mut Session<'_>) -> Answer<T>,
    ) -> Result<T, ClusterError> {
        let work = |savepoint: &mut Savepoint<'_>| {
            let mut session = Session::resume(savepoint, &self.name)?;
            match work(&mut session) {
                Ok(value) => {
                    session.close()?;
                    Ok(Ok(value))
                }
                Err(Refusal::Cluster(error)) => {
                    savepoint.rollback()?;
                    Ok(Err(error))
                }
                Err(Refusal::Database(error)) => Err(error),
            }
        };
        let done = fault::around(|| format!("cluster.{verb}"), || self.database.with(work));
        done.map_err(|error| ClusterError::Unavailable(error.to_string()))?
    }
}

/// What a verb answers inside of a transaction.
type Answer<T> = Result<T, Refusal>;

/// Why a verb did nothing.
enum Refusal {
    /// The cluster says no.
    Cluster(ClusterError),
    /// SQLite does.
    Database(rusqlite::Error),
}

impl From<ClusterError> for Refusal {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Cluster for SimulatedCluster {
    async fn discover(&self) -> Result<Vec<ServedKind>, ClusterError> {
        self.look(|session| session.kinds())
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        self.look(|session| {
            validate::place(key, &session.kind(&key.api_version, &key.kind)?)?;
            session.load(key)
        })
    }

    async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        self.look(|session| {
            session.kind(api_version, kind)?;
            let mut objects = session.of_kind(api_version, kind)?;
            objects.retain(|object| {
                namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
                    && selector.is_none_or(|selector| objects::bears(object, selector))
            });
            Ok(objects)
        })
    }

    async fn apply(&self, object: &Value, options: &ApplyOptions) -> Result<Value, ClusterError> {
        match options.dry_run {
            true => self.look(|session| write::apply(session, object, options)),
            false => self.change("apply", |session| write::apply(session, object, options)),
        }
    }

    async fn delete(&self, key: &ObjectKey, preconditions: &Preconditions) -> Result<bool, ClusterError> {
        self.change("delete", |session| write::delete(session, key, preconditions))
    }

    async fn compare_and_swap(&self, object: &Value) -> Result<Swapped, ClusterError> {
        self.change("swap", |session| write::compare_and_swap(session, object))
    }
}

#[cfg(test)]
mod tests;
