/* SPDX-License-Identifier: MIT */
/*
 * Cgroups, with real ones: each test is a process in a cgroup of its own below the mounted cgroup v2, which is delegated to it
 * by the mark that systemd leaves, by a cgroup namespace, or by its owner. Needs root, and that version 2 is mounted
 * somewhere: else it skips, and says why. Names are tested anywhere.
 */
#include "daemon/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "harness.h"

#include "daemon/cgtree.h"
#include "daemon/notify.h"

/* ---- names */

static const char *named(const char *path)
{
	static char name[256];

	cgroup_name(path, name);
	return name;
}

TEST(name_is_the_path_in_one_word)
{
	ck_assert_str_eq(named("shop/api"), "shop:api.node");
	ck_assert_str_eq(named("workers/w@1"), "workers:w@1.node");
	ck_assert_str_eq(named("a-b_c.d"), "a-b_c.d.node");
	ck_assert_str_eq(named(".hidden"), "%2Ehidden.node");
	ck_assert_str_eq(named("a:b%c\\ \n\xc3\xa9~"), "a%3Ab%25c%5C%20%0A%C3%A9%7E.node");
	ck_assert_str_eq(named("cgroup.procs"), "cgroup.procs.node"); /* none of the kernel's */
	ck_assert_str_eq(named("supervisor"), "supervisor.node");
}

TEST(long_paths_have_different_names_too)
{
	char a[2000], first[256];

	for (size_t n = 150; n < sizeof a - 1; n++) {
		memset(a, n % 2 ? 'x' : '/', n);
		a[n] = 0;
		a[n - 1] = 'a';
		strcpy(first, named(a));
		a[n - 1] = 'b';
		ck_assert_str_ne(first, named(a));
		ck_assert_uint_lt(strlen(first), 240);
		ck_assert_ptr_null(strchr(first, '/'));
	}
}

TEST(word_is_found_only_as_a_whole)
{
	ck_assert(cgtree_has_word("cpu io memory\n", "cpu"));
	ck_assert(cgtree_has_word("cpu io memory\n", "memory"));
	ck_assert(cgtree_has_word("memory", "memory"));
	ck_assert(!cgtree_has_word("cpuset io memory2 xmemory\n", "memory"));
	ck_assert(!cgtree_has_word("cpuset\n", "cpu"));
	ck_assert(!cgtree_has_word("", "cpu"));
	ck_assert(cgtree_has_word("cpuset cpu\n", "cpu"));
}

/* ---- a cgroup for the test */

enum how { MARK, NAMESPACE, OWNER, NOT, CONTROL };

static char mount_point[64], base[128];
static struct watcher w;
static struct cgroups c;

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static const char *make_base(void)
{
	static char why[128];

	if (getuid() != 0)
		return "needs root, to make a cgroup";
	strcpy(mount_point, is_cgroup2("/sys/fs/cgroup") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified");
	if (!is_cgroup2(mount_point))
		return "no cgroup v2 is mounted in its usual places";
	snprintf(base, sizeof base, "%s/holt-test-%d", mount_point, getpid());
	if (mkdir(base, 0755) == 0)
		return NULL;
	snprintf(why, sizeof why, "cannot make a cgroup: %s", strerror(errno));
	return why;
}

static int put(const char *folder, const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, file);
	return cgtree_write(AT_FDCWD, path, text);
}

static const char *get(const char *folder, const char *file)
{
	static char text[4096];
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, file);
	ck_assert_int_ge(cgtree_read(AT_FDCWD, path, text, sizeof text), 0);
	return text;
}

static bool there(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", base, name);
	return access(path, F_OK) == 0;
}

static void own(const char *file)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", base, file);
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
}

struct job {
	enum how how;
	int (*fn)(void);
};

static int in_cgroup(void *fn)
{
	int r;

	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(cgroups_open(&c, &w), 0);
	r = ((int (*)(void))fn)();
	cgroups_close(&c);
	watcher_close(&w);
	return r;
}

static char logged[8192];

static void sink(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	size_t len = strlen(logged);

	(void)arg;
	(void)fields;
	(void)n;
	snprintf(logged + len, sizeof logged - len, "<%d>%s\n", priority, message);
}

