/* SPDX-License-Identifier: MIT */
/*
 * The harness of the unit tests: see harness.h. Everything here is plain C and libcheck; of the library it uses the two
 * seams (system calls, allocation) and the log's sink.
 */
#include "harness.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "task/task.h"

enum { TESTS_MAX = 512, EVENTS_MAX = 32, LOG_MAX = 1 << 20 };

/* ---- the clock */

struct event {
	holt_time at;
	void (*fn)(void *arg);
	void *arg;
};

struct holt__sys harness_sys;
static _Atomic holt_time clock_now;
static bool real_clock;
static __thread holt_time armed = HOLT_NEVER; /* this thread's loop would wake then */
static struct event events[EVENTS_MAX];       /* in order of time */
static size_t n_events;

static holt_time virtual_now(void)
{
	return real_clock ? holt__sys_linux.now() : atomic_load(&clock_now);
}

static void set_clock(holt_time to)
{
	holt_time now = atomic_load(&clock_now);

	while (now < to && !atomic_compare_exchange_weak(&clock_now, &now, to))
		;
}

static _Atomic int64_t wall_ahead; /* of the epoch and the time since: what tests have set it by */
static int wall_watcher = -1;

static int64_t virtual_wall_now(void)
{
	if (real_clock)
		return holt__sys_linux.wall_now();
	return HARNESS_WALL_EPOCH + (int64_t)(harness_time() / HOLT_US) + atomic_load(&wall_ahead);
}

/* An eventfd can be made readable by us, which a timer cannot. */
static int virtual_wall_watch(int fd)
{
	if (real_clock)
		return holt__sys_linux.wall_watch(fd);
	if (fd < 0)
		wall_watcher = fd = holt__sys_linux.eventfd(EFD_NONBLOCK | EFD_CLOEXEC);
	return fd;
}

void harness_set_wall(int64_t us)
{
	uint64_t one = 1;

	atomic_fetch_add(&wall_ahead, us - virtual_wall_now());
	if (wall_watcher >= 0)
		ck_assert_int_eq(holt__sys_linux.write(wall_watcher, &one, sizeof one), sizeof one);
}

static int virtual_timerfd_set(int fd, holt_time at)
{
	if (real_clock)
		return holt__sys_linux.timerfd_set(fd, at);
	armed = at;
	return 0;
}

static void next_event(void)
{
	struct event e = events[0];

	memmove(events, events + 1, --n_events * sizeof e);
	set_clock(e.at);
	e.fn(e.arg);
}

/* What is ready comes first; then time passes, to the next timer or the next of the test's own events. */
static int virtual_epoll_wait(int epfd, struct epoll_event *e, int n, int timeout_ms)
{
	holt_time until = armed;
	int r;

	if (real_clock)
		return holt__sys_linux.epoll_wait(epfd, e, n, timeout_ms);
	r = holt__sys_linux.epoll_wait(epfd, e, n, 0);
	if (r != 0 || timeout_ms == 0)
		return r;
	if (timeout_ms > 0)
		until = holt__time_min(until, virtual_now() + (holt_time)timeout_ms * HOLT_MS);
	if (n_events > 0 && events[0].at <= until) {
		next_event();
		return 0; /* whatever it did, the loop looks at all of it: news from outside, too */
	}
	if (until == HOLT_NEVER)
		return holt__sys_linux.epoll_wait(epfd, e, n, -1);
	set_clock(until);
	if (armed <= until)
		armed = HOLT_NEVER; /* one shot */
	return 0;
}

void harness_real_clock(void)
{
	real_clock = true;
}

holt_time harness_time(void)
{
	return atomic_load(&clock_now) - HARNESS_EPOCH;
}

void harness_advance(holt_time span)
{
	set_clock(holt__time_add(atomic_load(&clock_now), span));
}

void harness_at(holt_time point, void (*fn)(void *arg), void *arg)
{
	size_t i = n_events;

	ck_assert_msg(n_events < EVENTS_MAX, "harness_at: too many events");
	for (; i > 0 && events[i - 1].at > HARNESS_EPOCH + point; i--)
		events[i] = events[i - 1];
	events[i] = (struct event){ HARNESS_EPOCH + point, fn, arg };
	n_events++;
}

/* ---- memory */

static atomic_size_t live;
static _Atomic uint64_t n_allocs, fail_at;
static size_t kept;

static bool shall_fail(void)
{
	return atomic_fetch_add(&n_allocs, 1) + 1 == atomic_load(&fail_at);
}

static void *count(void *p)
{
	if (p)
		atomic_fetch_add(&live, 1);
	return p;
}

static void *count_malloc(size_t size)
{
	return shall_fail() ? NULL : count(malloc(size));
}

static void *count_calloc(size_t n, size_t size)
{
	return shall_fail() ? NULL : count(calloc(n, size));
}

static void *count_realloc(void *p, size_t size)
{
	void *new = shall_fail() ? NULL : realloc(p, size);

	return p ? new : count(new);
}

static void count_free(void *p)
{
	if (p)
		atomic_fetch_sub(&live, 1);
	free(p);
}

static const struct holt__alloc counting = { count_malloc, count_calloc, count_realloc, count_free };

void harness_fail_alloc(uint64_t n)
{
	atomic_store(&n_allocs, 0);
	atomic_store(&fail_at, n);
}

uint64_t harness_allocs(void)
{
	return atomic_load(&n_allocs);
}

