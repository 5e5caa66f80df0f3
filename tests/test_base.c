/* SPDX-License-Identifier: MIT */
/*
 * The lowest floor: timers, text, options, arithmetic of time. No loop runs here.
 *
 * The wheel is compared with what it replaces: a list that is searched. Both get the same random starts, stops and runs,
 * from several beginnings of time, and their timers start and stop each other while they fire.
 */
#include "harness.h"

#include "base/options.h"
#include "base/text.h"
#include "base/wheel.h"

/* ---- random numbers, the same in each run */

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned below(unsigned n)
{
	return (unsigned)((random64() >> 20) % n);
}

/* ---- the wheel and its model */

enum { TIMERS = 220, STEPS = 4000, SEEDS = 24 };

struct entry {
	struct holt__timer timer;
	uint64_t serial; /* of its start: of equal times the older comes first */
	bool started, due;
	holt_time at;
};

static struct holt__wheel wheel;
static struct entry entries[TIMERS];
static uint64_t serial, fired;
static holt_time now;

static struct entry *first_of(bool due_only)
{
	struct entry *first = NULL;

	for (struct entry *e = entries; e < entries + TIMERS; e++) {
		if (!e->started || (due_only && !e->due))
			continue;
		if (!first || e->at < first->at || (e->at == first->at && e->serial < first->serial))
			first = e;
	}
	return first;
}

static holt_time some_time(void)
{
	holt_time span = random64() >> below(64);

	switch (below(8)) {
	case 0:
		return now > span ? now - span : 0;
	case 1:
		return now;
	case 2:
		return holt__time_add(now, below(130));
	case 3:
		return entries[below(TIMERS)].at;
	case 4:
		return HOLT_NEVER - below(3);
	case 5:
		return holt__time_add(now, 1ULL << below(64));
	default:
		return holt__time_add(now, span);
	}
}

static void start_one(struct entry *e)
{
	if (e->started)
		return;
	e->at = some_time();
	e->serial = ++serial;
	e->started = e->at != HOLT_NEVER;
	e->due = false;
	holt__timer_start(&wheel, &e->timer, e->at);
	ck_assert_int_eq(holt__timer_started(&e->timer), e->started);
}

static void stop_one(struct entry *e)
{
	e->started = e->due = false;
	holt__timer_stop(&e->timer);
	ck_assert(!holt__timer_started(&e->timer));
}

static void look_at_next(void)
{
	struct entry *first = first_of(false);
	holt_time next = holt__wheel_next(&wheel), exact = first ? first->at > wheel.base ? first->at : wheel.base : HOLT_NEVER;

	ck_assert_msg(next <= exact, "the next is at %llu, but the wheel says %llu", (unsigned long long)exact,
		(unsigned long long)next);
	ck_assert_uint_ge(next, wheel.base);
}

static void on_fire(struct holt__timer *timer)
{
	struct entry *e = holt__container(timer, struct entry, timer);

	ck_assert_ptr_eq(e, first_of(true));
	ck_assert(!holt__timer_started(timer));
	e->started = e->due = false;
	fired++;
	for (unsigned n = below(4); n > 0; n--)
		stop_one(&entries[below(TIMERS)]);
	for (unsigned n = below(4); n > 0; n--)
		start_one(&entries[below(TIMERS)]); /* one that is due already waits for the next run */
	look_at_next();
}

static void run_until(holt_time until)
{
	now = until;
	for (struct entry *e = entries; e < entries + TIMERS; e++)
		e->due = e->started && e->at <= now;
	holt__wheel_run(&wheel, now);
	ck_assert_msg(!first_of(true), "the timer of %llu has not fired at %llu", (unsigned long long)first_of(true)->at,
		(unsigned long long)now);
	ck_assert_uint_eq(wheel.base, now);
}

static holt_time some_later_time(void)
{
	holt_time next = holt__wheel_next(&wheel), span = random64() >> (20 + below(44));

	switch (below(4)) {
	case 0:
		return now;
	case 1:
		return next == HOLT_NEVER ? now : next;
	case 2:
		return next == HOLT_NEVER || next == now ? now : next - 1;
	default:
		return holt__time_add(now, span) == HOLT_NEVER ? now : now + span;
	}
}

TEST_LOOP(wheel_fires_what_a_searched_list_would_and_in_its_order, 0, SEEDS)
{
	static const holt_time beginnings[] = { 0, HARNESS_EPOCH, (1ULL << 60) - 5000, (1ULL << 63) - 99,
		HOLT_NEVER - (1ULL << 40), 63 };

	random_state = 0x9e3779b97f4a7c15 + (uint64_t)_i;
	now = beginnings[(size_t)_i % HOLT__N(beginnings)];
	holt__wheel_init(&wheel, now);
	for (struct entry *e = entries; e < entries + TIMERS; e++)
		e->timer = (struct holt__timer){ .fire = on_fire };
	for (int step = 0; step < STEPS; step++) {
		switch (below(4)) {
		case 0:
		case 1:
			start_one(&entries[below(TIMERS)]);
			break;
		case 2:
			stop_one(&entries[below(TIMERS)]);
			break;
		default:
			run_until(some_later_time());
			break;
		}
		look_at_next();
	}
	ck_assert_uint_gt(fired, 500);
}

