/* SPDX-License-Identifier: MIT */
/*
 * Orphans, with real processes. A node's main process is a shell that starts others and leaves them behind; what it
 * started tells its number on descriptor 3. The kernel's promise that it leans on: when a process can be waited for, its
 * children have another parent already.
 */
#include "daemon/orphans.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "harness.h"

static struct watcher w;
static struct orphans o;

struct node {
	struct invocation id;
	pid_t pid;
	int fd; /* what it said on descriptor 3 */
	struct orphan_wait wait;
	struct watch pidfd;
	int gone, kept;
};

static void was_gone(struct orphan_wait *wait)
{
	holt__container(wait, struct node, wait)->gone++;
}

static void execute(struct node *n, const char *script, int out)
{
	char id[INVOCATION_DIGITS + 1], variable[64], *argv[] = { "sh", "-c", (char *)script, NULL };
	char *env[] = { variable, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	sigset_t none;

	invocation_text(&n->id, id);
	snprintf(variable, sizeof variable, "HOLT_INVOCATION_ID=%s", id);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, 3) >= 0)
		execve("/bin/sh", argv, env);
	_exit(127);
}

/* Its main process, which is known. */
static void node_start(struct node *n, const char *script)
{
	int p[2];

	memset(n, 0, sizeof *n);
	n->id = invocation_new();
	n->wait.id = n->id;
	n->wait.gone = was_gone;
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(orphans_reserve(&o), 0);
	n->pid = fork();
	if (n->pid == 0)
		execute(n, script, p[1]);
	ck_assert_int_gt(n->pid, 0);
	ck_assert_int_eq(orphans_know(&o, n->pid), 0);
	close(p[1]);
	n->fd = p[0];
}

/* The next number that one of its processes told. */
static pid_t node_said(struct node *n)
{
	char c, text[32] = "";
	size_t len = 0;

	while (read(n->fd, &c, 1) == 1 && c != '\n')
		text[len++] = c;
	ck_assert_uint_gt(len, 0);
	return atoi(text);
}

/* Waits for the main process, which ends by itself. */
static void node_ended(struct node *n)
{
	int status;

	ck_assert_int_eq(waitpid(n->pid, &status, 0), n->pid);
	orphans_forget(&o, n->pid);
}

static void until_gone(struct node *n)
{
	while (!n->gone)
		ck_assert_int_eq(watcher_wait(&w), 0);
	close(n->fd);
}

static void kill_all(struct node *n)
{
	n->wait.signal = SIGKILL;
	orphans_wait(&o, &n->wait);
	until_gone(n);
}

static bool alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static int with_orphans(void *fn)
{
	int r;

	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(orphans_open(&o, &w), 0);
	r = ((int (*)(void))fn)();
	orphans_close(&o);
	watcher_close(&w);
	return r;
}

static void in_task(int (*fn)(void))
{
	harness_real_clock();
	ck_assert_int_eq(harness_run(with_orphans, (void *)fn), 0);
	ck_assert_uint_eq(harness_live(), 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
	ck_assert_int_eq(errno, ECHILD);
}

/* ---- one node */

static int setsid_grandchild(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	pid = node_said(&n);
	node_ended(&n);
	ck_assert(alive(pid));
	kill_all(&n);
	ck_assert(!alive(pid));
	ck_assert_int_eq(n.gone, 1);
	return 0;
}

TEST(setsid_grandchild_is_killed)
{
	in_task(setsid_grandchild);
}

static int without_list(void)
{
	close(o.children.list);
	o.children.list = -1;
	return setsid_grandchild();
}

TEST(setsid_grandchild_is_killed_where_the_kernel_has_no_list_of_children)
{
	in_task(without_list);
}

static int double_fork(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "( (setsid sh -c 'cd /; echo $$ >&3; exec sleep 100 3>&-' &) & )");
	pid = node_said(&n);
	node_ended(&n);
	kill_all(&n);
	ck_assert(!alive(pid));
	return 0;
}

TEST(daemon_that_forked_twice_is_killed)
{
	in_task(double_fork);
}

