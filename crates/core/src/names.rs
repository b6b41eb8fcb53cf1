//! Names: what each may hold is checked when it is read, so that no other code checks it again.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;

/// A text that is not a valid name of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $pattern:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let text = text.chars().take(120).collect();
                    Err(InvalidName { what: $what, text, rule: $rule })
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $rule })
            }
        }
    };
}

/// Lower-case letters, digits and inner hyphens, at most 63: a DNS label (RFC 1123).
fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Segments of letters, digits, `.`, `_` and `-`, parted by `/`; never `.` or `..`, at most 200 bytes.
fn is_path_name(text: &str) -> bool {
    let segment = |part: &str| {
        !part.is_empty()
            && part.bytes().any(|byte| byte != b'.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    text.len() <= 200 && text.split('/').all(segment)
}

/// 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// `refs/` and what `git check-ref-format` allows, at most 500 bytes.
fn is_reference(text: &str) -> bool {
    let component = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock") && !part.ends_with('.')
    };
    text.len() <= 500
        && text.starts_with("refs/")
        && !text.contains("..")
        && !text.contains("@{")
        && !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || b"~^:?*[\\".contains(&byte))
        && text.split('/').all(component)
}

macro_rules! label {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        name!($(#[$doc])* $type, $what, "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            "use lower-case letters, digits and inner hyphens, at most 63", is_label);
    };
}

label!(
    /// A forge, or a place of plain Git repositories, by its name in the control repository.
    HostName, "host name"
);
label!(
    /// An application by its name in the control repository.
    ApplicationName, "application name"
);
label!(
    /// An environment by its name in the control repository.
    EnvironmentName, "environment name"
);
label!(
    /// A cluster by its name in the control repository.
    ClusterName, "cluster name"
);
label!(
    /// A team by its name in the control repository.
    TeamName, "team name"
);
label!(
    /// A person by their name in the control repository.
    PersonName, "person name"
);
label!(
    /// A status that other applications set, by its name in the control repository.
    StatusName, "status name"
);
name!(
    /// A repository's path on its host, as `team/shop`.
    RepositoryPath, "repository path", "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
    "use letters, digits, '.', '_', '-' and '/', at most 200, no '.' or '..' segment", is_path_name
);
name!(
    /// A full commit id.
    CommitId, "commit id", "^([0-9a-f]{40}|[0-9a-f]{64})$",
    "use the full 40 or 64 lower-case hexadecimal digits", is_object_id
);
name!(
    /// A full tree id.
    TreeId, "tree id", "^([0-9a-f]{40}|[0-9a-f]{64})$",
    "use the full 40 or 64 lower-case hexadecimal digits", is_object_id
);
name!(
    /// A full reference name, as `refs/heads/main`.
    Reference, "reference", "^refs/.+$",
    "use a full reference that git check-ref-format accepts, as refs/heads/main", is_reference
);

impl Reference {
    /// The branch's short name, when this is a branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// The tag's short name, when this is a tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.strip_prefix("refs/tags/")
    }
}

/// A repository: its host's name and its path there; written `host/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryId {
    /// The host, as named in the control repository.
    pub host: HostName,
    /// The path on that host.
    pub path: RepositoryPath,
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl FromStr for RepositoryId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (host, path) = text.split_once('/').ok_or_else(|| InvalidName {
            what: "repository",
            text: text.chars().take(120).collect(),
            rule: "write the host's name, a slash, and the repository's path",
        })?;
        Ok(Self { host: host.parse()?, path: path.parse()? })
    }
}

impl Serialize for RepositoryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RepositoryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for RepositoryId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RepositoryId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[a-z0-9-]+/[A-Za-z0-9._/-]+$",
            "description": "a host's name, a slash, and the repository's path on it"
        })
    }
}

/// A repository and one reference in it: what an environment follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FollowedRef {
    /// The repository.
    pub repository: RepositoryId,
    /// The reference in it.
    pub reference: Reference,
}

impl FollowedRef {
    /// A key that is safe in any store and as a queue's group.
    #[must_use]
    pub fn key(&self) -> String {
        Digest::of_parts(&["ref", &self.repository.to_string(), self.reference.as_str()]).hex()
    }
}

/// The application and environment name of the control repository's own target.
const CONTROL: &str = "control";

/// One application in one environment on one cluster; written `application/environment/cluster`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The application.
    pub application: ApplicationName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The cluster.
    pub cluster: ClusterName,
}

impl Target {
    /// The target that the control repository is itself.
    #[must_use]
    pub fn control() -> Self {
        Self {
            application: ApplicationName(CONTROL.to_owned()),
            environment: EnvironmentName(CONTROL.to_owned()),
            cluster: ClusterName(CONTROL.to_owned()),
        }
    }

    /// Whether this is the control repository's own target. The name is reserved in configuration.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.application.as_str() == CONTROL
    }

    /// A key that is safe in any store and as a queue's group.
    #[must_use]
    pub fn key(&self) -> String {
        Digest::of_parts(&[
            "target",
            self.application.as_str(),
            self.environment.as_str(),
            self.cluster.as_str(),
        ])
        .hex()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_control() {
            return f.write_str(CONTROL);
        }
        write!(f, "{}/{}/{}", self.application, self.environment, self.cluster)
    }
}

impl FromStr for Target {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == CONTROL {
            return Ok(Self::control());
        }
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().unwrap_or_default();
        let target =
            Self { application: part().parse()?, environment: part().parse()?, cluster: part().parse()? };
        Ok(target)
    }
}

/// One look at one target: a hash of its cause and the target, never of the manifests alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AttemptId(Digest);

impl AttemptId {
    /// The attempt that `cause` (an event's id) makes at `target`.
    #[must_use]
    pub fn new(cause: &str, target: &Target) -> Self {
        Self(Digest::of_parts(&["attempt", cause, &target.key()]))
    }

    /// An attempt from its 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        format!("sha256:{hex}").parse().ok().map(Self)
    }

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.hex()
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_escape_a_path_or_a_log_line() {
        for wrong in ["", "Shop", "-a", "a-", "a/b", "a b", "a\n", "é", &"a".repeat(64)] {
            assert!(wrong.parse::<ApplicationName>().is_err(), "{wrong:?}");
        }
        for wrong in ["", "a//b", "../b", "a/..", "a/./b", "a b", "/a", "a/"] {
            assert!(wrong.parse::<RepositoryPath>().is_err(), "{wrong:?}");
        }
        for wrong in ["main", "refs/heads/a..b", "refs/heads/a b", "refs/heads/.a", "refs/heads/a.lock"] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong:?}");
        }
        assert!("refs/heads/feature/a-1".parse::<Reference>().is_ok());
        assert!("local/team/shop.git".parse::<RepositoryId>().is_ok());
    }

    #[test]
    fn a_target_reads_back_what_it_writes() {
        let target: Target = "shop/staging/east".parse().unwrap();
        assert_eq!(target.to_string(), "shop/staging/east");
        assert_eq!("control".parse::<Target>().unwrap(), Target::control());
        assert!("shop/staging".parse::<Target>().is_err());
    }

    #[test]
    fn an_attempt_depends_on_cause_and_target() {
        let target: Target = "shop/staging/east".parse().unwrap();
        let other: Target = "shop/staging/west".parse().unwrap();
        assert_ne!(AttemptId::new("a", &target), AttemptId::new("b", &target));
        assert_ne!(AttemptId::new("a", &target), AttemptId::new("a", &other));
        assert_eq!(AttemptId::new("a", &target), AttemptId::new("a", &target));
    }
}
