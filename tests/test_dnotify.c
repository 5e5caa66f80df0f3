/* SPDX-License-Identifier: MIT */
/*
 * The receiving end of sd_notify: the parser with what is right, wrong and random; the sockets with real senders, libsystemd
 * among them; the store of descriptors; whose process MAINPID= names. Each test counts descriptors at its end.
 */
#include "daemon/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "harness.h"

#include "daemon/invocation.h"

/* ---- the parser */

static char text[8192];

static struct notify_message parsed(const char *s)
{
	struct notify_message m;

	strcpy(text, s);
	ck_assert_int_eq(notify_parse(&m, text, strlen(s)), 0);
	return m;
}

TEST(each_key_is_understood)
{
	struct notify_message m = parsed(
		"READY=1\nSTATUS=Ready, 3 of 4\nMAINPID=4711\nERRNO=2\nWATCHDOG=1\nWATCHDOG_USEC=2000000\n"
		"EXTEND_TIMEOUT_USEC=500\nSTOPPING=1\nRELOADING=1\nBARRIER=1\nFDSTORE=1\nFDNAME=web\nFDPOLL=0\n"
		"FDSTOREREMOVE=1");

	ck_assert(
		m.ready && m.stopping && m.reloading && m.watchdog && m.barrier && m.fdstore && m.fdstore_remove && m.fdpoll_off);
	ck_assert(!m.watchdog_trigger);
	ck_assert_str_eq(m.status, "Ready, 3 of 4");
	ck_assert_str_eq(m.fdname, "web");
	ck_assert_int_eq(m.main_pid, 4711);
	ck_assert_int_eq(m.error, 2);
	ck_assert(m.has_watchdog_span && m.has_extend);
	ck_assert_uint_eq(m.watchdog_span, 2 * HOLT_SEC);
	ck_assert_uint_eq(m.extend, 500 * HOLT_US);
	m = parsed("WATCHDOG=trigger");
	ck_assert(m.watchdog_trigger && !m.watchdog);
	m = parsed("STATUS=");
	ck_assert_str_eq(m.status, "");
	m = parsed("WATCHDOG_USEC=0\nEXTEND_TIMEOUT_USEC=18446744073709551615");
	ck_assert(m.has_watchdog_span);
	ck_assert_uint_eq(m.watchdog_span, 0);
	ck_assert_uint_eq(m.extend, HOLT_NEVER);
}

TEST(what_makes_no_sense_counts_as_not_there)
{
	static const char *const nonsense[] = { "", "\n", "=", "=\n=1", "READY", "READY=", "READY=0", "READY=2", "READY=1 ",
		" READY=1", "ready=1", "READY =1", "READYX=1", "X=READY=1", "MAINPID=0", "MAINPID=-1", "MAINPID=+1", "MAINPID= 1",
		"MAINPID=1x", "MAINPID=2147483648", "MAINPID=99999999999999999999999", "ERRNO=4096", "ERRNO=-5", "ERRNO=0x5",
		"WATCHDOG_USEC=", "WATCHDOG_USEC=1s", "WATCHDOG_USEC=18446744073709551616", "EXTEND_TIMEOUT_USEC=-1",
		"WATCHDOG=0", "WATCHDOG=triggers", "BARRIER=0", "FDSTORE=yes", "FDNAME=", "FDNAME=a:b", "FDNAME=a\tb",
		"FDNAME=\xc3\xa9", "FDPOLL=1", "FDPOLL=", "STATUS=\xff", "STATUS=\xc0\x80", "STATUS=\xed\xa0\x80",
		"STATUS=\xf4\x90\x80\x80", "STATUS=\xe2\x82", "STATUS=a\xc3", "MONOTONIC_USEC=5", "X_HOLT=1" };
	struct notify_message m, none;

	memset(&none, 0, sizeof none);
	for (size_t i = 0; i < HOLT__N(nonsense); i++) {
		m = parsed(nonsense[i]);
		ck_assert_msg(memcmp(&m, &none, sizeof m) == 0, "\"%s\" means something", nonsense[i]);
	}
}

