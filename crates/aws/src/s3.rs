//! The [`Store`] on S3: conditional writes by `If-None-Match` and `If-Match`, versions are ETags.

mod write;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Versioned, Written};

use crate::failure::Failure;
use write::Condition;

/// The most bytes that a value may have to be read: more was not written by us.
const MAX_VALUE: i64 = 256 * 1024 * 1024;

/// The most bytes of a key, as S3 limits it.
const MAX_KEY: usize = 1_024;

/// The most keys of one page, as S3 limits it.
const PAGE: usize = 1_000;

/// What no later try can mend.
const REFUSALS: [&str; 5] =
    ["EntityTooLarge", "InvalidArgument", "InvalidBucketName", "KeyTooLongError", "NoSuchBucket"];

/// The buckets of an installation. A key's first part chooses its bucket; a function that has no business with some
/// of the keys is not told their bucket.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    /// Of every key that is in no other bucket.
    pub data: Option<String>,
    /// Of the keys below `manifests/`.
    pub manifests: Option<String>,
    /// Of the keys below `log/`.
    pub log: Option<String>,
    /// Of the keys below `witness/`.
    pub witness: Option<String>,
}

impl Buckets {
    /// The bucket of a key, or of all keys that begin with a prefix.
    fn of(&self, key: &str) -> Result<&str, PortError> {
        let first = key.split('/').next().unwrap_or_default();
        let (bucket, variable) = match first {
            "manifests" => (&self.manifests, "COUNTERSIGN_MANIFEST_BUCKET"),
            "log" => (&self.log, "COUNTERSIGN_LOG_BUCKET"),
            "witness" => (&self.witness, "COUNTERSIGN_WITNESS_BUCKET"),
            _ => (&self.data, "COUNTERSIGN_BUCKET"),
        };
        bucket.as_deref().ok_or_else(|| {
            PortError::Refused(format!("{key}: this function is not told the bucket of it: set {variable}"))
        })
    }
}

/// A [`Store`] on S3; clones share its connections.
///
/// A version is an ETag. Where a bucket has no key of its own an ETag is made of the bytes, so that a value which was
/// replaced and put back is of its first version again: what is swapped must never repeat, as a checkpoint cannot.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    buckets: Buckets,
}

impl S3Store {
    /// The store in these buckets. With `path_style` their names are in paths, as emulators want it.
    #[must_use]
    pub fn new(config: &SdkConfig, buckets: Buckets, path_style: bool) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(Duration::from_secs(10))
            .operation_attempt_timeout(Duration::from_secs(25))
            .operation_timeout(Duration::from_secs(55))
            .build();
        let config = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(path_style)
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), buckets }
    }

    /// The key as it is asked for, with its bucket.
    fn place(&self, key: &str) -> Result<&str, PortError> {
        if key.is_empty() || key.len() > MAX_KEY {
            let length = key.len();
            return Err(PortError::Refused(format!("a key has 1 to {MAX_KEY} bytes, this one has {length}")));
        }
        self.buckets.of(key)
    }

    /// One page of keys, and whether more follow.
    async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, bool), PortError> {
        let bucket = self.buckets.of(prefix)?;
        let max_keys = i32::try_from(limit.min(PAGE)).unwrap_or(i32::MAX);
        let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(max_keys);
        let listed = request.set_start_after(after.map(str::to_owned)).send().await;
        let listed = listed
            .map_err(|error| Failure::new(&format!("s3: list {prefix}"), &error).refused_if(&REFUSALS))?;
        let more = listed.is_truncated().unwrap_or(false);
        let keys = listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        Ok((keys.collect(), more))
    }
}

impl Store for S3Store {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        let bucket = self.place(key)?;
        let what = format!("s3: get {key}");
        let found = match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure::new(&what, &error);
                return if failure.is("NoSuchKey") { Ok(None) } else { Err(failure.refused_if(&REFUSALS)) };
            }
        };
        let length = found.content_length().unwrap_or(0);
        if length > MAX_VALUE {
            return Err(PortError::Refused(format!(
                "{what}: the value has {length} bytes, at most {MAX_VALUE} are read"
            )));
        }
        let version = version(&what, found.e_tag)?;
        let bytes = found.body.collect().await.map_err(|error| {
            PortError::Unavailable(format!("{what}: the value did not come through: {error}"))
        })?;
        Ok(Some(Versioned { bytes: bytes.to_vec(), version }))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        let bucket = self.place(key)?;
        let what = format!("s3: put {key}");
        let request = self.client.put_object().bucket(bucket).key(key).body(bytes.to_vec().into());
        let put = request.send().await;
        let put = put.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        version(&what, put.e_tag)
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.write(self.place(key)?, key, &Condition::Absent, bytes).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        self.write(self.place(key)?, key, &Condition::Is(expected), bytes).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        let mut keys: Vec<String> = Vec::new();
        while keys.len() < limit {
            let last = keys.last().map(String::as_str).or(after);
            let (page, more) = self.page(prefix, last, limit - keys.len()).await?;
            // A page of nothing that promises more would be asked for again for ever.
            let ended = !more || page.is_empty();
            keys.extend(page);
            if ended {
                break;
            }
        }
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let bucket = self.place(key)?;
        let deleted = self.client.delete_object().bucket(bucket).key(key).send().await;
        match deleted.map_err(|error| Failure::new(&format!("s3: delete {key}"), &error)) {
            Err(failure) if !failure.is("NoSuchKey") => Err(failure.refused_if(&REFUSALS)),
            _ => Ok(()),
        }
    }
}

fn version(what: &str, e_tag: Option<String>) -> Result<Version, PortError> {
    let missing = || PortError::Unavailable(format!("{what}: the answer has no ETag"));
    e_tag.map(Version).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_first_part_chooses_its_bucket() {
        let buckets = Buckets {
            data: Some("data".to_owned()),
            manifests: Some("manifests".to_owned()),
            log: Some("log".to_owned()),
            witness: Some("witness".to_owned()),
        };
        for (key, bucket) in [
            ("manifests/00", "manifests"),
            ("log/checkpoint", "log"),
            ("log/", "log"),
            ("witness/cosigned/7", "witness"),
            ("logs", "data"),
            ("state/log/x", "data"),
            ("genesis.json", "data"),
        ] {
            assert_eq!(buckets.of(key), Ok(bucket), "{key}");
        }
    }

    #[test]
    fn a_bucket_that_a_function_is_not_told_is_refused_by_the_name_of_its_variable() {
        let buckets = Buckets { data: Some("data".to_owned()), ..Buckets::default() };
        let refused = buckets.of("manifests/00");
        let named =
            matches!(&refused, Err(PortError::Refused(why)) if why.contains("COUNTERSIGN_MANIFEST_BUCKET"));
        assert!(named, "{refused:?}");
    }
}
