//! Signature Version 4, as AWS documents it for whoever receives a request ("Create a signed AWS API request" in the
//! IAM user guide): written here a second time, so that what the SDK signs is checked by something else.

use anyhow::{Context, Result, bail, ensure};
use countersign_core::digest::{Digest, to_hex};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The one algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request, as far as a signature covers it.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The query without the signature, as sent.
    pub query: &'a str,
    /// The names of the headers that are covered, in lower case and in order, with their values.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body in hexadecimal digits, or what stands for it.
    pub payload: &'a str,
    /// When it was signed, as `20261130T120000Z`.
    pub time: &'a str,
    /// Who signed for what.
    pub scope: Scope,
}

/// `ACCESS-KEY/20261130/us-east-1/s3/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The access key's id.
    pub access_key: String,
    /// The day.
    pub day: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
}

impl Scope {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = parts.as_slice() else {
            bail!("{text:?} is no credential scope");
        };
        let [access_key, day, region, service] =
            [access_key, day, region, service].map(|part| (*part).to_owned());
        Ok(Self { access_key, day, region, service })
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

/// What the header `Authorization` says.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Who signed for what.
    pub scope: Scope,
    /// The names of the headers that are covered.
    pub headers: Vec<String>,
    /// The signature in hexadecimal digits.
    pub signature: String,
}

impl Authorization {
    /// Reads it.
    ///
    /// # Errors
    /// When it is of another algorithm, or lacks a part.
    pub fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(ALGORITHM).context("another algorithm")?;
        let part = |name: &str| {
            let parts = rest.split(',').map(str::trim);
            parts
                .filter_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .next()
                .context(name.to_owned())
        };
        Ok(Self {
            scope: Scope::parse(part("Credential")?)?,
            headers: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
        })
    }
}

impl Signed<'_> {
    /// The signature that the holder of `secret` makes.
    ///
    /// # Errors
    /// When the scope is of another day than the time.
    pub fn signature(&self, secret: &str) -> Result<String> {
        ensure!(self.time.starts_with(&self.scope.day), "{} is not on {}", self.time, self.scope.day);
        let request = Digest::of(self.canonical().as_bytes()).hex();
        let text = format!("{ALGORITHM}\n{}\n{}\n{request}", self.time, self.scope.text());
        let steps = [&self.scope.day, &self.scope.region, &self.scope.service, "aws4_request", &text];
        let mut key = format!("AWS4{secret}").into_bytes();
        for step in steps {
            key = keyed(&key, step.as_bytes())?;
        }
        Ok(to_hex(&key))
    }

    /// The header `Authorization` of a request that the holder of `secret` signs.
    ///
    /// # Errors
    /// As [`Signed::signature`].
    pub fn authorization(&self, secret: &str) -> Result<String> {
        let (scope, names) = (&self.scope, self.names());
        let credential = format!("{}/{}", scope.access_key, scope.text());
        let signature = self.signature(secret)?;
        Ok(format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"))
    }

    fn names(&self) -> String {
        self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
    }

    fn canonical(&self) -> String {
        let mut query: Vec<_> = self.query.split('&').filter(|part| !part.is_empty()).collect();
        query.sort_unstable();
        let query =
            query.iter().map(|part| if part.contains('=') { (*part).to_owned() } else { format!("{part}=") });
        let query = query.collect::<Vec<_>>().join("&");
        let trimmed = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
        let headers = self.headers.iter().map(|(name, value)| format!("{name}:{}\n", trimmed(value)));
        let (headers, names) = (headers.collect::<String>(), self.names());
        format!("{}\n{}\n{query}\n{headers}\n{names}\n{}", self.method, self.path, self.payload)
    }
}

fn keyed(key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the IAM user guide: a request for the users of an account.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let signed = Signed {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            payload: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            time: "20150830T123600Z",
            scope: Scope::parse("AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request").unwrap(),
        };
        let authorization = signed.authorization("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap();
        let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let read = Authorization::parse(&authorization).unwrap();
        assert_eq!(read.signature, expected);
        assert_eq!((read.scope, read.headers.len()), (signed.scope, 3));
    }
}
