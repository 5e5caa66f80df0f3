/* SPDX-License-Identifier: MIT */
/*
 * What a child gets, and starts that fail: each option, each step's error with its name, each way of cloning, and that a failure
 * anywhere leaves nothing behind.
 */
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "process.h"
#include "sys/spawn.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* ---- ways to make a child: what older kernels and filters of system calls leave us */

static int clone3_says;
static enum { GIVES, IGNORES, REFUSES } clone_with_pidfd;
static int without_pidfd; /* so many were made */

static pid_t no_clone3(struct holt__clone_args *a, int (*fn)(void *), void *arg)
{
	(void)a;
	(void)fn;
	(void)arg;
	return clone3_says;
}

static pid_t clone_of_old(int (*fn)(void *), void *top, int flags, void *arg, int *ret_pidfd)
{
	if (flags & CLONE_PIDFD) {
		if (clone_with_pidfd == GIVES)
			return holt__clone(fn, top, flags, arg, ret_pidfd);
		if (clone_with_pidfd == REFUSES)
			return -EINVAL;
	}
	without_pidfd++;
	return holt__clone(fn, top, flags & ~CLONE_PIDFD, arg, NULL);
}

enum { WAYS = 7 };

static void go_way(int way)
{
	static const int says[WAYS] = { 0, -ENOSYS, -EPERM, -EINVAL, -E2BIG, -ENOSYS, -ENOSYS };

	if (way == 0)
		return;
	clone3_says = says[way];
	clone_with_pidfd = way < 5 ? GIVES : way == 5 ? IGNORES : REFUSES;
	harness_sys.clone3 = no_clone3;
	harness_sys.clone = clone_of_old;
}

CLAIM_OF_WAYS(every_way_of_cloning_starts_waits_and_tells_what_failed, WAYS)
{
	holt_process *p;

	go_way(way);
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("echo here"))), "here\n");
	fails(OPTIONS(.argv = ARGS("/no/such/program")), ENOENT, "exec");
	fails(OPTIONS(.argv = SH("exit 0"), .cwd = "/no/such"), ENOENT, "cwd");
	p = ready_child("trap 'exit 9' TERM", false);
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, NULL), 0);
	ck_assert_int_eq(exit_of(p).code, 9);
	ck_assert(fcntl(holt_process_fd(p, HOLT_PROCESS_PIDFD), F_GETFD) & FD_CLOEXEC);
	holt_process_close(p);
	ck_assert_int_eq(without_pidfd > 0, way >= 5);
	return 0;
}

static int no_pidfd_open(pid_t pid)
{
	(void)pid;
	return -EMFILE;
}

CLAIM_OF(a_child_whose_pidfd_cannot_be_had_is_not_left)
{
	go_way(WAYS - 1);
	harness_sys.pidfd_open = no_pidfd_open;
	fails(OPTIONS(.argv = ARGS("sleep", "1000")), EMFILE, "process");
	return 0;
}

static pid_t clone_that_is_refused(int (*fn)(void *), void *top, int flags, void *arg, int *ret_pidfd)
{
	(void)fn;
	(void)top;
	(void)flags;
	(void)arg;
	(void)ret_pidfd;
	return -EAGAIN;
}

CLAIM_OF_WAYS(a_clone_that_is_refused_is_told, 2)
{
	go_way(1);
	if (way == 0)
		clone3_says = -EAGAIN;
	else
		harness_sys.clone = clone_that_is_refused;
	fails(OPTIONS(.argv = SH("exit 0"), PIPE(1)), EAGAIN, "process");
	return 0;
}

/* ---- the program */

static void write_file(const char *folder, const char *name, mode_t mode, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static const char *folder(const char *name)
{
	static char root[64], path[128];

	if (!*root) {
		strcpy(root, "/tmp/holt-spawn-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(root));
	}
	snprintf(path, sizeof path, "%s/%s", root, name);
	mkdir(path, 0755);
	chmod(root, 0755);
	return path;
}

static void remove_folders(void)
{
	char command[256];

	snprintf(command, sizeof command, "%.*s", (int)(strlen(folder("")) - 1), folder(""));
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("rm", "-r", command))), "");
}

CLAIM_OF(what_execve_says_is_the_result)
{
	static char huge[200000];
	const char *f = folder("exec");
	char path[512];

	write_file(f, "plain", 0644, "#!/bin/sh\n");
	write_file(f, "junk", 0755, "\001\002\003");
	write_file(f, "orphan", 0755, "#!/no/such/interpreter\n");
	fails(OPTIONS(.argv = ARGS("/no/such")), ENOENT, "exec");
	fails(OPTIONS(.argv = ARGS("/")), EACCES, "exec");
	fails(OPTIONS(.argv = ARGS("/etc/passwd/x")), ENOTDIR, "exec");
	snprintf(path, sizeof path, "%s/plain", f);
	fails(OPTIONS(.argv = ARGS(path)), EACCES, "exec");
	snprintf(path, sizeof path, "%s/orphan", f);
	fails(OPTIONS(.argv = ARGS(path)), ENOENT, "exec");
	snprintf(path, sizeof path, "%s/junk", f);
	fails(OPTIONS(.argv = ARGS(path)), ENOEXEC, "exec"); /* and no shell tries it */
	memset(huge, 'x', sizeof huge - 1);
	fails(OPTIONS(.argv = ARGS("true", huge)), E2BIG, "exec");
	fails(OPTIONS(.argv = ARGS(huge)), ENAMETOOLONG, "exec");
	remove_folders();
	return 0;
}