static int tree(void)
{
	struct node n;
	pid_t pid[3];

	node_start(&n,
		"setsid sh -c '"
		"echo $$ >&3; setsid sh -c \""
		"echo \\$\\$ >&3; setsid sleep 100 3>&- & echo \\$! >&3; wait\" & wait' &");
	for (int i = 0; i < 3; i++)
		pid[i] = node_said(&n);
	node_ended(&n);
	kill_all(&n);
	for (int i = 0; i < 3; i++)
		ck_assert(!alive(pid[i]));
	return 0;
}

TEST(tree_of_orphans_is_killed_to_its_last_leaf)
{
	in_task(tree);
}

static int nothing_left(void)
{
	struct node n;

	node_start(&n, "exit 0");
	node_ended(&n);
	orphans_wait(&o, &n.wait);
	ck_assert_int_eq(n.gone, 0); /* not at once */
	until_gone(&n);
	ck_assert_int_eq(n.gone, 1);
	ck_assert_uint_eq(o.readings, 1);
	return 0;
}

TEST(that_nothing_is_left_is_told_after_one_reading_and_not_at_once)
{
	in_task(nothing_left);
}

static int only_waits(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	pid = node_said(&n);
	node_ended(&n);
	orphans_wait(&o, &n.wait);
	while (n.wait.n == 0) /* it may be executing something just now */
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(n.gone, 0);
	ck_assert(orphans_any(&o, &n.id));
	ck_assert(alive(pid));
	kill(pid, SIGTERM);
	until_gone(&n);
	ck_assert(!orphans_any(&o, NULL));
	return 0;
}

TEST(who_only_waits_kills_nobody)
{
	in_task(only_waits);
}

static int ignores_sigterm(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "setsid sh -c 'trap \"\" TERM; echo $$ >&3; exec sleep 100 3>&-' & wait");
	pid = node_said(&n);
	kill(n.pid, SIGKILL);
	node_ended(&n);
	n.wait.signal = SIGTERM;
	orphans_wait(&o, &n.wait);
	for (int i = 0; i < 3; i++) {
		orphans_wait(&o, &n.wait);
		ck_assert_int_eq(watcher_wait(&w), 0);
	}
	ck_assert_int_eq(n.gone, 0);
	ck_assert(alive(pid));
	orphans_signal(&o, &n.wait, SIGKILL);
	until_gone(&n);
	ck_assert(!alive(pid));
	return 0;
}

TEST(orphan_that_ignores_sigterm_is_killed_when_asked_for)
{
	in_task(ignores_sigterm);
}

static int stopped(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3; kill -STOP $!");
	pid = node_said(&n);
	node_ended(&n);
	n.wait.signal = SIGTERM;
	orphans_wait(&o, &n.wait);
	until_gone(&n);
	ck_assert(!alive(pid));
	return 0;
}

TEST(stopped_orphan_hears_sigterm)
{
	in_task(stopped);
}

static int other_nodes(void)
{
	struct node a, b;
	pid_t of_a, of_b;

	node_start(&a, "setsid sleep 100 3>&- & echo $! >&3");
	node_start(&b, "setsid sleep 100 3>&- & echo $! >&3");
	of_a = node_said(&a);
	of_b = node_said(&b);
	node_ended(&a);
	node_ended(&b);
	kill_all(&a);
	ck_assert(!alive(of_a));
	ck_assert(alive(of_b));
	ck_assert(orphans_any(&o, &b.id));
	ck_assert(!orphans_any(&o, &a.id));
	kill_all(&b);
	return 0;
}

TEST(orphans_of_another_node_are_left_alone)
{
	in_task(other_nodes);
}

static int without_id(void)
{
	struct node n, all = { .wait = { .gone = was_gone, .signal = SIGKILL }, .fd = -1 };
	pid_t pid;

	node_start(&n, "env -i setsid sh -c 'echo $$ >&3; exec sleep 100 3>&-' &");
	pid = node_said(&n);
	node_ended(&n);
	kill_all(&n); /* none of its: as far as can be known */
	ck_assert(alive(pid));
	orphans_wait(&o, &all.wait);
	until_gone(&all);
	ck_assert(!alive(pid));
	return 0;
}