bool harness_alloc_failed(void)
{
	return atomic_load(&fail_at) > 0 && atomic_load(&n_allocs) >= atomic_load(&fail_at);
}

size_t harness_live(void)
{
	return atomic_load(&live);
}

void harness_keep(size_t n)
{
	kept += n;
}

/* ---- the log */

static char log_text[LOG_MAX];
static size_t log_len;
static atomic_flag log_lock = ATOMIC_FLAG_INIT;

static void log_sink(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	int k;

	(void)arg;
	(void)fields;
	(void)n;
	while (atomic_flag_test_and_set(&log_lock))
		;
	k = snprintf(log_text + log_len, sizeof log_text - log_len, "<%d>%s\n", priority, message);
	log_len += k < (int)(sizeof log_text - log_len) ? (size_t)k : sizeof log_text - log_len - 1;
	atomic_flag_clear(&log_lock);
}

const char *harness_log(void)
{
	return log_text;
}

bool harness_logged(const char *part)
{
	return strstr(log_text, part) != NULL;
}

void harness_log_clear(void)
{
	log_len = 0;
	log_text[0] = 0;
}

size_t harness_count(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
		n++;
	return n;
}

void harness_same(const char *got, const char *expected)
{
	size_t line = 1, start = 0, i = 0;

	for (; got[i] && got[i] == expected[i]; i++) {
		if (got[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	ck_assert_msg(got[i] == expected[i], "line %zu is:\n%.*s\nand should be:\n%.*s", line, (int)strcspn(got + start, "\n"),
		got + start, (int)strcspn(expected + start, "\n"), expected + start);
}

/* ---- running */

size_t harness_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the folder's own */
}

int harness_run_with(holt_fn fn, void *arg, const struct holt_run_options *o)
{
	size_t fds = harness_fds();
	int r = holt_run_with(fn, arg, o);

	ck_assert_msg(harness_fds() == fds, "the run began with %zu descriptors and ended with %zu", fds, harness_fds());
	ck_assert_uint_eq(holt_task_count(), 0);
	return r;
}

static char *output;

/* A memfd and no pipe, so that the child is never held up by who does not read. */
static void keep_output(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	free(output);
	output = calloc(1, (size_t)size + 1);
	ck_assert_ptr_nonnull(output);
	ck_assert_int_eq(pread(fd, output, (size_t)size, 0), size);
	close(fd);
}

int harness_child(int (*fn)(void *arg), void *arg)
{
	int fd = memfd_create("output", MFD_CLOEXEC), status;
	pid_t pid;

	ck_assert_int_ge(fd, 0);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		holt_log_sink(NULL, NULL);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		status = fn(arg);
		fflush(NULL);
		_exit(status);
	}
	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	keep_output(fd);
	return status;
}

const char *harness_output(void)
{
	return output ? output : "";
}

/* ---- around each test */

static size_t fds_before;

static void before(void)
{
	harness_sys = holt__sys_linux;
	harness_sys.now = virtual_now;
	harness_sys.wall_now = virtual_wall_now;
	harness_sys.wall_watch = virtual_wall_watch;
	harness_sys.timerfd_set = virtual_timerfd_set;
	harness_sys.epoll_wait = virtual_epoll_wait;
	holt__sys = &harness_sys;
	holt__alloc = &counting;
	real_clock = false;
	wall_watcher = -1;
	atomic_store(&wall_ahead, 0);
	n_events = 0;
	armed = HOLT_NEVER;
	atomic_store(&clock_now, HARNESS_EPOCH);
	harness_fail_alloc(0);
	harness_log_clear();
	holt_log_sink(log_sink, NULL);
	kept = atomic_load(&live);
	fds_before = harness_fds();
}

static void after(void)
{
	size_t expected = kept + (holt__here ? 1 : 0); /* a loop that was asked for and never run goes with its thread */

	free(output);
	output = NULL;
	ck_assert_msg(harness_fds() == fds_before, "began with %zu descriptors, ended with %zu", fds_before, harness_fds());
	ck_assert_uint_eq(holt_task_count(), 0);
	ck_assert_msg(harness_live() == expected, "%zu allocations were not given back; logged:\n%s", harness_live() - expected,
		log_text);
}

/* ---- the suite */

static struct test {
	const TTest *test;
	const char *name;
	int sig, status, start, end;
} tests[TESTS_MAX];
static size_t n_tests;

void harness_add(const TTest *test, const char *name, int sig, int status, int start, int end)
{
	if (n_tests == TESTS_MAX) {
		fprintf(stderr, "more than %d tests in one file\n", TESTS_MAX);
		exit(2);
	}
	tests[n_tests++] = (struct test){ test, name, sig, status, start, end };
}

void harness_skip(const char *func, const char *fmt, ...)
{
	size_t n = strlen(func);
	va_list ap;

	if (n > 3 && strcmp(func + n - 3, "_fn") == 0)
		n -= 3; /* libcheck's */
	printf("SKIP %.*s: ", (int)n, func);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static bool is_wanted(const char *name, char **words)
{
	if (!*words)
		return true;
	for (; *words; words++)
		if (strstr(name, *words))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create(program_invocation_short_name);
	TCase *tc = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	(void)argc;
	tcase_add_checked_fixture(tc, before, after);
	for (size_t i = 0; i < n_tests; i++)
		if (is_wanted(tests[i].name, argv + 1))
			_tcase_add_test(tc, tests[i].test, tests[i].sig, tests[i].status, tests[i].start, tests[i].end);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