static struct holt__timer *fired_order[8];
static size_t n_fired;

static void note_fired(struct holt__timer *t)
{
	fired_order[n_fired++] = t;
}

TEST(equal_times_fire_in_the_order_of_their_start_however_far_away_they_were_started)
{
	struct holt__timer t[4] = { { .fire = note_fired }, { .fire = note_fired }, { .fire = note_fired },
		{ .fire = note_fired } };
	const holt_time at = 5 * HOLT_HOUR;

	holt__wheel_init(&wheel, 0);
	holt__timer_start(&wheel, &t[0], at);
	holt__wheel_run(&wheel, at - HOLT_MIN);
	holt__timer_start(&wheel, &t[1], at);
	holt__wheel_run(&wheel, at - 70);
	holt__timer_start(&wheel, &t[2], at);
	holt__wheel_run(&wheel, at - 1);
	holt__timer_start(&wheel, &t[3], at);
	ck_assert_uint_eq(n_fired, 0);
	holt__wheel_run(&wheel, at);
	ck_assert_uint_eq(n_fired, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_ptr_eq(fired_order[i], &t[i]);
}

TEST(timer_of_never_is_not_started_and_an_empty_wheel_has_no_next)
{
	struct holt__timer t = { .fire = note_fired };

	holt__wheel_init(&wheel, 7);
	ck_assert_uint_eq(holt__wheel_next(&wheel), HOLT_NEVER);
	holt__timer_start(&wheel, &t, HOLT_NEVER);
	ck_assert(!holt__timer_started(&t));
	holt__timer_stop(&t);
	holt__timer_start(&wheel, &t, HOLT_NEVER - 1);
	ck_assert_uint_eq(holt__wheel_next(&wheel), HOLT_NEVER - 1);
	holt__wheel_run(&wheel, HOLT_NEVER - 1);
	ck_assert_uint_eq(n_fired, 1);
	ck_assert_uint_eq(holt__wheel_next(&wheel), HOLT_NEVER);
}

TEST_LOOP(few_timers_have_an_exact_next_and_many_in_one_slot_an_early_one, 0, 2)
{
	static struct holt__timer t[300];
	const holt_time first = HOLT_HOUR;

	holt__wheel_init(&wheel, HOLT_SEC);
	for (size_t i = 0; i < HOLT__N(t); i++) {
		holt_time at = first + (_i ? i : HOLT__N(t) - i), earliest = _i ? first : at, next;

		t[i].fire = note_fired;
		holt__timer_start(&wheel, &t[i], at);
		next = holt__wheel_next(&wheel);
		ck_assert_uint_le(next, earliest);
		ck_assert_uint_ge(next, HOLT_SEC);
		if (i < 60)
			ck_assert_uint_eq(next, earliest);
	}
}

/* ---- time */

TEST(time_saturates_and_never_wraps)
{
	ck_assert_uint_eq(holt__time_add(5, 6), 11);
	ck_assert_uint_eq(holt__time_add(5, HOLT_NEVER), HOLT_NEVER);
	ck_assert_uint_eq(holt__time_add(HOLT_NEVER, 1), HOLT_NEVER);
	ck_assert_uint_eq(holt__time_add(HOLT_NEVER - 1, 1), HOLT_NEVER);
	ck_assert_uint_eq(holt__time_add(HOLT_NEVER - 2, 1), HOLT_NEVER - 1);
	ck_assert_uint_eq(holt__time_add(HOLT_NEVER, 0), HOLT_NEVER);
	ck_assert_uint_eq(holt_in(HOLT_NEVER), HOLT_NEVER);
	ck_assert_uint_eq(holt_in(HOLT_SEC), HARNESS_EPOCH + HOLT_SEC);
}

/* ---- text */

TEST(text_that_does_not_fit_is_left_out_and_stays_terminated)
{
	char guarded[16];
	struct holt__text t = { .buf = guarded, .size = 8 };

	memset(guarded, '!', sizeof guarded);
	holt__text_add(&t, "abc");
	ck_assert_str_eq(guarded, "abc");
	holt__text_add_n(&t, "defgh", 2);
	ck_assert_str_eq(guarded, "abcde");
	holt__text_add(&t, "fghijklmnop");
	ck_assert_str_eq(guarded, "abcdefg");
	holt__text_add(&t, "x");
	holt__text_pad(&t, '-', 40);
	holt__text_uint(&t, 12);
	holt__text_hex(&t, 12);
	ck_assert_str_eq(guarded, "abcdefg");
	ck_assert_uint_eq(t.len, 7);
	for (size_t i = 8; i < sizeof guarded; i++)
		ck_assert_int_eq(guarded[i], '!');
}

TEST(text_of_one_byte_is_empty)
{
	char byte = '!';
	struct holt__text t = { .buf = &byte, .size = 1 };

	holt__text_add(&t, "abc");
	ck_assert_int_eq(byte, 0);
	ck_assert_uint_eq(t.len, 0);
}

TEST(text_writes_every_number)
{
	char buf[256];
	struct holt__text t = HOLT__TEXT(buf);

	holt__text_uint(&t, 0);
	holt__text_pad(&t, ' ', 2);
	holt__text_uint(&t, UINT64_MAX);
	holt__text_pad(&t, ' ', 1);
	holt__text_int(&t, INT64_MIN);
	holt__text_pad(&t, ' ', 1);
	holt__text_int(&t, -1);
	holt__text_pad(&t, ' ', 1);
	holt__text_int(&t, INT64_MAX);
	holt__text_pad(&t, ' ', 1);
	holt__text_hex(&t, 0);
	holt__text_pad(&t, ' ', 1);
	holt__text_hex(&t, 0xdeadbeefcafe1234);
	ck_assert_str_eq(buf, "0  18446744073709551615 -9223372036854775808 -1 9223372036854775807 0x0 0xdeadbeefcafe1234");
}

TEST(span_is_told_in_the_largest_unit_that_fits_with_one_decimal_below_a_hundred)
{
	static const struct {
		holt_time span;
		const char *text;
	} table[] = {
		{ 0, "0ns" },
		{ 999, "999ns" },
		{ HOLT_US, "1us" },
		{ 1500, "1.5us" },
		{ 3 * HOLT_MS, "3ms" },
		{ 1234567, "1.2ms" },
		{ 1200 * HOLT_MS, "1.2s" },
		{ HOLT_SEC - 1, "999ms" },
		{ 59 * HOLT_SEC, "59s" },
		{ 90 * HOLT_SEC, "1.5min" },
		{ HOLT_HOUR, "1h" },
		{ 99 * HOLT_MS + 900 * HOLT_US, "99.9ms" },
		{ 100 * HOLT_MS + 900 * HOLT_US, "100ms" },
		{ HOLT_NEVER, "never" },
	};

	for (size_t i = 0; i < HOLT__N(table); i++) {
		char buf[64];
		struct holt__text t = HOLT__TEXT(buf);

		holt__text_span(&t, table[i].span);
		ck_assert_str_eq(buf, table[i].text);
	}
}

/* ---- options */

struct known {
	size_t size;
	int a, b;
};

struct later {
	struct known known;
	char more[24];
};

/* The caller's size is what counts: the compiler shall not know better. */
static const void *unknown(const void *options)
{
	__asm__("" : "+r"(options));
	return options;
}

TEST(options_that_are_not_given_are_zero)
{
	struct known o = { 1, 2, 3 };

	ck_assert_int_eq(holt__options(&o, sizeof o, NULL), 0);
	ck_assert_uint_eq(o.size, 0);
	ck_assert_int_eq(o.a, 0);
	ck_assert_int_eq(o.b, 0);
}

TEST(options_of_an_older_caller_leave_what_it_did_not_know_zero)
{
	struct known from = { offsetof(struct known, b), 5, 6 }, o = { 1, 2, 3 };

	ck_assert_int_eq(holt__options(&o, sizeof o, unknown(&from)), 0);
	ck_assert_int_eq(o.a, 5);
	ck_assert_int_eq(o.b, 0);
}

TEST(options_of_a_newer_caller_are_taken_only_if_their_unknown_part_is_zero)
{
	struct later from = { .known = { sizeof from, 5, 6 } };
	struct known o = { 1, 2, 3 };

	ck_assert_int_eq(holt__options(&o, sizeof o, unknown(&from)), 0);
	ck_assert_int_eq(o.b, 6);
	for (size_t i = 0; i < sizeof from.more; i++) {
		struct known untouched = { 1, 2, 3 };

		memset(from.more, 0, sizeof from.more);
		from.more[i] = 1;
		ck_assert_int_eq(holt__options(&untouched, sizeof untouched, unknown(&from)), -E2BIG);
		ck_assert_int_eq(untouched.a, 2);
	}
}

TEST(options_too_short_for_their_own_size_are_invalid)
{
	for (size_t size = 0; size < sizeof(size_t); size++) {
		struct known from = { size, 5, 6 }, o;

		ck_assert_int_eq(holt__options(&o, sizeof o, unknown(&from)), -EINVAL);
	}
}

/* ---- memory and small things */

TEST(strdup_copies_or_says_null)
{
	char *copy = holt__strdup("abc");

	ck_assert_str_eq(copy, "abc");
	holt__free(copy);
	ck_assert_ptr_null(holt__strdup(NULL));
	harness_fail_alloc(1);
	ck_assert_ptr_null(holt__strdup("abc"));
}

TEST(version_of_the_library_is_that_of_its_headers)
{
	char version[32];

	snprintf(version, sizeof version, "%d.%d", HOLT_VERSION_MAJOR, HOLT_VERSION_MINOR);
	ck_assert_str_eq(holt_version(), version);
}

TEST(take_hands_over_and_leaves_nothing)
{
	int x, *p = &x, fd = 5;

	ck_assert_ptr_eq(holt_take(p), &x);
	ck_assert_ptr_null(p);
	ck_assert_int_eq(holt_take_fd(fd), 5);
	ck_assert_int_eq(fd, -1);
}
