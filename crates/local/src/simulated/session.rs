//! One look at, or one change of, one simulated cluster: its objects, its counters, its clock.

use countersign_core::digest::Digest;
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ClusterError, ServedKind};
use countersign_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::{Answer, kinds, objects};

/// One cluster on one connection; whether it is a transaction is the caller's matter.
pub struct Session<'a> {
    connection: &'a Connection,
    cluster: &'a str,
    uid: String,
    version: i64,
    now: Timestamp,
    changed: bool,
}

impl<'a> Session<'a> {
    /// The cluster, made with what every cluster has where there is none.
    pub fn create(connection: &'a Connection, cluster: &'a str, uid: &str) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO simulated_clusters VALUES (?1, ?2, 0, 0) ON CONFLICT DO NOTHING";
        let is_new = connection.execute(sql, [cluster, uid])? == 1;
        let mut session = Self::resume(connection, cluster)?;
        if is_new {
            for name in ["default", "kube-system"] {
                let mut namespace = json!({
                    "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
                    "status": { "phase": "Active" },
                });
                session.stamp_new(&mut namespace);
                if name == "kube-system" {
                    namespace["metadata"]["uid"] = json!(uid);
                }
                session.save(&objects::key("v1", "Namespace", None, name), &namespace)?;
            }
            session.close()?;
        }
        Ok(session)
    }

    /// The cluster, which exists.
    pub fn resume(connection: &'a Connection, cluster: &'a str) -> rusqlite::Result<Self> {
        let sql = "SELECT uid, version, now FROM simulated_clusters WHERE name = ?1";
        connection.query_row(sql, [cluster], |row| {
            let now = Timestamp::from_millis(row.get(2)?);
            Ok(Self { connection, cluster, uid: row.get(0)?, version: row.get(1)?, now, changed: false })
        })
    }

    /// Keeps counters and clock.
    pub fn close(&mut self) -> rusqlite::Result<()> {
        if std::mem::take(&mut self.changed) {
            let sql = "UPDATE simulated_clusters SET version = ?2, now = ?3 WHERE name = ?1";
            self.connection.execute(sql, params![self.cluster, self.version, self.now.as_millis()])?;
        }
        Ok(())
    }

    /// The UID of `kube-system`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The time that it was last advanced to.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the clock; never back.
    pub fn set_now(&mut self, now: Timestamp) -> Answer<()> {
        if now > self.now {
            self.now = now;
            self.changed = true;
        }
        Ok(())
    }

    /// A resource version that was never given out.
    pub fn next_version(&mut self) -> String {
        self.version += 1;
        self.changed = true;
        self.version.to_string()
    }

    /// Gives a new object what the server gives.
    pub fn stamp_new(&mut self, object: &mut Value) {
        let version = self.next_version();
        let digest = Digest::of_parts(&["simulated", self.cluster, &self.uid, &version]).hex();
        let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
        let uid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["resourceVersion"] = json!(version);
        object["metadata"]["creationTimestamp"] = json!(objects::seconds(self.now));
        if object.get("spec").is_some() {
            object["metadata"]["generation"] = json!(1);
        }
    }

    /// All kinds that are served.
    pub fn kinds(&self) -> Answer<Vec<ServedKind>> {
        let definitions = self.of_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")?;
        Ok(kinds::built_in().chain(definitions.iter().flat_map(kinds::defined)).collect())
    }

    /// A kind, if it is served.
    pub fn kind(&self, api_version: &str, kind: &str) -> Answer<ServedKind> {
        let same = |served: &ServedKind| served.api_version == api_version && served.kind == kind;
        if let Some(found) = kinds::built_in().find(same) {
            return Ok(found);
        }
        let missing =
            || ClusterError::NotFound(format!("the cluster does not serve {kind} in {api_version}"));
        Ok(self.kinds()?.into_iter().find(same).ok_or_else(missing)?)
    }

    /// An object, in the version that is asked for.
    pub fn load(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        let sql = "SELECT object FROM simulated_objects
            WHERE cluster = ?1 AND grp = ?2 AND kind = ?3 AND namespace = ?4 AND name = ?5";
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let found: Option<String> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![self.cluster, key.group(), key.kind, namespace, key.name], |row| row.get(0))
            .optional()?;
        found.map(|text| parse(&text, Some(&key.api_version))).transpose()
    }

    /// All objects of a kind, by namespace and name.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> Answer<Vec<Value>> {
        let sql = "SELECT object FROM simulated_objects
            WHERE cluster = ?1 AND grp = ?2 AND kind = ?3 ORDER BY namespace, name";
        let group = objects::key(api_version, kind, None, "").group().to_owned();
        let mut statement = self.connection.prepare_cached(sql)?;
        let texts = statement.query_map(params![self.cluster, group, kind], |row| row.get::<_, String>(0))?;
        texts.map(|text| parse(&text?, Some(api_version))).collect()
    }

    /// Every object with its key.
    pub fn all(&self) -> Answer<Vec<(ObjectKey, Value)>> {
        let sql = "SELECT object FROM simulated_objects WHERE cluster = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let texts = statement.query_map([self.cluster], |row| row.get::<_, String>(0))?;
        let objects: Vec<Value> = texts.map(|text| parse(&text?, None)).collect::<Answer<_>>()?;
        Ok(objects.into_iter().filter_map(|object| Some((ObjectKey::of(&object)?, object))).collect())
    }

    /// Stores an object as it is.
    pub fn save(&mut self, key: &ObjectKey, object: &Value) -> rusqlite::Result<()> {
        let sql = "INSERT INTO simulated_objects VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT DO UPDATE SET object = excluded.object";
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let text = object.to_string();
        let values = params![self.cluster, key.group(), key.kind, namespace, key.name, text];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Removes an object.
    pub fn remove(&mut self, key: &ObjectKey) -> rusqlite::Result<()> {
        let sql = "DELETE FROM simulated_objects
            WHERE cluster = ?1 AND grp = ?2 AND kind = ?3 AND namespace = ?4 AND name = ?5";
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let values = params![self.cluster, key.group(), key.kind, namespace, key.name];
        self.connection.prepare_cached(sql)?.execute(values)?;
        // A resource version also names the moment of a deletion.
        self.next_version();
        Ok(())
    }
}

fn parse(text: &str, api_version: Option<&str>) -> Answer<Value> {
    let damaged = |error| ClusterError::Unavailable(format!("a simulated object is damaged: {error}"));
    let mut object: Value = serde_json::from_str(text).map_err(damaged)?;
    if let Some(api_version) = api_version {
        object["apiVersion"] = json!(api_version);
    }
    Ok(object)
}
