//! Signed statements that people pushed under `refs/countersign/statements/`.

use std::collections::BTreeSet;

use countersign_core::digest::{Digest, from_hex};
use countersign_core::names::RepositoryId;
use countersign_core::statement::{MAX_STATEMENT, STATEMENTS, SignedStatement};

use crate::error::GitError;
use crate::repository::Repository;

/// The most statements that one repository may hold.
const MAX_STATEMENTS: usize = 100_000;

/// The statements of a repository.
#[derive(Clone, Debug, Default)]
pub struct Statements {
    /// Well-formed ones that speak of this repository, by digest. Unverified.
    pub found: Vec<SignedStatement>,
    /// What else lies there: the reference, and why it is passed over.
    pub skipped: Vec<(String, String)>,
}

impl Repository {
    /// Every statement that speaks of `repository`.
    ///
    /// # Errors
    /// When references or objects cannot be read, or there are so many that reading some would hide others.
    pub fn statements(&self, repository: &RepositoryId) -> Result<Statements, GitError> {
        let mut statements = Statements::default();
        for name in self.statement_names()? {
            match self.statement_at(&name, repository)? {
                Ok(statement) => statements.found.push(statement),
                Err(reason) => statements.skipped.push((name, reason)),
            }
        }
        statements.found.sort_by_key(SignedStatement::id);
        statements.skipped.sort();
        Ok(statements)
    }

    /// The statements that speak of `repository` and were not there before: `known` has the names of those that were, and
    /// gets the names of those that are.
    ///
    /// # Errors
    /// As [`Repository::statements`].
    pub fn new_statements(
        &self,
        repository: &RepositoryId,
        known: &mut BTreeSet<String>,
    ) -> Result<Vec<SignedStatement>, GitError> {
        let names = self.statement_names()?;
        let mut found = Vec::new();
        for name in names.difference(known) {
            found.extend(self.statement_at(name, repository)?.ok());
        }
        *known = names;
        Ok(found)
    }

    /// The names of all references to statements. A name says what is there: it is a hash of it.
    ///
    /// # Errors
    /// When references cannot be read, or there are so many that reading some would hide others.
    pub(crate) fn statement_names(&self) -> Result<BTreeSet<String>, GitError> {
        let failed = |error: git2::Error| self.failed("listing statements", &error);
        let mut names = BTreeSet::new();
        let mut found = self.git.references_glob(&format!("{STATEMENTS}*")).map_err(failed)?;
        for name in found.names() {
            names.insert(name.map_err(failed)?.to_owned());
            if names.len() > MAX_STATEMENTS {
                return Err(GitError::Final(format!(
                    "{}: more than {MAX_STATEMENTS} statements under {STATEMENTS}: delete the oldest on the server (git update-ref -d)",
                    self.place()
                )));
            }
        }
        Ok(names)
    }

    /// The statement at a reference, or why it is none.
    pub(crate) fn statement_at(
        &self,
        name: &str,
        repository: &RepositoryId,
    ) -> Result<Result<SignedStatement, String>, GitError> {
        let found = self.git.find_reference(name);
        let found = found.map_err(|error| self.failed(&format!("reading {name}"), &error))?;
        self.statement(name, found.target(), repository)
    }

    /// One statement, or why it is none.
    fn statement(
        &self,
        reference: &str,
        target: Option<git2::Oid>,
        repository: &RepositoryId,
    ) -> Result<Result<SignedStatement, String>, GitError> {
        let Some(target) = target else { return Ok(Err("a symbolic reference".to_owned())) };
        let odb = self.git.odb().map_err(|error| self.failed("opening the objects", &error))?;
        match odb.read_header(target) {
            Ok((_, git2::ObjectType::Blob)) => {}
            Ok((_, kind)) => return Ok(Err(format!("a {kind}, not a blob"))),
            Err(error) => return Err(self.failed(&format!("reading {reference}"), &error)),
        }
        let bytes = match self.blob(target, MAX_STATEMENT as u64)? {
            Ok(bytes) => bytes,
            Err(size) => return Ok(Err(format!("{size} bytes: at most {MAX_STATEMENT} are read"))),
        };
        Ok(parse(reference, &bytes, repository))
    }
}

/// Reads a statement that lies at `reference` in `repository`. The signature is not verified.
///
/// # Errors
/// Why it is none: a wrong name, a wrong shape, or another repository's.
pub(crate) fn parse(
    reference: &str,
    bytes: &[u8],
    repository: &RepositoryId,
) -> Result<SignedStatement, String> {
    let digest = Digest::of(bytes);
    let name = reference.strip_prefix(STATEMENTS).unwrap_or_default();
    if from_hex(name).as_deref() != Some(digest.as_bytes().as_slice()) {
        return Err(format!(
            "its name is not the SHA-256 of its content: name it {STATEMENTS}{}",
            digest.hex()
        ));
    }
    let statement = SignedStatement::from_bytes(bytes).map_err(|error| error.to_string())?;
    let claims = statement.claims().map_err(|error| error.to_string())?;
    if claims.v != 1 {
        return Err(format!("version {} of statements is not read here: only version 1 is", claims.v));
    }
    if claims.repository != *repository {
        return Err(format!("it speaks of {}, and this is {repository}", claims.repository));
    }
    Ok(statement)
}

#[cfg(test)]
mod tests;