TEST(first_value_that_makes_sense_counts)
{
	struct notify_message m = parsed("MAINPID=x\nMAINPID=7\nMAINPID=8\nSTATUS=a\nSTATUS=b\nERRNO=0\nERRNO=1");

	ck_assert_int_eq(m.main_pid, 7);
	ck_assert_str_eq(m.status, "a");
	ck_assert_int_eq(m.error, 0);
}

TEST(status_holds_no_control_characters)
{
	ck_assert_str_eq(parsed("STATUS=\033[31mred\r\tx\177").status, "?[31mred??x?");
	ck_assert_str_eq(parsed("STATUS=\xc2\x9bX\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80").status,
		"??X\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(nul_inside_is_refused_and_one_at_the_end_is_none)
{
	struct notify_message m;

	memcpy(text, "READY=1\0STOPPING=1", 18);
	ck_assert_int_eq(notify_parse(&m, text, 18), -EBADMSG);
	ck_assert(!m.ready);
	memcpy(text, "READY=1\0", 8);
	ck_assert_int_eq(notify_parse(&m, text, 8), 0);
	ck_assert(m.ready);
	memcpy(text, "READY=1\0\0", 9);
	ck_assert_int_eq(notify_parse(&m, text, 9), -EBADMSG);
	ck_assert_int_eq(notify_parse(&m, text, 0), 0);
}

static uint64_t random_state = 42;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 20) % n);
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || (*s == '\xc2' && (unsigned char)s[1] < 0xa0))
			return false;
	return true;
}

TEST(random_messages_do_no_harm)
{
	static const char *const words[] = { "READY=1", "STATUS=", "MAINPID=", "ERRNO=", "WATCHDOG=", "1", "trigger", "\n", "=",
		"FDNAME=", "FDSTORE=1", "99999999999999999999", "WATCHDOG_USEC=", "\xc3\xa9", "\xc2", "\xf0\x9f", "\033" };
	struct notify_message m;

	for (int round = 0; round < 50000; round++) {
		size_t n = 0, max = below(200);
		char *exact;

		while (n < max) {
			if (below(3)) {
				const char *word = words[below(HOLT__N(words))];

				memcpy(text + n, word, strlen(word));
				n += strlen(word);
			} else {
				text[n++] = (char)below(256);
			}
		}
		exact = malloc(n + 1); /* so that one byte too far is found */
		memcpy(exact, text, n);
		notify_parse(&m, exact, n);
		ck_assert_int_ge(m.main_pid, 0);
		ck_assert(m.error >= 0 && m.error < 4096);
		ck_assert(!m.status || printable(m.status));
		ck_assert(!m.fdname || (strlen(m.fdname) > 0 && printable(m.fdname)));
		free(exact);
	}
}

/* ---- the sockets */

enum { OTHER = 65534, THIRD = 12345 };

static struct watcher w;
static struct notify_dir dir;
static char state[300];

struct heard {
	struct notify n;
	struct fdstore store;
	int count;
	struct notify_message last;
	char status[NOTIFY_SIZE_MAX];
	void (*then)(struct heard *h);
};

static void hears(struct notify *n, const struct notify_message *m)
{
	struct heard *h = holt__container(n, struct heard, n);

	h->count++;
	h->last = *m;
	strcpy(h->status, m->status ? m->status : "");
	if (h->then)
		h->then(h);
}

static void heard_open(struct heard *h, const char *id, uid_t uid)
{
	memset(h, 0, sizeof *h);
	h->n.message = hears;
	h->n.label = "node";
	h->n.store = &h->store;
	h->store.watcher = &w;
	ck_assert_int_eq(notify_open(&h->n, &dir, id, uid, uid), 0);
}

static void heard_close(struct heard *h)
{
	notify_close(&h->n);
	fdstore_clear(&h->store);
}

static int connected(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_uint_lt(strlen(path), sizeof a.sun_path);
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	return fd;
}

