//! Who owns what each head brings, by the CODEOWNERS file of the tree that it was brought to.

use countersign_core::facts::{Explanation, Facts, FileChange};
use countersign_core::names::CommitId;
use countersign_core::owners::CodeOwners;
use countersign_core::stage::StageError;
use countersign_git::error::GitError;
use countersign_git::owners::Owners;

use crate::look::Look;
use crate::preview::Content;
use crate::reading::{Reading, of_git};

/// The most runs of one look whose owners are looked for. What carries a change and is left out is not allowed.
const MAX_RUNS: usize = 100;

/// Who owns what each head brings to `paths`: of every run that is explained, and of a tip that stands alone.
pub fn of(
    reading: &Reading<'_>,
    look: &Look,
    facts: &Facts,
    content: &Content<'_>,
    paths: &[String],
) -> Result<Vec<CodeOwners>, StageError> {
    let mut found = Vec::new();
    for run in facts.range.explanations.iter().take(MAX_RUNS) {
        // A preview's one step is the merge with its base, which no commit holds.
        let merge = look.preview.as_ref().filter(|_| run.to == look.commit);
        let brought = match merge {
            Some(preview) => Brought { base: Some(&preview.base), files: Files::Of(content) },
            None => Brought { base: Some(&run.after), files: Files::Until(&run.to) },
        };
        found.push(brought.owners(reading, run, paths)?);
    }
    if look.preview.is_none() && facts.range.stands_alone() {
        let tip = &facts.change.commit;
        let itself = Explanation { after: tip.clone(), to: tip.clone(), head: tip.clone() };
        let brought = Brought { base: facts.range.from.as_ref(), files: Files::Until(tip) };
        found.push(brought.owners(reading, &itself, paths)?);
    }
    Ok(found)
}

/// What a head brings.
struct Brought<'a> {
    /// To what; none where nothing was there.
    base: Option<&'a CommitId>,
    files: Files<'a>,
}

enum Files<'a> {
    Of(&'a Content<'a>),
    Until(&'a CommitId),
}

impl Brought<'_> {
    fn owners(
        &self,
        reading: &Reading<'_>,
        run: &Explanation,
        paths: &[String],
    ) -> Result<CodeOwners, StageError> {
        let judging = self.base.unwrap_or(&run.to);
        let mut found = CodeOwners {
            head: run.head.clone(),
            commit: run.to.clone(),
            base: Some(judging.clone()),
            file: None,
            owned: Vec::new(),
            problem: None,
        };
        if !reading.repository.has(judging).map_err(of_git)? {
            let why = format!("the repository no longer has commit {judging}, which says it");
            return Ok(CodeOwners { base: None, problem: Some(why), ..found });
        }
        let tree = reading.repository.tree(judging).map_err(of_git)?;
        let owners = match Owners::of(reading.host_kind(), &tree) {
            Ok(Some(owners)) => owners,
            Ok(None) => return Ok(found),
            Err(error) => return Ok(CodeOwners { problem: Some(error.to_string()), ..found }),
        };
        match self.changed(reading, paths) {
            Ok(files) => found.owned = owners.owned(files.iter().map(|file| file.path.as_str())),
            // More files than are listed.
            Err(GitError::Final(why)) => found.problem = Some(why),
            Err(error) => return Err(of_git(error)),
        }
        found.file = Some(owners.file);
        Ok(found)
    }

    fn changed(&self, reading: &Reading<'_>, paths: &[String]) -> Result<Vec<FileChange>, GitError> {
        match (&self.files, self.base) {
            (Files::Of(content), Some(base)) => content.changed_files(base, paths),
            (Files::Of(_), None) => Ok(Vec::new()),
            (Files::Until(to), base) => reading.repository.changed_files(base, to, paths),
        }
    }
}
