/* SPDX-License-Identifier: MIT */
/*
 * More of locks, queues and futures, swept, and selects at random: on queues, futures, tasks and events, with few and with many
 * cases, some of them under a deadline. No item is lost, nothing of a case that did not happen is written.
 */
#include "sweep.h"

static int is_expected(void *arg, int result)
{
	(void)arg;
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EINTR ? 0 : result;
}

static holt_queue *queue;

/* ---- rwlock: who comes first, and whom a canceled writer lets through */

static struct holt_rwlock rw, other;
static int order[4], n_order, readers;
static struct holt_event both;

static int reads(void *number)
{
	int r = holt_rwlock_read(&rw);

	if (r < 0)
		return r;
	order[n_order++] = give(number);
	r = holt_sleep(HOLT_MS);
	holt_rwlock_release(&rw);
	return r;
}

static int writes(void *number)
{
	int r = holt_rwlock_write(&rw);

	if (r < 0)
		return r;
	order[n_order++] = give(number);
	holt_rwlock_release(&rw);
	return 0;
}

static int reader_behind_a_writer(void *arg)
{
	holt_group *g = NULL;
	bool held = false;
	int r;

	(void)arg;
	memset(&rw, 0, sizeof rw);
	n_order = 0;
	r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r >= 0)
		r = holt_rwlock_read(&rw);
	held = r >= 0;
	if (r >= 0)
		r = holt_spawn(g, writes, NUMBER(1));
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0)
		r = holt_spawn(g, reads, NUMBER(2));
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (held)
		holt_rwlock_release(&rw);
	if (g)
		r = holt_group_close(g, r);
	EXPECT(n_order < 2 || order[0] == 1);
	return r;
}
SWEEP(reader_does_not_overtake_a_writer, .fn = reader_behind_a_writer, .check = is_expected)

/* Holds the lock until the second reader is in, too. */
static int reads_with_another(void *arg)
{
	int r = holt_rwlock_read(&rw);

	(void)arg;
	if (r < 0)
		return r;
	if (++readers == 2)
		holt_event_set(&both);
	r = holt_event_wait(&both);
	holt_rwlock_release(&rw);
	return r;
}

static int writer_leaves(void *arg)
{
	holt_group *g = NULL;
	holt_task *w = NULL;
	int r;

	(void)arg;
	memset(&rw, 0, sizeof rw);
	memset(&both, 0, sizeof both);
	readers = n_order = 0;
	r = holt_group_open(&g);
	if (r >= 0)
		r = holt_spawn(g, reads_with_another, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0)
		r = holt_spawn(g, writes, NUMBER(1), .task = &w);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0)
		r = holt_spawn(g, reads_with_another, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	holt_task_cancel(w, "test");
	holt_task_unref(w);
	return g ? holt_group_close(g, r) : r;
}
SWEEP(readers_behind_a_writer_that_was_canceled_get_in, .fn = writer_leaves, .check = is_expected,
	.what = HOLT_SWEEP_CANCEL | SWEEP_FAIL)

static int writes_one_and_reads_the_other(void *arg)
{
	struct holt_rwlock *mine = give(arg) ? &rw : &other, *theirs = give(arg) ? &other : &rw;
	int r = holt_rwlock_write(mine);

	if (r < 0)
		return r;
	r = holt_sleep(HOLT_MS);
	if (r == 0) {
		r = holt_rwlock_read(theirs);
		if (r == 0)
			holt_rwlock_release(theirs);
	}
	holt_rwlock_release(mine);
	return r == -EDEADLK ? 0 : r;
}

static int rwlock_circle(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	memset(&rw, 0, sizeof rw);
	memset(&other, 0, sizeof other);
	r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, writes_one_and_reads_the_other, NUMBER(i));
	return g ? holt_group_close(g, r) : r;
}
SWEEP(circle_of_two_writers_is_always_found, .fn = rwlock_circle, .check = is_expected)

/* ---- queues: shut down, stable, growing */

static int one = 1;