CLAIM_OF(a_program_is_looked_for_as_execvp_does)
{
	char a[128], b[128], path[512];
	const char *env[] = { path, NULL };

	strcpy(a, folder("a"));
	strcpy(b, folder("b"));
	write_file(a, "tool", 0644, "#!/bin/sh\necho a\n");
	write_file(b, "tool", 0755, "#!/bin/sh\necho b\n");
	write_file(b, "junk", 0755, "\001\002\003");
	snprintf(path, sizeof path, "PATH=/no/such:/etc/passwd:%s:%s:/bin", a, b);
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("tool"), .env = env)), "b\n");
	fails(OPTIONS(.argv = ARGS("junk"), .env = env), ENOEXEC, "exec");
	fails(OPTIONS(.argv = ARGS("tool")), ENOENT, "exec"); /* ours does not have them */
	fails(OPTIONS(.argv = ARGS("")), ENOENT, "exec");
	fails(OPTIONS(.argv = ARGS("no such tool"), .env = env), ENOENT, "exec");
	snprintf(path, sizeof path, "PATH=%s:/no/such", a);
	fails(OPTIONS(.argv = ARGS("tool"), .env = env), EACCES, "exec"); /* the one that was there */
	strcpy(path, "PATH=/no/such:");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("tool"), .env = env, .cwd = b)), "b\n"); /* empty: the child's folder */
	fails(OPTIONS(.argv = ARGS("tool"), .env = env, .path = "tool"), ENOENT, "exec");        /* as it is */
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("any"), .env = env, .path = "tool", .cwd = b)), "b\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("./tool"), .env = env, .cwd = b)), "b\n");
	strcpy(path, "NOPATH=/no/such");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("sh", "-c", "echo $NOPATH"), .env = env)), "/no/such\n");
	remove_folders();
	return 0;
}

CLAIM_OF(the_environment_is_ours_or_what_was_given)
{
	ck_assert_int_eq(setenv("HOLT_TEST", "ours", 1), 0);
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("echo $HOLT_TEST"))), "ours\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("env"), .env = ARGS("A=1", "B=2"))), "A=1\nB=2\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("env"), .env = (const char *const[]){ NULL })), "");
	return 0;
}

CLAIM_OF(options_without_sense_are_einval)
{
	static char long_name[257];
	const struct holt_named_fd colon = { "a:b", 0 }, newline = { "a\n", 0 }, too_long = { long_name, 0 };
	const struct holt_process_options *bad[] = {
		OPTIONS(.argv = NULL),
		OPTIONS(.argv = (const char *const[]){ NULL }),
		OPTIONS(.argv = ARGS("true"), .nice = 20),
		OPTIONS(.argv = ARGS("true"), .nice = -21),
		OPTIONS(.argv = ARGS("true"), .n_fds = 1),
		OPTIONS(.argv = ARGS("true"), .n_limits = 1),
		OPTIONS(.argv = ARGS("true"), .n_fds = 5000, .fds = &colon),
		OPTIONS(.argv = ARGS("true"), .n_fds = 1, .fds = &colon),
		OPTIONS(.argv = ARGS("true"), .n_fds = 1, .fds = &newline),
		OPTIONS(.argv = ARGS("true"), .n_fds = 1, .fds = &too_long),
		OPTIONS(.argv = ARGS("true"), .stdio[0].how = HOLT_STDIO_STDOUT),
		OPTIONS(.argv = ARGS("true"), .stdio[2].how = (enum holt_stdio)5),
	};
	holt_process *p = NULL;

	memset(long_name, 'x', sizeof long_name - 1);
	for (size_t i = 0; i < HOLT__N(bad); i++)
		fails(bad[i], EINVAL, "options");
	ck_assert_int_eq(holt_process_start(&p, NULL), -EINVAL);
	ck_assert_int_eq(holt_process_start(NULL, OPTIONS(.argv = ARGS("true"))), -EINVAL);
	return 0;
}

CLAIM_OF(a_caller_of_another_age_is_understood)
{
	struct {
		struct holt_process_options o;
		long later;
	} young = { .o = { .size = sizeof young, .argv = ARGS("true") } };
	struct holt_process_options old = { .argv = ARGS("true"), .failed = (const char **)1 };
	holt_process *p = NULL;

	old.size = offsetof(struct holt_process_options, supplementary_groups);
	ck_assert_int_eq(holt_process_start(&p, &old), 0);
	holt_process_close(p);
	ck_assert_int_eq(holt_process_start(&p, &young.o), 0);
	holt_process_close(p);
	young.later = 1;
	ck_assert_int_eq(holt_process_start(&p, &young.o), -E2BIG);
	old.argv = NULL;
	ck_assert_int_eq(holt_process_start(&p, &old), -EINVAL);
	return 0;
}

/* ---- signals */

static volatile sig_atomic_t handled;
static int signaled;

static void handle(int sig)
{
	(void)sig;
	handled++;
}

CLAIM_OF_WAYS(a_child_has_no_signal_blocked_or_ignored, WAYS)
{
	const char *status;
	sigset_t some, after;

	go_way(way);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, sig % 2 ? SIG_IGN : handle);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	sigaddset(&some, SIGRTMAX);
	sigprocmask(SIG_BLOCK, &some, NULL);
	status = output_of(OPTIONS(.argv = ARGS("cat", "/proc/self/status")));
	ck_assert_str_eq(value_of(status, "SigBlk"), "0000000000000000");
	ck_assert_str_eq(value_of(status, "SigIgn"), "0000000000000000");
	ck_assert_str_eq(value_of(status, "SigCgt"), "0000000000000000");
	sigprocmask(SIG_UNBLOCK, &some, &after); /* ours are as before */
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		ck_assert_int_eq(sigismember(&after, sig) > 0, sig == SIGUSR1 || sig == SIGRTMAX);
	ck_assert_ptr_eq(signal(SIGUSR2, SIG_DFL), handle);
	return 0;
}

/* At its very first step, when it may still have our handlers. */
static int signaled_early(long number, long a, long b, long c, long d)
{
	if (!signaled++)
		syscall(SYS_kill, syscall(SYS_getpid), SIGUSR1);
	return holt__in_child(number, a, b, c, d);
}

