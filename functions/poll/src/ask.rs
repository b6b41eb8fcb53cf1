//! Asks servers where references lead: hosts side by side, the repositories of one host in turn.

use std::collections::BTreeMap;

use countersign_core::names::{HostName, RepositoryId};
use countersign_git::error::GitError;
use countersign_git::mirror::{GiveUp, Repositories, Source};

/// A host that fails so often in a row is down: the rest of its repositories is not asked about now.
const DOWN: usize = 2;

/// A question about one repository.
pub struct Question {
    /// Which.
    pub repository: RepositoryId,
    /// Where it is.
    pub source: Source,
    /// What the names of references begin with that are asked about.
    pub prefixes: Vec<String>,
}

/// Where references lead, by name.
pub type Tips = BTreeMap<String, String>;

/// Asks all questions. A host that is slow or down holds up no other.
pub fn all(
    repositories: &Repositories,
    questions: &[Question],
    deadline: fn() -> GiveUp,
) -> BTreeMap<RepositoryId, Result<Tips, GitError>> {
    let mut by_host: BTreeMap<&HostName, Vec<&Question>> = BTreeMap::new();
    for question in questions {
        by_host.entry(&question.repository.host).or_default().push(question);
    }
    std::thread::scope(|scope| {
        let hosts: Vec<_> = by_host
            .into_values()
            .map(|questions| scope.spawn(move || one_host(repositories, &questions, deadline)))
            .collect();
        hosts.into_iter().filter_map(|host| host.join().ok()).flatten().collect()
    })
}

fn one_host(
    repositories: &Repositories,
    questions: &[&Question],
    deadline: fn() -> GiveUp,
) -> Vec<(RepositoryId, Result<Tips, GitError>)> {
    let mut down = 0;
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let answer = if down < DOWN {
            repositories.tips(&question.repository, &question.source, &question.prefixes, &deadline())
        } else {
            Err(GitError::Retry("its host did not answer for others: it is asked later".to_owned()))
        };
        down = if matches!(answer, Err(GitError::Retry(_))) { down + 1 } else { 0 };
        answers.push((question.repository.clone(), answer));
    }
    answers
}