static int child(void *arg)
{
	const struct job *job = arg;
	char control[256];
	int r;

	signal(SIGTERM, SIG_DFL); /* libcheck's handler would pass it on to us */
	holt_log_sink(sink, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ck_assert_int_eq(put(base, "cgroup.procs", "0"), 0);
	switch (job->how) {
	case CONTROL: /* as systemd does it for the commands after a unit's end */
		snprintf(control, sizeof control, "%s/.control", base);
		ck_assert_int_eq(mkdir(control, 0755), 0);
		ck_assert_int_eq(put(control, "cgroup.procs", "0"), 0);
		/* fall through */
	case MARK:
		ck_assert_int_eq(setxattr(base, "user.delegate", "1", 1, 0), 0);
		break;
	case NAMESPACE:
		if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			umount2("/sys/fs/cgroup", MNT_DETACH) < 0 || mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
			return 77;
		strcpy(base, "/sys/fs/cgroup");
		break;
	case OWNER:
		own(".");
		own("cgroup.procs");
		own("cgroup.subtree_control");
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
		break;
	case NOT:
		break;
	}
	r = harness_run(in_cgroup, (void *)job->fn);
	ck_assert_uint_eq(harness_live(), 0);
	return r;
}

static void run_child(const char *test, enum how how, int (*fn)(void))
{
	struct job job = { how, fn };
	const char *why = make_base();
	int status;

	if (why) {
		harness_skip(test, "%s", why);
		return;
	}
	harness_real_clock();
	status = harness_child(child, &job);
	ck_assert_int_eq(put(base, "cgroup.kill", "1"), 0);
	while (strstr(get(base, "cgroup.events"), "populated 1"))
		sched_yield(); /* the killed are on their way */
	ck_assert_int_eq(cgtree_remove(AT_FDCWD, base), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		harness_skip(test, "%s", "no cgroup and mount namespace here");
		return;
	}
	ck_assert_msg(status == 0, "status %x: %s", status, harness_output());
}

#define run(how, fn) run_child(__func__, how, fn)

/* ---- what was delegated */

static int found(void)
{
	char name[256];

	ck_assert_msg(cgroups_delegated(&c), "%s", c.why);
	ck_assert_str_eq(c.path, base);
	ck_assert_int_gt(cgtree_of(0, name, sizeof name), 0);
	ck_assert_str_eq(strrchr(name, '/'), "/supervisor");
	ck_assert(!c.by_hand);
	ck_assert(!cgroups_left(&c));
	return 0;
}

TEST(cgroup_with_systemds_mark_is_ours)
{
	run(MARK, found);
}

TEST(root_of_a_cgroup_namespace_is_ours)
{
	run(NAMESPACE, found);
}

TEST(cgroup_that_belongs_to_our_user_is_ours)
{
	run(OWNER, found);
}

TEST(cgroup_above_that_of_control_commands_is_ours)
{
	run(CONTROL, found);
}

static int found_again(void)
{
	cgroups_close(&c);
	ck_assert(!cgroups_delegated(&c));
	ck_assert_int_eq(cgroups_open(&c, &w), 0);
	return found();
}

TEST(in_the_leaf_already_the_same_one_is_found)
{
	run(MARK, found_again);
}

TEST(in_the_leaf_of_a_namespace_the_same_one_is_found)
{
	run(NAMESPACE, found_again);
}

TEST(in_the_leaf_of_our_user_the_same_one_is_found)
{
	run(OWNER, found_again);
}

static int refused(void)
{
	ck_assert(!cgroups_delegated(&c));
	ck_assert_ptr_nonnull(strstr(c.why, "it was not delegated to us"));
	ck_assert(!there("supervisor"));
	return 0;
}

TEST(what_root_may_merely_write_to_is_not_ours)
{
	run(NOT, refused);
}

static int machine_root(void)
{
	struct cgroup g = { 0 };
	char text[256];
	struct holt__text why = HOLT__TEXT(text);
	struct cgroup_limit must = { .attribute = "memory.max", .value = "1" },
			    may = { .attribute = "pids.max", .value = "1", .optional = true };

	text[0] = 0;
	cgroups_close(&c);
	ck_assert_int_eq(put(mount_point, "cgroup.procs", "0"), 0);
	ck_assert_int_eq(cgroups_open(&c, &w), 0);
	ck_assert(!cgroups_delegated(&c));
	ck_assert_ptr_nonnull(strstr(c.why, "the root of all cgroups"));

	/* and what that means */
	ck_assert_int_eq(cgroup_open(&g, &c, "a", NULL, 0, &why), 0);
	ck_assert(!cgroup_active(&g));
	ck_assert_int_eq(cgroup_dir(&g), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_kill(&g, SIGKILL), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_await(&g), -EOPNOTSUPP);
	ck_assert(!cgroup_has(&g, getpid()));
	cgroup_close(&g);
	ck_assert_int_eq(cgroup_open(&g, &c, "a", &may, 1, &why), 0);
	ck_assert_int_eq(cgroup_open(&g, &c, "a", &may, 1, &why), 0);
	ck_assert_uint_eq(harness_count(logged, "a: pids.max=1 cannot be enforced: there is no cgroup of its own"), 1);
	ck_assert_uint_eq(why.len, 0);
	ck_assert_int_eq(cgroup_open(&g, &c, "a", &must, 1, &why), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(text, "memory.max=1 cannot be enforced: there is no cgroup of its own"));
	ck_assert(!cgroup_active(&g));
	return 0;
}

TEST(root_of_the_machine_is_nobodys_and_limits_there_are_errors)
{
	run(MARK, machine_root);
}

/* ---- a cgroup with processes */

static void opened(struct cgroup *g, const char *path)
{
	char text[256];
	struct holt__text why = HOLT__TEXT(text);
	int r;

	memset(g, 0, sizeof *g);
	text[0] = 0;
	r = cgroup_open(g, &c, path, NULL, 0, &why);
	ck_assert_msg(r == 0, "%d: %s", r, text);
	ck_assert(cgroup_active(g));
}

/* A process in it from its first moment. 0 in the child. */
static pid_t born_in(struct cgroup *g)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int dir = cgroup_dir(g);
	pid_t pid;

	ck_assert_int_ge(dir, 0);
	args.cgroup = (uint64_t)dir;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	ck_assert_int_ge(pid, 0);
	close(dir);
	return pid;
}