CLAIM_OF_WAYS(a_signal_before_the_exec_runs_no_handler_of_ours, WAYS)
{
	struct holt_exit e;
	holt_process *p;

	go_way(way);
	signal(SIGUSR1, handle);
	harness_sys.in_child = signaled_early;
	p = started(OPTIONS(.argv = SH("exit 0")));
	e = exit_of(p);
	ck_assert(e.signaled);
	ck_assert_int_eq(e.code, SIGUSR1);
	ck_assert_int_eq(handled, 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF_WAYS(a_child_has_a_process_group_of_its_own_unless, 2)
{
	holt_process *p = ready_child(":", way);

	ck_assert_int_eq(getpgid(holt_process_pid(p)), way ? getpgrp() : holt_process_pid(p));
	holt_process_close(p);
	return 0;
}

/* ---- descriptors */

static int refused[4]; /* system calls */

static int refuse_some(long number, long a, long b, long c, long d)
{
	for (size_t i = 0; i < HOLT__N(refused) && refused[i]; i++)
		if (number == refused[i])
			return -ENOSYS;
	return holt__in_child(number, a, b, c, d);
}

/* 0: by close_range; 1: by /proc; 2: one by one; 3: the same, when /proc lies. */
CLAIM_OF_WAYS(no_descriptor_leaks_into_a_child, 4)
{
	static const int ways[4][4] = { { 0 }, { SYS_close_range }, { SYS_close_range, SYS_openat },
		{ SYS_close_range, SYS_getdents64 } };
	int fd[3] = { fcntl(0, F_DUPFD, 3), fcntl(0, F_DUPFD, 50), fcntl(0, F_DUPFD, 900) };
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max > 2000)
		limit.rlim_max = 2000; /* as each number is tried */
	limit.rlim_cur = 1000;
	setrlimit(RLIMIT_NOFILE, &limit);
	memcpy(refused, ways[way], sizeof refused);
	harness_sys.in_child = refuse_some;
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("ls", "/proc/self/fd"))), "0\n1\n2\n3\n"); /* 3 is ls's own */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fcntl(fd[i], F_GETFD), 0); /* ours is as it was */
		close(fd[i]);
	}
	return 0;
}

static ino_t inode(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/*
 * Sources and targets lie in the same range, in any order, some twice: files at 10 to 42 of ours become 3 to 42 of the
 * child's, and 0 and 2.
 */
enum { FIRST = 10, FILES = 33, TARGETS = 40 };

static int shuffle_once(unsigned seed)
{
	struct holt_named_fd fds[TARGETS];
	const char *argv[4 + TARGETS + 2] = { "stat", "-L", "-c", "%i" };
	char names[TARGETS + 2][32], expected[8192], *e = expected;
	int fd[FILES], in, err;

	srand(seed);
	for (int i = 0; i < FILES; i++) {
		int memfd = memfd_create("file", MFD_CLOEXEC);

		fd[i] = fcntl(memfd, F_DUPFD_CLOEXEC, FIRST);
		close(memfd);
	}
	in = fd[rand() % FILES];
	err = fd[rand() % FILES];
	e += sprintf(e, "%lu\n%lu\n", (unsigned long)inode(in), (unsigned long)inode(err));
	for (int i = 0; i < TARGETS; i++) {
		fds[i] = (struct holt_named_fd){ NULL, fd[rand() % FILES] };
		if (i % 5 == 0)
			fds[i].fd = 3 + i >= fd[0] && 3 + i <= fd[FILES - 1] ? 3 + i : fds[i].fd; /* its own number */
		e += sprintf(e, "%lu\n", (unsigned long)inode(fds[i].fd));
	}
	for (int i = 0; i < TARGETS + 2; i++) {
		snprintf(names[i], sizeof names[i], "/proc/self/fd/%d", i == 0 ? 0 : i == 1 ? 2 : i + 1);
		argv[4 + i] = names[i];
	}
	argv[4 + TARGETS + 2 - 1] = names[TARGETS + 1];
	{
		const char *all[4 + TARGETS + 3];

		memcpy(all, argv, sizeof argv);
		all[4 + TARGETS + 2] = NULL;
		harness_same(output_of(OPTIONS(.argv = all, .fds = fds, .n_fds = TARGETS, .stdio[0] = { HOLT_STDIO_FD, in },
				     .stdio[2] = { HOLT_STDIO_FD, err })),
			expected);
	}
	for (int i = 0; i < FILES; i++)
		close(fd[i]);
	return 0;
}

CLAIM_OF(named_descriptors_arrive_whatever_their_numbers)
{
	for (unsigned seed = 0; seed < 20; seed++)
		shuffle_once(seed);
	return 0;
}

CLAIM_OF(named_descriptors_are_told_as_systemd_does)
{
	const char *script = "[ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES";
	const struct holt_named_fd fds[] = { { "http", 0 }, { NULL, 0 }, { "log", 1 } };
	const char *const stale[] = { "LISTEN_PID=1", "LISTEN_FDS=9", "LISTEN_FDNAMES=x", "LISTEN_PIDFDID=7", "LISTEN_OTHER=1",
		NULL };

	ck_assert_str_eq(output_of(OPTIONS(.argv = SH(script), .fds = fds, .n_fds = 3)), "3 http:unknown:log\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH(script), .fds = fds, .n_fds = 1, .env = stale)), "1 http\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("env"), .env = stale)), "LISTEN_OTHER=1\n");
	setenv("LISTEN_FDS", "2", 1);
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("echo $LISTEN_FDS"))), "\n");
	unsetenv("LISTEN_FDS");
	return 0;
}

