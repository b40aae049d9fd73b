//! The list of cases, and the macro that turns them into tests.

use super::Capability::{Damage, Durable, Hints, Leases, Processes, Slots};
use super::Case;

/// Makes a test of every case of the [suite](crate::store) for a store.
///
/// The first argument is an expression that creates a [`Fixture`](crate::store::Fixture); it is evaluated for
/// every test. It is followed by the store's capabilities. A case that needs an undeclared capability does
/// not become a test.
///
/// | capability | what it says |
/// |---|---|
/// | `durable` | data is still there when the store is opened again |
/// | `processes` | several processes can have the store open at the same time |
/// | `leases` | leases expire by a clock, and the fixture can advance it; needs `processes` |
/// | `hints` | watchers are notified of runs that can be claimed |
/// | `damage` | the fixture can damage stored data |
/// | `slots` | runs with the same key wait for each other |
///
/// The tests are named after the cases, so the suite of a second store in the same file needs a module of its
/// own.
#[macro_export]
macro_rules! store_suite {
    ($fixture:expr $(; $($capability:ident),* $(,)?)?) => {
        $crate::__store_cases!(test ($fixture) every);
        $($($crate::__store_cases!(test ($fixture) $capability);)*)?
    };
}

/// The only list of the cases: each group is either registered or enumerated.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_cases {
    ($do:ident $with:tt every) => {
        $crate::__store_each! { $do $with [
            a_new_run_is_claimed_and_readable
            a_run_is_created_once
            one_of_many_creators_wins
            a_deleted_run_is_gone
            a_bundle_is_shared_by_its_runs
            what_is_not_there_is_not_found
            events_continue_from_the_expected_number
            misnumbered_events_are_refused
            a_refused_append_leaves_nothing_behind
            the_head_changes_only_when_given
            one_of_many_appends_wins
            events_are_read_from_any_number
            a_reader_sees_whole_appends_without_gaps
            odd_and_large_payloads_survive
            appends_of_many_runs_do_not_mix
            a_run_is_held_by_one
            a_released_lease_is_fenced_off
            a_dropped_holder_can_release_by_one_poll
            a_lease_whose_future_was_dropped_is_released
            a_call_that_is_not_polled_holds_up_no_other
            one_of_many_claims_wins
            a_renewal_leaves_what_is_held
            runs_that_continue_by_themselves_and_no_process_holds_are_claimed
            no_more_is_given_than_was_asked_for
            runs_of_the_highest_priority_are_claimed_first
            of_one_priority_those_that_are_due_are_claimed_first_and_then_the_oldest
            a_run_of_high_priority_that_waits_holds_up_no_other
            of_many_claimers_each_is_given_others
            no_more_runs_with_a_label_are_held_than_its_limit
            runs_with_other_values_and_without_the_label_are_claimed_in_their_place
            output_is_numbered_on
            output_numbers_grow
            what_was_dropped_is_told_where_it_is_missing
            output_does_not_move_the_events
            a_window_has_the_output_that_its_filter_selects
            a_window_is_read_from_the_end_that_its_filter_names
            output_is_searched_without_the_case_of_ascii_letters
            output_is_searched_in_its_text_alone
            output_is_counted_whatever_the_window_has
            a_window_notes_where_the_parts_of_the_selection_end
            controls_are_delivered_once_and_in_order
            a_control_tells_who_sent_it
            controls_that_no_event_obeys_are_delivered_to_the_next_holder
            a_control_is_recorded_while_no_process_drives
            a_control_calls_the_watchers
            runs_are_listed_newest_first_in_pages
            pages_are_stable_while_runs_are_added
            a_list_is_filtered
            a_list_is_bounded_in_time
            a_list_tells_who_holds_a_run
            a_list_is_filtered_by_labels
            a_page_is_filled_with_runs_of_the_labels
            labels_are_compared_exactly
            a_label_is_not_mistaken_for_what_else_a_run_has
            a_list_is_filtered_by_what_runs_wait_for
            a_list_is_filtered_by_the_run_that_started_them
            a_list_is_filtered_by_a_text_in_ids_and_labels
            a_list_is_filtered_by_when_runs_ended
            runs_are_counted_as_they_are_listed
            what_ended_before_a_time_is_deleted
            the_oldest_are_deleted_first_and_no_more_than_asked
            what_is_held_is_not_deleted
            a_claim_of_a_notice_is_valid_until_its_time
            a_settled_notice_is_not_claimed_again
            a_late_settlement_leaves_the_next_claim
            notices_of_events_and_targets_are_apart
            a_run_is_deleted_with_its_notices
            one_of_many_claims_of_a_notice_wins
        ] }
    };
    ($do:ident $with:tt durable) => {
        $crate::__store_each! { $do $with [
            a_reopened_store_has_all
            what_was_acknowledged_survives_its_holder
            a_deleted_run_stays_deleted
            a_settled_notice_stays_settled_when_the_store_is_opened_again
        ] }
    };
    ($do:ident $with:tt processes) => {
        $crate::__store_each! { $do $with [
            a_run_is_held_by_one_process
            a_lease_is_good_in_its_process_only
            what_a_process_stored_another_reads
            of_many_processes_one_wins_each_claim
            of_many_processes_each_is_given_others
            of_many_processes_none_exceeds_the_limit_of_a_label
            a_control_reaches_the_holder_in_another_process
            of_many_processes_one_claims_a_notice
        ] }
    };
    ($do:ident $with:tt leases) => {
        $crate::__store_each! { $do $with [
            a_lease_is_good_for_its_time_and_not_longer
            a_lease_that_is_renewed_stays
            a_revived_holder_writes_nothing
            a_lease_tells_which_one_it_follows
            a_lease_tells_how_many_holders_died_before_they_stored_an_event
            who_renews_too_late_is_told
            who_renews_too_late_has_lost_all_its_runs
            a_renewal_is_for_all_runs_of_its_holder_alone
            a_holder_that_held_nothing_for_long_is_as_good_as_new
            what_ran_out_is_given_to_the_next_who_asks
            what_ran_out_can_be_deleted
            what_ran_out_leaves_room_within_a_limit
        ] }
    };
    ($do:ident $with:tt hints) => {
        $crate::__store_each! { $do $with [
            a_run_that_can_be_claimed_calls_the_watchers
        ] }
    };
    ($do:ident $with:tt damage) => {
        $crate::__store_each! { $do $with [
            a_damaged_event_is_refused_and_told
            an_event_of_a_newer_version_is_refused_and_named
            a_damaged_run_hides_no_other_with_its_labels
        ] }
    };
    ($do:ident $with:tt slots) => {
        $crate::__store_each! { $do $with [
            of_the_runs_with_a_key_one_has_the_slot
            who_waits_for_a_slot_gets_it_in_the_order_of_creation
            a_run_that_does_not_wait_for_its_slot_is_not_created
            a_run_that_replaces_another_asks_it_to_cancel
            a_run_that_waits_for_its_slot_can_only_end
            a_deleted_run_frees_its_slot
            runs_of_other_keys_do_not_wait
            a_holder_that_is_gone_keeps_its_slot
            of_many_creators_one_gets_the_slot
        ] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_each {
    (test ($fixture:expr) [$($case:ident)*]) => {$(
        #[test]
        fn $case() {
            $crate::store::cases::$case(&$fixture);
        }
    )*};
    (list ($needs:expr) [$($case:ident)*]) => {
        [$(Case { name: stringify!($case), needs: $needs, run: super::cases::$case }),*]
    };
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(__store_cases!(list (None) every));
    cases.extend(__store_cases!(list (Some(Durable)) durable));
    cases.extend(__store_cases!(list (Some(Processes)) processes));
    cases.extend(__store_cases!(list (Some(Leases)) leases));
    cases.extend(__store_cases!(list (Some(Hints)) hints));
    cases.extend(__store_cases!(list (Some(Damage)) damage));
    cases.extend(__store_cases!(list (Some(Slots)) slots));
    cases
}