TEST(orphan_without_an_id_ends_with_the_tree)
{
	in_task(without_id);
}

static int title(void)
{
	struct node n;
	pid_t pid;

	node_start(&n, "env -i sh -c 'echo $$ >&3; exec sleep 100 3>&-' &");
	pid = node_said(&n);
	node_ended(&n);
	n.wait.group = n.pid;
	kill_all(&n);
	ck_assert(!alive(pid));
	return 0;
}

TEST(orphan_that_lost_its_id_is_known_by_its_group)
{
	in_task(title);
}

static int ends_by_itself(void)
{
	struct node n;
	unsigned long before = o.reaped;

	node_start(&n, "(sleep 0.05 3>&- &)");
	node_ended(&n);
	while (o.reaped == before) /* and nobody asked for anything */
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(o.n, 0);
	ck_assert_uint_eq(o.readings, 0);
	close(n.fd);
	return 0;
}

TEST(orphan_that_ends_by_itself_is_reaped_without_being_looked_for)
{
	in_task(ends_by_itself);
}

static int unwait(void)
{
	struct node n;

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	node_said(&n);
	node_ended(&n);
	orphans_wait(&o, &n.wait);
	orphans_unwait(&o, &n.wait);
	orphans_unwait(&o, &n.wait);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(n.gone, 0);
	kill_all(&n);
	ck_assert_int_eq(n.gone, 1);
	return 0;
}

TEST(who_does_not_wait_any_more_is_not_told)
{
	in_task(unwait);
}

static struct node pair[2];

static void gone_takes_other_along(struct orphan_wait *wait)
{
	was_gone(wait);
	orphans_unwait(&o, &pair[0].wait);
	orphans_unwait(&o, &pair[1].wait);
}

static int gone_unwaits(void)
{
	for (int i = 0; i < 2; i++) {
		node_start(&pair[i], "exit 0");
		node_ended(&pair[i]);
		pair[i].wait.gone = gone_takes_other_along;
		orphans_wait(&o, &pair[i].wait);
		close(pair[i].fd);
	}
	while (pair[0].gone + pair[1].gone == 0)
		ck_assert_int_eq(watcher_wait(&w), 0);
	w.more = true; /* does not wait */
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(pair[0].gone + pair[1].gone, 1);
	return 0;
}

TEST(who_is_told_may_take_back_what_others_asked_for)
{
	in_task(gone_unwaits);
}

/* ---- known children */

static void pidfd_fired(struct watch *watch, uint32_t events)
{
	struct node *n = holt__container(watch, struct node, pidfd);
	siginfo_t si = { 0 };

	(void)events;
	if (n->kept) { /* dead, and kept so for a while */
		watch_close(&w, watch);
		return;
	}
	ck_assert_int_eq(waitid(P_PIDFD, (id_t)watch->fd, &si, WEXITED | WNOHANG), 0);
	ck_assert_int_eq(si.si_pid, n->pid);
	watch_close(&w, watch);
	orphans_forget(&o, n->pid);
	n->pid = 0;
	if (!n->wait.waiting && n->wait.gone)
		orphans_wait(&o, &n->wait);
}

static void watch_pidfd(struct node *n)
{
	int fd = (int)syscall(SYS_pidfd_open, n->pid, 0);

	ck_assert_int_ge(fd, 0);
	n->pidfd.fire = pidfd_fired;
	ck_assert_int_eq(watch_add(&w, &n->pidfd, fd, EPOLLIN), 0);
}

static int known(void)
{
	struct node n;
	int status;

	node_start(&n, "exit 3");
	n.kept = 1;
	watch_pidfd(&n);
	while (watch_added(&n.pidfd))
		ck_assert_int_eq(watcher_wait(&w), 0);
	for (int i = 0; i < 5; i++) {
		o.reap = true;
		watch_later(&w, &o.later);
		ck_assert_int_eq(watcher_wait(&w), 0);
	}
	ck_assert_int_eq(waitpid(n.pid, &status, WNOHANG), n.pid);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	orphans_forget(&o, n.pid);
	close(n.fd);
	return 0;
}

