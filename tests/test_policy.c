/* SPDX-License-Identifier: MIT */
/*
 * What holtd decides, case by case, with pretended processes (tests/policy.h). The promises are holtd(8)'s; each
 * action is checked against the world at its moment, and the tests here say in which order things have to come. Random
 * trees and orders of events are in test_policy_random.c.
 */
#include "policy.h"

/* ---- 1. order */

TEST(nodes_start_one_after_the_other_when_ready)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b"), *c = process(t, "c");

	in_order(t);
	open_tree();
	start_tree();
	saw("+a ");
	is_ready(a);
	saw("+b ");
	is_ready(b);
	saw("+c ");
	ck_assert(!w.ready);
	is_ready(c);
	saw("READY ");
	close_tree();
}

TEST(nodes_without_order_start_at_once_and_stop_at_once)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	open_tree();
	start_tree();
	saw("+a +b ");
	is_ready(b);
	is_ready(a);
	saw("READY ");
	stop_tree();
	saw("-a -b ");
	ends_well(a);
	ends_well(b);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 0);
	close_tree();
}

TEST(stop_is_the_reverse_each_waiting_for_the_one_before)
{
	struct node *t = new_tree(), *a = process(t, "a"), *g = group(t, "g"), *b = process(g, "b"), *c = process(g, "c");

	in_order(t);
	in_order(g);
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	is_ready(c);
	saw("+a +g/b +g/c READY ");
	stop_tree();
	saw("-g/c ");
	fails(c); /* an exit after a stop was asked is never a failure */
	saw("-g/b ");
	ends_well(b);
	saw("-a ");
	ends_well(a);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 0);
	close_tree();
}

TEST(order_between_members_of_two_groups_holds_for_start_and_stop)
{
	struct node *t = new_tree(), *g = group(t, "g"), *h = group(t, "h"), *a = process(g, "a"), *b = process(h, "b");

	after(b, a);
	open_tree();
	start_tree();
	saw("+g/a ");
	is_ready(a);
	is_ready(b);
	saw("+h/b READY ");
	stop_tree();
	saw("-h/b ");
	ends_well(b);
	saw("-g/a ");
	ends_well(a);
	saw("END ");
	close_tree();
}

TEST(stop_parallel_asks_all_members_at_once)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	in_order(t);
	t->stop_parallel = true;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	stop_tree();
	saw("+a +b READY -a -b ");
	close_tree();
}

/* ---- Requires= */

TEST(one_that_requires_a_failed_one_is_stopped_and_waits)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b"), *c = process(t, "c");
	char line[200];
	struct holt__text text = HOLT__TEXT(line);

	a->restart = HOLT_RESTART_NEVER;
	a->ignore_failure = true;
	requires(b, a);
	after(c, b);
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	is_ready(c);
	saw("+a +b +c READY ");
	fails(a);
	saw("-b ");
	ends_well(b);
	saw("");
	unit_why(unit(b), &text);
	ck_assert_str_eq(line, "requires a, which is failed");
	ck_assert_str_eq(unit_state(unit(b)), "waiting");
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(a), w.now), 0);
	drain();
	is_ready(a);
	saw("+a +b ");
	close_tree();
}

TEST(a_restart_does_not_propagate_to_those_that_require_it)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	requires(b, a);
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	fails(a);
	passes(HOLT_SEC);
	saw("+a +b READY +a ");
	ck_assert(proc(b)->alive && !proc(b)->asked);
	close_tree();
}

TEST(stop_by_hand_stops_first_who_requires_it_and_a_start_brings_both_back)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	requires(b, a);
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	saw("+a +b READY ");
	ck_assert_int_eq(policy_unit_stop(&w.policy, unit(a), w.now), 0);
	drain();
	saw("-b ");
	ends_well(b);
	saw("-a ");
	ends_well(a);
	saw("");
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(b), w.now), 0); /* brings what it requires */
	drain();
	saw("+a ");
	is_ready(a);
	saw("+b ");
	close_tree();
}

/* ---- 2. ready */

TEST(a_oneshot_that_succeeded_counts_as_ready_and_the_rest_goes_on)
{
	struct node *t = new_tree(), *a = process(t, "migrate"), *b = process(t, "b");

	in_order(t);
	a->process->type = TYPE_ONESHOT;
	open_tree();
	start_tree();
	saw("+migrate ");
	ends_well(a);
	saw("+b ");
	is_ready(b);
	saw("READY ");
	close_tree();
}