static int puts_one(void *arg)
{
	int r = holt_queue_put(queue, &one);

	(void)arg;
	return r == -EPIPE ? 0 : r;
}

static int selects_a_put(void *arg)
{
	struct holt_case c = { HOLT_CASE_PUT, queue, &one, 77 };
	int r = holt_select(&c, 1, true);

	(void)arg;
	EXPECT(r < 0 || c.result == -EPIPE); /* there is no room before it is shut down */
	return r;
}

static int shut_down(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	queue = NULL;
	r = holt_queue_open(&queue, sizeof one, 1);
	if (r >= 0)
		r = holt_queue_put(queue, &one);
	if (r >= 0)
		r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = holt_spawn(g, i < 2 ? puts_one : selects_a_put, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (queue)
		holt_queue_shutdown(queue, false);
	if (g)
		r = holt_group_close(g, r);
	holt_queue_close(queue);
	return r;
}
SWEEP(shutdown_tells_all_who_wait_to_put, .fn = shut_down, .check = is_expected)

struct entry {
	int key, n;
};

static int by_key(const void *a, const void *b)
{
	return ((const struct entry *)a)->key - ((const struct entry *)b)->key;
}

static int sorted(void *arg)
{
	struct entry e, last = { -1, -1 };
	int r;

	(void)arg;
	queue = NULL;
	r = holt_queue_open(&queue, sizeof e, HOLT_UNBOUNDED, .order = HOLT_PRIORITY, .compare = by_key);
	for (int i = 0; r >= 0 && i < 40; i++)
		r = holt_queue_put(queue, &((struct entry){ i % 3, i }));
	while (r >= 0 && holt_queue_size(queue) > 0) {
		r = holt_queue_get(queue, &e);
		EXPECT(r < 0 || e.key > last.key || (e.key == last.key && e.n > last.n));
		last = r < 0 ? last : e;
	}
	holt_queue_close(queue);
	return r;
}
SWEEP(equals_come_out_of_a_growing_heap_in_their_order, .fn = sorted, .check = is_expected, .what = SWEEP_FAIL)

static int ring_grows(void *arg)
{
	int in = 0, out = 0, got, r;

	(void)arg;
	queue = NULL;
	r = holt_queue_open(&queue, sizeof in, HOLT_UNBOUNDED);
	for (int i = 0; r >= 0 && i < 80; i++) { /* its beginning moves on before it grows */
		struct holt_case c = { HOLT_CASE_PUT, queue, &in, 77 };

		r = i % 2 ? holt_queue_put(queue, &in) : holt_select(&c, 1, true);
		in += r >= 0;
		if (r >= 0 && i % 3 == 0) {
			r = holt_queue_get(queue, &got);
			EXPECT(r < 0 || got == out);
			out += r >= 0;
		}
	}
	while (queue && holt_queue_try_get(queue, &got) == 0)
		EXPECT(got == out++);
	EXPECT(in == out);
	holt_queue_close(queue);
	return r;
}
SWEEP(growing_ring_keeps_all_and_a_put_without_memory_is_none, .fn = ring_grows, .check = is_expected, .what = SWEEP_FAIL)

/* ---- futures that fail or are canceled */

static holt_future *future;

static int hears(void *expected)
{
	int result = 77, r = holt_future_wait(future, &result, NULL);

	EXPECT(result == (r == 0 ? give(expected) : 77));
	return r;
}

static int future_ends_badly(void *arg)
{
	int error = *(int *)arg, r;
	holt_group *g = NULL;

	future = NULL;
	r = holt_future_open(&future);
	if (r >= 0)
		r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, hears, NUMBER(error));
	if (r >= 0)
		r = holt_yield();
	if (future && error == -ECANCELED)
		holt_future_cancel(future);
	else if (future)
		holt_future_fail(future, error);
	if (g)
		r = holt_group_close(g, r);
	holt_future_unref(future);
	return r;
}
SWEEP(failed_future_tells_its_error_and_a_canceled_waiter_nothing, .fn = future_ends_badly, .check = is_expected,
	.arg = &((int){ -EIO }))
