//! A forge that is a small working world: repositories, pull requests, reviews. It knows what really happened,
//! which is what decisions are held against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{
    Evidence, ForgeRead, ForgeReport, GitCredential, OpenPullRequest, Report,
};
use countersign_core::review::{Identity, PullRequest, PullRequestState, Review, ReviewVerdict};
use countersign_core::target::TargetReport;

use super::executor::Sim;
use super::faults::Fault;
use super::installation::Prepared;
use super::mutant::Mutant;
use super::repository::{BRANCH, Bare};

/// The account of somebody whom the control repository does not know.
const STRANGER: u64 = 77;

/// A review as it really was.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its number.
    pub id: u64,
    /// Who gave it; none for a stranger.
    pub person: Option<usize>,
    /// What it says.
    pub verdict: ReviewVerdict,
    /// The head that it was given on.
    pub commit: CommitId,
    /// When, in milliseconds of the run.
    pub at: i64,
    /// When it was dismissed.
    pub dismissed: Option<i64>,
}

/// A pull request as it really was.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its repository.
    pub repository: RepositoryId,
    /// Who opened it.
    pub author: usize,
    /// Everyone who pushed to it, or took part in one of its commits.
    pub involved: BTreeSet<usize>,
    /// Everyone who pushed to it.
    pub pushers: BTreeSet<usize>,
    /// The head.
    pub head: CommitId,
    /// Whether it comes from a fork.
    pub fork: bool,
    /// Whether it is open.
    pub state: PullRequestState,
    /// Its reviews, oldest first.
    pub reviews: Vec<Given>,
}

/// What was told of one commit in one environment.
pub type Told = BTreeMap<String, TargetReport>;

/// What really happened.
#[derive(Default)]
pub struct Model {
    /// The repositories.
    pub repositories: BTreeMap<RepositoryId, Bare>,
    /// All pull requests.
    pub pulls: Vec<Pull>,
    /// What was last told, by repository, commit and environment.
    pub told: BTreeMap<(String, String, String), Told>,
    /// Who wrote each commit, where it was not the forge.
    pub authors: BTreeMap<CommitId, BTreeSet<usize>>,
    /// The number of the next review.
    pub reviews: u64,
}

/// The forge; clones share it.
#[derive(Clone)]
pub struct Forge {
    sim: Sim,
    prepared: Arc<Prepared>,
    model: Arc<Mutex<Model>>,
    mutant: Option<Mutant>,
}

impl Forge {
    /// With repositories as they are at the beginning.
    #[must_use]
    pub fn new(sim: &Sim, prepared: &Arc<Prepared>, mutant: Option<Mutant>) -> Self {
        let model = Model { repositories: prepared.repositories(), ..Model::default() };
        Self { sim: sim.clone(), prepared: Arc::clone(prepared), model: Arc::new(Mutex::new(model)), mutant }
    }