CLAIM_OF(the_mode_of_what_is_handed_over_is_left_alone)
{
	int fd[2], again[2];
	struct holt_named_fd named[2];
	const char *text;

	socket_pair(fd);
	ck_assert_int_eq(pipe2(again, O_CLOEXEC | O_NONBLOCK), 0);
	named[0] = (struct holt_named_fd){ NULL, fd[0] };
	named[1] = (struct holt_named_fd){ NULL, again[0] };
	text = output_of(OPTIONS(.argv = SH("for i in 3 4; do sed -n 's/^flags:\t//p' /proc/self/fdinfo/$i; done"), .fds = named,
		.n_fds = 2));
	ck_assert_int_eq(strtol(text, NULL, 8) & O_NONBLOCK, 0);
	ck_assert_int_ne(strtol(strchr(text, '\n'), NULL, 8) & O_NONBLOCK, 0);
	ck_assert(is_blocking(fd[0]) && is_blocking(fd[1]) && !is_blocking(again[0]));
	ck_assert(fcntl(fd[0], F_GETFD) & FD_CLOEXEC); /* that, too */
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(again[i]);
	}
	return 0;
}

CLAIM_OF(a_pipe_is_non_blocking_here_and_blocking_there)
{
	holt_process *p = started(OPTIONS(.argv = SH("for i in 0 1 2; do sed -n 's/^flags:\t//p' /proc/$$/fdinfo/$i; done >&2"),
		PIPE(0), PIPE(1), PIPE(2)));
	char text[256], *t = text;

	read_all(holt_process_fd(p, 2), text, sizeof text);
	for (int i = 0; i < 3; i++) {
		ck_assert(!is_blocking(holt_process_fd(p, i)));
		ck_assert(fcntl(holt_process_fd(p, i), F_GETFD) & FD_CLOEXEC);
		ck_assert_int_eq(strtol(t, &t, 8) & O_NONBLOCK, 0);
	}
	ck_assert_int_eq(exit_of(p).code, 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(stdio_is_what_was_asked_for)
{
	char text[256];
	holt_process *p;
	int file = memfd_create("file", MFD_CLOEXEC);

	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("cat; echo hidden >&2; readlink /proc/self/fd/0"),
				 .stdio[0].how = HOLT_STDIO_NULL, .stdio[2].how = HOLT_STDIO_NULL)),
		"/dev/null\n");
	ck_assert_str_eq(
		output_of(OPTIONS(.argv = SH("echo out; echo err >&2"), .stdio[2].how = HOLT_STDIO_STDOUT)), "out\nerr\n");
	p = started(OPTIONS(.argv = SH("read x; echo got $x; echo err >&2"), PIPE(0), .stdio[1] = { HOLT_STDIO_FD, file },
		.stdio[2].how = HOLT_STDIO_STDOUT));
	ck_assert_int_eq(holt_write_full(holt_process_fd(p, 0), "this\n", 5), 5);
	ck_assert_int_eq(exit_of(p).code, 0);
	holt_process_close(p);
	ck_assert_int_eq(pread(file, text, sizeof text, 0), 13);
	ck_assert_int_eq(strncmp(text, "got this\nerr\n", 13), 0);
	close(file);
	return 0;
}

CLAIM_OF(what_a_child_writes_to_dev_null_is_gone_and_has_no_end_of_ours)
{
	holt_process *p = started(OPTIONS(.argv = SH("echo out && echo err >&2 && echo more && exit 7"),
		.stdio[1].how = HOLT_STDIO_NULL, .stdio[2].how = HOLT_STDIO_NULL));

	ck_assert_int_eq(holt_process_fd(p, 1), -EBADF);
	ck_assert_int_eq(holt_process_fd(p, 2), -EBADF);
	ck_assert_int_eq(exit_of(p).code, 7); /* each echo could write */
	holt_process_close(p);
	return 0;
}

/* Which a socket in its place would refuse. */
CLAIM_OF(a_child_can_open_its_pipes_by_their_names)
{
	holt_process *p = started(OPTIONS(.argv = SH("cat </dev/stdin >/dev/stdout"), PIPE(0), PIPE(1)));
	char text[32];

	ck_assert_int_eq(holt_write_full(holt_process_fd(p, 0), "abc", 3), 3);
	holt_close(holt_process_take_fd(p, 0));
	read_all(holt_process_fd(p, 1), text, sizeof text);
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(exit_of(p).code, 0);
	holt_process_close(p);
	return 0;
}

/*
 * In a process of its own, which has no descriptor 0, 1 and 2: the loop's take the numbers, and pipes and pidfds. They do not become
 * a child's because of that.
 */
static int without_stdio(void *arg)
{
	char text[64];
	holt_process *p = started(OPTIONS(.argv = ARGS("cat"), PIPE(0), PIPE(1), .stdio[2].how = HOLT_STDIO_NULL));
	holt_process *q = started(OPTIONS(.argv = ARGS("ls", "/proc/self/fd"), PIPE(1)));

	(void)arg;
	read_all(holt_process_fd(q, 1), text, sizeof text);
	exit_of(q);
	holt_process_close(q);
	holt_write_full(holt_process_fd(p, 0), "x", 1);
	holt_close(holt_process_take_fd(p, 0));
	if (strcmp(text, "0\n1\n") == 0) /* 0 is ls's own */
		read_all(holt_process_fd(p, 1), text, sizeof text);
	holt_process_close(p);
	return strcmp(text, "x");
}

static int close_stdio(void *arg)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	return holt_run(without_stdio, arg);
}

TEST(without_stdio_of_ours_a_child_gets_nothing_else_in_its_place)
{
	harness_real_clock();
	ck_assert_int_eq(harness_child(close_stdio, NULL), 0);
}

