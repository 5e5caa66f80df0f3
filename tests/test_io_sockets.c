/* SPDX-License-Identifier: MIT */
/*
 * Connections, addresses and signals: what a server meets from outside.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/stat.h>

#include "harness.h"
#include "io.h"
#include "io/address.h"

/* ---- helpers */

static struct sockaddr_in bound_to(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return a;
}

static int port_of(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

static int raw_connect(struct sockaddr_in to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	connect(fd, (struct sockaddr *)&to, sizeof to);
	return fd;
}

struct acceptor {
	int lfd, result;
	bool done;
	holt_task *task; /* borrowed */
};

static int accept_one(void *arg)
{
	struct acceptor *a = arg;

	a->result = holt_accept(a->lfd, NULL, NULL);
	a->done = true;
	return 0;
}

static void start_acceptor(holt_group *g, struct acceptor *a, int lfd)
{
	*a = (struct acceptor){ .lfd = lfd };
	ck_assert_int_eq(holt_spawn(g, accept_one, a, .task = &a->task), 0);
	holt_task_unref(a->task);
	holt_yield();
}

/* ---- accept */

CLAIM(accept_gives_a_connection_that_is_ready_for_use)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), fd, client;
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	ck_assert_int_ge(lfd, 0);
	ck_assert_int_eq(is_blocking(lfd), 0);
	ck_assert_int_eq(fcntl(lfd, F_GETFD), FD_CLOEXEC);
	client = raw_connect(bound_to(lfd));
	fd = holt_accept(lfd, (struct sockaddr *)&peer, &len);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(is_blocking(fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(len, sizeof(struct sockaddr_in));
	ck_assert_int_eq(((struct sockaddr_in *)&peer)->sin_port, bound_to(client).sin_port);
	holt_close(fd);
	holt_close(client);
	holt_close(lfd);
	return 0;
}

CLAIM(acceptors_take_turns)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), client[3];
	struct acceptor a[3];

	with_group(g)
	{
		for (int i = 0; i < 3; i++)
			start_acceptor(g, &a[i], lfd);
		settle();
		for (int i = 0; i < 3; i++) {
			client[i] = raw_connect(bound_to(lfd));
			until(a[i].done);
			for (int k = 0; k < 3; k++)
				ck_assert_int_eq(a[k].done, k <= i);
		}
	}
	for (int i = 0; i < 3; i++) {
		holt_close(a[i].result);
		holt_close(client[i]);
	}
	holt_close(lfd);
	return 0;
}

static int accept_errors[8], n_accept_errors, accepts;

static int failing_accept(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	accepts++;
	return n_accept_errors > 0 ? accept_errors[--n_accept_errors] : holt__sys_linux.accept(fd, a, len, flags);
}

static void fail_accepts(int n, const int *errors)
{
	memcpy(accept_errors, errors, (size_t)n * sizeof *errors);
	n_accept_errors = n;
	harness_sys.accept = failing_accept;
}

CLAIM(accept_goes_on_over_errors_of_a_passing_connection)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), client = raw_connect(bound_to(lfd)), fd;

	fail_accepts(5, (int[]){ -ECONNABORTED, -EPROTO, -EPERM, -EINTR, -ENETUNREACH });
	fd = holt_accept(lfd, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(accepts, 6);
	fail_accepts(1, (int[]){ -EINVAL });
	ck_assert_int_eq(holt_accept(lfd, NULL, NULL), -EINVAL);
	holt_close(fd);
	holt_close(client);
	holt_close(lfd);
	ck_assert_int_eq(holt_accept(lfd, NULL, NULL), -EBADF);
	return 0;
}

