/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of sink_store_write.c, sink_store_read.c, sink_store_later.c, sink_store_zone.c and sink_store_kill.c, listed in
 * sink_store.c. */
#ifndef TESTS_SINK_STORE_TESTS_H
#define TESTS_SINK_STORE_TESTS_H

#include "sink_store.h"

void test_a_new_store_stands_at_the_beginning(void **state);
void test_the_position_moves_with_the_rows(void **state);
void test_positions_use_all_64_bits(void **state);
void test_another_position_is_moved(void **state);
void test_rows_only_leave_the_position(void **state);
void test_nodes_are_numbered_and_stand_apart(void **state);
void test_another_lines_name_is_refused(void **state);
void test_a_renamed_line_adopts_what_it_wrote(void **state);
void test_rows_go_by_their_key(void **state);
void test_two_lines_share_a_database_by_prefix(void **state);
void test_an_unsure_commit_is_told_by_the_position(void **state);
void test_events_come_back_as_they_were(void **state);
void test_text_is_kept_byte_by_byte(void **state);
void test_keys_differ_by_any_byte(void **state);
void test_counts_and_sums_add(void **state);
void test_sums_saturate(void **state);
void test_least_and_greatest_ignore_null(void **state);
void test_first_stays_and_max_grows(void **state);
void test_the_last_set_counts(void **state);
void test_sketches_are_united_with_their_estimate(void **state);
void test_quantiles_are_united_beside_visitors(void **state);
void test_a_lost_batch_leaves_no_trace_in_sketches(void **state);
void test_position_forgets_sketches(void **state);
void test_a_refused_row_is_named_exactly(void **state);
void test_every_refused_row_is_named(void **state);
void test_a_table_of_refused_rows_is_given_up(void **state);
void test_a_row_that_is_there_is_refused(void **state);
void test_trims_take_what_lies_before(void **state);
void test_events_are_trimmed_by_time(void **state);
void test_a_missing_column_stops_with_words(void **state);
void test_a_table_of_before_gets_what_came_later(void **state);
void test_a_later_column_that_has_gone_stops(void **state);
void test_a_rollup_of_before_gets_its_order(void **state);
void test_a_reader_sees_one_moment(void **state);
void test_parameters_and_columns_of_every_type(void **state);
void test_long_values_are_read_whole(void **state);
void test_readers_refuse_and_say_why(void **state);
void test_other_tables_can_be_read(void **state);
/* sink_store_select.c: the columns' names and the rows that a SELECT gives, as "name,name|tTEXT,i1,r1.5,bBYTES,null|…". */
void select_is(struct shop *s, const char *sql, const char *wanted);
void test_a_slow_question_is_given_up(void **state);
void test_the_documented_sql_runs(void **state);
void test_an_empty_store_is_whole_from_the_beginning(void **state);
void test_a_later_rollup_begins_behind_the_latest_event(void **state);
void test_a_store_that_has_forgotten_is_not_empty(void **state);
void test_a_table_that_has_gone_stops(void **state);
void test_a_table_that_has_gone_can_be_begun_anew(void **state);
void test_a_memory_that_was_lost_stops(void **state);
void test_a_rollup_with_another_column_stops(void **state);
void test_a_changed_rollup_begins_beside_the_old_one(void **state);
void test_a_node_that_does_not_write_a_rollup_makes_it_short(void **state);
void test_a_newer_store_stops(void **state);
void test_retention_gives_a_grain_its_horizon(void **state);
void test_a_zone_moves_the_days_behind_what_is_stored(void **state);
void test_a_batch_of_the_zone_before_is_moved(void **state);
void test_nodes_that_differ_do_not_take_turns(void **state);
void test_the_default_zone_is_that_of_sites_without_one(void **state);
void test_a_rebuilt_rollup_has_days_of_the_new_zone(void **state);
void test_a_kill_between_any_two_steps(void **state);

#endif