TEST(known_child_is_left_to_its_pidfd)
{
	in_task(known);
}

static int hidden(void)
{
	struct node first, n;
	pid_t pid;
	unsigned long before;

	node_start(&first, "exit 0");
	first.kept = 1;
	watch_pidfd(&first);
	while (watch_added(&first.pidfd))
		ck_assert_int_eq(watcher_wait(&w), 0);
	/* it is dead and stays so, the first in the kernel's list */
	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	pid = node_said(&n);
	node_ended(&n);
	before = o.reaped;
	kill(pid, SIGKILL);
	while (o.reaped == before) /* nobody knew of it */
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert(!alive(pid));
	close(n.fd);

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	node_said(&n);
	node_ended(&n);
	kill_all(&n); /* one that is known of, in its turn */
	ck_assert_int_eq(waitpid(first.pid, NULL, WNOHANG), first.pid);
	orphans_forget(&o, first.pid);
	close(first.fd);
	return 0;
}

TEST(dead_known_child_hides_no_orphan)
{
	in_task(hidden);
}

static int becomes_known(void)
{
	struct node n;
	pid_t pid;
	int status;

	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	pid = node_said(&n);
	node_ended(&n);
	orphans_wait(&o, &n.wait);
	while (n.wait.n == 0)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(orphans_know(&o, pid), 0);
	n.wait.signal = SIGKILL;
	until_gone(&n); /* nothing else is left of it */
	ck_assert(alive(pid));
	kill(pid, SIGTERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	orphans_forget(&o, pid);
	return 0;
}

TEST(orphan_can_become_known)
{
	in_task(becomes_known);
}

static int born_ignoring(void)
{
	struct sigaction sa;

	ck_assert_int_eq(sigaction(SIGCHLD, NULL, &sa), 0);
	ck_assert_ptr_eq((void *)sa.sa_handler, (void *)SIG_DFL);
	return known();
}

TEST(ignored_sigchld_is_not_inherited)
{
	signal(SIGCHLD, SIG_IGN);
	in_task(born_ignoring);
}

/* ---- many */

static int lifeline[2]; /* who reads from it ends with us, whatever ends us */

static void live(void)
{
	char c;

	close(lifeline[1]);
	(void)!read(lifeline[0], &c, 1);
	_exit(0);
}

/* A child that pretends to have been executed with that id: it writes it where its environment began. */
static pid_t fork_with_id(const struct invocation *id)
{
	extern char **environ;
	char text[INVOCATION_DIGITS + 1], *at = environ[0];
	pid_t pid = fork();

	if (pid == 0) {
		invocation_text(id, text);
		prctl(PR_SET_PDEATHSIG, 0);
		memcpy(at, "HOLT_INVOCATION_ID=", 19);
		memcpy(at + 19, text, sizeof text);
	}
	return pid;
}

static bool environment_is_long_enough(void)
{
	extern char **environ;
	size_t n = 0;

	for (char **e = environ; *e && n < 64; e++) {
		if (*e != environ[0] + n)
			return false;
		n += strlen(*e) + 1;
	}
	return n >= 64;
}

#ifdef HARNESS_ASAN
enum { MANY = 150, NODES = 100 }; /* a fork takes its time there */
#else
enum { MANY = 800, NODES = 300 }; /* their numbers are more than one piece of the kernel's list */
#endif

static int many_orphans(void)
{
	struct node n = { .id = invocation_new(), .wait.gone = was_gone, .fd = -1 };
	unsigned before;
	pid_t main;

	n.wait.id = n.id;
	ck_assert_int_eq(pipe2(lifeline, O_CLOEXEC), 0);
	main = fork_with_id(&n.id);
	if (main == 0) {
		for (int i = 0; i < MANY; i++) {
			if (fork() == 0)
				live();
		}
		_exit(0);
	}
	ck_assert_int_eq(orphans_know(&o, main), 0);
	ck_assert_int_eq(waitpid(main, NULL, 0), main);
	orphans_forget(&o, main);
	orphans_wait(&o, &n.wait);
	while (n.wait.n < MANY)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(n.wait.n, MANY);
	before = o.readings;
	orphans_signal(&o, &n.wait, SIGKILL);
	until_gone(&n);
	ck_assert_uint_eq(o.n, 0);
	ck_assert_uint_ge(o.reaped, MANY);
	ck_assert_uint_le(o.readings - before, 2 + 1);
	close(lifeline[0]);
	close(lifeline[1]);
	return 0;
}

TEST(many_orphans_cost_a_few_readings)
{
	if (!environment_is_long_enough())
		SKIP("the environment of this process is too short for an id");
	in_task(many_orphans);
}

static struct node crowd[NODES];

static int many_nodes(void)
{
	unsigned gone = 0, rounds = 0, before;

	ck_assert_int_eq(pipe2(lifeline, O_CLOEXEC), 0);
	for (size_t i = 0; i < NODES; i++) {
		struct node *n = &crowd[i];

		n->id = n->wait.id = invocation_new();
		n->wait.gone = was_gone;
		n->wait.signal = SIGKILL;
		n->pid = fork_with_id(&n->id);
		if (n->pid == 0) {
			if (i % 3 == 0 && fork() == 0) /* each third has a grandchild */
				setsid();
			live();
		}
		ck_assert_int_eq(orphans_know(&o, n->pid), 0);
		watch_pidfd(n);
	}
	before = o.readings;
	for (size_t i = 0; i < NODES; i++)
		kill(crowd[i].pid, SIGKILL);
	while (gone < NODES) {
		ck_assert_int_eq(watcher_wait(&w), 0);
		rounds++;
		gone = 0;
		for (size_t i = 0; i < NODES; i++) {
			ck_assert_int_le(crowd[i].gone, 1);
			gone += (unsigned)crowd[i].gone;
		}
	}
	ck_assert_uint_le(o.readings - before, rounds);
	ck_assert_uint_eq(o.n, 0);
	ck_assert_uint_eq(o.pids.n, 0);
	close(lifeline[0]);
	close(lifeline[1]);
	return 0;
}

TEST(many_nodes_that_end_at_once_share_their_readings)
{
	if (!environment_is_long_enough())
		SKIP("the environment of this process is too short for an id");
	in_task(many_nodes);
}

/* ---- one that the kernel does not let go */

static bool put(const char *dir, const char *file, const char *text)
{
	char path[256];
	bool ok;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static char freezer[64];

/* The kernel takes its time until it is. */
static void until_frozen(void)
{
	char path[256], state[32];
	int fd;

	snprintf(path, sizeof path, "%s/freezer.state", freezer);
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ck_assert_int_gt(read(fd, state, sizeof state), 0);
		close(fd);
		sched_yield();
	} while (strncmp(state, "FROZEN", 6) != 0);
}

static int held(void)
{
	struct node a, b;
	char number[16];
	bool lives;
	pid_t pid;
	int gone;

	/* it computes, so that it is not held while it executes something */
	node_start(&a, "setsid sh -c 'echo $$ >&3; ulimit -t 5; exec 3>&- >/dev/null 2>&1; while :; do :; done' &");
	node_start(&b, "setsid sleep 100 3>&- & echo $! >&3");
	pid = node_said(&a);
	node_said(&b);
	snprintf(number, sizeof number, "%d", pid);
	ck_assert(put(freezer, "cgroup.procs", number));
	ck_assert(put(freezer, "freezer.state", "FROZEN"));
	until_frozen();
	node_ended(&a);
	node_ended(&b);
	a.wait.signal = SIGKILL;
	orphans_wait(&o, &a.wait);
	kill_all(&b);
	/* it is counted, though its environment could not be read like that of others */
	while (a.wait.n == 0 && !a.gone)
		ck_assert_int_eq(watcher_wait(&w), 0);
	gone = a.gone;
	lives = alive(pid);
	ck_assert(put(freezer, "freezer.state", "THAWED")); /* before it can fail: it would stay for ever */
	until_gone(&a);
	ck_assert_int_eq(gone, 0);
	ck_assert(lives);
	return 0;
}

TEST(process_that_the_kernel_holds_holds_up_nobody_else)
{
	snprintf(freezer, sizeof freezer, "/sys/fs/cgroup/freezer/holt-test-%d", getpid());
	if (mkdir(freezer, 0755) < 0)
		SKIP("no freezer of cgroup v1 here: %s", strerror(errno));
	in_task(held);
	ck_assert_int_eq(rmdir(freezer), 0);
}

/* ---- a pid namespace */

static int namespace_body(void *arg)
{
	int (*fn)(void) = arg;

	return with_orphans((void *)fn);
}

static bool own_proc;

static int first_process(void *fn)
{
	if (own_proc &&
		(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("proc", "/proc", "proc", 0, NULL) < 0))
		return 77;
	if (getpid() != 1)
		return 78;
	return holt_run(namespace_body, fn) ? 1 : 0;
}

/* No exit() here or there: a search for leaks at the end could not start its thread in the other namespace. */
static int namespace_maker(void *fn)
{
	int status = 0;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(77);
	pid = fork();
	if (pid == 0) {
		int r = first_process(fn);

		fflush(NULL);
		_exit(r);
	}
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 79);
}

