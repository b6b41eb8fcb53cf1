//! What is told of a target's drift, for people.

use countersign_cluster::diff::{Drift, Drifted};
use countersign_core::outcome::{Action, ObjectOutcome};

/// The most objects that are told of one by one.
const OBJECTS: usize = 100;

/// What is told of one look.
#[derive(Clone, Debug)]
pub struct Account {
    /// How it differs.
    pub drift: Vec<Drifted>,
    /// Why it could not be put back, where that was tried.
    pub stuck: Option<String>,
    put_back: Vec<Drifted>,
}

impl Account {
    /// What is told of what was seen, and not told then, and is otherwise by now.
    pub const PAST: &str = "an earlier look found this, and was interrupted before it was told";

    /// The account of a look that tried nothing.
    pub fn of(drift: &[Drifted]) -> Self {
        Self { drift: drift.to_vec(), stuck: None, put_back: Vec::new() }
    }

    /// The account when nothing could be put back.
    pub fn stuck(self, why: String) -> Self {
        Self { stuck: Some(why), ..self }
    }

    /// The account of a look after `drift` was put back.
    pub fn after_putting_back(self, drift: &[Drifted]) -> Self {
        // What differs after it was written is written anew by somebody, again and again.
        let stuck =
            (!self.drift.is_empty()).then(|| "it was applied again, and differs all the same".to_owned());
        Self { stuck, put_back: drift.to_vec(), ..self }
    }

    /// In one sentence.
    pub fn summary(&self) -> String {
        match (self.drift.as_slice(), self.put_back.as_slice()) {
            ([], []) => "everything is as it was authorized again".to_owned(),
            ([], put_back) => format!("{} put back as authorized", counted(put_back)),
            (drift, _) => {
                let stuck = self.stuck.as_ref();
                let stuck =
                    stuck.map_or_else(String::new, |why| format!("; it could not be put back: {why}"));
                let not_as = if drift.len() == 1 { "is not" } else { "are not" };
                format!("{} {not_as} as authorized{stuck}", counted(drift))
            }
        }
    }

    /// What is told of each object.
    pub fn objects(&self) -> Vec<ObjectOutcome> {
        let (objects, action) = match self.drift.as_slice() {
            [] => (&self.put_back, restored as fn(&Drifted) -> (Action, Option<String>)),
            _ => (&self.drift, observed as fn(&Drifted) -> (Action, Option<String>)),
        };
        let told = |drifted: &Drifted| {
            let (action, message) = action(drifted);
            ObjectOutcome { key: drifted.key.clone(), action, message }
        };
        objects.iter().take(OBJECTS).map(told).collect()
    }
}

fn observed(drifted: &Drifted) -> (Action, Option<String>) {
    (Action::Observed, Some(drifted.drift.to_string()))
}

fn restored(drifted: &Drifted) -> (Action, Option<String>) {
    let action = if drifted.drift == Drift::Missing { Action::Created } else { Action::Configured };
    (action, None)
}

fn counted(objects: &[Drifted]) -> String {
    if objects.len() == 1 { "1 object".to_owned() } else { format!("{} objects", objects.len()) }
}