TEST(ready_is_told_only_when_all_are_ready_at_the_same_moment)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	open_tree();
	start_tree();
	is_ready(a);
	fails(a);
	is_ready(b);
	saw("+a +b ");
	passes(HOLT_SEC);
	is_ready(a);
	saw("+a READY ");
	fails(a);
	passes(HOLT_SEC);
	is_ready(a);
	saw("+a "); /* told once */
	close_tree();
}

TEST(a_disabled_node_neither_starts_nor_holds_the_others_up)
{
	struct node *t = new_tree(), *a = process(t, "a"), *g = group(t, "g"), *b = process(g, "b"), *c = process(t, "c");

	in_order(t);
	g->enabled = false;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(c);
	saw("+a +c READY ");
	ck_assert_str_eq(unit_state(unit(b)), "disabled");
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(b), w.now), -EHOSTDOWN);
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(g), w.now), 0);
	drain();
	saw("+g/b ");
	close_tree();
}

TEST(an_ignored_failure_does_not_keep_the_tree_from_being_ready)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	a->ignore_failure = true;
	a->restart = HOLT_RESTART_NEVER;
	open_tree();
	start_tree();
	fails(a);
	is_ready(b);
	saw("+a +b READY ");
	close_tree();
}

TEST(a_group_that_is_not_ready_in_its_time_fails)
{
	struct node *t = new_tree(), *g = group(t, "g"), *a = process(g, "a");

	g->timeout_start = HOLT_MIN;
	open_tree();
	start_tree();
	passes(HOLT_MIN - HOLT_MS);
	saw("+g/a ");
	passes(HOLT_MS);
	saw("-g/a ");
	ends_well(a);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 3);
	close_tree();
}

/* ---- 3. strategies */

TEST(one_for_one_restarts_only_the_one_that_died)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b"), *c = process(t, "c");

	in_order(t);
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	is_ready(c);
	saw("+a +b +c READY ");
	fails(b);
	saw("");
	ck_assert_str_eq(unit_state(unit(b)), "backoff");
	passes(100 * HOLT_MS);
	saw("+b ");
	close_tree();
}

static struct node *three(enum holt_strategy strategy)
{
	struct node *t = new_tree();

	process(t, "a");
	process(t, "b");
	process(t, "c");
	in_order(t);
	t->strategy = strategy;
	return t;
}

static void three_are_ready(void)
{
	open_tree();
	start_tree();
	for (size_t i = 1; i < 4; i++)
		if (proc(&w.nodes[i])->alive)
			is_ready(&w.nodes[i]);
	saw("+a +b +c READY ");
}

#define A (&w.nodes[1])
#define B (&w.nodes[2])
#define C (&w.nodes[3])

TEST(one_for_all_stops_the_others_in_reverse_and_starts_all_in_order)
{
	three(HOLT_ONE_FOR_ALL);
	three_are_ready();
	fails(B);
	saw("-c ");
	ends_well(C);
	saw("-a ");
	passes(HOLT_SEC); /* the back-off is over, but a still lives */
	saw("");
	ends_well(A);
	saw("+a ");
	is_ready(A);
	is_ready(B);
	saw("+b +c ");
	ck_assert_uint_eq(unit(B)->restarts, 1);
	ck_assert_uint_eq(unit(A)->restarts, 0);
	close_tree();
}

TEST(nobody_comes_back_before_all_who_go_are_down)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	t->strategy = HOLT_ONE_FOR_ALL;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	fails(b);
	passes(HOLT_MIN);
	saw("+a +b READY -a ");
	ends_well(a);
	saw("+a +b ");
	close_tree();
}

TEST(rest_for_one_restarts_those_that_were_started_after_it)
{
	three(HOLT_REST_FOR_ONE);
	three_are_ready();
	fails(B);
	saw("-c ");
	ends_well(C);
	saw("");
	passes(100 * HOLT_MS);
	saw("+b ");
	is_ready(B);
	saw("+c ");
	close_tree();
}

TEST(deaths_during_a_groups_restart_belong_to_it)
{
	struct node *t = three(HOLT_ONE_FOR_ALL);

	t->intensity = 1;
	three_are_ready();
	fails(B);
	fails(C);
	fails(A);
	passes(HOLT_SEC);
	is_ready(A);
	is_ready(B);
	is_ready(C);
	saw("-c -a +a +b +c ");
	ck_assert_uint_eq(holt__intensity_count(&unit(t)->group->intensity, w.now), 1);
	close_tree();
}

