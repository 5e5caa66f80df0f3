/* SPDX-License-Identifier: MIT */
/*
 * Watches, on a folder of their own. What the kernel promises: events of one folder in their order, IN_IGNORED at the end.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "steps.h"

static char folder[64];

static const char *in(const char *name)
{
	static char path[2][128];
	static int i;

	i = !i;
	snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
	return path[i];
}

static void make(const char *name)
{
	int fd = open(in(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static int run_in_folder(holt_fn fn)
{
	char rm[128];
	int r;

	strcpy(folder, "/tmp/holt-watch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	r = run_clean(fn, NULL);
	snprintf(rm, sizeof rm, "rm -rf %s", folder);
	ck_assert_int_eq(system(rm), 0);
	return r;
}

static int sees_names(void *arg)
{
	holt_auto(watch) w = NULL;
	const char *name;
	uint32_t mask;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE | IN_MOVED_TO | IN_DELETE), 0);
	make("a");
	ck_assert_int_eq(mkdir(in("b"), 0700), 0);
	ck_assert_int_eq(rename(in("a"), in("c")), 0);
	ck_assert_int_eq(unlink(in("c")), 0);
	ck_assert_int_eq(holt_watch_next(w, &mask, &name), 0);
	ck_assert_uint_eq(mask, IN_CREATE);
	ck_assert_str_eq(name, "a");
	ck_assert_int_eq(holt_watch_next(w, &mask, &name), 0);
	ck_assert_uint_eq(mask, IN_CREATE | IN_ISDIR);
	ck_assert_str_eq(name, "b");
	ck_assert_int_eq(holt_watch_next(w, &mask, NULL), 0);
	ck_assert_uint_eq(mask, IN_MOVED_TO);
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
	ck_assert_str_eq(name, "c");
	return 0;
}
TEST(events_come_in_order_with_their_names)
{
	ck_assert_int_eq(run_in_folder(sees_names), 0);
}

static int makes_later(void *arg)
{
	int r = holt_sleep(HOLT_SEC);

	make(arg);
	return r;
}

static int waits_for_a_name(void *arg)
{
	holt_auto(watch) w = NULL;
	holt_auto(group) g = NULL;
	const char *name;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CLOSE_WRITE), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, makes_later, WORD("later")), 0);
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
	ck_assert_str_eq(name, "later");
	return holt_group_close(holt_take(g), 0);
}
TEST(task_waits_for_an_event)
{
	ck_assert_int_eq(run_in_folder(waits_for_a_name), 0);
}

static int sees_the_end(void *arg)
{
	holt_auto(watch) w = NULL;
	const char *name = "x";
	uint32_t mask;

	(void)arg;
	make("file");
	ck_assert_int_eq(holt_watch_open(&w, in("file"), IN_DELETE_SELF), 0);
	ck_assert_int_eq(unlink(in("file")), 0);
	ck_assert_int_eq(holt_watch_next(w, &mask, &name), 0);
	ck_assert_uint_eq(mask, IN_DELETE_SELF);
	ck_assert_ptr_null(name);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_watch_next(w, &mask, &name), -ENOENT);
	return 0;
}
TEST(what_is_gone_ends_the_watch)
{
	ck_assert_int_eq(run_in_folder(sees_the_end), 0);
}

static int sees_one(void *arg)
{
	holt_auto(watch) w = NULL;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE | IN_ONESHOT), 0);
	make("a");
	make("b");
	ck_assert_int_eq(holt_watch_next(w, NULL, NULL), 0);
	ck_assert_int_eq(holt_watch_next(w, NULL, NULL), -ENOENT);
	return 0;
}
TEST(oneshot_watch_ends_after_its_event)
{
	ck_assert_int_eq(run_in_folder(sees_one), 0);
}

static int canceled_watch(void *arg)
{
	holt_auto(watch) w = NULL;
	const char *name;
	struct holt_scope s;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE), 0);
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_watch_next(w, NULL, &name)), -ETIME);
	make("a");
	make("b");
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), -ECANCELED);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
	ck_assert_str_eq(name, "a");
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), -ECANCELED); /* although it has been read already */
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
	ck_assert_str_eq(name, "b");
	return 0;
}
TEST(canceled_call_has_taken_no_event)
{
	ck_assert_int_eq(run_in_folder(canceled_watch), 0);
}