CLAIM_OF(a_descriptor_that_is_not_open_is_told)
{
	const struct holt_named_fd closed = { NULL, 999 }, negative = { NULL, -1 };

	fails(OPTIONS(.argv = ARGS("true"), .stdio[1] = { HOLT_STDIO_FD, 999 }), EBADF, "stdio");
	fails(OPTIONS(.argv = ARGS("true"), .stdio[2] = { HOLT_STDIO_FD, 999 }), EBADF, "stdio");
	fails(OPTIONS(.argv = ARGS("true"), .stdio[1] = { HOLT_STDIO_FD, -1 }, PIPE(0)), EBADF, "stdio");
	fails(OPTIONS(.argv = ARGS("true"), .fds = &closed, .n_fds = 1), EBADF, "fds");
	fails(OPTIONS(.argv = ARGS("true"), .fds = &negative, .n_fds = 1, PIPE(1)), EBADF, "fds");
	return 0;
}

/* ---- what it runs under */

CLAIM_OF(working_directory_umask_and_niceness_are_set)
{
	int ours = getpriority(PRIO_PROCESS, 0);

	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("pwd"), .cwd = "/usr")), "/usr\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("umask"), .umask_plus_1 = 027 + 1)), "0027\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("umask"), .umask_plus_1 = 1)), "0000\n");
	ck_assert_str_eq(output_of(OPTIONS(.argv = ARGS("nice"), .nice = 7)), "7\n");
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), ours);
	return 0;
}

CLAIM_OF(limits_are_set)
{
	const struct holt_limit limits[] = {
		{ RLIMIT_CORE, { 0, 4096 } },
		{ RLIMIT_CPU, { 100, RLIM_INFINITY } },
		{ RLIMIT_FSIZE, { RLIM_INFINITY, RLIM_INFINITY } },
	};
	const struct holt_limit bad = { 4711, { 0, 0 } }, crossed = { RLIMIT_CORE, { 2, 1 } };

	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("ulimit -Sc; ulimit -Hc; ulimit -St; ulimit -Ht; ulimit -Sf"),
				 .limits = limits, .n_limits = 3)),
		"0\n8\n100\nunlimited\nunlimited\n");
	fails(OPTIONS(.argv = ARGS("true"), .limits = &bad, .n_limits = 1), EINVAL, "limits");
	fails(OPTIONS(.argv = ARGS("true"), .limits = &crossed, .n_limits = 1), EINVAL, "limits");
	return 0;
}

CLAIM_OF(a_small_limit_of_descriptors_is_not_in_the_way_of_handing_them_over)
{
	const struct holt_limit limit = { RLIMIT_NOFILE, { 6, 6 } }; /* one for the loader of programs */
	int high = fcntl(0, F_DUPFD_CLOEXEC, 200), low = fcntl(0, F_DUPFD_CLOEXEC, 3), fill[8];
	const struct holt_named_fd fds[] = { { NULL, high }, { NULL, low } };

	for (int i = 0; i < 8; i++) /* all below the limit are taken */
		fill[i] = fcntl(0, F_DUPFD_CLOEXEC, 3);
	ck_assert_str_eq(output_of(OPTIONS(.argv = SH("ulimit -n; [ -e /proc/$$/fd/4 ] && echo 4"), .limits = &limit,
				 .n_limits = 1, .fds = fds, .n_fds = 2, .stdio[0].how = HOLT_STDIO_NULL)),
		"6\n4\n");
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(high);
	close(low);
	return 0;
}

CLAIM_OF(no_new_privileges_is_set_when_asked_for)
{
	ck_assert_str_eq(value_of(output_of(OPTIONS(.argv = ARGS("cat", "/proc/self/status"))), "NoNewPrivs"), "0");
	ck_assert_str_eq(
		value_of(output_of(OPTIONS(.argv = ARGS("cat", "/proc/self/status"), .no_new_privileges = true)), "NoNewPrivs"),
		"1");
	return 0;
}

/* ---- users and groups */

CLAIM_OF(unknown_users_and_groups_are_told)
{
	fails(OPTIONS(.argv = ARGS("true"), .user = "no-such-user"), ESRCH, "user");
	fails(OPTIONS(.argv = ARGS("true"), .user = ""), ESRCH, "user");
	fails(OPTIONS(.argv = ARGS("true"), .group = "no-such-group"), ESRCH, "group");
	fails(OPTIONS(.argv = ARGS("true"), .user = "nobody", .group = "no-such-group"), ESRCH, "group");
	fails(OPTIONS(.argv = ARGS("true"), .user = "nobody", .supplementary_groups = ARGS("no-such")), ESRCH,
		"supplementary_groups");
	fails(OPTIONS(.argv = ARGS("true"), .user = "123456789"), EINVAL, "user"); /* of no group that is known */
	fails(OPTIONS(.argv = ARGS("true"), .user = "4294967295"), ESRCH, "user"); /* -1 is no number of a user */
	return 0;
}

static const char *ids_of(const struct holt_process_options *o)
{
	static char ids[600];
	struct holt_process_options with = *o;
	const char *status;

	with.argv = ARGS("cat", "/proc/self/status");
	status = output_of(&with);
	strcpy(ids, value_of(status, "Uid"));
	strcat(strcat(ids, "; "), value_of(status, "Gid"));
	strcat(strcat(ids, "; "), value_of(status, "Groups"));
	return ids;
}

static int be_others(void *arg)
{
	gid_t few[] = { 7, 8 };

	(void)arg;
	setgroups(2, few);
	harness_same(ids_of(OPTIONS(.user = "nobody")), "65534\t65534\t65534\t65534; 65534\t65534\t65534\t65534; 65534 ");
	harness_same(ids_of(OPTIONS(.user = "65534")), "65534\t65534\t65534\t65534; 65534\t65534\t65534\t65534; 65534 ");
	harness_same(ids_of(OPTIONS(.user = "nobody", .group = "daemon")), "65534\t65534\t65534\t65534; 1\t1\t1\t1; 1 ");
	harness_same(
		ids_of(OPTIONS(.user = "123456789", .group = "5")), "123456789\t123456789\t123456789\t123456789; 5\t5\t5\t5; ");
	harness_same(ids_of(OPTIONS(.user = "nobody", .supplementary_groups = ARGS("daemon", "77"))),
		"65534\t65534\t65534\t65534; 65534\t65534\t65534\t65534; 1 77 65534 ");
	harness_same(ids_of(OPTIONS(.group = "daemon")), "0\t0\t0\t0; 1\t1\t1\t1; 7 8 ");
	harness_same(ids_of(OPTIONS(.supplementary_groups = ARGS("daemon"))), "0\t0\t0\t0; 0\t0\t0\t0; 1 ");
	harness_same(ids_of(OPTIONS(.argv = NULL)), "0\t0\t0\t0; 0\t0\t0\t0; 7 8 ");
	return 0;
}