static pid_t sleeper(struct cgroup *g)
{
	pid_t pid = born_in(g);

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static int emptied;

static void is_empty(struct cgroup *g)
{
	emptied++;
	ck_assert(g->empty == is_empty);
}

static void until_empty(struct cgroup *g)
{
	int r;

	g->empty = is_empty;
	emptied = 0;
	r = cgroup_await(g);
	ck_assert_int_ge(r, 0);
	while (r == 0 && !emptied)
		ck_assert_int_eq(watcher_wait(&w), 0);
}

static void reap(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* A member whose child has called setsid(), in a cgroup below. */
static pid_t family(struct cgroup *g)
{
	pid_t pid = born_in(g);

	if (pid > 0)
		return pid;
	if (fork() == 0) {
		int dir = cgroup_dir(g);

		setsid();
		if (mkdirat(dir, "below", 0755) < 0 || mkdirat(dir, "below/deeper", 0755) < 0 ||
			mkdirat(dir, "beside", 0755) < 0 || cgtree_write(dir, "below/deeper/cgroup.procs", "0") < 0)
			_exit(1);
	}
	for (;;)
		pause();
}

static int killed(void)
{
	struct cgroup g;

	opened(&g, "shop/api");
	ck_assert(there("shop:api.node"));
	family(&g);
	while (access("/dev/null", F_OK) == 0 && !there("shop:api.node/beside"))
		sched_yield();
	ck_assert_int_eq(cgroup_kill(&g, SIGKILL), 0);
	until_empty(&g);
	ck_assert_int_eq(cgroup_await(&g), 1);
	ck_assert_int_eq(cgroup_kill(&g, SIGKILL), 0);
	ck_assert_int_eq(cgroup_kill(&g, SIGTERM), 0);
	cgroup_close(&g);
	cgroup_close(&g);
	ck_assert(!there("shop:api.node"));
	reap();
	return 0;
}

TEST(kill_reaches_all_in_it_and_below_and_the_end_is_an_event)
{
	run(MARK, killed);
}

TEST(kill_reaches_all_in_a_namespace_too)
{
	run(NAMESPACE, killed);
}

TEST(kill_reaches_all_in_our_users_too)
{
	run(OWNER, killed);
}

static int killed_by_hand(void)
{
	c.by_hand = true;
	return killed();
}

TEST(kill_reaches_all_where_the_kernel_has_no_cgroup_kill)
{
	run(MARK, killed_by_hand);
}

enum { CHAINS = 4, GENERATIONS = 3000 };

/* Always another one, whose parent is gone; the last one of a chain says that it got there. */
static void run_away(int out)
{
	for (int n = 0; n < GENERATIONS; n++)
		if (fork() != 0)
			_exit(0);
	(void)!write(out, "x", 1);
	_exit(0);
}

static int runs_away(void)
{
	struct cgroup g;
	int p[2];
	char x;

	for (int by_hand = 0; by_hand < 2; by_hand++) {
		c.by_hand = by_hand;
		opened(&g, "a");
		ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
		for (int i = 0; i < CHAINS; i++)
			if (born_in(&g) == 0)
				run_away(p[1]);
		close(p[1]);
		ck_assert_int_eq(cgroup_kill(&g, SIGKILL), 0);
		until_empty(&g);
		ck_assert_int_eq(read(p[0], &x, 1), 0);
		close(p[0]);
		cgroup_close(&g);
		ck_assert(!there("a.node"));
		reap();
	}
	return 0;
}

TEST(who_forks_all_the_time_does_not_escape)
{
	run(MARK, runs_away);
}

static int terminated(void)
{
	struct cgroup g, other;
	int status;
	pid_t a, b, spared;

	opened(&g, "a");
	opened(&other, "b");
	a = sleeper(&g);
	b = family(&g);
	spared = sleeper(&other);
	while (!there("a.node/beside"))
		sched_yield();
	kill(a, SIGSTOP);
	ck_assert_int_eq(cgroup_kill(&g, SIGTERM), 0);
	until_empty(&g);
	ck_assert_int_eq(waitpid(a, &status, 0), a);
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	ck_assert_int_eq(waitpid(b, &status, 0), b);
	ck_assert_int_eq(waitpid(spared, &status, WNOHANG), 0);
	ck_assert_int_eq(cgroup_kill(&other, SIGKILL), 0);
	until_empty(&other);
	cgroup_close(&g);
	cgroup_close(&other);
	reap();
	return 0;
}

TEST(other_signals_reach_each_process_and_no_other_cgroups)
{
	run(MARK, terminated);
}

static void closes(struct cgroup *g)
{
	emptied++;
	cgroup_close(g);
	memset(g, 0xaa, sizeof *g); /* it is gone */
}

static int closed_within(void)
{
	struct cgroup g;
	pid_t pid;

	opened(&g, "a");
	pid = sleeper(&g);
	g.empty = closes;
	ck_assert_int_eq(cgroup_await(&g), 0);
	ck_assert_int_eq(cgroup_await(&g), 0); /* harmless */
	kill(pid, SIGKILL);
	while (!emptied)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert(!there("a.node"));
	reap();
	return 0;
}

TEST(who_is_told_of_the_end_may_close_it)
{
	run(MARK, closed_within);
}

static int held(void)
{
	struct cgroup g, again;
	size_t fds;
	pid_t pid;

	opened(&g, "a");
	fds = harness_fds();
	pid = sleeper(&g);
	ck_assert_uint_eq(harness_fds(), fds); /* an idle one costs none */
	g.empty = is_empty;
	ck_assert_int_eq(cgroup_await(&g), 0);
	cgroup_close(&g); /* given up */
	ck_assert(there("a.node"));
	opened(&again, "a");
	ck_assert_str_eq(again.name, "a~2.node");
	kill(pid, SIGKILL);
	reap();
	opened(&g, "a");
	ck_assert_str_eq(g.name, "a.node"); /* it could be removed by now */
	cgroup_close(&g);
	cgroup_close(&again);
	ck_assert_int_eq(emptied, 0);
	ck_assert(!there("a.node") && !there("a~2.node"));
	return 0;
}

TEST(held_cgroup_is_left_and_another_made_beside_it)
{
	run(MARK, held);
}

static int leftovers(void)
{
	char folder[256], keep[256];
	struct cgroup g;
	pid_t pid;

	opened(&g, "left/over");
	pid = sleeper(&g);
	snprintf(folder, sizeof folder, "%s/empty.node", base);
	ck_assert_int_eq(mkdir(folder, 0755), 0);
	snprintf(keep, sizeof keep, "%s/somebodys", base);
	ck_assert_int_eq(mkdir(keep, 0755), 0);
	holt__free(g.name); /* as if we had been killed */
	cgroups_close(&c);

	ck_assert_int_eq(cgroups_open(&c, &w), 0);
	ck_assert(!there("empty.node"));
	while (cgroups_left(&c))
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert(!there("left:over.node"));
	ck_assert(there("somebodys"));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(rmdir(keep), 0);
	return 0;
}

TEST(what_an_earlier_run_left_is_killed_and_removed)
{
	run(MARK, leftovers);
}

static int membership(void)
{
	struct cgroup g, longer;
	pid_t pid, other;
	int fd;

	opened(&g, "a");
	opened(&longer, "a.node2");
	pid = sleeper(&g);
	other = sleeper(&longer);
	ck_assert(cgroup_has(&g, pid));
	ck_assert(!cgroup_has(&g, getpid()));
	ck_assert(!cgroup_has(&g, other));
	ck_assert_int_eq(notify_main_pidfd(pid, 0, NULL, &g, &fd), 0);
	close(fd);
	ck_assert_int_eq(notify_main_pidfd(other, 0, NULL, &g, &fd), -EPERM);
	kill(pid, SIGKILL);
	kill(other, SIGKILL);
	reap();
	ck_assert(!cgroup_has(&g, pid));
	cgroup_close(&g);
	cgroup_close(&longer);
	return 0;
}

TEST(member_is_who_is_in_it)
{
	run(MARK, membership);
}

TEST(member_is_who_is_in_it_in_a_namespace_too)
{
	run(NAMESPACE, membership);
}

/* ---- limits */

static int limits(void)
{
	char text[512];
	struct holt__text why = HOLT__TEXT(text);
	struct cgroup_limit list[] = { { .attribute = "cgroup.max.descendants", .value = "5" },
		{ .attribute = "cgroup.max.depth", .value = "rubbish", .optional = true },
		{ .attribute = "nothing.max", .value = "1", .optional = true } };
	struct cgroup g = { 0 };

	text[0] = 0;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cgroup_open(&g, &c, "a", list, 3, &why), 0);
		ck_assert_str_eq(get(base, "a.node/cgroup.max.descendants"), "5\n");
		ck_assert_uint_eq(harness_count(logged, "a: cgroup.max.depth=rubbish cannot be enforced: the kernel says: "), 1);
		ck_assert_uint_eq(harness_count(logged, "\"nothing\" is not delegated to us"), 1);
		ck_assert_str_eq(text, "");
		if (i == 0)
			cgroup_close(&g);
	}
	/* in a reload all are tried, and it stays */
	list[0].value = "7";
	list[2].optional = false;
	ck_assert_int_eq(cgroup_limits(&g, list + 2, 1, &why), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_limits(&g, list, 1, &why), 0);
	ck_assert_str_eq(get(base, "a.node/cgroup.max.descendants"), "7\n");
	cgroup_close(&g);

	why.len = 0;
	list[1].optional = false;
	ck_assert_int_eq(cgroup_open(&g, &c, "a", list, 3, &why), -EOPNOTSUPP);
	ck_assert_msg(strcmp(text,
			      "cgroup.max.depth=rubbish cannot be enforced: the kernel says: Invalid argument; "
			      "nothing.max=1 cannot be enforced: the controller \"nothing\" is not delegated to us") == 0,
		"%s", text);
	ck_assert(!there("a.node"));
	why.len = 0;
	list[0] = (struct cgroup_limit){ .attribute = "cgroup.nothing", .value = "1" };
	ck_assert_int_eq(cgroup_open(&g, &c, "a", list, 1, &why), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(text, "this kernel has no such attribute"));
	list[0].attribute = "../cgroup.procs";
	ck_assert_int_eq(cgroup_open(&g, &c, "a", list, 1, &why), -EOPNOTSUPP);
	ck_assert(!there("a.node"));
	return 0;
}

