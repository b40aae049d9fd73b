//! Which case finds which defect.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use workflow_testkit::store::{Case, cases};

use crate::fixture::Memory;

/// The defect of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    NewRunIsFree,
    OverwritesOnCreate,
    DeletesNothing,
    LeaseOutlivesARun,
    DeletesForItselfAlone,
    BundleGoesWithARun,
    FindsWhatIsNotThere,
    NoConflictCheck,
    NoNumberCheck,
    NotAtomic,
    HeadFollowsEveryAppend,
    ReadsOneTooMany,
    ReadsWithAGap,
    CutsLargePayloads,
    MixesRuns,
    ClaimsWhatIsHeld,
    NoEpochCheck,
    LeaseIsGoodAnywhere,
    ReleasesLate,
    KeepsLeasesOfDroppedFutures,
    LocksAcrossAnAwait,
    BlocksItsThread,
    RenewalReleases,
    GivesPausedRuns,
    GivesEndedRuns,
    GivesMoreThanAsked,
    GivesOneRunToTwo,
    IgnoresPriorities,
    GivesTheNewestFirst,
    TakesTheFirstThatWait,
    IgnoresLimits,
    LimitsEachClaimAlone,
    LimitsWholeClaims,
    CountsTheDead,
    ReadsTooMuchOutput,
    DropsLateOutputSilently,
    HidesWhatWasDropped,
    OutputIsAnEvent,
    WindowsIgnoreThePlace,
    WindowsAreOfTheWrongEnd,
    WindowsAreCutBeforeTheyAreFiltered,
    SearchesWithCase,
    SearchesTheStoredForm,
    FoldsTheCaseOfAllLetters,
    CountsTheWindow,
    NotesNoParts,
    DeliversControlsTwice,
    ForgetsControlsNotObeyed,
    RefusesControlsOfIdleRuns,
    ForgetsWhoSentAControl,
    CallsNoWatcher,
    CallsItsOwnWatchersOnly,
    ListsTheOldestFirst,
    PagesByPosition,
    IgnoresStatuses,
    IncludesTheUpperBound,
    HidesHolders,
    IgnoresLabels,
    WantsOneLabelOnly,
    CutsThePageBeforeTheLabels,
    TakesLabelsForPatterns,
    LooksForLabelsAnywhere,
    StopsListingAtDamage,
    CountsThePage,
    CountsEveryRun,
    IgnoresWaits,
    IgnoresParents,
    LooksForTextAnywhere,
    FoldsTheCaseOfAllLettersOfRuns,
    IncludesTheUpperBoundOfEnds,
    PrunesWhatHasJustEnded,
    PrunesMoreThanAsked,
    PrunesTheNewestFirst,
    PrunesWhatIsHeld,
    NoticesAreClaimedByAll,
    ClaimsOfNoticesNeverEnd,
    CountsNoTries,
    SettledNoticesAreTriedAgain,
    SettlesTheClaimOfAnother,
    SettlesWhatWasNotClaimed,
    MixesTargets,
    MixesEvents,
    NoticesOutliveTheirRun,
    NoticesOfOneProcess,
    LosesOutputOnReopen,
    LosesTheLastAppend,
    ReadsWhatItReadBefore,
    NeverExpires,
    ExpiresEarly,
    RenewsNothing,
    FencesOnlyAfterTakeover,
    HidesFormerLeases,
    HidesDeaths,
    RenewsWhatRanOut,
    RenewsEverybody,
    RenewsOneRun,
    BeatsSinceItWasOpened,
    SkipsDamage,
    HidesWhatItDoesNotKnow,
    IgnoresSlots,
    GivesRunsThatWait,
    EveryRunQueues,
    GivesTheSlotToAnother,
    ComparesKeysWithoutCase,
}