TEST(a_child_is_who_it_shall_be)
{
	if (geteuid() != 0)
		SKIP("only root may be somebody else");
	harness_real_clock();
	ck_assert_int_eq(harness_run(be_others, NULL), 0);
	no_child_left();
}

static int stay_dumpable(void *way)
{
	go_way((int)(intptr_t)way);
	for (int set = 0; set < 2; set++) {
		prctl(PR_SET_DUMPABLE, set);
		output_of(OPTIONS(.argv = ARGS("true"), .user = "nobody"));
		ck_assert_int_eq(prctl(PR_GET_DUMPABLE), set);
		fails(OPTIONS(.argv = ARGS("/no/such"), .user = "nobody"), ENOENT, "exec");
		ck_assert_int_eq(prctl(PR_GET_DUMPABLE), set);
	}
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

TEST_LOOP(a_childs_change_of_ids_takes_nothing_from_us, 0, WAYS)
{
	if (geteuid() != 0)
		SKIP("only root may be somebody else");
	harness_real_clock();
	ck_assert_int_eq(harness_run(stay_dumpable, (void *)(intptr_t)_i), 0);
	no_child_left();
}

static int as_nobody(void *arg)
{
	(void)arg;
	fails(OPTIONS(.argv = ARGS("true"), .user = "root"), EPERM, "supplementary_groups");
	fails(OPTIONS(.argv = ARGS("true"), .group = "0"), EPERM, "group");
	fails(OPTIONS(.argv = ARGS("true"), .nice = -5), EACCES, "nice");
	harness_same(ids_of(OPTIONS(.user = "nobody")), "65534\t65534\t65534\t65534; 65534\t65534\t65534\t65534; ");
	harness_same(ids_of(OPTIONS(.group = "65534")), "65534\t65534\t65534\t65534; 65534\t65534\t65534\t65534; ");
	return 0;
}

static int become_nobody(void *arg)
{
	return setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ? 1 : holt_run(as_nobody, arg);
}

TEST(who_is_not_root_may_be_what_it_is_and_nobody_else)
{
	int status;

	if (geteuid() != 0)
		SKIP("only root may become somebody else");
	harness_real_clock();
	status = harness_child(become_nobody, NULL);
	ck_assert_msg(status == 0, "%d: %s", status, harness_output());
}

static int no_user(const char *name, struct passwd *pw, char *buf, size_t size, struct passwd **ret)
{
	static int calls;

	(void)name;
	(void)pw;
	(void)buf;
	(void)size;
	*ret = NULL;
	if (calls++ == 0)
		return -EINTR;
	return calls < 4 ? -ERANGE : -EIO;
}

CLAIM_OF(a_database_that_fails_is_told)
{
	harness_sys.user_by_name = no_user;
	fails(OPTIONS(.argv = ARGS("true"), .user = "nobody"), EIO, "user");
	return 0;
}

static int many_groups(const char *user, gid_t gid, gid_t *ret, int *n)
{
	(void)user;
	(void)gid;
	if (*n < 1000) {
		*n = 1000;
		return -ERANGE;
	}
	for (int i = 0; i < 1000; i++)
		ret[i] = 1000 + (gid_t)i;
	*n = 1000;
	return 0;
}

static int in_many_groups(void *arg)
{
	(void)arg;
	harness_sys.groups_of = many_groups;
	ck_assert_ptr_nonnull(
		strstr(output_of(OPTIONS(.argv = ARGS("id", "-G"), .user = "nobody", .supplementary_groups = ARGS("5"))),
			" 1998 1999\n"));
	return 0;
}

TEST(a_user_of_a_thousand_groups_has_them_all)
{
	if (geteuid() != 0)
		SKIP("only root may be somebody else");
	harness_real_clock();
	ck_assert_int_eq(harness_run(in_many_groups, NULL), 0);
}

/* ---- the parent's death */

static int start_and_die(void *fd)
{
	const struct holt_named_fd held = { NULL, *(int *)fd };

	started(OPTIONS(.argv = ARGS("sleep", "1000"), .death_signal = SIGKILL, .fds = &held, .n_fds = 1,
		.user = geteuid() == 0 ? "nobody" : NULL)); /* a change of ids after it would take it off */
	_exit(0);
}

static int run_and_die(void *fd)
{
	return holt_run(start_and_die, fd);
}

TEST(a_child_with_a_death_signal_dies_with_us)
{
	int fd[2];
	char c;

	harness_real_clock();
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	ck_assert_int_eq(harness_child(run_and_die, &fd[1]), 0);
	close(fd[1]);
	arrived(fd[0], POLLIN);
	ck_assert_int_eq(read(fd[0], &c, 1), 0); /* nobody holds it any more */
	close(fd[0]);
}

static int parent_seen;

static int another_parent(long number, long a, long b, long c, long d)
{
	return number == SYS_getppid ? parent_seen : holt__in_child(number, a, b, c, d);
}

CLAIM_OF(one_whose_parent_died_before_the_signal_was_set_does_not_start)
{
	harness_sys.in_child = another_parent;
	parent_seen = 1;
	fails(OPTIONS(.argv = ARGS("sleep", "1000"), .death_signal = SIGTERM), ESRCH, "death_signal");
	parent_seen = 0; /* in another namespace of processes it cannot be told */
	output_of(OPTIONS(.argv = ARGS("true"), .death_signal = SIGTERM));
	fails(OPTIONS(.argv = ARGS("true"), .death_signal = 4711), EINVAL, "death_signal");
	return 0;
}

/* ---- cgroups */

/* Any folder with such a file will do for a kernel that cannot clone into one: the child writes itself in. */
CLAIM_OF_WAYS(without_clone_into_cgroup_a_child_enters_by_itself, 2)
{
	const char *f = folder("cgroup");
	char path[256], text[8] = "";
	int dir = open(f, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	go_way(way);
	write_file(f, "cgroup.procs", 0600, "");
	output_of(OPTIONS(.argv = ARGS("true"), .cgroup_fd_plus_1 = dir + 1));
	snprintf(path, sizeof path, "%s/cgroup.procs", f);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, text, sizeof text), 1);
	ck_assert_str_eq(text, "0");
	close(fd);
	unlink(path);
	fails(OPTIONS(.argv = ARGS("true"), .cgroup_fd_plus_1 = dir + 1), ENOENT, "cgroup_fd");
	fails(OPTIONS(.argv = ARGS("true"), .cgroup_fd_plus_1 = 1000), EBADF, "cgroup_fd");
	close(dir);
	remove_folders();
	return 0;
}