TEST(a_second_death_further_up_widens_the_restart)
{
	three(HOLT_REST_FOR_ONE);
	three_are_ready();
	fails(C);
	fails(A);
	saw("-b ");
	ends_well(B);
	passes(HOLT_SEC);
	saw("+a ");
	is_ready(A);
	is_ready(B);
	saw("+b +c ");
	close_tree();
}

TEST(one_that_is_never_restarted_is_set_aside_by_a_siblings_failure)
{
	struct node *t = three(HOLT_ONE_FOR_ALL);

	w.nodes[1].restart = HOLT_RESTART_NEVER;
	(void)t;
	three_are_ready();
	fails(B);
	ends_well(C);
	ends_well(A);
	passes(HOLT_SEC);
	is_ready(B);
	saw("-c -a +b +c ");
	ck_assert_uint_eq(proc(A)->starts, 1);
	close_tree();
}

TEST(one_that_had_ended_well_comes_up_again_with_its_group)
{
	three(HOLT_ONE_FOR_ALL);
	w.process[1].type = TYPE_ONESHOT;
	open_tree();
	start_tree();
	ends_well(A);
	is_ready(B);
	is_ready(C);
	fails(C);
	ends_well(B);
	passes(HOLT_SEC);
	saw("+a +b +c READY -b +a ");
	close_tree();
}

TEST(one_stopped_by_hand_stays_down_when_its_group_restarts)
{
	three(HOLT_ONE_FOR_ALL);
	three_are_ready();
	policy_unit_stop(&w.policy, unit(A), w.now);
	drain();
	ends_well(A);
	fails(C);
	ends_well(B);
	passes(HOLT_SEC);
	saw("-a -b +b ");
	close_tree();
}

TEST(more_restarts_than_the_intensity_fail_the_group_and_the_tree)
{
	struct node *t = new_tree(), *a = process(t, "a");

	t->intensity = 2;
	open_tree();
	start_tree();
	for (int i = 0; i < 2; i++) {
		fails(a);
		passes(HOLT_SEC);
	}
	saw("+a +a +a ");
	fails(a);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 3);
	close_tree();
}

TEST(restarts_outside_of_the_span_do_not_count)
{
	struct node *t = new_tree(), *a = process(t, "a");

	t->intensity = 1;
	open_tree();
	start_tree();
	for (int i = 0; i < 20; i++) {
		fails(a);
		passes(40 * HOLT_SEC);
	}
	ck_assert(!w.ended);
	ck_assert_uint_eq(proc(a)->starts, 21);
	close_tree();
}

TEST(a_failed_group_is_one_failed_child_and_runs_its_finally)
{
	struct node *t = new_tree(), *a = process(t, "a"), *g = group(t, "g"), *b = process(g, "b"), *c = process(g, "c");

	in_order(t);
	in_order(g);
	g->finally.n = 1;
	t->finally.n = 1;
	b->restart = HOLT_RESTART_NEVER;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	is_ready(c);
	saw("+a +g/b +g/c READY ");
	fails(b);
	saw("-g/c ");
	ends_well(c);
	saw("~g ");
	finally_ran(g); /* Restart=no of groups: it fails its parent at once */
	saw("-a ");
	ends_well(a);
	saw("~/ ");
	finally_ran(t);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 3);
	close_tree();
}

TEST(a_group_with_restart_on_failure_is_restarted_by_its_parent)
{
	struct node *t = new_tree(), *g = group(t, "g"), *a = process(g, "a");

	g->restart = HOLT_RESTART_ON_FAILURE;
	g->finally.n = 1;
	g->intensity = 0;
	open_tree();
	start_tree();
	is_ready(a);
	fails(a);
	saw("+g/a READY ~g ");
	ck_assert_str_eq(unit_state(unit(g)), "finally");
	finally_ran(g);
	ck_assert_str_eq(unit_state(unit(g)), "backoff");
	passes(HOLT_SEC);
	saw("+g/a ");
	is_ready(a);
	ck_assert_str_eq(unit_state(unit(g)), "ready");
	close_tree();
}

TEST(a_significant_node_that_ends_well_ends_its_group_well)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	b->significant = true;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	ends_well(b);
	saw("+a +b READY -a ");
	fails(a);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 0);
	close_tree();
}

