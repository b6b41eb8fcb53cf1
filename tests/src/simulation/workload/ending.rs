//! How it ends: well, when nothing goes wrong any more. But the forge may still tell nobody.

use crate::simulation::faults::Fault;
use crate::simulation::installation::{
    ADA, GRACE, LEFT, LINUS, OLGA, PLACES, RUTH, control, main_object, shop, targets,
};
use crate::simulation::repository::Files;

use super::acting::People;

/// How long the last change waits for its approvals where they come after it, or again: longer than clocks differ.
const WAIT: i64 = 1_200_000;

/// What the forge tells of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of it.
    Told,
    /// Nothing: `poll` has to find it.
    Untold,
    /// A push that nobody has approved yet, and nothing of the approvals that come later.
    Late,
}

impl Ending {
    /// How the run of a seed ends.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        [Self::Told, Self::Untold, Self::Late][(seed / 5 % 3) as usize]
    }
}

impl People<'_> {
    /// Ends well: holds are released, and everything that the branches hold is approved, and a little more.
    pub async fn end_well(&self, ending: Ending, touched: usize) {
        self.sender.silent.set(ending == Ending::Untold);
        for target in 0..targets(&self.prepared.variants[0].1).len() {
            self.command(target as u64, u64::MAX - target as u64, false);
        }
        self.end_control();
        let tip = self.tip(&shop());
        let files = self.mended(touched);
        if ending == Ending::Late {
            let commit = self.commit(&shop(), ADA, &files, &tip, None);
            self.sender.forge.model().repositories[&shop()].point(&commit);
            self.sender.push(&shop(), &tip);
            self.sender.sim.sleep(WAIT).await;
            self.sender.silent.set(true);
            let number = self.propose_tip(&shop());
            return self.approve(number, &[GRACE, LINUS, OLGA, RUTH]);
        }
        let number = self.propose(&shop(), ADA, &tip, &files, None);
        self.approve(number, &[GRACE, LINUS, OLGA, RUTH]);
        self.merge(number, 2, 1);
        // By clocks that differ an approval of a way back may seem older than what it goes back from. Who is told so gives
        // it again; where they do not differ, the first one must do.
        if self.sender.sim.knows(Fault::Skew) {
            self.sender.sim.sleep(WAIT).await;
            self.approve(number, &[GRACE, LINUS, OLGA, RUTH]);
        }
    }

    /// What the control repository holds is approved. Where somebody had left it is undone: those who are left may all
    /// have had a part in something.
    fn end_control(&self) {
        let tip = self.tip(&control());
        let variants = &self.prepared.variants;
        if self.files(&control(), &tip) != variants[LEFT].0 {
            let number = self.propose_tip(&control());
            return self.approve(number, &[OLGA]);
        }
        let number = self.propose(&control(), ADA, &tip, &variants[0].0, None);
        self.approve(number, &[OLGA]);
        self.merge(number, 0, 1);
    }

    /// What the branch holds, without what is broken there.
    fn mended(&self, touched: usize) -> Files {
        let mut files = self.files(&shop(), &self.tip(&shop()));
        for (place, (folder, _, _)) in PLACES.iter().enumerate() {
            let main = files.entry(format!("{folder}/main.yaml")).or_default();
            let text = String::from_utf8_lossy(main);
            // What is well is changed in one place at most: elsewhere it must have come there before.
            if touched == place || text.contains("broken") || text.contains("does-not-start") {
                *main = main_object(place, "end");
            }
        }
        files
    }
}
