//! How people do what they do.

use std::collections::BTreeSet;

use countersign_core::names::{CommitId, RepositoryId};
use countersign_core::ports::cluster::{Cluster as _, Preconditions};
use countersign_core::review::{PullRequestState, ReviewVerdict};
use countersign_core::statement::Command;
use countersign_local::simulated::SimulatedCluster;

use crate::simulation::ends::{set_value, shown_as};
use crate::simulation::forge::{Given, Pull};
use crate::simulation::immediate;
use crate::simulation::installation::{
    ADA, GRACE, LINUS, OLGA, PLACES, Prepared, VARIANTS, control, extra_object, main_object, shop, targets,
};
use crate::simulation::repository::Files;
use crate::simulation::webhooks::Sender;

use super::{Action, Kind};

/// The edits that leave everything well.
const WELL: [u64; 5] = [1, 2, 6, 7, 8];

/// Does things.
pub struct People<'a> {
    /// Who there is.
    pub prepared: &'a Prepared,
    /// Where it is done, and whom the forge tells.
    pub sender: &'a Sender,
    /// The clusters, as those see them who may do anything there.
    pub clusters: &'a [SimulatedCluster],
}

impl People<'_> {
    /// Does one thing.
    pub fn act(&self, action: &Action, number: usize) {
        let [a, b, c, d] = action.numbers;
        let value = format!("v{}", number + 1);
        self.sender.sim.note(&["people", &format!("{:?}", action.kind)]);
        match action.kind {
            Kind::Open => drop(self.open(a, b, c, &value)),
            Kind::Amend => self.amend(a, b, c, &value),
            Kind::Review => self.review(a, b, c),
            Kind::Dismiss => self.dismiss(a, b),
            Kind::Merge => self.merge_one(a, b, c),
            Kind::Close => self.close(a),
            Kind::Good => self.good(a, b, c, &value),
            Kind::Bad => self.bad(a, b, c, &value),
            Kind::Push => self.push(a, b, c, &value),
            Kind::Force => self.force(a),
            Kind::ApproveTip => self.approve_tip(a),
            Kind::Hold => self.command(a, d, true),
            Kind::Release => self.command(a, d, false),
            Kind::Control => self.change_control(a),
            Kind::Meddle => self.meddle(a, b, c, &value),
        }
    }

    pub(super) fn tip(&self, repository: &RepositoryId) -> CommitId {
        self.sender.forge.model().repositories[repository].tip()
    }

    pub(super) fn files(&self, repository: &RepositoryId, commit: &CommitId) -> Files {
        self.sender.forge.model().repositories[repository].files(commit)
    }

    /// Changes files somehow.
    fn edited(&self, mut files: Files, a: u64, b: u64, value: &str) -> Files {
        let place = (a % PLACES.len() as u64) as usize;
        let folder = PLACES[place].0;
        let extra = format!("{folder}/extra.yaml");
        match b % 10 {
            0 => drop(files.insert("README.md".to_owned(), format!("A shop, {value}.\n").into_bytes())),
            1 => drop(files.insert(extra, extra_object(place, value))),
            // It comes and goes.
            2 | 3 if files.remove(&extra).is_some() => {}
            2 | 3 => drop(files.insert(extra, extra_object(place, value))),
            4 => drop(files.insert(
                format!("{folder}/main.yaml"),
                main_object(place, &format!("{value}-does-not-start")),
            )),
            5 => drop(files.insert(format!("{folder}/main.yaml"), b"kind: [broken\n".to_vec())),
            _ => drop(files.insert(format!("{folder}/main.yaml"), main_object(place, value))),
        }
        files
    }

    pub(super) fn commit(
        &self,
        repository: &RepositoryId,
        author: usize,
        files: &Files,
        parent: &CommitId,
        co_author: Option<usize>,
    ) -> CommitId {
        let mut model = self.sender.forge.model();
        let bare = &model.repositories[repository];
        let by = author;
        let author = &self.prepared.people[author];
        let trailer = co_author.map(|person| {
            let person = &self.prepared.people[person];
            format!("\n\nCo-authored-by: {} <{}>\n", person.name, person.email())
        });
        let message = format!("Change something{}", trailer.unwrap_or_default());
        let time = self.sender.sim.true_time().as_millis();
        let commit = bare.commit(author, author, time, &message, bare.tree(files), &[parent]);
        model.authors.entry(commit.clone()).or_default().extend(std::iter::once(by).chain(co_author));
        commit
    }

    pub(super) fn propose(
        &self,
        repository: &RepositoryId,
        author: usize,
        base: &CommitId,
        files: &Files,
        co_author: Option<usize>,
    ) -> u64 {
        let head = self.commit(repository, author, files, base, co_author);
        let involved = std::iter::once(author).chain(co_author).collect();
        let number = self.open_pull(repository, author, involved, head);
        self.sender.pull_request("pull_request", "opened", number);
        number
    }

    fn open_pull(
        &self,
        repository: &RepositoryId,
        author: usize,
        involved: BTreeSet<usize>,
        head: CommitId,
    ) -> u64 {
        let mut model = self.sender.forge.model();
        let number = model.pulls.len() as u64 + 1;
        model.pulls.push(Pull {
            number,
            repository: repository.clone(),
            author,
            involved,
            pushers: [author].into(),
            head,
            fork: false,
            state: PullRequestState::Open,
            reviews: Vec::new(),
        });
        number
    }

    fn open(&self, a: u64, b: u64, c: u64, value: &str) -> u64 {
        let tip = self.tip(&shop());
        let line = self.sender.forge.model().repositories[&shop()].first_parents(&tip, 3);
        let base = &line[(c % 7 / 4 % line.len() as u64) as usize];
        let files = self.edited(self.files(&shop(), base), a, b, value);
        let co_author = c.is_multiple_of(5).then_some(((c / 5) % 2) as usize);
        let number = self.propose(&shop(), (a / 7 % 2) as usize, base, &files, co_author);
        self.change(number, |pull| pull.fork = b.is_multiple_of(12));
        number
    }

    /// The number of some open pull request of the shop.
    fn some_open(&self, a: u64) -> Option<u64> {
        let model = self.sender.forge.model();
        let open: Vec<_> = model.pulls.iter().filter(|pull| pull.state == PullRequestState::Open).collect();
        let chosen = open.get((a % open.len().max(1) as u64) as usize)?;
        Some(chosen.number)
    }

    fn pull(&self, number: u64) -> Pull {
        self.sender.forge.model().pulls[number as usize - 1].clone()
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Pull)) {
        change(&mut self.sender.forge.model().pulls[number as usize - 1]);
    }

    fn amend(&self, a: u64, b: u64, c: u64, value: &str) {
        let Some(pull) = self.some_open(a).map(|number| self.pull(number)) else { return };
        if pull.repository != shop() {
            return;
        }
        let pusher = (c % 2) as usize;
        let files = self.edited(self.files(&pull.repository, &pull.head), c / 4, b, value);
        let head = self.commit(&pull.repository, pusher, &files, &pull.head, None);
        self.change(pull.number, |pull| {
            pull.head = head;
            pull.involved.insert(pusher);
            pull.pushers.insert(pusher);
        });
        self.sender.pull_request("pull_request_sync", "synchronized", pull.number);
    }

    /// Mostly of what is open, now and then of what was merged already.
    fn review(&self, a: u64, b: u64, c: u64) {
        let last = self.sender.forge.model().pulls.len() as u64;
        let Some(number) = self.some_open(a).filter(|_| !a.is_multiple_of(3)).or((last > 0).then_some(last))
        else {
            return;
        };
        let person =
            [Some(GRACE), Some(LINUS), Some(OLGA), Some(GRACE), Some(ADA), Some(4), None][(b % 7) as usize];
        let approves = !c.is_multiple_of(8);
        self.give(
            number,
            person,
            if approves { ReviewVerdict::Approved } else { ReviewVerdict::ChangesRequested },
        );
    }

    fn give(&self, number: u64, person: Option<usize>, verdict: ReviewVerdict) {
        let at = self.sender.sim.now();
        let id = {
            let mut model = self.sender.forge.model();
            model.reviews += 1;
            model.reviews
        };
        self.change(number, |pull| {
            let commit = pull.head.clone();
            pull.reviews.push(Given { id, person, verdict, commit, at, dismissed: None });
        });
        let name = if verdict == ReviewVerdict::Approved {
            "pull_request_approved"
        } else {
            "pull_request_rejected"
        };
        self.sender.pull_request(name, "reviewed", number);
    }

    pub(super) fn approve(&self, number: u64, people: &[usize]) {
        people.iter().for_each(|person| self.give(number, Some(*person), ReviewVerdict::Approved));
    }

    fn dismiss(&self, a: u64, b: u64) {
        let at = self.sender.sim.now();
        let mut model = self.sender.forge.model();
        let reviews: Vec<_> =
            model.pulls.iter_mut().rev().take(4).flat_map(|pull| &mut pull.reviews).collect();
        let count = reviews.len().max(1) as u64;
        if let Some(review) = reviews.into_iter().nth(((a ^ b) % count) as usize) {
            review.dismissed.get_or_insert(at);
        }
    }

    fn close(&self, a: u64) {
        if let Some(number) = self.some_open(a) {
            self.change(number, |pull| pull.state = PullRequestState::Closed);
            self.sender.pull_request("pull_request", "closed", number);
        }
    }

    fn merge_one(&self, a: u64, b: u64, c: u64) {
        if let Some(number) = self.some_open(a) {
            self.merge(number, b, c);
        }
    }

    /// Merges, unless it conflicts. `how` chooses the form, and a `mark` of 0 in 9 an edit by hand.
    pub(super) fn merge(&self, number: u64, how: u64, mark: u64) {
        let pull = self.pull(number);
        let before = self.tip(&pull.repository);
        let merger = &self.prepared.people[GRACE];
        let time = self.sender.sim.true_time().as_millis();
        {
            let model = self.sender.forge.model();
            let bare = &model.repositories[&pull.repository];
            let Some(mut tree) = bare.merge(&before, &pull.head) else { return };
            if mark.is_multiple_of(9) {
                let merged = bare.commit(merger, merger, time, "Draft\n", tree, &[&before]);
                tree =
                    bare.tree(&self.edited(bare.files(&merged), mark / 9, 6, &format!("by-hand-{number}")));
            }
            let after = match how % 3 {
                2 if bare.descends(&pull.head, &before) && !mark.is_multiple_of(9) => pull.head.clone(),
                1 => bare.commit(merger, merger, time, "Squash\n", tree, &[&before]),
                _ => bare.commit(merger, merger, time, "Merge\n", tree, &[&before, &pull.head]),
            };
            bare.point(&after);
        }
        self.change(number, |pull| pull.state = PullRequestState::Merged);
        self.sender.pull_request("pull_request", "closed", number);
        self.sender.push(&pull.repository, &before);
    }

    fn good(&self, a: u64, b: u64, c: u64, value: &str) {
        let tip = self.tip(&shop());
        let files = self.edited(self.files(&shop(), &tip), a, WELL[(b % 5) as usize], value);
        let number = self.propose(&shop(), ADA, &tip, &files, None);
        self.approve(number, &[GRACE, OLGA]);
        self.merge(number, c, 1);
    }

    /// Every way in which approvals do not count that the forge shows as approvals.
    fn bad(&self, a: u64, b: u64, c: u64, value: &str) {
        let tip = self.tip(&shop());
        let files = self.edited(self.files(&shop(), &tip), a, 6 + b % 4, value);
        let number = self.propose(&shop(), ADA, &tip, &files, (b % 7 == 5).then_some(OLGA));
        self.change(number, |pull| pull.fork = b % 7 == 6);
        let first = match b % 7 {
            0 => [Some(ADA), Some(GRACE)],
            1 => [Some(4), None],
            _ => [Some(GRACE), Some(OLGA)],
        };
        first.iter().for_each(|person| self.give(number, *person, ReviewVerdict::Approved));
        match b % 7 {
            2 => self.dismiss_all(number),
            3 => first.iter().for_each(|person| self.give(number, *person, ReviewVerdict::ChangesRequested)),
            4 => {
                let files = self.edited(
                    self.files(&shop(), &self.pull(number).head),
                    a,
                    6,
                    &format!("{value}-later"),
                );
                let head = self.commit(&shop(), ADA, &files, &self.pull(number).head, None);
                self.change(number, |pull| pull.head = head);
            }
            _ => {}
        }
        self.merge(number, c, 1);
    }

    fn dismiss_all(&self, number: u64) {
        let at = self.sender.sim.now();
        self.change(number, |pull| pull.reviews.iter_mut().for_each(|review| review.dismissed = Some(at)));
    }

    fn push(&self, a: u64, b: u64, c: u64, value: &str) {
        let tip = self.tip(&shop());
        let files = self.edited(self.files(&shop(), &tip), a, b, value);
        let commit = self.commit(&shop(), [ADA, GRACE, 4][(c % 3) as usize], &files, &tip, None);
        self.sender.forge.model().repositories[&shop()].point(&commit);
        self.sender.push(&shop(), &tip);
    }

    fn force(&self, a: u64) {
        let tip = self.tip(&shop());
        let line = self.sender.forge.model().repositories[&shop()].first_parents(&tip, 4);
        let to = &line[(a % line.len() as u64) as usize];
        self.sender.forge.model().repositories[&shop()].point(to);
        self.sender.push(&shop(), &tip);
    }

    /// A pull request whose head is the tip, as for a way back.
    pub(super) fn propose_tip(&self, repository: &RepositoryId) -> u64 {
        let head = self.tip(repository);
        self.open_pull(repository, ADA, [ADA].into(), head)
    }

    fn approve_tip(&self, a: u64) {
        let number = self.propose_tip(&shop());
        self.approve(number, if a.is_multiple_of(2) { &[GRACE, OLGA] } else { &[LINUS] });
    }

    pub(super) fn command(&self, a: u64, nonce: u64, hold: bool) {
        let targets = targets(&self.prepared.variants[0].1);
        let target = targets[(a % targets.len() as u64) as usize].clone();
        let by = if a % 11 == 10 { 4 } else { GRACE };
        let command = match hold {
            true => Command::Hold { target, reason: "look first".to_owned() },
            false => Command::Release { target },
        };
        self.sender.command(&self.prepared.people[by], nonce, command);
    }

    fn change_control(&self, a: u64) {
        let tip = self.tip(&control());
        let files = &self.prepared.variants[(a % VARIANTS as u64) as usize].0;
        let number = self.propose(&control(), ADA, &tip, files, None);
        // Now and then nobody who may has approved it.
        self.approve(number, if a % 5 == 4 { &[GRACE] } else { &[OLGA] });
        self.merge(number, a, 1);
    }

    /// Changes or deletes what a place shows on some cluster.
    fn meddle(&self, a: u64, b: u64, c: u64, value: &str) {
        let cluster = &self.clusters[(b % self.clusters.len() as u64) as usize];
        let key = shown_as((a % PLACES.len() as u64) as usize, c.is_multiple_of(2));
        let Some(mut object) = immediate(cluster.get(&key)).ok().flatten() else { return };
        self.sender.sim.note(&["meddles", &key.to_string()]);
        let done = match c % 3 {
            0 => immediate(cluster.delete(&key, &Preconditions::default())).map(drop),
            _ => {
                set_value(&mut object, &format!("{value}-by-hand"));
                immediate(cluster.compare_and_swap(&object)).map(drop)
            }
        };
        done.expect("whoever may do anything can do this");
    }
}