SWEEP(canceled_future_says_so_and_a_canceled_waiter_nothing, .fn = future_ends_badly, .check = is_expected,
	.arg = &((int){ -ECANCELED }))

/* ---- selects at random */

enum { QUEUES = 3, FUTURES = 3, WORKERS = 5, ROUNDS = 8, MOST = 22 };

static holt_queue *queues[QUEUES];
static holt_future *futures[FUTURES];
static holt_task *helpers[2];
static struct holt_event pulse;
static int put, got, dropped, value;
static uint32_t dice;

static unsigned throw(unsigned n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

static void count_dropped(void *item)
{
	(void)item;
	dropped++;
}

/* A future that is done makes room for a new one, and may so drop the last reference to itself. */
static void renew(holt_future *f, void *arg)
{
	holt_future **at = arg, *new = NULL;

	if (*at != f || holt_future_open(&new) < 0)
		return;
	*at = new;
	holt_future_on_done(new, renew, arg);
	holt_future_unref(f);
}

static int helps(void *arg)
{
	int r = 0;

	(void)arg;
	for (int i = 0; r == 0 && i < 3; i++)
		r = holt_sleep(throw(3) * HOLT_MS);
	return r < 0 ? r : 5;
}

struct random_case {
	struct holt_case c[MOST];
	int item[MOST];
	void *value[MOST];
	int n;
};

static void draw(struct random_case *d, int round)
{
	d->n = (int)(throw(3) ? 1 + throw(4) : 17 + throw(MOST - 17));
	for (int i = 0; i < d->n; i++) {
		unsigned op = throw(8);

		d->item[i] = -1;
		d->value[i] = &dice;
		if (op < 3) {
			d->c[i] = (struct holt_case){ HOLT_CASE_GET, queues[throw(QUEUES)], &d->item[i], 77 };
		} else if (op < 6) {
			d->item[i] = round;
			d->c[i] = (struct holt_case){ HOLT_CASE_PUT, queues[throw(QUEUES)], &d->item[i], 77 };
		} else if (op == 6) {
			d->c[i] = (struct holt_case){ HOLT_CASE_FUTURE, holt_future_ref(futures[throw(FUTURES)]), &d->value[i],
				77 };
		} else if (helpers[1] && throw(2)) {
			d->c[i] = (struct holt_case){ HOLT_CASE_TASK, helpers[throw(2)], NULL, 77 };
		} else {
			d->c[i] = (struct holt_case){ HOLT_CASE_EVENT, &pulse, NULL, 77 };
		}
	}
}

static void look(const struct random_case *d, int r)
{
	EXPECT(r < d->n);
	for (int i = 0; i < d->n; i++) {
		const struct holt_case *c = &d->c[i];

		if (i != r) {
			EXPECT(c->result == 77 && d->value[i] == &dice);
			EXPECT(c->op != HOLT_CASE_GET || d->item[i] == -1);
			continue;
		}
		EXPECT(c->result != 77);
		got += c->op == HOLT_CASE_GET && c->result == 0;
		put += c->op == HOLT_CASE_PUT && c->result == 0;
		EXPECT(c->op != HOLT_CASE_GET || d->item[i] >= 0);
		EXPECT(c->op != HOLT_CASE_FUTURE || holt_future_done(c->on));
		EXPECT(c->op != HOLT_CASE_FUTURE || d->value[i] == (c->result == 0 ? &value : NULL));
		EXPECT(c->op != HOLT_CASE_TASK || c->result == 5 || c->result == -ECANCELED);
	}
	for (int i = 0; i < d->n; i++)
		if (d->c[i].op == HOLT_CASE_FUTURE)
			holt_future_unref(d->c[i].on);
}

static int plays(void *arg)
{
	struct random_case *d = arg;
	struct holt_scope s;
	int r = 0;

	for (int round = 0; round < ROUNDS; round++) {
		draw(d, round);
		holt_scope_begin(&s, holt_in((1 + throw(4)) * HOLT_MS), 0);
		r = (int)holt_scope_end(&s, holt_select(d->c, (size_t)d->n, throw(6) != 0));
		EXPECT(r >= 0 || r == -ETIME || r == -EAGAIN || r == -ECANCELED || r == -ENOMEM);
		look(d, r);
		if (r == -ECANCELED)
			return r;
		switch (throw(5)) {
		case 0:
			holt_future_set(futures[throw(FUTURES)], &value);
			break;
		case 1:
			holt_future_fail(futures[throw(FUTURES)], -EIO);
			break;
		case 2:
			holt_event_set(&pulse);
			holt_event_clear(&pulse);
			break;
		}
	}
	return 0;
}

static int random_selects(void *arg)
{
	static struct random_case tables[WORKERS];
	holt_group *g = NULL;
	int r = 0, left = 0;

	(void)arg;
	dice = (uint32_t)holt__sim->o.seed * 77 + 5;
	put = got = dropped = 0;
	memset(queues, 0, sizeof queues);
	memset(futures, 0, sizeof futures);
	memset(helpers, 0, sizeof helpers);
	memset(&pulse, 0, sizeof pulse);
	for (int i = 0; r >= 0 && i < QUEUES; i++)
		r = holt_queue_open(&queues[i], sizeof(int), (size_t)i % 2 + 1, .full = i == 2 ? HOLT_DROP_OLDEST : HOLT_BLOCK,
			.drop = i == 2 ? count_dropped : NULL);
	for (int i = 0; r >= 0 && i < FUTURES; i++) {
		r = holt_future_open(&futures[i]);
		if (r >= 0)
			r = holt_future_on_done(futures[i], renew, &futures[i]);
	}
	if (r >= 0)
		r = holt_group_open(&g, .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, helps, NULL, .task = &helpers[i]);
	for (int i = 0; r >= 0 && i < WORKERS; i++)
		r = holt_spawn(g, plays, &tables[i]);
	if (g)
		r = holt_group_close(g, r);
	for (int i = 0; i < QUEUES; i++)
		left += queues[i] ? (int)holt_queue_size(queues[i]) : 0;
	EXPECT(put == got + left + dropped);
	for (int i = 0; i < 2; i++)
		holt_task_unref(helpers[i]);
	for (int i = 0; i < QUEUES; i++)
		holt_queue_close(queues[i]);
	for (int i = 0; i < FUTURES; i++)
		holt_future_unref(futures[i]);
	return r;
}
SWEEP(selects_at_random_lose_nothing_and_write_nothing_that_is_not_theirs, .fn = random_selects, .check = is_expected)

/* ---- more places to wait in than a stack has room for */

static struct holt_event events[20];

static int waits_for_any(void *arg)
{
	struct holt_case c[20];
	int r;

	(void)arg;
	for (int i = 0; i < 20; i++)
		c[i] = (struct holt_case){ HOLT_CASE_EVENT, &events[i], NULL, 77 };
	r = holt_select(c, 20, true);
	EXPECT(r < 0 || r == 13);
	return r;
}

static int many_places(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	memset(events, 0, sizeof events);
	r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, waits_for_any, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	holt_event_set(&events[13]);
	if (g)
		r = holt_group_close(g, r);
	for (int i = 0; i < 20; i++)
		EXPECT(!events[i].w.head);
	return r;
}
SWEEP(select_in_many_places_leaves_none_behind, .fn = many_places, .check = is_expected)

/* ---- on those who hold us */

static int selects_its_parent(void *parent)
{
	struct holt_case c = { HOLT_CASE_TASK, parent, NULL, 77 };

	EXPECT(holt_select(&c, 1, false) == -EDEADLK);
	return 0;
}

static int parent_of_a_selector(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g);
	if (r >= 0)
		r = holt_spawn(g, selects_its_parent, holt_self());
	return g ? holt_group_close(g, r) : r;
}
SWEEP(select_on_who_holds_the_caller_is_edeadlk, .fn = parent_of_a_selector, .check = is_expected)