TEST(limits_are_set_or_said_why_not)
{
	run(MARK, limits);
}

/* The first controller there is, with an attribute that any of them takes "max" for. */
static const char *const tries[][2] = { { "pids", "pids.max" }, { "memory", "memory.max" }, { "hugetlb", "hugetlb.2MB.max" } };

static int controllers(void)
{
	char text[512];
	struct holt__text why = HOLT__TEXT(text);
	struct cgroup g = { 0 };
	pid_t pid;

	text[0] = 0;
	for (size_t i = 0; i < HOLT__N(tries); i++) {
		struct cgroup_limit l = { .attribute = tries[i][1], .value = "max" };

		if (!cgtree_has_word(get(base, "cgroup.controllers"), tries[i][0]))
			continue;
		/* somebody else in it is in the way, and said to be */
		pid = fork();
		if (pid == 0) {
			put(base, "cgroup.procs", "0");
			for (;;)
				pause();
		}
		while (!*get(base, "cgroup.procs"))
			sched_yield();
		ck_assert_int_eq(cgroup_open(&g, &c, "a", &l, 1, &why), -EOPNOTSUPP);
		ck_assert_msg(strstr(text, "there are other processes than us in our cgroup") != NULL, "%s", text);
		kill(pid, SIGKILL);
		reap();
		why.len = 0;
		text[0] = 0;
		ck_assert_msg(cgroup_open(&g, &c, "a", &l, 1, &why) == 0, "%s", text);
		ck_assert(cgtree_has_word(get(base, "cgroup.subtree_control"), tries[i][0]));
		cgroup_close(&g);
		return 0;
	}
	return -ENODEV;
}