CLAIM(accept_waits_out_the_lack_of_descriptors)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), client = raw_connect(bound_to(lfd)), spare = dup(0), fd;
	struct acceptor a;
	holt_time begin;

	fail_accepts(2, (int[]){ -EMFILE, -ENFILE });
	begin = harness_time();
	fd = holt_accept(lfd, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(harness_time() - begin, 200 * HOLT_MS);
	ck_assert_uint_eq(harness_count(harness_log(), "accept: "), 1);
	holt_close(fd);
	holt_close(client);

	client = raw_connect(bound_to(lfd));
	fail_accepts(1, (int[]){ -EMFILE });
	with_group(g)
	{
		start_acceptor(g, &a, lfd);
		begin = harness_time();
		settle();
		ck_assert_int_eq(a.done, 0);
		holt_close(spare); /* now there is one */
		settle();
		ck_assert_int_eq(a.done, 1);
		ck_assert_int_ge(a.result, 0);
		ck_assert_uint_lt(harness_time() - begin, HOLT_MS);
		holt_close(a.result);
	}
	ck_assert_uint_eq(harness_count(harness_log(), "accept: "), 2); /* it had worked between */
	holt_close(client);
	holt_close(lfd);
	return 0;
}

CLAIM(waiting_for_descriptors_ends_with_the_listener_and_with_a_cancellation)
{
	int lfd = holt_listen("tcp:127.0.0.1:0");
	struct acceptor a[2];

	fail_accepts(3, (int[]){ -EMFILE, -EMFILE, -EMFILE });
	with_group(g)
	{
		start_acceptor(g, &a[0], lfd);
		start_acceptor(g, &a[1], lfd);
		settle();
		holt_task_cancel(a[0].task, NULL);
		settle();
		ck_assert_int_eq(a[0].result, -ECANCELED);
		holt_close(lfd);
		settle();
		ck_assert_int_eq(a[1].result, -EBADF);
	}
	return 0;
}

CLAIM(closing_a_listener_wakes_who_accepts)
{
	int lfd = holt_listen("tcp:127.0.0.1:0");
	struct acceptor a;

	with_group(g)
	{
		start_acceptor(g, &a, lfd);
		settle();
		holt_close(lfd);
		settle();
		ck_assert_int_eq(a.result, -EBADF);
	}
	return 0;
}

/* ---- connect and dial */

CLAIM(a_refused_connection_says_so)
{
	struct sockaddr_in to;
	int lfd = holt_listen("tcp:127.0.0.1:0"), fd;
	char address[64];

	to = bound_to(lfd);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", port_of(lfd));
	holt_close(lfd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(holt_connect(fd, (struct sockaddr *)&to, sizeof to), -ECONNREFUSED);
	holt_close(fd);
	ck_assert_int_eq(holt_dial(address), -ECONNREFUSED);
	ck_assert_int_eq(holt_dial("unix:/nonexistent/x"), -ENOENT);
	ck_assert_int_eq(holt_connect(0, NULL, 0), -EINVAL);
	return 0;
}

CLAIM(a_connection_that_takes_long_can_be_canceled)
{
	int lfd = holt_listen("tcp:127.0.0.1:0", .backlog = 1), full[8], fd;
	struct sockaddr_in to = bound_to(lfd);
	struct holt_scope s;
	char address[64];

	for (int i = 0; i < 8; i++) /* no more fit into the backlog: the next ones get no answer */
		full[i] = raw_connect(to);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_scope_end(&s, holt_connect(fd, (struct sockaddr *)&to, sizeof to)), -ETIME);
	holt_close(fd);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", port_of(lfd));
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_scope_end(&s, holt_dial(address)), -ETIME); /* and leaves no descriptor: the harness counts */
	for (int i = 0; i < 8; i++)
		holt_close(full[i]);
	holt_close(lfd);
	return 0;
}

static int interrupted_connect(int fd, const struct sockaddr *a, socklen_t len)
{
	static bool again;
	int r;

	if (a->sa_family == AF_UNIX && !again) { /* it has not begun to connect then */
		again = true;
		return -EINTR;
	}
	r = holt__sys_linux.connect(fd, a, len);
	return r == -EINPROGRESS || r == 0 ? -EINTR : r;
}