/* The kernel's queue holds thousands of events; here it says at once that it was too small. */
static ssize_t read_overflow(int fd, void *buf, size_t n)
{
	struct inotify_event e = { .wd = -1, .mask = IN_Q_OVERFLOW };
	ssize_t r = holt__sys_linux.read(fd, buf, n);

	if (r < (ssize_t)sizeof e || n != 4096)
		return r;
	memmove((char *)buf + sizeof e, buf, (size_t)r);
	memcpy(buf, &e, sizeof e);
	return r + (ssize_t)sizeof e;
}

static int overflows(void *arg)
{
	holt_auto(watch) w = NULL;
	const char *name = NULL;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE), 0);
	make("after");
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), -EOVERFLOW);
	ck_assert_ptr_null(name);
	ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
	ck_assert_str_eq(name, "after");
	return 0;
}
TEST(lost_events_are_told_and_later_ones_come)
{
	harness_sys.read = read_overflow;
	ck_assert_int_eq(run_in_folder(overflows), 0);
}

static int many_events(void *arg)
{
	holt_auto(watch) w = NULL;
	const char *name;
	char expected[32];

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(expected, sizeof expected, "a-file-of-number-%d", i);
		make(expected);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(expected, sizeof expected, "a-file-of-number-%d", i);
		ck_assert_int_eq(holt_watch_next(w, NULL, &name), 0);
		ck_assert_str_eq(name, expected);
	}
	return 0;
}
TEST(many_events_are_read_at_once_and_none_is_lost)
{
	ck_assert_int_eq(run_in_folder(many_events), 0);
}

static int waits_in(void *w)
{
	return holt_watch_next(w, NULL, NULL);
}

static int two_wait(void *arg)
{
	holt_auto(watch) w = NULL;
	holt_auto(group) g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, waits_in, w), 0);
	holt_yield();
	ck_assert_int_eq(holt_watch_next(w, NULL, NULL), -EBUSY);
	make("a");
	return holt_group_close(holt_take(g), 0);
}
TEST(second_task_that_waits_is_told_busy)
{
	ck_assert_int_eq(run_in_folder(two_wait), 0);
}

static int closes_too_early(void *arg)
{
	holt_watch *w;
	holt_auto(group) g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, "/", IN_CREATE), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, waits_in, w), 0);
	holt_yield();
	holt_watch_close(w);
	return 0;
}
TEST_SIGNAL(closing_a_watch_under_a_waiter_aborts, SIGABRT)
{
	run_clean(closes_too_early, NULL);
}

static int refuses(void *arg)
{
	holt_watch *w = NULL;

	(void)arg;
	ck_assert_int_eq(holt_watch_open(&w, folder, 0), -EINVAL);
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_ONLYDIR), -EINVAL);
	ck_assert_int_eq(holt_watch_open(NULL, folder, IN_CREATE), -EINVAL);
	ck_assert_int_eq(holt_watch_open(&w, in("nothing"), IN_CREATE), -ENOENT);
	make("file");
	ck_assert_int_eq(holt_watch_open(&w, in("file"), IN_MODIFY | IN_ONLYDIR), -ENOTDIR);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_watch_open(&w, folder, IN_CREATE), -ENOMEM);
	ck_assert_ptr_null(w);
	ck_assert_ptr_null(holt_watch_close(NULL));
	return 0;
}
TEST(watch_refuses_what_cannot_be_watched)
{
	holt_watch *w = NULL;

	ck_assert_int_eq(holt_watch_open(&w, "/", IN_CREATE), -EPERM);
	ck_assert_int_eq(run_in_folder(refuses), 0);
}