static int first(void)
{
	int r = double_fork();

	return r ? r : tree();
}

static int foreign_proc(void)
{
	struct node n;

	ck_assert_int_eq(o.children.proc, -1);
	node_start(&n, "setsid sleep 100 3>&- & echo $! >&3");
	node_said(&n);
	node_ended(&n);
	n.wait.signal = SIGKILL;
	orphans_wait(&o, &n.wait);
	until_gone(&n); /* nothing can be known: the caller goes on */
	return 0;
}

static void run_in_namespace(const char *test, int (*fn)(void))
{
	int status;

	harness_real_clock();
	status = harness_child(namespace_maker, (void *)fn);
	ck_assert_msg(WIFEXITED(status), "status %x: %s", status, harness_output());
	if (WEXITSTATUS(status) == 77) {
		harness_skip(test, "no pid namespace with a /proc of its own here");
		return;
	}
	ck_assert_msg(WEXITSTATUS(status) == 0, "exit %d: %s", WEXITSTATUS(status), harness_output());
}

#define in_namespace(fn) run_in_namespace(__func__, fn)

TEST(first_process_of_a_namespace_reaps_and_kills)
{
	own_proc = true;
	in_namespace(first);
}

TEST(proc_of_another_namespace_is_not_believed)
{
	in_namespace(foreign_proc);
}