static char cgroup_path[512];

static int opened_by_child;

static int count_opens(long number, long a, long b, long c, long d)
{
	opened_by_child += number == SYS_openat;
	return holt__in_child(number, a, b, c, d);
}

static const char *find_cgroup(void)
{
	char line[1024], mount[256] = "", own[256] = "";
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof line, f))
		sscanf(line, "0::%255s", own);
	if (f)
		fclose(f);
	f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof line, f))
		if (strstr(line, " - cgroup2 "))
			sscanf(line, "%*s %*s %*s %*s %255s", mount);
	if (f)
		fclose(f);
	snprintf(cgroup_path, sizeof cgroup_path, "%s%s/holt-test-%d", mount, own, (int)getpid());
	return *mount && *own && mkdir(cgroup_path, 0755) == 0 ? cgroup_path : NULL;
}

static int start_in_cgroup(void *arg)
{
	int dir = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name = strrchr(cgroup_path, '/');

	(void)arg;
	harness_sys.in_child = count_opens;
	for (int way = 0; way < 2; way++) {
		go_way(way);
		ck_assert_ptr_nonnull(
			strstr(output_of(OPTIONS(.argv = ARGS("cat", "/proc/self/cgroup"), .cgroup_fd_plus_1 = dir + 1)), name));
		ck_assert_int_eq(opened_by_child, way);
	}
	close(dir);
	return 0;
}

TEST(a_child_is_born_in_its_cgroup)
{
	if (!find_cgroup())
		SKIP("no cgroup of version 2 that may be written to");
	harness_real_clock();
	ck_assert_int_eq(harness_run(start_in_cgroup, NULL), 0);
	ck_assert_int_eq(rmdir(cgroup_path), 0);
}

/* ---- whatever fails, it is told, and nothing is left */

static long failing;
static int skip_calls, n_calls;

static int fail_number(long number, long a, long b, long c, long d)
{
	return number == failing && skip_calls-- == 0 ? -EIO : holt__in_child(number, a, b, c, d);
}

#ifndef SYS_setresuid32
#define SYS_setresuid32 SYS_setresuid
#define SYS_setresgid32 SYS_setresgid
#define SYS_setgroups32 SYS_setgroups
#endif

/* All that a child can be asked for by who is not root. */
static const struct holt_limit any_limit = { RLIMIT_CORE, { 0, 0 } };
static const struct holt_named_fd any_fds[] = { { "a", 0 }, { "b", 0 } };
#define EVERYTHING \
	.argv = SH("exit 0"), .cwd = "/", .umask_plus_1 = 023, .nice = 1, .stdio[0].how = HOLT_STDIO_NULL, PIPE(1), \
	.stdio[2].how = HOLT_STDIO_STDOUT, .fds = any_fds, .n_fds = 2, .limits = &any_limit, .n_limits = 1, \
	.death_signal = SIGKILL, .no_new_privileges = true

CLAIM_OF(the_error_of_each_step_is_told_with_its_name)
{
	static const struct {
		const char *name;
		long number;
		int nth;
	} steps[] = {
		{ "same_group", SYS_setpgid, 0 },
		{ "nice", SYS_setpriority, 0 },
		{ "stdio", SYS_openat, 0 }, /* /dev/null */
		{ "stdio", SYS_dup3, 1 },   /* the pipe's end, behind /dev/null */
		{ "stdio", SYS_dup3, 2 },
		{ "fds", SYS_dup3, 3 },
		{ "fds", SYS_dup3, 4 },
		{ "limits", SYS_prlimit64, 0 },
		{ "cwd", SYS_chdir, 0 },
		{ "death_signal", SYS_prctl, 0 },
		{ "no_new_privileges", SYS_prctl, 1 },
		{ "exec", SYS_execve, 0 },
	};

	harness_sys.in_child = fail_number;
	for (size_t i = 0; i < HOLT__N(steps); i++) {
		failing = steps[i].number;
		skip_calls = steps[i].nth;
		fails(OPTIONS(EVERYTHING), EIO, steps[i].name);
		ck_assert_int_eq(skip_calls, -1);
	}
	return 0;
}

static int fail_ids(void *arg)
{
	static const struct {
		const char *name;
		long number;
	} steps[] = { { "supplementary_groups", SYS_setgroups32 }, { "group", SYS_setresgid32 }, { "user", SYS_setresuid32 } };

	(void)arg;
	harness_sys.in_child = fail_number;
	for (size_t i = 0; i < HOLT__N(steps); i++) {
		failing = steps[i].number;
		skip_calls = 0;
		fails(OPTIONS(EVERYTHING, .user = "nobody"), EIO, steps[i].name);
	}
	return 0;
}

