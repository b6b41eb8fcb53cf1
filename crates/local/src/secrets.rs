//! Secrets in environment variables and files.

use countersign_core::configuration::SecretReference;
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;

/// Reads environment variables and files of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalSecrets;

impl Secrets for LocalSecrets {
    async fn read(&self, reference: &SecretReference) -> Result<Vec<u8>, PortError> {
        let unavailable = |what: &str, why: &dyn std::fmt::Display| {
            PortError::Unavailable(format!("the secret {what} cannot be read: {why}"))
        };
        let mut bytes = match reference {
            SecretReference::Environment(name) => std::env::var_os(name)
                .map(std::ffi::OsString::into_encoded_bytes)
                .ok_or_else(|| unavailable(&format!("env:{name}"), &"the variable is not set"))?,
            SecretReference::File(path) => {
                std::fs::read(path).map_err(|error| unavailable(&format!("file:{path}"), &error))?
            }
            SecretReference::Managed(name) => {
                let why = "only cloud functions read Secrets Manager: write env:NAME or file:PATH";
                return Err(unavailable(&format!("secret:{name}"), &why));
            }
        };
        while bytes.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_loses_its_final_newline_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let reference = SecretReference::File(path.display().to_string());
        assert_eq!(LocalSecrets.read(&reference).await.unwrap(), b"s3cret");
        let missing = SecretReference::Environment("COUNTERSIGN_NO_SUCH_VARIABLE".to_owned());
        let error = LocalSecrets.read(&missing).await.unwrap_err();
        assert!(error.to_string().contains("env:COUNTERSIGN_NO_SUCH_VARIABLE"), "{error}");
    }
}
