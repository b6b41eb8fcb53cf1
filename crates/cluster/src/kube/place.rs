//! The path of an object's URL.

use ::kube::core::Request;
use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{ClusterError, ServedKind};

/// A request builder for the collection of a kind, in a namespace or in all.
pub fn collection(kind: &ServedKind, namespace: Option<&str>) -> Result<Request, ClusterError> {
    let root = if kind.api_version.contains('/') { "/apis" } else { "/api" };
    let mut path = format!("{root}/{}", kind.api_version);
    if let Some(namespace) = namespace {
        path.push_str("/namespaces/");
        path.push_str(segment(namespace)?);
    }
    path.push('/');
    path.push_str(&kind.plural);
    Ok(Request::new(path))
}

/// A request builder for the collection that an object is in, and its name as it may stand in a URL.
pub fn object<'a>(kind: &ServedKind, key: &'a ObjectKey) -> Result<(Request, &'a str), ClusterError> {
    let invalid = |why: &str| Err(ClusterError::Invalid(format!("{key}: {why}")));
    match (&key.namespace, kind.namespaced) {
        (None, true) => invalid("its kind lives in namespaces and it has none: write metadata.namespace"),
        (Some(_), false) => invalid("its kind lives in no namespace: remove metadata.namespace"),
        (namespace, _) => Ok((collection(kind, namespace.as_deref())?, segment(&key.name)?)),
    }
}

/// A name that is one segment of a path as it stands, as Kubernetes demands of every name: nothing that
/// would end it, and nothing that a server would decode.
fn segment(name: &str) -> Result<&str, ClusterError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@$+=,~!*'()".contains(&byte);
    match !name.is_empty() && name != "." && name != ".." && name.len() <= 253 && name.bytes().all(fits) {
        true => Ok(name),
        false => Err(ClusterError::Invalid(format!("{name:?} cannot be the name of an object"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(api_version: &str, plural: &str, namespaced: bool) -> ServedKind {
        ServedKind { api_version: api_version.into(), kind: "Kind".into(), plural: plural.into(), namespaced }
    }

    #[test]
    fn core_and_other_groups_have_different_roots() {
        let path = |kind: &ServedKind, namespace| collection(kind, namespace).unwrap().url_path;
        assert_eq!(path(&kind("v1", "pods", true), Some("shop")), "/api/v1/namespaces/shop/pods");
        assert_eq!(path(&kind("apps/v1", "deployments", true), None), "/apis/apps/v1/deployments");
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        let config_maps = kind("v1", "configmaps", true);
        for name in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "é"] {
            let key = |namespace: &str, name: &str| ObjectKey {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: Some(namespace.into()),
                name: name.into(),
            };
            assert!(object(&config_maps, &key("shop", name)).is_err(), "{name:?}");
            assert!(object(&config_maps, &key(name, "a")).is_err(), "{name:?}");
        }
        let role = ObjectKey {
            api_version: "rbac.authorization.k8s.io/v1".into(),
            kind: "ClusterRole".into(),
            namespace: None,
            name: "system:discovery".into(),
        };
        assert!(object(&kind("rbac.authorization.k8s.io/v1", "clusterroles", false), &role).is_ok());
    }
}