TEST(when_every_node_has_ended_well_so_has_the_tree)
{
	struct node *t = new_tree(), *g = group(t, "g"), *a = process(g, "a"), *b = process(t, "b");

	open_tree();
	start_tree();
	ends_well(a);
	ck_assert(!w.ended);
	ends_well(b);
	saw("+g/a +b READY END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 0);
	close_tree();
}

TEST(restart_always_starts_again_one_that_ended_well)
{
	struct node *t = new_tree(), *a = process(t, "a");

	a->restart = HOLT_RESTART_ALWAYS;
	open_tree();
	start_tree();
	is_ready(a);
	ends_well(a);
	passes(HOLT_SEC);
	saw("+a READY +a ");
	close_tree();
}

TEST(what_cannot_be_executed_at_the_first_start_ends_the_tree_with_1)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	in_order(t);
	open_tree();
	start_tree();
	is_ready(a);
	ends(b, (struct ending){ .kind = ENDING_CANNOT_RUN, .failed = true, .value = ENOENT });
	saw("+a +b -a ");
	ends_well(a);
	saw("END ");
	ck_assert_int_eq(policy_exit_status(&w.policy), 1);
	close_tree();
}

TEST(what_cannot_be_executed_later_is_tried_again)
{
	struct node *t = new_tree(), *a = process(t, "a");

	open_tree();
	start_tree();
	is_ready(a);
	fails(a);
	passes(HOLT_SEC);
	ends(a, (struct ending){ .kind = ENDING_CANNOT_RUN, .failed = true, .value = ENOENT });
	passes(HOLT_SEC);
	saw("+a READY +a +a ");
	close_tree();
}

/* ---- 4. stop beats restart */

TEST(a_stop_ends_a_backoff_and_a_half_done_start)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b"), *c = process(t, "c");

	after(c, b);
	open_tree();
	start_tree();
	fails(a);
	saw("+a +b ");
	stop_tree();
	saw("-b "); /* c never was */
	ends_well(b);
	saw("END ");
	passes(HOLT_HOUR);
	saw("");
	(void)c;
	close_tree();
}

TEST(a_stop_in_the_middle_of_a_groups_restart_ends_it)
{
	struct node *t = three(HOLT_ONE_FOR_ALL);

	t->finally.n = 1;
	three_are_ready();
	fails(B);
	stop_tree();
	ends_well(C);
	ends_well(A);
	saw("-c -a ~/ ");
	passes(HOLT_HOUR);
	finally_ran(t);
	saw("END ");
	close_tree();
}

TEST(a_stop_before_the_start_is_the_end)
{
	new_tree();
	process(&w.nodes[0], "a");
	open_tree();
	stop_tree();
	start_tree();
	saw("END ");
	close_tree();
}

/* ---- 6. finally */

TEST(finally_runs_only_where_its_group_was_started)
{
	struct node *t = new_tree(), *g = group(t, "g"), *h = group(t, "h"), *a = process(g, "a");

	process(h, "b");
	in_order(t);
	g->finally.n = h->finally.n = 2;
	open_tree();
	start_tree();
	stop_tree();
	ends_well(a);
	saw("+g/a -g/a ~g ");
	finally_ran(g);
	saw("END ");
	close_tree();
}

/* ---- 7. budgets */

TEST(a_member_has_no_more_time_than_its_group_has_left)
{
	struct node *t = new_tree(), *g = group(t, "g"), *a = process(g, "a"), *b = process(g, "b");

	in_order(g);
	g->timeout_stop = 15 * HOLT_SEC;
	g->finally.n = 1;
	g->finally_timeout = 3 * HOLT_SEC;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	stop_tree();
	ck_assert_uint_eq(unit(b)->deadline - w.now, 10 * HOLT_SEC);
	passes(10 * HOLT_SEC);
	ends_well(b);
	ck_assert_uint_eq(unit(a)->deadline - w.now, 2 * HOLT_SEC);
	ck_assert_uint_eq(budget_worst(g), 17 * HOLT_SEC); /* 12 for the members, 2 for a kill, 3 for finally */
	close_tree();
}

TEST(the_worst_case_is_the_longest_chain)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b"), *c = process(t, "c");

	after(c, a);
	a->timeout_stop = 5 * HOLT_SEC;
	b->timeout_stop = 9 * HOLT_SEC;
	c->timeout_stop = 7 * HOLT_SEC;
	open_tree();
	ck_assert_uint_eq(budget_worst(t), 12 * HOLT_SEC);
	a->process->send_sigkill = c->process->send_sigkill = true;
	ck_assert_uint_eq(budget_worst(t), 12 * HOLT_SEC + 2 * KILL_WAIT);
	t->stop_parallel = true;
	ck_assert_uint_eq(budget_worst(t), 9 * HOLT_SEC);
	t->stop_parallel = false;
	t->stop_budget = 4 * HOLT_SEC;
	ck_assert_uint_eq(budget_worst(t), 4 * HOLT_SEC + KILL_WAIT);
	close_tree();
}