static void send_fds(const char *path, const char *message, size_t size, const int *fds, size_t n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec v = { (char *)message, size };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	int fd = connected(path);

	ck_assert_int_ge(fd, 0);
	if (n > 0) {
		struct cmsghdr *c = &control.align;

		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	ck_assert_int_eq(sendmsg(fd, &h, 0), (ssize_t)size);
	close(fd);
}

static void say(struct heard *h, const char *message)
{
	send_fds(h->n.path, message, strlen(message), NULL, 0);
}

static int with_dir(void *fn)
{
	char path[sizeof state + 32];
	int r;

	if (!state[0]) {
		strcpy(state, "/tmp/holt-dnotify-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(state));
		chmod(state, 0711);
	}
	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(notify_dir_open(&dir, &w, state), 0);
	r = ((int (*)(void))fn)();
	notify_dir_close(&dir);
	watcher_close(&w);
	snprintf(path, sizeof path, "%s/notify", state);
	ck_assert_int_eq(access(path, F_OK), -1);
	rmdir(state);
	return r;
}

static void in_task(int (*fn)(void))
{
	harness_real_clock();
	ck_assert_int_eq(harness_run(with_dir, (void *)fn), 0);
	ck_assert_uint_eq(harness_live(), 0);
}

static void until_heard(struct heard *h, int n)
{
	while (h->count < n)
		ck_assert_int_eq(watcher_wait(&w), 0);
}

static int message_arrives(void)
{
	struct heard h, other;

	heard_open(&h, "1", getuid());
	heard_open(&other, "2", getuid());
	say(&h, "READY=1\nSTATUS=here");
	until_heard(&h, 1);
	ck_assert(h.last.ready);
	ck_assert_str_eq(h.status, "here");
	ck_assert_int_eq(h.last.pid, getpid());
	ck_assert_uint_eq(h.last.uid, getuid());
	ck_assert_int_eq(other.count, 0);
	heard_close(&h);
	heard_close(&other);
	return 0;
}

TEST(socket_tells_whose_message_it_is)
{
	in_task(message_arrives);
}

static int libsystemd(void)
{
	struct heard h;
	int status;
	pid_t pid;

	heard_open(&h, "1", getuid());
	pid = fork();
	if (pid == 0) {
		setenv("NOTIFY_SOCKET", h.n.path, 1);
		if (sd_notify(0, "READY=1\nSTATUS=libsystemd") <= 0)
			_exit(1);
		if (sd_notify_barrier(0, 10 * 1000 * 1000) <= 0)
			_exit(2);
		_exit(0);
	}
	until_heard(&h, 2);
	ck_assert_int_eq(h.last.pid, pid);
	ck_assert(h.last.barrier);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	heard_close(&h);
	return 0;
}

TEST(libsystemd_is_heard_and_its_barrier_ends)
{
	in_task(libsystemd);
}

static int permissions(void)
{
	struct heard h;
	struct stat st;

	umask(0);
	heard_open(&h, "1", getuid() ? getuid() : OTHER);
	ck_assert_int_eq(lstat(h.n.path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_uid, getuid() ? getuid() : OTHER);
	ck_assert_int_eq(fstat(dir.fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0711);
	heard_close(&h);
	ck_assert_int_eq(access(dir.path, F_OK), 0);
	ck_assert_ptr_null(h.n.path);
	return 0;
}

TEST(socket_is_the_users_own_and_closed_to_others)
{
	in_task(permissions);
}

/* Connects before or after it becomes that user, and sends. 0, or what connect said. */
static int sends_as(struct heard *h, uid_t uid, bool before)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = -1;

		if (before)
			fd = connected(h->n.path);
		if (setresuid(uid, uid, uid) < 0)
			_exit(255);
		if (!before)
			fd = connected(h->n.path);
		_exit(fd < 0 ? -fd : send(fd, "READY=1", 7, 0) == 7 ? 0 : errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int senders(void)
{
	struct heard h;

	heard_open(&h, "1", OTHER);
	ck_assert_int_eq(sends_as(&h, OTHER, false), 0);
	until_heard(&h, 1);
	ck_assert_uint_eq(h.last.uid, OTHER);
	ck_assert_int_eq(sends_as(&h, THIRD, false), EACCES);
	ck_assert_int_eq(sends_as(&h, THIRD, true), 0); /* with a connection that somebody gave it */
	ck_assert_int_eq(sends_as(&h, THIRD, true), 0);
	say(&h, "STOPPING=1"); /* root */
	until_heard(&h, 2);
	ck_assert(h.last.stopping);
	ck_assert_uint_eq(harness_count(harness_log(), "of user 12345 is ignored"), 1);
	heard_close(&h);
	return 0;
}

TEST(others_than_its_user_and_root_are_ignored_and_named_once)
{
	if (getuid() != 0)
		SKIP("needs root, to be another user");
	in_task(senders);
}

static int bad_messages(void)
{
	static char large[NOTIFY_SIZE_MAX + 1];
	struct heard h;

	heard_open(&h, "1", getuid());
	memset(large, 'x', sizeof large);
	memcpy(large, "READY=1\n", 8);
	send_fds(h.n.path, large, sizeof large, NULL, 0);
	send_fds(h.n.path, large, sizeof large, NULL, 0);
	send_fds(h.n.path, "READY=1\0x", 9, NULL, 0);
	send_fds(h.n.path, "", 0, NULL, 0);
	send_fds(h.n.path, large, sizeof large - 1, NULL, 0);
	until_heard(&h, 2); /* the empty one, which says nothing, and the longest */
	ck_assert(h.last.ready);
	ck_assert_uint_eq(harness_count(harness_log(), "more than 4096 bytes"), 1);
	ck_assert_uint_eq(harness_count(harness_log(), "with a NUL"), 1);
	heard_close(&h);
	return 0;
}

TEST(too_long_and_broken_messages_are_dropped)
{
	in_task(bad_messages);
}

static int flood(void)
{
	enum { FLOOD = 3000 };
	struct heard h, other;
	int rounds = 0;
	pid_t pid;

	heard_open(&h, "1", getuid());
	heard_open(&other, "2", getuid());
	for (int i = 0; i < 10; i++) /* as many as the kernel keeps for sure */
		say(&h, "STATUS=flood");
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(h.count, 8);
	pid = fork();
	if (pid == 0) {
		int fd = connected(h.n.path);

		for (int i = 0; i < FLOOD; i++)
			if (send(fd, "STATUS=flood", 12, 0) != 12)
				_exit(1);
		_exit(0);
	}
	until_heard(&h, 11);
	say(&other, "READY=1");
	while (other.count == 0) {
		int before = h.count;

		ck_assert_int_eq(watcher_wait(&w), 0);
		ck_assert_int_le(h.count - before, 8);
		rounds++;
	}
	ck_assert_int_le(rounds, 3);
	until_heard(&h, FLOOD + 10);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	heard_close(&h);
	heard_close(&other);
	return 0;
}

TEST(flood_from_one_does_not_keep_others_from_being_heard)
{
	in_task(flood);
}

static void closes(struct heard *h)
{
	heard_close(h);
	memset(&h->n, 0xaa, sizeof h->n); /* it is gone */
}

static int closed_within(void)
{
	struct heard h;

	heard_open(&h, "1", getuid());
	h.then = closes;
	say(&h, "READY=1");
	say(&h, "READY=1");
	while (h.count == 0)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(h.count, 1);
	heard_open(&h, "1", getuid());
	h.then = closes;
	say(&h, "READY=1");
	notify_drain(&h.n);
	ck_assert_int_eq(h.count, 1);
	return 0;
}

TEST(who_hears_a_message_may_close_the_socket)
{
	in_task(closed_within);
}

static void drains(struct heard *h)
{
	if (h->count == 4)
		closes(h);
	if (h->count != 1)
		return;
	notify_drain(&h->n);
	ck_assert_int_eq(h->count, 4);
}

static int drained(void)
{
	struct heard h;

	heard_open(&h, "1", getuid());
	for (int i = 0; i < 5; i++)
		say(&h, "WATCHDOG=1");
	notify_drain(&h.n);
	ck_assert_int_eq(h.count, 5);
	notify_drain(&h.n);
	ck_assert_int_eq(h.count, 5);
	heard_close(&h);
	notify_drain(&h.n);

	heard_open(&h, "1", getuid());
	h.then = drains;
	for (int i = 0; i < 5; i++)
		say(&h, "WATCHDOG=1");
	notify_drain(&h.n);
	ck_assert_int_eq(h.count, 4);
	return 0;
}

TEST(drain_hears_all_that_was_said)
{
	in_task(drained);
}

static int open_errors(void)
{
	struct heard h;
	struct notify n = { .message = hears, .label = "n" };
	static const char *const ids[] = { "", ".", "..", "a/b", "/",
		"0123456789012345678901234567890123456789012345678901234567890123456789" };

	for (size_t i = 0; i < HOLT__N(ids); i++)
		ck_assert_int_eq(notify_open(&n, &dir, ids[i], getuid(), getgid()), -EINVAL);
	heard_open(&h, "1", getuid());
	ck_assert_int_eq(notify_open(&h.n, &dir, "2", getuid(), getgid()), -EBUSY);
	for (uint64_t k = 1;; k++) {
		int r;

		harness_fail_alloc(k);
		r = notify_open(&n, &dir, "3", getuid(), getgid());
		if (!harness_alloc_failed()) {
			ck_assert_int_eq(r, 0);
			break;
		}
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert(faccessat(dir.fd, "3", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	}
	harness_fail_alloc(0);
	notify_close(&n);
	notify_close(&n);
	heard_close(&h);
	return 0;
}

TEST(socket_that_cannot_be_opened_leaves_nothing)
{
	in_task(open_errors);
}

static int long_path(void)
{
	struct heard h;
	struct notify n = { .message = hears, .label = "n" };

	heard_open(&h, "0123456789abcdef0123456789abcdef", getuid());
	ck_assert_ptr_nonnull(strstr(h.n.path, "/proc/"));
	say(&h, "READY=1");
	until_heard(&h, 1);
	ck_assert_int_eq(notify_open(&n, &dir, "2", getuid() + 1, getgid()), -ENAMETOOLONG);
	heard_close(&h);
	return 0;
}

TEST(long_state_directory_is_no_obstacle_for_ones_own_user)
{
	char base[64] = "/tmp/holt-dnotify-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(state, sizeof state, "%s/%0150d", base, 0);
	ck_assert_int_eq(mkdir(state, 0700), 0);
	in_task(long_path);
	ck_assert_int_eq(rmdir(base), 0);
}

static int leftovers(void)
{
	struct heard h;
	struct notify_dir again;
	int fd, file = openat(dir.fd, "file", O_CREAT | O_CLOEXEC, 0600);

	heard_open(&h, "1", getuid());
	fd = dup(h.n.watch.fd);
	ck_assert_int_eq(notify_dir_open(&again, &w, state), 0); /* as if this was after a crash */
	ck_assert(faccessat(dir.fd, "1", F_OK, 0) < 0);
	ck_assert_int_eq(faccessat(dir.fd, "file", F_OK, 0), 0);
	unlinkat(dir.fd, "file", 0);
	close(again.fd);
	holt__free(again.path);
	heard_close(&h);
	close(fd);
	close(file);
	return 0;
}

TEST(sockets_of_an_earlier_run_are_removed_and_nothing_else)
{
	in_task(leftovers);
}

TEST(directory_that_cannot_be_made_is_an_error)
{
	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(notify_dir_open(&dir, &w, "/proc/nothing"), -ENOENT);
	notify_dir_close(&dir);
	harness_fail_alloc(1);
	ck_assert_int_eq(notify_dir_open(&dir, &w, "/tmp"), -ENOMEM);
	notify_dir_close(&dir);
	memset(&dir, 0, sizeof dir);
	notify_dir_close(&dir);
	watcher_close(&w);
}

/* ---- descriptors */

static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void send_one(struct heard *h, const char *message, int fd)
{
	send_fds(h->n.path, message, strlen(message), &fd, 1);
}

static int stored(void)
{
	struct holt_named_fd list[4];
	struct heard h;
	int p[2], q[2];
	size_t before = harness_fds();

	heard_open(&h, "1", getuid());
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(q, O_CLOEXEC), 0);
	send_one(&h, "FDSTORE=1\nFDNAME=web", p[1]);
	send_one(&h, "FDSTORE=1", q[1]);
	send_one(&h, "FDSTORE=1\nFDNAME=again", p[1]); /* the same file */
	send_one(&h, "READY=1", p[1]);                 /* not to be kept */
	until_heard(&h, 4);
	close(p[1]);
	close(q[1]);
	ck_assert_uint_eq(fdstore_list(&h.store, list, 4), 2);
	ck_assert_str_eq(list[0].name, "web");
	ck_assert_str_eq(list[1].name, "stored");
	ck_assert_int_eq(fcntl(list[0].fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(fdstore_list(&h.store, list, 1), 1);
	ck_assert(!hung_up(p[0]));
	ck_assert_int_eq(write(list[0].fd, "x", 1), 1);
	notify_close(&h.n); /* the store outlives the process and its socket */
	ck_assert_uint_eq(h.store.n, 2);
	fdstore_remove(&h.store, "web");
	ck_assert_int_eq(read(p[0], &(char){ 0 }, 1), 1);
	ck_assert(hung_up(p[0]));
	ck_assert(!hung_up(q[0]));
	fdstore_remove(&h.store, "nobody");
	fdstore_clear(&h.store);
	ck_assert(hung_up(q[0]));
	close(p[0]);
	close(q[0]);
	ck_assert_uint_eq(harness_fds(), before);
	return 0;
}

TEST(descriptors_are_kept_by_name_and_each_file_once)
{
	in_task(stored);
}

static int removed_by_message(void)
{
	struct heard h;
	int p[2];

	heard_open(&h, "1", getuid());
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	send_one(&h, "FDSTORE=1\nFDNAME=a", p[1]);
	send_one(&h, "FDSTORE=1\nFDNAME=b\nFDPOLL=0", p[0]);
	until_heard(&h, 2);
	ck_assert_uint_eq(h.store.n, 2);
	say(&h, "FDSTOREREMOVE=1");
	say(&h, "FDSTOREREMOVE=1\nFDNAME=a");
	until_heard(&h, 4);
	ck_assert_uint_eq(h.store.n, 1);
	heard_close(&h);
	close(p[0]);
	close(p[1]);
	return 0;
}

TEST(process_may_take_its_descriptors_out_of_the_store)
{
	in_task(removed_by_message);
}

static int hang_up(void)
{
	struct heard h;
	int a[2], b[2];

	heard_open(&h, "1", getuid());
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	send_one(&h, "FDSTORE=1\nFDNAME=a", a[0]);
	send_one(&h, "FDSTORE=1\nFDNAME=b\nFDPOLL=0", b[0]);
	until_heard(&h, 2);
	close(a[1]);
	close(b[1]);
	while (h.store.n > 1)
		ck_assert_int_eq(watcher_wait(&w), 0);
	w.more = true; /* does not wait */
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(h.store.n, 1);
	heard_close(&h);
	close(a[0]);
	close(b[0]);
	return 0;
}

TEST(connection_that_ended_is_forgotten_unless_it_shall_not_be)
{
	in_task(hang_up);
}

static int full(void)
{
	int fds[NOTIFY_FDS_MAX], spare[2];
	struct heard h;
	size_t before = harness_fds();

	heard_open(&h, "1", getuid());
	for (size_t i = 0; i < HOLT__N(fds); i++) {
		fds[i] = open("/proc/self/stat", O_RDONLY | O_CLOEXEC); /* a file, which has no end to wait for */
		ck_assert_int_ge(fds[i], 0);
	}
	ck_assert_int_eq(pipe2(spare, O_CLOEXEC), 0);
	send_fds(h.n.path, "FDSTORE=1", 9, fds, HOLT__N(fds));
	send_fds(h.n.path, "FDSTORE=1", 9, fds, HOLT__N(fds));
	send_one(&h, "FDSTORE=1\nREADY=1", spare[1]);
	until_heard(&h, 3);
	ck_assert(h.last.ready);
	ck_assert_uint_eq(h.store.n, FDSTORE_MAX);
	ck_assert_uint_eq(harness_count(harness_log(), "cannot store a file descriptor: there are too many"), 1);
	for (size_t i = 0; i < HOLT__N(fds); i++)
		close(fds[i]);
	close(spare[1]);
	ck_assert(hung_up(spare[0]));
	close(spare[0]);
	heard_close(&h);
	ck_assert_uint_eq(harness_fds(), before);
	return 0;
}

TEST(store_is_bounded_and_what_does_not_fit_is_closed)
{
	in_task(full);
}

static int no_store(void)
{
	struct heard h;
	int p[2];

	heard_open(&h, "1", getuid());
	h.n.store = NULL;
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	send_one(&h, "FDSTORE=1", p[1]);
	send_one(&h, "BARRIER=1", p[1]);
	close(p[1]);
	until_heard(&h, 2);
	ck_assert(hung_up(p[0]));
	close(p[0]);
	heard_close(&h);
	return 0;
}

TEST(descriptors_that_nobody_keeps_are_closed)
{
	in_task(no_store);
}

static int table_full(void)
{
	struct rlimit limit, low;
	struct heard h;
	int p[2], fds[8];

	heard_open(&h, "1", getuid());
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	for (size_t i = 0; i < HOLT__N(fds); i++)
		fds[i] = p[1];
	send_fds(h.n.path, "READY=1\nFDSTORE=1", 17, fds, HOLT__N(fds));
	close(p[1]);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = (rlim_t)h.n.watch.fd + 5, .rlim_max = limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	until_heard(&h, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(h.last.ready);
	ck_assert_uint_eq(h.store.n, 0);
	ck_assert(hung_up(p[0]));
	ck_assert(harness_logged("there are too many open"));
	close(p[0]);
	heard_close(&h);
	return 0;
}

TEST(descriptors_that_did_not_fit_are_lost_and_the_message_is_not)
{
	in_task(table_full);
}

static int store_memory(void)
{
	struct heard h;
	int p[2];
	bool failed = true;

	for (uint64_t k = 1; failed; k++) {
		heard_open(&h, "1", getuid());
		ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
		send_one(&h, "FDSTORE=1", p[1]);
		close(p[1]);
		harness_fail_alloc(k);
		notify_drain(&h.n);
		failed = harness_alloc_failed();
		harness_fail_alloc(0);
		ck_assert_int_eq(h.count, 1);
		ck_assert_uint_eq(h.store.n, !failed);
		ck_assert_int_eq(hung_up(p[0]), failed);
		close(p[0]);
		heard_close(&h);
	}
	return 0;
}

TEST(descriptor_for_which_memory_is_missing_is_closed)
{
	in_task(store_memory);
}

/* ---- MAINPID= */

struct family {
	pid_t main, child;
	int tell[2];
};

static const char id_text[] = "0123456789abcdef0123456789abcdef";

static void run_shell(const char *script, const char *id, int out)
{
	char variable[64], *argv[] = { "sh", "-c", (char *)script, NULL }, *env[] = { "PATH=/usr/bin:/bin", variable, NULL };

	snprintf(variable, sizeof variable, "HOLT_INVOCATION_ID=%s", id);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, 3) >= 0)
		execve("/bin/sh", argv, env);
	_exit(127);
}

/* A main process, and the number that one of its family says. */
static void family_start(struct family *f, const char *script, const char *id)
{
	char number[16] = "";

	ck_assert_int_eq(pipe2(f->tell, O_CLOEXEC), 0);
	f->main = fork();
	if (f->main == 0)
		run_shell(script, id, f->tell[1]);
	close(f->tell[1]);
	for (size_t n = 0; n < sizeof number - 1 && read(f->tell[0], number + n, 1) == 1 && number[n] != '\n'; n++)
		;
	f->child = atoi(number);
	ck_assert_int_gt(f->child, 0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int asked(pid_t pid, pid_t main, const char *id)
{
	int fd = -1, r = notify_main_pidfd(pid, main, id, NULL, &fd);

	if (r == 0)
		close(fd);
	else
		ck_assert_int_eq(fd, -1);
	return r;
}

#define GRANDCHILD "sh -c 'sh -c \"echo \\$\\$ >&3; exec sleep 100 3>&-\" & exec 3>&-; wait' & exec 3>&-; wait"

TEST(descendant_of_the_main_process_may_become_it)
{
	struct family f, other;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	family_start(&f, GRANDCHILD, id_text);
	family_start(&other, GRANDCHILD, "00000000000000000000000000000001");
	ck_assert_int_eq(asked(f.child, f.main, NULL), 0);
	ck_assert_int_eq(asked(f.main, f.main, NULL), 0);
	ck_assert_int_eq(asked(f.child, f.main, id_text), 0);
	ck_assert_int_eq(asked(other.child, f.main, id_text), -EPERM);
	ck_assert_int_eq(asked(other.main, f.main, id_text), -EPERM);
	ck_assert_int_eq(asked(getpid(), f.main, id_text), -EPERM);
	ck_assert_int_eq(asked(getppid(), f.main, id_text), -EPERM);
	ck_assert_int_eq(asked(1, f.main, id_text), -EPERM);
	ck_assert_int_eq(asked(f.child, 0, NULL), -EPERM);
	kill(f.child, SIGKILL); /* the others wait for it, and end */
	kill(other.child, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(f.tell[0]);
	close(other.tell[0]);
}

TEST(orphan_of_the_node_may_become_its_main_process)
{
	struct family f, other;
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	family_start(&f, "(sh -c 'echo $$ >&3; exec 3>&-; kill -STOP $$' &)", id_text);
	family_start(&other, "(sh -c 'echo $$ >&3; exec 3>&-; kill -STOP $$' &)", "00000000000000000000000000000001");
	ck_assert_int_eq(waitpid(f.main, &status, 0), f.main);
	ck_assert_int_eq(waitpid(other.main, &status, 0), other.main);
	ck_assert_int_eq(asked(f.child, 0, id_text), 0);
	ck_assert_int_eq(asked(f.child, 0, NULL), -EPERM);
	ck_assert_int_eq(asked(f.child, 0, "rubbish"), -EPERM);
	ck_assert_int_eq(asked(other.child, 0, id_text), -EPERM);
	end(other.child);
	ck_assert_int_eq(asked(other.child, 0, "00000000000000000000000000000001"), -ESRCH);
	kill(f.child, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)f.child, NULL, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(asked(f.child, 0, id_text), -ESRCH); /* dead, if not waited for */
	end(f.child);
	close(f.tell[0]);
	close(other.tell[0]);
}

static void *thread_number(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

TEST(thread_is_no_process)
{
	int p[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		pid_t tid = 0;
		pthread_t t;

		pthread_create(&t, NULL, thread_number, &tid);
		while (__atomic_load_n(&tid, __ATOMIC_ACQUIRE) == 0)
			sched_yield();
		(void)!write(p[1], &tid, sizeof tid);
		pause();
	}
	ck_assert_int_eq(read(p[0], &status, sizeof status), sizeof status);
	c = (char)(asked(status, pid, NULL) < 0);
	end(pid);
	close(p[0]);
	close(p[1]);
	ck_assert_int_eq(c, 1);
}