CLAIM(an_interrupted_connect_is_one_in_progress)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), fd;
	struct sockaddr_in to = bound_to(lfd), peer;
	socklen_t len = sizeof peer;

	harness_sys.connect = interrupted_connect;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(holt_connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	holt_close(fd);
	holt_close(lfd);
	lfd = holt_listen("unix:@holt-test-interrupted");
	fd = holt_dial("unix:@holt-test-interrupted");
	ck_assert_int_ge(fd, 0);
	len = sizeof peer;
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	holt_close(fd);
	holt_close(lfd);
	return 0;
}

static int accept_later(void *arg)
{
	int *lfd = arg;

	holt_sleep(HOLT_SEC);
	return accept4(*lfd, NULL, NULL, SOCK_CLOEXEC);
}

CLAIM(a_full_unix_listener_is_waited_for)
{
	int lfd = holt_listen("unix:@holt-test-backlog", .backlog = 1), first[2], fd = -1, accepted = -1;
	struct holt_scope s;
	holt_task *t;

	first[0] = holt_dial("unix:@holt-test-backlog");
	first[1] = holt_dial("unix:@holt-test-backlog");
	holt_scope_begin(&s, holt_in(500 * HOLT_MS), 0);
	ck_assert_int_eq(holt_scope_end(&s, holt_dial("unix:@holt-test-backlog")), -ETIME);
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, accept_later, &lfd, .task = &t), 0);
		fd = holt_dial("unix:@holt-test-backlog");
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(holt_task_wait(t, &accepted), 0);
		holt_task_unref(t);
	}
	close_pair(first);
	holt_close(accepted);
	holt_close(fd);
	holt_close(lfd);
	return 0;
}

CLAIM(dialing_localhost_tries_both_loopbacks)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), fd;
	char address[64];

	snprintf(address, sizeof address, "tcp:localhost:%d", port_of(lfd));
	fd = holt_dial(address);
	ck_assert_int_ge(fd, 0);
	holt_close(fd);
	holt_close(lfd);
	lfd = holt_listen("tcp:localhost:0");
	ck_assert_int_ge(lfd, 0);
	snprintf(address, sizeof address, "tcp:localhost:%d", port_of(lfd));
	fd = holt_dial(address);
	ck_assert_int_ge(fd, 0);
	holt_close(fd);
	holt_close(lfd);
	return 0;
}

CLAIM(dialing_from_an_address_comes_from_there)
{
	int lfd = holt_listen("tcp:127.0.0.1:0"), fd, from;
	char address[64];

	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", port_of(lfd));
	fd = holt_dial(address, .from = "127.0.0.2");
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(ntohl(bound_to(fd).sin_addr.s_addr), 0x7f000002);
	from = port_of(fd);
	ck_assert_int_gt(from, 0);
	holt_close(fd);
	ck_assert_int_eq(holt_dial(address, .from = "[::1]"), -EINVAL);
	ck_assert_int_eq(holt_dial(address, .from = "nowhere"), -EINVAL);
	ck_assert_int_eq(holt_dial("unix:@x", .from = "127.0.0.1"), -EINVAL);
	holt_close(lfd);
	return 0;
}

/* ---- listen */

CLAIM(ip6_works_where_there_is_some)
{
	int lfd = holt_listen("tcp:[::1]:0"), fd;
	char address[64];

	if (lfd == -EADDRNOTAVAIL || lfd == -EAFNOSUPPORT) {
		harness_skip(__func__, "this machine has no IPv6");
		return 0;
	}
	ck_assert_int_ge(lfd, 0);
	snprintf(address, sizeof address, "tcp:[::1]:%d", port_of(lfd));
	fd = holt_dial(address);
	ck_assert_int_ge(fd, 0);
	holt_close(fd);
	holt_close(lfd);
	return 0;
}

static int ip4_only(int domain, int type, int protocol)
{
	return domain == AF_INET6 ? -EAFNOSUPPORT : holt__sys_linux.socket(domain, type, protocol);
}

