//! Which call of AWS a request is, and what it is on.

use anyhow::{Context, Result, bail};
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name, as `s3.GetObject`.
    pub name: String,
    /// What it is on.
    pub on: On,
}

/// What a call is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// An object, by bucket and key.
    Object(String, String),
    /// The objects of a bucket whose keys begin so.
    Prefix(String, String),
    /// A queue, by the last part of its URL.
    Queue(String),
    /// Something that one name suffices for.
    Named(String),
}

impl Call {
    /// Reads a request to this service.
    ///
    /// # Errors
    /// When it is a call that nothing here makes.
    pub fn read(service: &str, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Self> {
        if service == "s3" {
            return of_s3(method, uri);
        }
        if service == "eks" {
            let name = uri.path().strip_prefix("/clusters/").context("EKS: only clusters are asked for")?;
            return Ok(Self { name: "eks.DescribeCluster".to_owned(), on: On::Named(name.to_owned()) });
        }
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.split_once('.')).context("no operation is named")?.1;
        let asked: Value = serde_json::from_slice(body).context("the body is not JSON")?;
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        let on = match service {
            "sqs" => On::Queue(text("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned()),
            "kms" => On::Named(text("KeyId")),
            "secretsmanager" => On::Named(text("SecretId")),
            other => bail!("{other}: nothing here calls it"),
        };
        Ok(Self { name: format!("{service}.{operation}"), on })
    }

    /// The letter of the right that it needs on a key: read, write, delete or list.
    #[must_use]
    pub fn right(&self) -> Option<char> {
        match self.name.as_str() {
            "s3.GetObject" => Some('r'),
            "s3.PutObject" => Some('w'),
            "s3.DeleteObject" => Some('d'),
            "s3.ListObjectsV2" => Some('l'),
            _ => None,
        }
    }
}

/// Buckets are named in paths, as with every endpoint that has no name for each of them.
fn of_s3(method: &Method, uri: &Uri) -> Result<Call> {
    let path = uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, key) = (bucket.to_owned(), decoded(key)?);
    let query = uri.query().unwrap_or_default();
    let part = |name: &str| {
        let parts = query.split('&').filter_map(|part| part.split_once('='));
        parts.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
    };
    let (operation, on) = match (method, key.is_empty()) {
        (&Method::GET, true) if part("list-type") == Some("2") => {
            ("ListObjectsV2", On::Prefix(bucket, decoded(part("prefix").unwrap_or_default())?))
        }
        (&Method::GET, false) => ("GetObject", On::Object(bucket, key)),
        (&Method::PUT, false) => ("PutObject", On::Object(bucket, key)),
        (&Method::DELETE, false) => ("DeleteObject", On::Object(bucket, key)),
        _ => bail!("{method} {uri}: a call of S3 that nothing here makes"),
    };
    Ok(Call { name: format!("s3.{operation}"), on })
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.unwrap_or_default());
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16).context("a wrong percent sign")?);
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(method: Method, uri: &str) -> Call {
        Call::read("s3", &method, &uri.parse().unwrap(), &HeaderMap::new(), b"").unwrap()
    }

    #[test]
    fn a_call_of_s3_is_told_by_its_method_and_path() {
        let read = s3(Method::GET, "/data/state/due/00%2B1?x-id=GetObject");
        assert_eq!(read.name, "s3.GetObject");
        assert_eq!(read.on, On::Object("data".into(), "state/due/00+1".into()));
        let listed = s3(Method::GET, "/data?list-type=2&max-keys=10&prefix=state%2Fdue%2F");
        assert_eq!(listed.on, On::Prefix("data".into(), "state/due/".into()));
        assert_eq!(listed.right(), Some('l'));
    }

    #[test]
    fn a_call_of_a_json_service_is_told_by_its_target() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", "AmazonSQS.SendMessageBatch".parse().unwrap());
        let body = br#"{"QueueUrl":"http://127.0.0.1:1/0/shop-facts.fifo"}"#;
        let call = Call::read("sqs", &Method::POST, &Uri::from_static("/"), &headers, body).unwrap();
        assert_eq!(
            call,
            Call { name: "sqs.SendMessageBatch".into(), on: On::Queue("shop-facts.fifo".into()) }
        );
    }
}