TEST(the_error_of_each_id_is_told_with_its_name)
{
	if (geteuid() != 0)
		SKIP("only root may be somebody else");
	harness_real_clock();
	ck_assert_int_eq(harness_run(fail_ids, NULL), 0);
}

static int fail_nth(long number, long a, long b, long c, long d)
{
	if (number != SYS_exit_group && number != SYS_rt_sigaction && n_calls++ == skip_calls)
		return -EIO;
	return holt__in_child(number, a, b, c, d);
}

/* True: it started, and ended. */
static bool attempt(const struct holt_process_options *o, int error)
{
	holt_process *p = NULL;
	int r = holt_process_start(&p, o);

	if (r == 0)
		holt_process_wait(p, NULL);
	else
		ck_assert_msg(r == error || r == -ESRCH, "start: %s", strerror(-r)); /* -ESRCH: when getppid fails */
	holt_process_close(p);
	no_child_left();
	return r == 0;
}

CLAIM_OF(every_system_call_of_a_child_may_fail)
{
	size_t fds = harness_fds(), live = harness_live();
	int failed = 0;

	harness_sys.in_child = fail_nth;
	for (bool ok = true; ok; skip_calls++) {
		n_calls = 0;
		failed += !attempt(OPTIONS(EVERYTHING), -EIO);
		ok = n_calls > skip_calls; /* else it was not reached */
		ck_assert_uint_eq(harness_fds(), fds);
		ck_assert_uint_eq(harness_live(), live);
	}
	ck_assert_int_gt(skip_calls, 20);
	ck_assert_int_ge(failed, 12);
	return 0;
}

static int left;

static bool now(void)
{
	return left > 0 && --left == 0;
}

static int f_pipe(int fds[2])
{
	return now() ? -EMFILE : holt__sys_linux.pipe(fds);
}

static int f_set_flags(int fd, int flags)
{
	return now() ? -EMFILE : holt__sys_linux.set_flags(fd, flags);
}

static void *f_map(size_t size)
{
	return now() ? NULL : holt__sys_linux.map(size);
}

static int f_guard(void *p, size_t size)
{
	return now() ? -ENOMEM : holt__sys_linux.guard(p, size);
}

static int f_mask_signals(int how, const sigset_t *set, sigset_t *old)
{
	return old && now() ? -ENOMEM : holt__sys_linux.mask_signals(how, set, old);
}

static pid_t f_clone3(struct holt__clone_args *a, int (*fn)(void *), void *arg)
{
	return now() ? -ENOMEM : holt__clone3(a, fn, arg);
}

CLAIM_OF(every_system_call_of_ours_may_fail)
{
	size_t fds = harness_fds(), live = harness_live();
	int n = 0, saved_errno;

	harness_sys.pipe = f_pipe;
	harness_sys.set_flags = f_set_flags;
	harness_sys.map = f_map;
	harness_sys.guard = f_guard;
	harness_sys.mask_signals = f_mask_signals;
	harness_sys.clone3 = f_clone3;
	do {
		holt_process *p = NULL;
		int r;

		left = ++n;
		errno = 4711;
		r = holt_process_start(&p, OPTIONS(.argv = SH("exit 0"), PIPE(0), PIPE(1), PIPE(2)));
		saved_errno = errno;
		ck_assert(r == 0 || r == -EMFILE || r == -ENOMEM);
		ck_assert_int_eq(r == 0, left > 0);
		if (left > 0)
			n = -n;
		left = 0;
		holt_process_close(p);
		no_child_left();
		ck_assert_uint_eq(harness_fds(), fds);
		ck_assert_uint_eq(harness_live(), live);
		ck_assert_int_eq(saved_errno, 4711);
	} while (n > 0);
	ck_assert_int_eq(-n, 3 + 3 + 4 + 1);
	return 0;
}

CLAIM_OF(every_allocation_may_fail)
{
	const char *user = geteuid() == 0 ? "nobody" : NULL;
	size_t fds = harness_fds(), live = harness_live();
	uint64_t n = 0;
	bool ok;

	do {
		harness_fail_alloc(++n);
		ok = attempt(
			OPTIONS(EVERYTHING, .user = user, .group = "daemon", .supplementary_groups = user ? ARGS("5") : NULL),
			-ENOMEM);
		ck_assert_int_eq(ok, !harness_alloc_failed());
		ck_assert_uint_eq(harness_fds(), fds);
		ck_assert_uint_eq(harness_live(), live);
	} while (!ok);
	harness_fail_alloc(0);
	ck_assert_uint_gt(n, 6);
	return 0;
}

CLAIM_OF(without_descriptors_nothing_starts)
{
	struct rlimit limit, before;
	struct holt_process_options o = *OPTIONS(.argv = SH("exit 0"), PIPE(0), PIPE(1), PIPE(2));
	size_t fds = harness_fds();
	int started_at = -1;

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	for (int room = 0; room < 12; room++) {
		holt_process *p = NULL;
		int r, first = fcntl(0, F_DUPFD_CLOEXEC, 0);

		close(first);
		limit.rlim_cur = (rlim_t)(first + room);
		setrlimit(RLIMIT_NOFILE, &limit);
		r = holt_process_start(&p, &o);
		setrlimit(RLIMIT_NOFILE, &before);
		ck_assert_msg(r == 0 || r == -EMFILE, "%s", strerror(-r));
		if (r == 0 && started_at < 0)
			started_at = room;
		holt_process_close(p);
		no_child_left();
		ck_assert_uint_eq(harness_fds(), fds);
	}
	ck_assert_int_gt(started_at, 5);
	return 0;
}