CLAIM(any_address_is_that_of_ip4_where_there_is_no_ip6)
{
	const char *any[] = { "tcp:[::]:0", "tcp:*:0" };

	harness_sys.socket = ip4_only;
	for (int i = 0; i < 2; i++) {
		int lfd = holt_listen(any[i]);

		ck_assert_int_ge(lfd, 0);
		ck_assert_int_eq(bound_to(lfd).sin_family, AF_INET);
		ck_assert_uint_eq(bound_to(lfd).sin_addr.s_addr, INADDR_ANY);
		holt_close(lfd);
	}
	ck_assert_int_eq(holt_listen("tcp:[::1]:0"), -EAFNOSUPPORT);
	return 0;
}

CLAIM(a_port_has_several_listeners_only_if_they_want_it)
{
	int a = holt_listen("tcp:127.0.0.1:0", .reuse_port = true), b;
	char address[64];

	ck_assert_int_ge(a, 0);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", port_of(a));
	ck_assert_int_eq(holt_listen(address), -EADDRINUSE);
	b = holt_listen(address, .reuse_port = true);
	ck_assert_int_ge(b, 0);
	holt_close(a);
	holt_close(b);
	return 0;
}

static char *scratch(void)
{
	static char dir[] = "/tmp/holt-test-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

CLAIM(a_stale_unix_path_is_replaced_and_a_live_one_is_not)
{
	char *dir = scratch(), address[64], *path = address + 5;
	int lfd, fd;
	struct stat before, after;

	snprintf(address, sizeof address, "unix:%s/s", dir);
	lfd = holt_listen(address);
	ck_assert_int_ge(lfd, 0);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(holt_listen(address), -EADDRINUSE);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	fd = holt_dial(address);
	ck_assert_int_ge(fd, 0);
	holt_close(fd);
	holt_close(lfd);
	ck_assert_int_eq(stat(path, &after), 0); /* it stays */
	lfd = holt_listen(address);
	ck_assert_int_ge(lfd, 0);
	fd = holt_dial(address);
	ck_assert_int_ge(fd, 0);
	holt_close(fd);
	holt_close(lfd);
	unlink(path);
	rmdir(dir);
	return 0;
}

CLAIM(a_path_that_is_no_socket_is_never_replaced)
{
	char *dir = scratch(), address[64], *path = address + 5;
	struct stat st;
	int fd;

	snprintf(address, sizeof address, "unix:%s/f", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(holt_listen(address), -EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	unlink(path);
	ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
	ck_assert_int_eq(holt_listen(address), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &st), 0);
	unlink(path);
	rmdir(dir);
	ck_assert_int_eq(holt_listen(address), -ENOENT);
	return 0;
}

static mode_t mode_at_bind;

static int watched_listen(int fd, int backlog)
{
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof a;
	struct stat st;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_eq(stat(a.sun_path, &st), 0);
	mode_at_bind = st.st_mode & 07777;
	return holt__sys_linux.listen(fd, backlog);
}

CLAIM(a_unix_path_has_its_mode_before_anybody_can_connect)
{
	char *dir = scratch(), address[64], *path = address + 5;
	mode_t mask = umask(022);
	int lfd;

	snprintf(address, sizeof address, "unix:%s/m", dir);
	harness_sys.listen = watched_listen;
	lfd = holt_listen(address, .mode = 0660);
	ck_assert_int_ge(lfd, 0);
	ck_assert_int_eq(mode_at_bind, 0660);
	holt_close(lfd);
	lfd = holt_listen(address);
	ck_assert_int_eq(mode_at_bind, 0755);
	holt_close(lfd);
	umask(mask);
	unlink(path);
	rmdir(dir);
	return 0;
}

CLAIM(an_abstract_name_is_one)
{
	int lfd = holt_listen("unix:@holt-test-abstract", .mode = 0600), fd;
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof a;

	ck_assert_int_ge(lfd, 0);
	ck_assert_int_eq(getsockname(lfd, (struct sockaddr *)&a, &len), 0);
	ck_assert_uint_eq(len, offsetof(struct sockaddr_un, sun_path) + 1 + strlen("holt-test-abstract"));
	ck_assert_mem_eq(a.sun_path, "\0holt-test-abstract", 19);
	fd = holt_dial("unix:@holt-test-abstract");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(holt_listen("unix:@holt-test-abstract"), -EADDRINUSE);
	holt_close(fd);
	holt_close(lfd);
	return 0;
}

/* In a child: 3 is the first number of inherited descriptors. */
static int take_inherited(void *arg)
{
	int fd = holt_listen("fd:web"), again = holt_listen("fd:web"), other = holt_dial("fd:other");

	(void)arg;
	if (fd != 3 || is_blocking(fd) || fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 1;
	if (again != -ENOENT || other != 4 || is_blocking(other))
		return 2;
	return holt_listen("fd:none") == -ENOENT ? 0 : 3;
}

static int inherit(void *arg)
{
	char pid[16];
	int fd[2];

	(void)arg;
	socket_pair(fd);
	dup2(fd[0], 13);
	dup2(fd[1], 14);
	dup2(13, 3);
	dup2(14, 4);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "web:other", 1);
	return holt_run(take_inherited, NULL);
}

TEST(an_inherited_descriptor_is_taken_by_its_name_once)
{
	int status = harness_child(inherit, NULL);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x: %s", status, harness_output());
}

CLAIM(options_from_a_later_time_are_refused)
{
	struct {
		struct holt_listen_options o;
		int later;
	} l = { .o.size = sizeof l, .later = 1 };
	struct {
		struct holt_dial_options o;
		int later;
	} d = { .o.size = sizeof d, .later = 1 };

	ck_assert_int_eq(holt_listen_with("tcp:127.0.0.1:0", &l.o), -E2BIG);
	ck_assert_int_eq(holt_dial_with("tcp:127.0.0.1:1", &d.o), -E2BIG);
	ck_assert_int_eq(holt_listen("tcp:127.0.0.1:0", .backlog = -1), -EINVAL);
	ck_assert_int_eq(holt_listen(NULL), -EINVAL);
	return 0;
}

/* ---- addresses in words */

TEST(addresses_are_taken_strictly)
{
	static const char *const right[] = { "tcp:127.0.0.1:80", "tcp:[::1]:80", "tcp:[::]:65535", "tcp:localhost:1",
		"unix:/run/x", "unix:@x", "fd:name", "tcp:[::ffff:1.2.3.4]:5" };
	static const char *const wrong[] = { "", "tcp", "tcp:", "tcp::80", "tcp:127.0.0.1", "tcp:127.0.0.1:", "tcp:127.0.0.1:0",
		"tcp:127.0.0.1:080", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:99999999999", "tcp:127.0.0.1:+1", "tcp:127.0.0.1: 1",
		"tcp:127.0.0.1:1 ", "tcp:127.1:80", "tcp:::1:80", "tcp:[::1]80", "tcp:[::1", "tcp:[]:80",
		"tcp:[::1]:", "tcp:[127.0.0.1]:80", "tcp:*:80", "tcp:example.org:80", "unix:", "unix:x", "unix:/", "unix:@",
		"fd:", "udp:127.0.0.1:80", "TCP:127.0.0.1:80", "/run/x" };
	char long_path[256] = "unix:/";
	struct holt__address a;

	for (size_t i = 0; i < HOLT__N(right); i++)
		ck_assert_msg(holt__address_parse(right[i], 0, &a) == 0, "%s", right[i]);
	for (size_t i = 0; i < HOLT__N(wrong); i++)
		ck_assert_msg(holt__address_parse(wrong[i], 0, &a) == -EINVAL, "%s", wrong[i]);
	ck_assert_int_eq(holt__address_parse("tcp:*:0", HOLT__ADDRESS_LISTEN, &a), 0);
	ck_assert_int_eq(holt__address_parse("tcp:[::]:0", HOLT__ADDRESS_LISTEN, &a), 0);

	memset(long_path + 6, 'x', 106);
	ck_assert_int_eq(holt__address_parse(long_path, 0, &a), 0);
	long_path[6 + 106] = 'x';
	ck_assert_int_eq(holt__address_parse(long_path, 0, &a), -EINVAL);

	ck_assert_int_eq(holt__address_parse_from("127.0.0.1", &a), 0);
	ck_assert_int_eq(holt__address_parse_from("127.0.0.1:0", &a), 0);
	ck_assert_int_eq(holt__address_parse_from("[::1]", &a), 0);
	ck_assert_int_eq(holt__address_parse_from("[::1]:5", &a), 0);
	ck_assert_int_eq(holt__address_parse_from("::1", &a), -EINVAL);
	ck_assert_int_eq(holt__address_parse_from("*", &a), -EINVAL);
	ck_assert_int_eq(holt__address_parse_from("", &a), -EINVAL);
}

/* ---- signals */

struct signaled {
	int sig, result;
	struct signalfd_siginfo info;
	bool done;
	holt_task *task; /* borrowed */
};

static int wait_signal(void *arg)
{
	struct signaled *s = arg;

	s->result = holt_signal_wait(s->sig, &s->info);
	s->done = true;
	return 0;
}

static void start_signaled(holt_group *g, struct signaled *s, int sig)
{
	*s = (struct signaled){ .sig = sig };
	ck_assert_int_eq(holt_spawn(g, wait_signal, s, .task = &s->task), 0);
	holt_task_unref(s->task);
	holt_yield();
}

CLAIM(no_signal_is_lost_between_two_waits)
{
	struct signaled s;
	struct signalfd_siginfo info;

	with_group(g)
	{
		start_signaled(g, &s, SIGUSR1);
		settle();
		ck_assert_int_eq(s.done, 0);
		kill(getpid(), SIGUSR1);
		until(s.done);
		ck_assert_int_eq(s.result, 0);
		ck_assert_int_eq(s.info.ssi_signo, SIGUSR1);
		ck_assert_int_eq(s.info.ssi_pid, getpid());
	}
	kill(getpid(), SIGUSR1); /* nobody waits */
	settle();
	kill(getpid(), SIGUSR1); /* becomes one with it */
	settle();
	ck_assert_int_eq(holt_signal_wait(SIGUSR1, &info), 0);
	ck_assert_int_eq(info.ssi_pid, getpid());
	with_group(g)
	{
		start_signaled(g, &s, SIGUSR1);
		settle();
		ck_assert_int_eq(s.done, 0);
		holt_task_cancel(s.task, NULL);
	}
	ck_assert_int_eq(s.result, -ECANCELED);
	kill(getpid(), SIGUSR1);
	ck_assert_int_eq(holt_signal_wait(SIGUSR1, NULL), 0);
	return 0;
}

CLAIM(who_waits_for_a_signal_is_served_in_turn)
{
	struct signaled s[4];

	with_group(g)
	{
		for (int i = 0; i < 3; i++)
			start_signaled(g, &s[i], SIGUSR2);
		start_signaled(g, &s[3], SIGUSR1);
		settle();
		holt_task_cancel(s[1].task, NULL);
		settle();
		kill(getpid(), SIGUSR2);
		until(s[0].done);
		ck_assert_int_eq(s[2].done, 0);
		kill(getpid(), SIGUSR2);
		until(s[2].done);
		ck_assert_int_eq(s[0].result, 0);
		ck_assert_int_eq(s[1].result, -ECANCELED);
		ck_assert_int_eq(s[2].result, 0);
		ck_assert_int_eq(s[3].done, 0);
		kill(getpid(), SIGUSR1);
	}
	return 0;
}

CLAIM(some_signals_cannot_be_waited_for)
{
	static const int none[] = { 0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

	for (size_t i = 0; i < HOLT__N(none); i++)
		ck_assert_int_eq(holt_signal_wait(none[i], NULL), -EINVAL);
	return 0;
}

TEST(a_signal_is_given_back_when_the_loop_ends)
{
	sigset_t set;

	ck_assert_int_eq(harness_run(no_signal_is_lost_between_two_waits_run, NULL), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
	ck_assert_int_eq(sigismember(&set, SIGUSR1), 0);
}