TEST(controllers_are_enabled_when_a_limit_needs_them)
{
	const char *name = NULL, *point = is_cgroup2("/sys/fs/cgroup") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
	bool had = false;
	char on[32], off[32];

	for (size_t i = 0; i < HOLT__N(tries) && !name && is_cgroup2(point) && getuid() == 0; i++)
		if (cgtree_has_word(get(point, "cgroup.controllers"), tries[i][0]))
			name = tries[i][0];
	if (!name)
		SKIP("there is no controller in version 2 here, or we are not root");
	had = cgtree_has_word(get(point, "cgroup.subtree_control"), name);
	snprintf(on, sizeof on, "+%s", name);
	snprintf(off, sizeof off, "-%s", name);
	if (!had && put(point, "cgroup.subtree_control", on) < 0)
		SKIP("the controller %s cannot be enabled here", name);
	run(MARK, controllers);
	if (!had)
		put(point, "cgroup.subtree_control", off);
}

/* ---- memory */

static int memory(void)
{
	char text[256];
	struct holt__text why = HOLT__TEXT(text);
	struct cgroup_limit l = { .attribute = "cgroup.max.descendants", .value = "5" };
	bool failed = true;
	size_t live;

	cgroups_close(&c);
	live = harness_live();
	for (uint64_t n = 1; failed; n++) {
		int r;

		harness_fail_alloc(n);
		r = cgroups_open(&c, &w);
		failed = harness_alloc_failed();
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		ck_assert_int_eq(cgroups_delegated(&c), !failed);
		if (failed)
			ck_assert_uint_eq(harness_live(), live);
	}
	failed = true;
	for (uint64_t n = 1; failed; n++) {
		struct cgroup g = { 0 };
		int r;

		harness_fail_alloc(n);
		r = cgroup_open(&g, &c, "a", &l, 1, &why);
		failed = harness_alloc_failed();
		ck_assert_int_eq(r, failed ? -ENOMEM : 0);
		ck_assert_int_eq(there("a.node"), !failed);
		cgroup_close(&g);
	}
	harness_fail_alloc(0);
	return 0;
}

TEST(missing_memory_is_told_and_leaves_nothing)
{
	run(MARK, memory);
}

static int memory_for_leftovers(void)
{
	bool failed = true;

	for (uint64_t n = 1; failed; n++) {
		struct cgroup g;

		opened(&g, "a");
		sleeper(&g);
		holt__free(g.name);
		cgroups_close(&c);
		harness_fail_alloc(n);
		while (cgroups_open(&c, &w) < 0)
			;
		failed = harness_alloc_failed();
		harness_fail_alloc(0);
		while (cgroups_left(&c))
			ck_assert_int_eq(watcher_wait(&w), 0);
		opened(&g, "a"); /* what was not cleared for want of memory is in nobody's way */
		cgroup_close(&g);
		cgroups_close(&c);
		ck_assert_int_eq(cgroups_open(&c, &w), 0);
		while (cgroups_left(&c))
			ck_assert_int_eq(watcher_wait(&w), 0);
		ck_assert(!there("a.node"));
		reap();
	}
	return 0;
}

TEST(leftovers_for_which_memory_is_missing_wait_for_the_next_run)
{
	run(MARK, memory_for_leftovers);
}