    /// What really happened.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self, person: Option<usize>) -> Identity {
        let known = person.and_then(|person| self.prepared.people.get(person));
        Identity {
            account: Some(known.map_or(STRANGER, |person| person.account)),
            login: Some(known.map_or("stranger", |person| person.name).to_owned()),
            key: None,
        }
    }

    fn tells(&self, pull: &Pull) -> PullRequest {
        let review = |given: &Given| Review {
            id: given.id.to_string(),
            reviewer: self.identity(given.person),
            verdict: given.verdict,
            commit: given.commit.clone(),
            submitted: self.sim.true_time().minus(std::time::Duration::from_millis(
                u64::try_from(self.sim.now() - given.at).unwrap_or(0),
            )),
            dismissed: given.dismissed.is_some(),
            signed: false,
            official: None,
        };
        let request = PullRequest {
            id: pull.number.to_string(),
            title: format!("Change {}", pull.number),
            // When this was read, so that a decision can be held against what was so then.
            url: Some(format!(
                "https://forge.example/{}/pulls/{}?at={}",
                pull.repository.path,
                pull.number,
                self.sim.now()
            )),
            author: self.identity(Some(pull.author)),
            base: BRANCH.parse().expect("a branch"),
            head: pull.head.clone(),
            fork: pull.fork,
            state: pull.state,
            pushers: pull.pushers.iter().map(|person| self.identity(Some(*person))).collect(),
            contributors: Vec::new(),
            reviews: pull.reviews.iter().map(review).collect(),
            labels: Vec::new(),
        };
        match self.mutant {
            Some(mutant) => mutant.pull_request(request),
            None => request,
        }
    }

    fn read(&self, repository: &RepositoryId, commits: &[CommitId]) -> Evidence {
        let model = self.model();
        let Some(bare) = model.repositories.get(repository) else { return Evidence::default() };
        let before = commits.first().and_then(|first| bare.first_parents(first, 2).into_iter().nth(1));
        let is_ahead = |pull: &&Pull| {
            pull.repository == *repository
                && (commits.contains(&pull.head)
                    || before.as_ref().is_none_or(|before| !bare.descends(before, &pull.head)))
        };
        Evidence {
            pull_requests: model.pulls.iter().filter(is_ahead).map(|pull| self.tells(pull)).collect(),
            statements: Vec::new(),
        }
    }

    fn open(&self, repository: &RepositoryId) -> Vec<OpenPullRequest> {
        let model = self.model();
        let open = model
            .pulls
            .iter()
            .filter(|pull| pull.repository == *repository && pull.state == PullRequestState::Open);
        let tell = |pull: &Pull| OpenPullRequest {
            id: pull.number.to_string(),
            base: BRANCH.parse().expect("a branch"),
            head: pull.head.clone(),
            fork: pull.fork,
            version: format!("{} {:?}", pull.head, pull.reviews),
        };
        open.map(tell).collect()
    }

    async fn reached(&self, what: &str) -> Result<(), PortError> {
        self.sim.step().await;
        if self.sim.is_away("forge") || self.sim.fault(Fault::Refused, "forge") {
            return Err(PortError::Unavailable("the forge is away: simulated".to_owned()));
        }
        self.sim.note(&["forge", what]);
        Ok(())
    }

    async fn answered(&self) -> Result<(), PortError> {
        self.sim.step().await;
        if self.sim.fault(Fault::Lost, "forge") {
            return Err(PortError::Unavailable("the forge's answer was lost: simulated".to_owned()));
        }
        Ok(())
    }
}

impl ForgeRead for Forge {
    /// Nothing is asked for. But repositories are read in place, so it is here that reading one fails.
    async fn git_credential(&self, _: &RepositoryId) -> Result<Option<GitCredential>, PortError> {
        self.reached("git").await?;
        self.answered().await?;
        Ok(None)
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryId,
    ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        self.reached("open pull requests").await?;
        let open = self.open(repository);
        self.answered().await?;
        Ok(Some(open))
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        _: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        self.reached("evidence").await?;
        let evidence = self.read(repository, commits);
        self.answered().await?;
        Ok(evidence)
    }
}

impl ForgeReport for Forge {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        self.reached("report").await?;
        let told: Told =
            report.targets.iter().map(|target| (target.target.to_string(), target.state.clone())).collect();
        let key = (report.repository.to_string(), report.commit.to_string(), report.environment.to_string());
        for (target, state) in &told {
            let result = state.outcome.as_ref().map(|outcome| &outcome.result);
            self.sim.note(&[
                "told",
                &key.1,
                target,
                &format!("{:?} {:?} {}", state.verdict, state.disposition, result_name(result)),
            ]);
        }
        self.model().told.insert(key, told);
        self.answered().await
    }
}

/// A word for what became of something.
#[must_use]
pub fn result_name(result: Option<&OutcomeResult>) -> String {
    result.map_or_else(|| "nothing yet".to_owned(), |result| format!("{result:?}"))
}
