/* SPDX-License-Identifier: MIT */
/*
 * The life of one process (daemon/life.h): the ways that it takes, and that no order of events, however odd, leads to
 * a state from which it does not come down again.
 */
#include "harness.h"

#include "daemon/life.h"

static struct command commands[3];
static struct process_conf process;
static struct node conf;
static struct life life;
static char trace[512];

static void with(size_t pre, size_t start, size_t stop, size_t post)
{
	process = (struct process_conf){
		.start_pre = { commands, pre }, .stop = { commands, stop }, .stop_post = { commands, post }
	};
	conf = (struct node){ .kind = NODE_PROCESS, .start = { commands, start }, .process = &process };
	life = (struct life){ 0 };
	trace[0] = 0;
}

/* What the runner keeps, and what it then does. */
static void happens(enum life_event e)
{
	static const char *const words[] = { "", "command", "main", "ready", "signal", "abort", "kill", "clear", "ended" };
	enum life_step step;

	if (e == LIFE_MAIN_EXIT)
		life.main = false;
	if (e == LIFE_COMMAND_OK || e == LIFE_COMMAND_BAD)
		life.command = life.main = life.main && life.state != LIFE_START;
	life.command = false;
	step = life_event(&life, &conf, e);
	if (step == STEP_COMMAND)
		life.command = true;
	if (step == STEP_MAIN)
		life.main = true;
	if (step != STEP_NONE) {
		strcat(trace, words[step]);
		strcat(trace, " ");
	}
}

#define goes(...) \
	do { \
		static const enum life_event events[] = { __VA_ARGS__ }; \
		for (size_t i = 0; i < HOLT__N(events); i++) \
			happens(events[i]); \
	} while (0)

TEST(the_simple_life)
{
	with(0, 1, 0, 0);
	goes(LIFE_WANT_UP, LIFE_READY, LIFE_WANT_DOWN, LIFE_MAIN_EXIT, LIFE_CLEARED);
	ck_assert_str_eq(trace, "main ready signal clear ended ");
	ck_assert_int_eq(life.cause, ENDING_NONE);
}

TEST(commands_run_before_and_after)
{
	with(2, 1, 1, 2);
	goes(LIFE_WANT_UP, LIFE_COMMAND_OK, LIFE_COMMAND_OK, LIFE_READY);
	ck_assert_str_eq(trace, "command command main ready ");
	trace[0] = 0;
	goes(LIFE_WANT_DOWN, LIFE_COMMAND_OK, LIFE_MAIN_EXIT, LIFE_CLEARED, LIFE_COMMAND_BAD, LIFE_COMMAND_OK, LIFE_CLEARED);
	ck_assert_str_eq(trace, "command signal clear command command clear ended ");
}

TEST(a_main_process_that_ends_by_itself_still_gets_its_stop_commands)
{
	with(0, 1, 1, 1);
	goes(LIFE_WANT_UP, LIFE_READY, LIFE_MAIN_EXIT, LIFE_COMMAND_OK, LIFE_CLEARED, LIFE_COMMAND_OK, LIFE_CLEARED);
	ck_assert_str_eq(trace, "main ready command clear command clear ended ");
}

TEST(one_that_never_was_ready_gets_no_stop_command)
{
	with(0, 1, 1, 1);
	goes(LIFE_WANT_UP, LIFE_WANT_DOWN, LIFE_MAIN_EXIT, LIFE_CLEARED);
	ck_assert_str_eq(trace, "main signal clear command ");
}

TEST(a_failed_pre_command_ends_the_start)
{
	with(2, 1, 1, 0);
	goes(LIFE_WANT_UP, LIFE_COMMAND_BAD, LIFE_CLEARED);
	ck_assert_str_eq(trace, "command clear ended ");
	ck_assert_int_eq(life.cause, ENDING_START_COMMAND);
}

TEST(a_start_that_takes_too_long_is_ended_and_then_killed)
{
	with(0, 1, 0, 0);
	goes(LIFE_WANT_UP, LIFE_TIMEOUT, LIFE_TIMEOUT, LIFE_TIMEOUT, LIFE_TIMEOUT);
	ck_assert_str_eq(trace, "main signal kill clear ended ");
	ck_assert_int_eq(life.cause, ENDING_START_TIMEOUT);
}

TEST(a_missed_watchdog_aborts)
{
	with(0, 1, 1, 0);
	goes(LIFE_WANT_UP, LIFE_READY, LIFE_TIMEOUT, LIFE_MAIN_EXIT, LIFE_CLEARED);
	ck_assert_str_eq(trace, "main ready abort clear ended ");
	ck_assert_int_eq(life.cause, ENDING_WATCHDOG);
}

TEST(the_commands_of_a_oneshot_run_one_after_the_other)
{
	with(0, 3, 1, 0);
	goes(LIFE_WANT_UP, LIFE_COMMAND_OK, LIFE_COMMAND_OK, LIFE_COMMAND_OK, LIFE_COMMAND_OK, LIFE_CLEARED);
	ck_assert_str_eq(trace, "main main main command clear ended ");
}

TEST(a_stop_command_that_takes_too_long_costs_the_process_its_signal)
{
	with(0, 1, 1, 0);
	goes(LIFE_WANT_UP, LIFE_READY, LIFE_WANT_DOWN, LIFE_TIMEOUT);
	ck_assert_str_eq(trace, "main ready command kill ");
}

TEST(whatever_happens_it_comes_down)
{
	static const enum life_event down[] = { LIFE_WANT_DOWN, LIFE_TIMEOUT };
	uint64_t x = 88172645463325252;

	for (unsigned run = 0; run < 100000; run++) {
		with(run % 3, 1 + run % 2, run / 3 % 3, run / 9 % 3);
		for (unsigned i = 0; i < run % 40; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			happens((enum life_event)(x % LIFE_LIST_END));
			trace[0] = 0;
		}
		for (unsigned i = 0; life.state != LIFE_DOWN; i++) {
			ck_assert_msg(i < 100, "it stays in %s", life_name(life.state));
			happens(i == 0 ? down[0] : life.command ? LIFE_COMMAND_BAD : down[1]);
			trace[0] = 0;
		}
	}
}