/* ---- memory */

static int allocations(void)
{
	bool failed = true;

	for (uint64_t n = 1; failed; n++) {
		struct node a;

		node_start(&a, "setsid sleep 100 3>&- & setsid sleep 100 3>&- & echo $! >&3");
		node_said(&a);
		node_ended(&a);
		harness_fail_alloc(n);
		a.wait.signal = SIGKILL;
		orphans_wait(&o, &a.wait);
		while (!a.gone) {
			int r = watcher_wait(&w);

			ck_assert(r == 0 || r == -ENOMEM);
		}
		close(a.fd);
		failed = harness_alloc_failed();
		harness_fail_alloc(0);
		ck_assert_uint_eq(o.n, 0);
		holt__free(o.table); /* so that the next one needs memory again */
		o.table = NULL;
		o.room = 0;
		pids_free(&o.pids);
	}
	return 0;
}

TEST(missing_memory_delays_and_loses_nothing)
{
	in_task(allocations);
}

TEST(opening_without_memory_leaves_nothing)
{
	ck_assert_int_eq(watcher_open(&w), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(orphans_open(&o, &w), -ENOMEM);
	ck_assert_int_eq(orphans_open(&o, &w), 0);
	orphans_close(&o);
	orphans_close(&o);
	watcher_close(&w);
}
