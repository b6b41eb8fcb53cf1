//! What a status makes due besides the previews of its commit.

use countersign_core::configuration::Configuration;
use countersign_core::event::{Event, EventKind};

/// An event as it came; of a status that some environment asks for, with another look at each branch that it may
/// change. One that nobody asks for is nothing: programs set many, and each of their looks would cost as much.
pub fn with_what_it_changes(configuration: &Configuration, event: Event) -> Vec<Event> {
    let EventKind::Status { context, .. } = &event.kind else { return vec![event] };
    let refs = configuration.refs_asking_for_status(&event.repository, context.as_deref());
    if refs.is_empty() {
        return Vec::new();
    }
    let due = refs.into_iter().map(|follows| Event {
        id: format!("{}/{}", event.id, follows.reference),
        kind: EventKind::RefDue { reference: follows.reference, every_target: false },
        ..event.clone()
    });
    due.chain([event.clone()]).collect()
}
