//! Apply, diff, prune and what is kept, on both clusters.

use countersign_cluster::apply::ApplyReport;
use countersign_core::ports::cluster::Cluster;
use serde_json::Value;

use super::bench::Bench;
use super::on_both;

mod applying;
mod drifting;
mod fencing;
mod keeping;
mod pruning;

/// Applies objects of kinds that the same change defines: these may not be served everywhere at once, and
/// then it is to be tried again.
async fn until_served<C: Cluster>(bench: &Bench<'_, C>, index: u64, objects: &[Value]) -> ApplyReport {
    loop {
        match bench.apply(index, objects).await {
            Err(failure) if failure.is_retry() => {}
            answer => return answer.expect("applied"),
        }
    }
}

mod apply {
    super::on_both! { crate::cluster::verbs::applying:
        reports_what_it_did writes_nothing_of_a_stage_that_fails leaves_what_others_own
        takes_over_what_exists_only_when_told lets_no_older_change_pass may_be_repeated_at_any_time
        brings_namespaces_and_definitions_first
    }
}

mod drift {
    super::on_both! { crate::cluster::verbs::drifting:
        is_quiet_about_defaults_and_others finds_what_somebody_changed finds_what_was_added_in_our_name
        tells_whose_an_object_is_now keeps_what_was_told
    }
}

mod fence {
    super::on_both! { crate::cluster::verbs::fencing:
        stops_between_stages_when_overtaken goes_on_after_a_failure
    }
}

mod prune {
    super::on_both! { crate::cluster::verbs::pruning:
        deletes_what_is_no_longer_wanted keeps_what_is_not_ours_to_delete removes_everything_only_when_asked
        waits_for_what_is_slow_to_go stops_when_it_is_overtaken keeps_namespaces_that_others_use
        never_deletes_what_a_failed_change_only_named finds_what_was_applied_in_a_version_that_is_gone
    }
}

mod keep {
    super::on_both! { crate::cluster::verbs::keeping: keeps_trust_and_checkpoint tells_its_uid }
}