/// The cases that a store with that defect fails. It may fail others too.
const FOUND: &[(Defect, &[&str])] = &[
    (Defect::NewRunIsFree, &["a_new_run_is_claimed_and_readable", "a_run_is_held_by_one"]),
    (Defect::OverwritesOnCreate, &["a_run_is_created_once", "one_of_many_creators_wins"]),
    (Defect::DeletesNothing, &["a_deleted_run_is_gone", "a_deleted_run_stays_deleted"]),
    (Defect::LeaseOutlivesARun, &["a_deleted_run_is_gone", "what_ran_out_can_be_deleted"]),
    (
        Defect::DeletesForItselfAlone,
        &[
            "a_deleted_run_stays_deleted",
            "what_a_process_stored_another_reads",
            "a_deleted_run_frees_its_slot",
        ],
    ),
    (Defect::BundleGoesWithARun, &["a_bundle_is_shared_by_its_runs"]),
    (Defect::FindsWhatIsNotThere, &["what_is_not_there_is_not_found"]),
    (Defect::NoConflictCheck, &["events_continue_from_the_expected_number", "one_of_many_appends_wins"]),
    (Defect::NoNumberCheck, &["misnumbered_events_are_refused"]),
    (Defect::NotAtomic, &["a_refused_append_leaves_nothing_behind"]),
    (Defect::HeadFollowsEveryAppend, &["the_head_changes_only_when_given"]),
    (Defect::ReadsOneTooMany, &["events_are_read_from_any_number"]),
    (Defect::ReadsWithAGap, &["events_are_read_from_any_number", "a_reader_sees_whole_appends_without_gaps"]),
    (Defect::CutsLargePayloads, &["odd_and_large_payloads_survive"]),
    (Defect::MixesRuns, &["appends_of_many_runs_do_not_mix"]),
    (
        Defect::ClaimsWhatIsHeld,
        &[
            "a_run_is_held_by_one",
            "one_of_many_claims_wins",
            "a_run_is_held_by_one_process",
            "of_many_processes_one_wins_each_claim",
        ],
    ),
    (
        Defect::NoEpochCheck,
        &[
            "a_released_lease_is_fenced_off",
            "a_revived_holder_writes_nothing",
            "a_lease_is_good_in_its_process_only",
        ],
    ),
    (Defect::LeaseIsGoodAnywhere, &["a_lease_is_good_in_its_process_only"]),
    (Defect::ReleasesLate, &["a_dropped_holder_can_release_by_one_poll"]),
    (Defect::KeepsLeasesOfDroppedFutures, &["a_lease_whose_future_was_dropped_is_released"]),
    (Defect::LocksAcrossAnAwait, &["a_call_that_is_not_polled_holds_up_no_other"]),
    (Defect::BlocksItsThread, &["a_call_that_is_not_polled_holds_up_no_other"]),
    (Defect::RenewalReleases, &["a_renewal_leaves_what_is_held", "a_lease_that_is_renewed_stays"]),
    (
        Defect::GivesPausedRuns,
        &[
            "runs_that_continue_by_themselves_and_no_process_holds_are_claimed",
            "what_ran_out_is_given_to_the_next_who_asks",
        ],
    ),
    (Defect::GivesEndedRuns, &["runs_that_continue_by_themselves_and_no_process_holds_are_claimed"]),
    (
        Defect::GivesMoreThanAsked,
        &["no_more_is_given_than_was_asked_for", "of_many_claimers_each_is_given_others"],
    ),
    (
        Defect::GivesOneRunToTwo,
        &[
            "of_many_claimers_each_is_given_others",
            "of_many_processes_each_is_given_others",
            "runs_that_continue_by_themselves_and_no_process_holds_are_claimed",
        ],
    ),
    (Defect::IgnoresPriorities, &["runs_of_the_highest_priority_are_claimed_first"]),
    (
        Defect::GivesTheNewestFirst,
        &[
            "runs_of_the_highest_priority_are_claimed_first",
            "of_one_priority_those_that_are_due_are_claimed_first_and_then_the_oldest",
        ],
    ),
    (Defect::TakesTheFirstThatWait, &["a_run_of_high_priority_that_waits_holds_up_no_other"]),
    (
        Defect::IgnoresLimits,
        &[
            "no_more_runs_with_a_label_are_held_than_its_limit",
            "of_many_processes_none_exceeds_the_limit_of_a_label",
        ],
    ),
    (
        Defect::LimitsEachClaimAlone,
        &[
            "no_more_runs_with_a_label_are_held_than_its_limit",
            "of_many_processes_none_exceeds_the_limit_of_a_label",
        ],
    ),
    (Defect::LimitsWholeClaims, &["runs_with_other_values_and_without_the_label_are_claimed_in_their_place"]),
    (Defect::CountsTheDead, &["what_ran_out_leaves_room_within_a_limit"]),
    (Defect::ReadsTooMuchOutput, &["output_is_numbered_on"]),
    (Defect::DropsLateOutputSilently, &["output_numbers_grow"]),
    (Defect::HidesWhatWasDropped, &["what_was_dropped_is_told_where_it_is_missing"]),
    (Defect::OutputIsAnEvent, &["output_does_not_move_the_events"]),
    (Defect::WindowsIgnoreThePlace, &["a_window_has_the_output_that_its_filter_selects"]),
    (Defect::WindowsAreOfTheWrongEnd, &["a_window_is_read_from_the_end_that_its_filter_names"]),
    (Defect::WindowsAreCutBeforeTheyAreFiltered, &["a_window_has_the_output_that_its_filter_selects"]),
    (Defect::SearchesWithCase, &["output_is_searched_without_the_case_of_ascii_letters"]),
    (Defect::SearchesTheStoredForm, &["output_is_searched_in_its_text_alone"]),
    (Defect::FoldsTheCaseOfAllLetters, &["output_is_searched_without_the_case_of_ascii_letters"]),
    (Defect::CountsTheWindow, &["output_is_counted_whatever_the_window_has"]),
    (Defect::NotesNoParts, &["a_window_notes_where_the_parts_of_the_selection_end"]),
    (
        Defect::DeliversControlsTwice,
        &["controls_are_delivered_once_and_in_order", "a_control_reaches_the_holder_in_another_process"],
    ),
    (Defect::ForgetsControlsNotObeyed, &["controls_that_no_event_obeys_are_delivered_to_the_next_holder"]),
    (Defect::ForgetsWhoSentAControl, &["a_control_tells_who_sent_it"]),
    (Defect::RefusesControlsOfIdleRuns, &["a_control_is_recorded_while_no_process_drives"]),
    (
        Defect::CallsNoWatcher,
        &["a_control_calls_the_watchers", "a_run_that_can_be_claimed_calls_the_watchers"],
    ),
    (Defect::CallsItsOwnWatchersOnly, &["a_control_reaches_the_holder_in_another_process"]),
    (Defect::ListsTheOldestFirst, &["runs_are_listed_newest_first_in_pages"]),
    (Defect::PagesByPosition, &["pages_are_stable_while_runs_are_added"]),
    (Defect::IgnoresStatuses, &["a_list_is_filtered"]),
    (Defect::IncludesTheUpperBound, &["a_list_is_bounded_in_time"]),
    (Defect::HidesHolders, &["a_list_tells_who_holds_a_run"]),
    (Defect::IgnoresLabels, &["a_list_is_filtered_by_labels", "labels_are_compared_exactly"]),
    (Defect::WantsOneLabelOnly, &["a_list_is_filtered_by_labels"]),
    (Defect::CutsThePageBeforeTheLabels, &["a_page_is_filled_with_runs_of_the_labels"]),
    (Defect::TakesLabelsForPatterns, &["labels_are_compared_exactly"]),
    (Defect::LooksForLabelsAnywhere, &["a_label_is_not_mistaken_for_what_else_a_run_has"]),
    (Defect::StopsListingAtDamage, &["a_damaged_run_hides_no_other_with_its_labels"]),
    (Defect::CountsThePage, &["runs_are_counted_as_they_are_listed"]),
    (Defect::CountsEveryRun, &["runs_are_counted_as_they_are_listed"]),
    (Defect::IgnoresWaits, &["a_list_is_filtered_by_what_runs_wait_for"]),
    (Defect::IgnoresParents, &["a_list_is_filtered_by_the_run_that_started_them"]),
    (Defect::LooksForTextAnywhere, &["a_list_is_filtered_by_a_text_in_ids_and_labels"]),
    (Defect::FoldsTheCaseOfAllLettersOfRuns, &["a_list_is_filtered_by_a_text_in_ids_and_labels"]),
    (Defect::IncludesTheUpperBoundOfEnds, &["a_list_is_filtered_by_when_runs_ended"]),
    (Defect::PrunesWhatHasJustEnded, &["what_ended_before_a_time_is_deleted"]),
    (Defect::PrunesMoreThanAsked, &["the_oldest_are_deleted_first_and_no_more_than_asked"]),
    (Defect::PrunesTheNewestFirst, &["the_oldest_are_deleted_first_and_no_more_than_asked"]),
    (Defect::PrunesWhatIsHeld, &["what_is_held_is_not_deleted", "what_ran_out_can_be_deleted"]),
    (
        Defect::NoticesAreClaimedByAll,
        &["one_of_many_claims_of_a_notice_wins", "of_many_processes_one_claims_a_notice"],
    ),
    (Defect::ClaimsOfNoticesNeverEnd, &["a_claim_of_a_notice_is_valid_until_its_time"]),
    (Defect::CountsNoTries, &["a_claim_of_a_notice_is_valid_until_its_time"]),
    (Defect::SettledNoticesAreTriedAgain, &["a_settled_notice_is_not_claimed_again"]),
    (Defect::SettlesTheClaimOfAnother, &["a_late_settlement_leaves_the_next_claim"]),
    (Defect::SettlesWhatWasNotClaimed, &["a_run_is_deleted_with_its_notices"]),
    (Defect::MixesTargets, &["notices_of_events_and_targets_are_apart"]),
    (Defect::MixesEvents, &["notices_of_events_and_targets_are_apart"]),
    (Defect::NoticesOutliveTheirRun, &["a_run_is_deleted_with_its_notices"]),
    (
        Defect::NoticesOfOneProcess,
        &[
            "of_many_processes_one_claims_a_notice",
            "a_settled_notice_stays_settled_when_the_store_is_opened_again",
        ],
    ),
    (Defect::LosesOutputOnReopen, &["a_reopened_store_has_all"]),
    (Defect::LosesTheLastAppend, &["what_was_acknowledged_survives_its_holder"]),
    (Defect::ReadsWhatItReadBefore, &["what_a_process_stored_another_reads"]),
    (
        Defect::NeverExpires,
        &[
            "a_lease_is_good_for_its_time_and_not_longer",
            "a_lease_that_is_renewed_stays",
            "what_ran_out_is_given_to_the_next_who_asks",
            "what_ran_out_can_be_deleted",
        ],
    ),
    (Defect::ExpiresEarly, &["a_lease_is_good_for_its_time_and_not_longer"]),
    (Defect::RenewsNothing, &["a_lease_that_is_renewed_stays"]),
    (Defect::FencesOnlyAfterTakeover, &["a_revived_holder_writes_nothing", "who_renews_too_late_is_told"]),
    (Defect::HidesFormerLeases, &["a_lease_tells_which_one_it_follows"]),
    (Defect::HidesDeaths, &["a_lease_tells_how_many_holders_died_before_they_stored_an_event"]),
    (Defect::RenewsWhatRanOut, &["who_renews_too_late_is_told", "who_renews_too_late_has_lost_all_its_runs"]),
    (Defect::RenewsEverybody, &["a_renewal_is_for_all_runs_of_its_holder_alone"]),
    (Defect::RenewsOneRun, &["a_renewal_is_for_all_runs_of_its_holder_alone"]),
    (Defect::BeatsSinceItWasOpened, &["a_holder_that_held_nothing_for_long_is_as_good_as_new"]),
    (Defect::SkipsDamage, &["a_damaged_event_is_refused_and_told"]),
    (Defect::HidesWhatItDoesNotKnow, &["an_event_of_a_newer_version_is_refused_and_named"]),
    (
        Defect::IgnoresSlots,
        &[
            "of_the_runs_with_a_key_one_has_the_slot",
            "a_run_that_waits_for_its_slot_can_only_end",
            "of_many_creators_one_gets_the_slot",
        ],
    ),
    (Defect::GivesRunsThatWait, &["of_the_runs_with_a_key_one_has_the_slot"]),
    (
        Defect::EveryRunQueues,
        &[
            "a_run_that_does_not_wait_for_its_slot_is_not_created",
            "a_run_that_replaces_another_asks_it_to_cancel",
        ],
    ),
    (
        Defect::GivesTheSlotToAnother,
        &["who_waits_for_a_slot_gets_it_in_the_order_of_creation", "a_holder_that_is_gone_keeps_its_slot"],
    ),
    (Defect::ComparesKeysWithoutCase, &["runs_of_other_keys_do_not_wait"]),
];

fn passes(case: &Case, defect: Defect) -> bool {
    catch_unwind(AssertUnwindSafe(|| (case.run)(&Memory::with(defect)))).is_ok()
}

#[test]
fn every_defect_is_found_by_the_cases_that_are_about_it() {
    workflow_testkit::set_patience(Duration::from_millis(300));
    let cases = cases();
    let mut missed = Vec::new();
    for (defect, names) in FOUND {
        for name in *names {
            let case =
                cases.iter().find(|case| case.name == *name).unwrap_or_else(|| panic!("no case {name}"));
            if passes(case, *defect) {
                missed.push(format!("{defect:?} is not found by {name}"));
            }
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}

#[test]
fn every_case_finds_a_defect() {
    let found: HashSet<&str> = FOUND.iter().flat_map(|(_, cases)| *cases).copied().collect();
    let idle: Vec<_> = cases().iter().map(|case| case.name).filter(|name| !found.contains(name)).collect();
    assert!(idle.is_empty(), "cases that find nothing: {idle:?}");
}
