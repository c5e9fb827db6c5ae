//! Runs the conformance suite over every engine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

macro_rules! engines {
    ($($group:ident: $($case:ident)*;)*) => {
        engines!(@engine mem, suite::InMemory, $($group: $($case)*;)*);
        engines!(@engine sqlite, suite::OnDisk, $($group: $($case)*;)*);
        engines!(@engine sqlite_moving, suite::Moving, $($group: $($case)*;)*);
    };
    (@engine $engine:ident, $place:ty, $($group:ident: $($case:ident)*;)*) => {
        mod $engine {
            use crate::suite;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    suite::$group::$case(&<$place>::default()).await;
                }
            )*)*
        }
    };
}

engines! {
    reads:
        rows_are_read_back
        scans_give_ordered_pages_both_ways
        the_stores_own_rows_are_out_of_reach
        a_snapshot_stands_still
        a_snapshot_never_shows_half_a_commit
        everything_is_there_after_opening_again
        a_backup_is_the_same_data_under_another_epoch
        a_closed_store_says_so;
    commits:
        versions_rise_even_when_the_clock_goes_back
        a_transaction_is_refused_if_what_it_read_has_changed
        write_skew_and_phantoms_do_not_happen
        concurrent_increments_lose_nothing
        limits_are_kept
        what_builds_on_a_failed_commit_fails;
    history:
        changes_tell_what_every_commit_did
        a_listener_misses_nothing_under_load
        old_versions_look_as_they_did
        a_version_between_commits_stays_what_it_was
        beyond_retention_is_too_old
        looking_back_has_a_limit;
}