/* ---- 8. in a hurry */

TEST(in_a_hurry_all_are_asked_at_once_and_then_killed)
{
	struct node *t = three(HOLT_ONE_FOR_ONE);

	t->finally.n = 1;
	three_are_ready();
	stop_tree();
	saw("-c ");
	policy_hurry(&w.policy, w.now);
	drain();
	saw("-a -b ");
	ck_assert_uint_eq(unit(C)->deadline - w.now, 2 * HOLT_SEC); /* although finally would need 10 s */
	ck_assert_uint_eq(unit(A)->deadline - w.now, 2 * HOLT_SEC);
	ck_assert_uint_eq(proc(C)->stops, 2);
	policy_hurry(&w.policy, w.now);
	drain();
	ck_assert_uint_eq(proc(A)->kills + proc(B)->kills + proc(C)->kills, 3);
	ends_well(A);
	ends_well(B);
	ends_well(C);
	saw("~/ ");
	finally_ran(t);
	saw("END ");
	close_tree();
}

/* ---- by hand */

TEST(a_restart_by_hand_does_not_count)
{
	struct node *t = new_tree(), *a = process(t, "a");

	t->intensity = 0;
	open_tree();
	start_tree();
	is_ready(a);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(policy_unit_restart(&w.policy, unit(a), w.now), 0);
		drain();
		fails(a);
		is_ready(a);
	}
	ck_assert(!w.ended);
	ck_assert_uint_eq(proc(a)->starts, 11);
	close_tree();
}

TEST(a_group_restarted_by_hand_runs_its_finally_and_comes_back)
{
	struct node *t = new_tree(), *g = group(t, "g"), *a = process(g, "a"), *b = process(t, "b");

	g->finally.n = 1;
	open_tree();
	start_tree();
	is_ready(a);
	is_ready(b);
	policy_unit_restart(&w.policy, unit(g), w.now);
	drain();
	ends_well(a);
	finally_ran(g);
	saw("+g/a +b READY -g/a ~g +g/a ");
	close_tree();
}

TEST(a_start_by_hand_ends_a_backoff)
{
	struct node *t = new_tree(), *a = process(t, "a");

	a->restart_min = HOLT_HOUR;
	a->restart_max = HOLT_HOUR;
	open_tree();
	start_tree();
	fails(a);
	saw("+a ");
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(a), w.now), 0);
	drain();
	saw("+a ");
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(a), w.now), -EALREADY);
	close_tree();
}

TEST(a_stopped_node_holds_its_tree_open)
{
	struct node *t = new_tree(), *a = process(t, "a"), *b = process(t, "b");

	open_tree();
	start_tree();
	is_ready(a);
	policy_unit_stop(&w.policy, unit(a), w.now);
	drain();
	ends_well(a);
	ends_well(b);
	ck_assert(!w.ended);
	policy_unit_start(&w.policy, unit(a), w.now);
	drain();
	ends_well(a);
	ck_assert(w.ended);
	close_tree();
}

TEST(by_hand_nothing_goes_while_the_tree_stops)
{
	struct node *t = new_tree(), *a = process(t, "a");

	open_tree();
	start_tree();
	stop_tree();
	ck_assert_int_eq(policy_unit_start(&w.policy, unit(a), w.now), -ESHUTDOWN);
	ck_assert_int_eq(policy_unit_stop(&w.policy, unit(a), w.now), -ESHUTDOWN);
	ck_assert_int_eq(policy_unit_restart(&w.policy, unit(a), w.now), -ESHUTDOWN);
	close_tree();
}

TEST(each_allocation_of_a_policy_may_fail)
{
	for (uint64_t n = 1;; n++) {
		struct node *t = three(HOLT_ONE_FOR_ALL);

		(void)t;
		open_tree();
		policy_close(&w.policy);
		harness_fail_alloc(n);
		int r = policy_open(&w.policy, &w.config, &w.wheel, 1);
		bool failed = harness_alloc_failed();

		harness_fail_alloc(0);
		close_tree();
		if (!failed) {
			ck_assert_int_eq(r, 0);
			break;
		}
		ck_assert_int_eq(r, -ENOMEM);
	}
}
