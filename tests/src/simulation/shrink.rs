//! Makes a failing run smaller: fewer kinds of fault, fewer actions, fewer faults, a shorter schedule.

use std::sync::Arc;

use super::faults::Fault;
use super::installation::Prepared;
use super::{Ran, Setup, run, workload};

/// The smallest run that still fails, as far as it was found, and how it fails.
#[must_use]
pub fn shrink(prepared: &Arc<Prepared>, setup: &Setup, ran: Ran) -> (Setup, Ran) {
    let mut least = Least { prepared, setup: setup.clone(), ran };
    least.setup.actions.get_or_insert_with(|| (0..workload::plan(setup.seed, setup.span).len()).collect());
    least.fewer_actions();
    for fault in Fault::ALL {
        least.keep(|setup| setup.without.extend([fault]));
    }
    least.fewer_actions();
    least.fewer_faults();
    while least.keep(|setup| setup.until = setup.until * 3 / 4) {}
    least.fewer_actions();
    (least.setup, least.ran)
}

struct Least<'a> {
    prepared: &'a Arc<Prepared>,
    setup: Setup,
    ran: Ran,
}

impl Least<'_> {
    /// Keeps a change if the run still fails with it.
    fn keep(&mut self, change: impl FnOnce(&mut Setup)) -> bool {
        let mut smaller = self.setup.clone();
        change(&mut smaller);
        let ran = run(self.prepared, &smaller);
        let fails = ran.violation.is_some();
        if fails {
            (self.setup, self.ran) = (smaller, ran);
        }
        fails
    }

    /// Takes out halves, then quarters, and so on, of what people do.
    fn fewer_actions(&mut self) {
        let mut size = self.actions().len().div_ceil(2);
        while size > 0 {
            for part in self.actions().chunks(size) {
                self.keep(|setup| {
                    if let Some(actions) = &mut setup.actions {
                        actions.retain(|action| !part.contains(action));
                    }
                });
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn actions(&self) -> Vec<usize> {
        self.setup.actions.clone().unwrap_or_default().into_iter().collect()
    }

    /// Finds the smallest number of faults, as if more of them never made it work again.
    fn fewer_faults(&mut self) {
        let (mut least, mut most) = (0, self.ran.faults);
        while least < most {
            let middle = u64::midpoint(least, most);
            match self.keep(|setup| setup.limit = middle) {
                true => most = middle,
                false => least = middle + 1,
            }
        }
    }
}
