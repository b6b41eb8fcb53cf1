//! Which kinds a cluster serves.

use ::kube::Client;
use ::kube::core::discovery::v2::APIGroupDiscovery;
use countersign_core::ports::cluster::{ClusterError, ServedKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;

use super::error;

/// Every kind in every version that is served: in two requests where the server can, else in one request
/// per version.
pub async fn served(client: &Client) -> Result<Vec<ServedKind>, ClusterError> {
    match aggregated(client).await {
        Ok(kinds) if !kinds.is_empty() => Ok(kinds),
        // Servers before 1.26 answer in a form that reads as an empty list, or as no list at all.
        Ok(_) | Err(::kube::Error::SerdeError(_)) => one_by_one(client).await,
        Err(::kube::Error::Api(status)) if matches!(status.code, 404 | 406) => one_by_one(client).await,
        Err(error) => Err(error::from_kube(error)),
    }
}

async fn aggregated(client: &Client) -> Result<Vec<ServedKind>, ::kube::Error> {
    let core = client.list_core_api_versions_aggregated().await?.items;
    let groups = client.list_api_groups_aggregated().await?.items;
    // A server that knows only one of the two forms must not seem to lack half of its kinds.
    if core.is_empty() || groups.is_empty() {
        return Ok(Vec::new());
    }
    Ok(core.into_iter().chain(groups).flat_map(kinds_of).collect())
}

fn kinds_of(group: APIGroupDiscovery) -> impl Iterator<Item = ServedKind> {
    let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
    group.versions.into_iter().flat_map(move |version| {
        let api_version = api_version(&name, version.version.as_deref().unwrap_or_default());
        version.resources.into_iter().filter_map(move |resource| {
            Some(ServedKind {
                api_version: api_version.clone(),
                kind: resource.response_kind?.kind?,
                plural: resource.resource?,
                namespaced: resource.scope? == "Namespaced",
            })
        })
    })
}

fn api_version(group: &str, version: &str) -> String {
    match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

async fn one_by_one(client: &Client) -> Result<Vec<ServedKind>, ClusterError> {
    let mut kinds = Vec::new();
    for version in client.list_core_api_versions().await.map_err(error::from_kube)?.versions {
        let list = client.list_core_api_resources(&version).await.map_err(error::from_kube)?;
        kinds.extend(list.resources.into_iter().filter_map(|resource| kind(&version, resource)));
    }
    let groups = client.list_api_groups().await.map_err(error::from_kube)?.groups;
    for version in groups.into_iter().flat_map(|group| group.versions) {
        match client.list_api_group_resources(&version.group_version).await {
            Ok(list) => {
                let resources = list.resources.into_iter();
                kinds.extend(resources.filter_map(|resource| kind(&version.group_version, resource)));
            }
            // The server behind one aggregated group may be down; the others are not.
            Err(::kube::Error::Api(status)) if status.code >= 500 => {}
            Err(error) => return Err(error::from_kube(error)),
        }
    }
    Ok(kinds)
}

fn kind(api_version: &str, resource: APIResource) -> Option<ServedKind> {
    // Subresources, such as `deployments/status`, are listed among the others.
    (!resource.name.contains('/')).then(|| ServedKind {
        api_version: api_version.to_owned(),
        kind: resource.kind,
        plural: resource.name,
        namespaced: resource.namespaced,
    })
}
