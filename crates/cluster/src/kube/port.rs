//! The verbs of the port, each one request.

use ::kube::api::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions as KubePreconditions,
    PropagationPolicy, ValidationDirective,
};
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{
    ApplyOptions, Cluster, ClusterError, Preconditions, ServedKind, Swapped,
};
use serde_json::Value;

use super::error::{self, NOT_SERVED};
use super::{KubeCluster, place};

/// The field manager of whole objects: what we keep for ourselves.
const OWN_MANAGER: &str = "countersign";
/// How many objects one answer to a list holds.
const PAGE: u32 = 500;
/// How many objects are listed at most.
const LIST_LIMIT: usize = 100_000;

impl KubeCluster {
    /// Sends a request that was built, and reads the object that comes back.
    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, ::kube::core::request::Error>,
    ) -> Result<Value, ClusterError> {
        let request = request.map_err(|error| ClusterError::Invalid(error.to_string()))?;
        let answer = self.client.request(request).await.map_err(error::from_kube);
        if matches!(&answer, Err(ClusterError::NotFound(why)) if why == NOT_SERVED) {
            self.forget();
        }
        answer
    }
}

impl Cluster for KubeCluster {
    async fn discover(&self) -> Result<Vec<ServedKind>, ClusterError> {
        match self.known() {
            Some(served) => Ok(served.to_vec()),
            None => self.rediscover().await,
        }
    }

    async fn rediscover(&self) -> Result<Vec<ServedKind>, ClusterError> {
        Ok(self.refresh().await?.to_vec())
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let kind = self.kind(&key.api_version, &key.kind).await?;
        let (place, name) = place::object(&kind, key)?;
        match self.send(place.get(name, &GetParams::default())).await {
            Err(ClusterError::NotFound(why)) if why != NOT_SERVED => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        let place = place::collection(&self.kind(api_version, kind).await?, namespace)?;
        let mut page = ListParams::default().limit(PAGE);
        page.label_selector = selector.map(str::to_owned);
        let mut objects = Vec::new();
        loop {
            let mut answer = self.send(place.list(&page)).await?;
            let next = answer.pointer("/metadata/continue").and_then(Value::as_str).map(str::to_owned);
            if let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) {
                objects.extend(items.into_iter().map(|item| typed(item, api_version, kind)));
            }
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(objects),
                Some(_) if objects.len() > LIST_LIMIT => {
                    let message =
                        format!("more than {LIST_LIMIT} objects of kind {kind}: narrow the selection");
                    return Err(ClusterError::Invalid(message));
                }
                Some(next) => page.continue_token = Some(next),
            }
        }
    }

    async fn apply(&self, object: &Value, options: &ApplyOptions) -> Result<Value, ClusterError> {
        let key = key(object)?;
        let (place, name) = place::object(&self.kind(&key.api_version, &key.kind).await?, &key)?;
        let params = PatchParams {
            dry_run: options.dry_run,
            force: options.force,
            field_manager: Some(options.manager.clone()),
            // What was judged is what is applied: a field that would be dropped in silence is an error.
            field_validation: Some(ValidationDirective::Strict),
        };
        self.send(place.patch(name, &params, &Patch::Apply(object))).await
    }

    async fn delete(&self, key: &ObjectKey, preconditions: &Preconditions) -> Result<bool, ClusterError> {
        let kind = self.kind(&key.api_version, &key.kind).await?;
        let (place, name) = place::object(&kind, key)?;
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(KubePreconditions {
                uid: preconditions.uid.clone(),
                resource_version: preconditions.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        match self.send(place.delete(name, &params)).await {
            Err(ClusterError::NotFound(why)) if why != NOT_SERVED => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    async fn compare_and_swap(&self, object: &Value) -> Result<Swapped, ClusterError> {
        let key = key(object)?;
        let (place, name) = place::object(&self.kind(&key.api_version, &key.kind).await?, &key)?;
        let body = serde_json::to_vec(object).map_err(|error| ClusterError::Invalid(error.to_string()))?;
        let params = PostParams { dry_run: false, field_manager: Some(OWN_MANAGER.to_owned()) };
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        let replaces = !version.is_empty();
        let request = if replaces { place.replace(name, &params, body) } else { place.create(&params, body) };
        match self.send(request).await {
            Err(ClusterError::Conflict(_)) => Ok(Swapped::Conflict),
            // What is gone has no version any more.
            Err(ClusterError::NotFound(why)) if replaces && why != NOT_SERVED => Ok(Swapped::Conflict),
            answer => answer.map(Swapped::Stored),
        }
    }
}

fn key(object: &Value) -> Result<ObjectKey, ClusterError> {
    ObjectKey::of(object)
        .ok_or_else(|| ClusterError::Invalid("an object lacks apiVersion, kind or metadata.name".into()))
}

/// Objects in a list do not say what they are: the list does.
fn typed(mut object: Value, api_version: &str, kind: &str) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".into(), api_version.into());
        fields.insert("kind".into(), kind.into());
    }
    object
}
