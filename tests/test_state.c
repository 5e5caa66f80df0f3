/* SPDX-License-Identifier: MIT */
/*
 * The state directory: where it is, who is refused, the lock. And the records: what they come to, whatever was written, cut off or
 * spoiled. Nothing here needs a task.
 */
#include "daemon/state.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "folder.h"
#include "harness.h"

#include "daemon/records.h"

static struct state s;
static char why_text[400];
static pid_t holder;

static int try_open(const char *path, const char *name)
{
	struct state_options o = { .path = path, .name = name };
	struct holt__text why = HOLT__TEXT(why_text);

	why_text[0] = 0;
	return state_open(&s, &o, &holder, &why);
}

static void open_state(void)
{
	int r = try_open(in_folder("s"), NULL);

	ck_assert_msg(r == 0, "%s: %s", why_text, strerror(-r));
}

static void refused(int error, const char *part)
{
	int r = try_open(in_folder("s"), NULL);

	ck_assert_int_eq(r, error);
	ck_assert_msg(strstr(why_text, part), "\"%s\" is not in \"%s\"", part, why_text);
	state_close(&s); /* does nothing */
}

static const char *records(size_t *ret_n)
{
	return file_read(in_folder("s/records"), ret_n);
}

static struct invocation id_of(uint64_t n)
{
	return (struct invocation){ { n, ~n } };
}

static void started(const char *node, pid_t pid)
{
	struct invocation id = id_of((uint64_t)pid);

	ck_assert_int_eq(state_process(&s, node, pid, &id, NULL), 0);
}

static void armed(const char *node, uint64_t activation, unsigned index, const char *word)
{
	const char *argv[] = { "/bin/echo", word, NULL };

	ck_assert_int_eq(state_armed(&s, node, activation, index, argv, NULL, HOLT_SEC), 0);
}

/* What is owed, as a text: "p 12 a, f b 1/0 word, ". */
static const char *owed(void)
{
	static char text[8192];
	struct holt__text t = HOLT__TEXT(text);
	struct recorded r;

	text[0] = 0;
	ck_assert_int_eq(state_read(&s, &r), 0);
	for (size_t i = 0; i < r.n_processes; i++) {
		holt__text_add(&t, "p ");
		holt__text_int(&t, r.processes[i].pid);
		holt__text_add(&t, " ");
		holt__text_add(&t, r.processes[i].node);
		holt__text_add(&t, ", ");
	}
	for (size_t i = 0; i < r.n_finally; i++) {
		holt__text_add(&t, "f ");
		holt__text_add(&t, r.finally[i].node);
		holt__text_add(&t, " ");
		holt__text_uint(&t, r.finally[i].activation);
		holt__text_add(&t, "/");
		holt__text_uint(&t, r.finally[i].index);
		holt__text_add(&t, " ");
		holt__text_add(&t, r.finally[i].argv[1]);
		holt__text_add(&t, ", ");
	}
	recorded_free(&r);
	return text;
}

/* ---- the directory */

TEST(it_is_made_with_what_is_above_it_and_holds_our_pid)
{
	char text[32];

	folder_make();
	umask(0077);
	ck_assert_int_eq(try_open(in_folder("a/b/s/"), NULL), 0);
	ck_assert_str_eq(s.path, in_folder("a/b/s"));
	ck_assert_str_eq(s.control, in_folder("a/b/s/control"));
	ck_assert_uint_eq(file_mode(s.path), 0755);
	ck_assert_uint_eq(file_mode(in_folder("a/b/s/records")), 0600);
	snprintf(text, sizeof text, "%d\n", (int)getpid());
	ck_assert_str_eq(file_read(in_folder("a/b/s/lock"), NULL), text);
	state_close(&s);
	state_close(&s);
	folder_remove();
}

TEST(without_state_it_is_below_the_runtime_directories)
{
	char two[200];

	folder_make();
	unsetenv("RUNTIME_DIRECTORY");
	setenv("XDG_RUNTIME_DIR", folder, 1);
	ck_assert_int_eq(try_open(NULL, "shop"), 0);
	ck_assert_str_eq(s.path, in_folder("holt/shop"));
	state_close(&s);
	snprintf(two, sizeof two, "%s/first:%s/second", folder, folder);
	setenv("RUNTIME_DIRECTORY", two, 1);
	ck_assert_int_eq(try_open(NULL, "shop"), 0);
	ck_assert_str_eq(s.path, in_folder("first"));
	state_close(&s);
	folder_remove();
}

TEST(what_is_no_name_and_no_absolute_path_is_refused)
{
	static const char *const names[] = { "", ".", "..", "a/b", ".hidden", NULL };
	static const char *const paths[] = { "/", "relative", "/tmp/../x", "/tmp//x", "/tmp/./x", "/..", "" };

	unsetenv("RUNTIME_DIRECTORY");
	setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
	for (size_t i = 0; i < HOLT__N(names); i++)
		ck_assert_int_eq(try_open(NULL, names[i]), -EINVAL);
	for (size_t i = 0; i < HOLT__N(paths); i++)
		ck_assert_msg(try_open(paths[i], "n") == -EINVAL, "%s", paths[i]);
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	ck_assert_int_eq(try_open(NULL, "n"), -EINVAL);
}

TEST(a_second_one_is_told_the_pid_of_the_first)
{
	struct state_options o = { .path = NULL };
	struct holt__text why = HOLT__TEXT(why_text);
	struct state other;

	folder_make();
	open_state();
	o.path = in_folder("s");
	ck_assert_int_eq(state_open(&other, &o, &holder, &why), -EBUSY);
	ck_assert_int_eq(holder, getpid());
	started("a", 4711); /* the first one's records are as they were */
	ck_assert_str_eq(owed(), "p 4711 a, ");
	ck_assert_int_eq(state_gone(&s, 4711), 0);
	state_close(&s);
	ck_assert_int_eq(state_open(&other, &o, &holder, &why), 0);
	state_close(&other);
	folder_remove();
}

TEST(one_that_others_can_write_to_is_refused)
{
	folder_make();
	ck_assert_int_eq(mkdir(in_folder("s"), 0755), 0);
	ck_assert_int_eq(chmod(in_folder("s"), 0775), 0);
	refused(-EPERM, "/s: others can write to it");
	ck_assert_int_eq(chmod(in_folder("s"), 01777), 0);
	refused(-EPERM, "/s: others can write to it");
	ck_assert_int_eq(chmod(in_folder("s"), 0700), 0);
	open_state();
	ck_assert_uint_eq(file_mode(s.path), 0700); /* as it was */
	state_close(&s);
	folder_remove();
}

TEST(one_of_another_user_is_refused)
{
	if (geteuid() != 0)
		SKIP("only root can give a folder away");
	folder_make();
	ck_assert_int_eq(mkdir(in_folder("s"), 0755), 0);
	ck_assert_int_eq(chown(in_folder("s"), 1, 1), 0);
	refused(-EPERM, "belongs to another user");
	folder_remove();
}

TEST(symbolic_links_are_not_followed)
{
	folder_make();
	ck_assert_int_eq(mkdir(in_folder("real"), 0755), 0);
	ck_assert_int_eq(symlink("real", in_folder("s")), 0);
	refused(-EPERM, "is a symbolic link");
	ck_assert_int_eq(unlink(in_folder("s")), 0);
	ck_assert_int_eq(mkdir(in_folder("s"), 0755), 0);
	ck_assert_int_eq(symlink("../real", in_folder("s/lock")), 0);
	refused(-EPERM, "/s/lock");
	ck_assert_int_eq(unlink(in_folder("s/lock")), 0);
	file_says(in_folder("real/records"), "");
	ck_assert_int_eq(symlink("../real/records", in_folder("s/records")), 0);
	refused(-EPERM, "/s/records");
	folder_remove();
}

TEST(what_is_in_the_way_is_told)
{
	folder_make();
	file_says(in_folder("s"), "");
	refused(-ENOTDIR, "/s: ");
	ck_assert_int_eq(try_open(in_folder("s/below"), NULL), -ENOTDIR);
	folder_remove();
}

TEST(left_sockets_and_credentials_are_removed_and_nothing_else)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	folder_make();
	open_state();
	state_close(&s);
	strcpy(a.sun_path, in_folder("s/control"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
	mkdir(in_folder("s/credentials"), 0711);
	mkdir(in_folder("s/credentials/1"), 0700);
	file_says(in_folder("s/credentials/1/secret"), "xyz");
	file_says(in_folder("s/mine"), "");
	open_state();
	ck_assert(!file_is_there(in_folder("s/control")));
	ck_assert(!file_is_there(in_folder("s/credentials/1")));
	ck_assert(file_is_there(in_folder("s/mine")));
	state_close(&s);
	file_says(in_folder("s/control"), "no socket");
	open_state();
	ck_assert(file_is_there(in_folder("s/control")));
	state_close(&s);
	folder_remove();
}

/* ---- what the records come to */

TEST(what_is_gone_or_done_is_not_owed)
{
	folder_make();
	open_state();
	started("a", 10);
	armed("g", 1, 0, "zero");
	armed("g", 1, 1, "one");
	started("g/b", 11);
	started("g/c", 12);
	ck_assert_str_eq(owed(), "p 10 a, p 11 g/b, p 12 g/c, f g 1/0 zero, f g 1/1 one, ");
	ck_assert_int_eq(state_gone(&s, 11), 0);
	ck_assert_int_eq(state_done(&s, 1, 1), 0);
	ck_assert_str_eq(owed(), "p 10 a, p 12 g/c, f g 1/0 zero, ");
	ck_assert_int_eq(state_gone(&s, 99), 0); /* nobody's */
	ck_assert_int_eq(state_gone(&s, 12), 0);
	ck_assert_int_eq(state_gone(&s, 12), 0); /* twice */
	ck_assert_int_eq(state_done(&s, 2, 0), 0);
	ck_assert_str_eq(owed(), "p 10 a, f g 1/0 zero, ");
	state_close(&s);
	open_state();
	ck_assert_str_eq(owed(), "p 10 a, f g 1/0 zero, ");
	state_close(&s);
	folder_remove();
}

TEST(a_number_that_is_used_again_is_another_process)
{
	folder_make();
	open_state();
	started("a", 10);
	ck_assert_int_eq(state_gone(&s, 10), 0);
	started("b", 10);
	ck_assert_str_eq(owed(), "p 10 b, ");
	ck_assert_int_eq(state_gone(&s, 10), 0);
	ck_assert_str_eq(owed(), "");
	started("c", 10);
	started("d", 10); /* that c is gone could not be written: its start time will tell */
	ck_assert_int_eq(state_gone(&s, 10), 0);
	ck_assert_str_eq(owed(), "p 10 c, ");
	state_close(&s);
	folder_remove();
}

TEST(nothing_owed_leaves_no_file)
{
	folder_make();
	open_state();
	started("a", 10);
	state_close(&s);
	ck_assert(file_is_there(in_folder("s/records")));
	open_state();
	ck_assert_int_eq(state_gone(&s, 10), 0);
	state_close(&s);
	ck_assert(!file_is_there(in_folder("s/records")));
	ck_assert(file_is_there(in_folder("s/lock")));
	folder_remove();
}

TEST(activations_are_never_given_twice)
{
	uint64_t a, b;

	folder_make();
	open_state();
	a = state_activation(&s);
	ck_assert_uint_gt(state_activation(&s), a);
	b = state_activation(&s);
	state_close(&s);
	open_state();
	ck_assert_uint_gt(state_activation(&s), b);
	state_close(&s);
	folder_remove();
}

TEST(any_text_comes_back_as_it_was)
{
	static const char *const argv[] = { "/bin/sh", "", " ", "\\", "\\\\20", "-", "a\nb\tc\r", "\x01\x7f",
		"h\xc3\xa9llo \xff\xfe", "p 1 2 3", NULL };
	static const char *const env[] = { "A=", "B=x y", "HOLT_REASON=two\nlines", NULL };
	struct invocation id = id_of(7);
	struct recorded r;

	folder_make();
	open_state();
	ck_assert_int_eq(state_process(&s, "a b/c\\d@1", getpid(), &id, "/sys/fs/cgroup/x y"), 0);
	ck_assert_int_eq(state_armed(&s, "", 3, 4, argv, env, HOLT_NEVER), 0);
	ck_assert_int_eq(state_read(&s, &r), 0);
	ck_assert_uint_eq(r.bad, 0);
	ck_assert_uint_eq(r.n_processes, 1);
	ck_assert_str_eq(r.processes[0].node, "a b/c\\d@1");
	ck_assert_str_eq(r.processes[0].cgroup, "/sys/fs/cgroup/x y");
	ck_assert(invocation_same(&r.processes[0].id, &id));
	ck_assert_uint_gt(r.processes[0].start, 0);
	ck_assert_uint_eq(r.n_finally, 1);
	ck_assert_str_eq(r.finally[0].node, "");
	ck_assert_uint_eq(r.finally[0].activation, 3);
	ck_assert_uint_eq(r.finally[0].index, 4);
	ck_assert_uint_eq(r.finally[0].timeout, HOLT_NEVER);
	for (size_t i = 0; i < HOLT__N(argv); i++)
		ck_assert_pstr_eq(r.finally[0].argv[i], argv[i]);
	for (size_t i = 0; i < HOLT__N(env); i++)
		ck_assert_pstr_eq(r.finally[0].env[i], env[i]);
	/* and once more by way of a new file */
	ck_assert_int_eq(state_rewrite(&s, &r), 0);
	recorded_free(&r);
	ck_assert_int_eq(state_read(&s, &r), 0);
	ck_assert_pstr_eq(r.finally[0].argv[8], argv[8]);
	ck_assert_pstr_eq(r.finally[0].env[2], env[2]);
	recorded_free(&r);
	state_close(&s);
	folder_remove();
}

TEST(a_command_without_words_and_one_that_is_too_long_are_not_recorded)
{
	static const char *const none[] = { NULL };
	char *long_word = calloc(1, 2 << 20);
	const char *argv[] = { "/bin/echo", long_word, NULL };

	memset(long_word, 'x', (2 << 20) - 1);
	folder_make();
	open_state();
	ck_assert_int_eq(state_armed(&s, "a", 1, 0, none, NULL, 0), -EINVAL);
	ck_assert_int_eq(state_armed(&s, "a", 1, 0, argv, NULL, 0), -E2BIG);
	ck_assert_str_eq(owed(), "");
	state_close(&s);
	folder_remove();
	free(long_word);
}

/* ---- what is spoiled */

static void some_records(void)
{
	open_state();
	started("a", 10);
	armed("g", 1, 0, "zero");
	started("b", 11);
	ck_assert_int_eq(state_gone(&s, 10), 0);
	ck_assert_int_eq(state_done(&s, 1, 0), 0);
	armed("g", 2, 0, "two");
}

TEST(cut_off_anywhere_what_was_whole_before_still_counts)
{
	static const char *const after[] = { "", "p 10 a, ", "p 10 a, f g 1/0 zero, ", "p 10 a, p 11 b, f g 1/0 zero, ",
		"p 11 b, f g 1/0 zero, ", "p 11 b, ", "p 11 b, f g 2/0 two, " };
	char text[4096];
	size_t n;

	folder_make();
	some_records();
	memcpy(text, records(&n), sizeof text);
	ck_assert_uint_lt(n, sizeof text);
	state_close(&s);
	for (size_t k = 0; k <= n; k++) {
		size_t lines = harness_count(strndupa(text, k), "\n");
		char expected[200];

		file_write(in_folder("s/records"), text, k);
		open_state();
		snprintf(expected, sizeof expected, "%s", after[lines > 0 ? lines - 1 : 0]);
		ck_assert_str_eq(owed(), expected);
		started("new", 4711); /* is not spoiled by what stands before it */
		snprintf(expected, sizeof expected, "p 4711 new");
		ck_assert_msg(strstr(owed(), expected), "cut at %zu: %s", k, owed());
		state_close(&s);
	}
	folder_remove();
}

TEST(rubbish_is_skipped_and_counted)
{
	static const char *const rubbish[] = { "x", "p", "p ", "p 1", "p x 2 00000000000000070000000000000007 a -",
		"p 0 2 00000000000000070000000000000007 a -", "p -1 2 00000000000000070000000000000007 a -",
		"p 99999999999 2 00000000000000070000000000000007 a -", "p 5 2 00000000000000070000000000000007 a - more",
		"p 5 2 0000000000000007000000000000000 a -", "p 5 2 00000000000000070000000000000007 a relative",
		"p 5  2 00000000000000070000000000000007 a -", "p 5 2 00000000000000070000000000000007 a\\0 -",
		"p 5 2 00000000000000070000000000000007 a\\00 -", "p 5 2 00000000000000070000000000000007 \xc3\xa9 -", "g", "g 0",
		"g 1 2", "g 1 ", "a 1 0 5 g 0 0", "a 1 0 5 g 2 x 0", "a 1 0 5 g 1 x 0 y", "a 1 0 5 g 1 x",
		"a 1 0 5 g 99999999 x 0", "a 1 4294967296 5 g 1 x 0", "d 1", "d 1 2 3", "d 1 18446744073709551616", "pp 1 2",
		" " };
	struct recorded r;
	int fd;

	folder_make();
	open_state();
	started("a", 10);
	fd = open(in_folder("s/records"), O_WRONLY | O_APPEND | O_CLOEXEC);
	for (size_t i = 0; i < HOLT__N(rubbish); i++) {
		ck_assert_int_eq(write(fd, rubbish[i], strlen(rubbish[i])), (ssize_t)strlen(rubbish[i]));
		ck_assert_int_eq(write(fd, "\n", 1), 1);
	}
	close(fd);
	state_close(&s);
	open_state();
	armed("g", 1, 0, "zero");
	ck_assert_str_eq(owed(), "p 10 a, f g 1/0 zero, ");
	ck_assert_int_eq(state_read(&s, &r), 0);
	ck_assert_uint_eq(r.bad, HOLT__N(rubbish));
	recorded_free(&r);
	state_close(&s);
	folder_remove();
}

TEST(random_bytes_do_no_harm)
{
	static const char alphabet[] = "pgad 0123456789\\-\n\n\n/x\x00\xff";
	unsigned seed = 1;

	for (int round = 0; round < 3000; round++) {
		size_t n = (size_t)rand_r(&seed) % 300;
		char *text = malloc(n + 1);
		struct recorded r;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
		ck_assert_int_eq(records_parse(&r, text, n), 0);
		recorded_free(&r);
		free(text);
	}
}

TEST(a_changed_byte_spoils_its_own_line_at_most)
{
	char text[4096];
	size_t n, first;

	folder_make();
	some_records();
	memcpy(text, records(&n), sizeof text);
	first = (size_t)(strchr(text, '\n') - text) + 1;
	state_close(&s);
	for (size_t k = first; k < n; k++) {
		char copy[4096];
		struct recorded r;

		memcpy(copy, text, n);
		copy[k] ^= 0x15;
		ck_assert_int_eq(records_parse(&r, copy + first, n - first), 0);
		ck_assert_uint_le(r.n_processes + r.n_finally, 4);
		recorded_free(&r);
	}
	folder_remove();
}

/* The first line with another word in it. */
static void change_header(int word, const char *to)
{
	char text[4096], boot[64], space[64], version[16];
	const char *old = records(NULL);

	ck_assert_int_eq(sscanf(old, "holt-records %15s %63s %63s", version, boot, space), 3);
	snprintf(text, sizeof text, "holt-records %s %s %s\n%s", word == 1 ? to : version, word == 2 ? to : boot,
		word == 3 ? to : space, strchr(old, '\n') + 1);
	file_says(in_folder("s/records"), text);
}

TEST(across_a_boot_nothing_is_owed)
{
	struct recorded r;

	folder_make();
	some_records();
	state_close(&s);
	change_header(2, "11111111-2222-3333-4444-555555555555");
	open_state();
	ck_assert_str_eq(owed(), "");
	ck_assert_int_eq(state_read(&s, &r), 0);
	ck_assert(r.other_boot);
	recorded_free(&r);
	started("a", 10);
	ck_assert_str_eq(owed(), "p 10 a, ");
	state_close(&s);
	change_header(1, "2"); /* of a version that we do not know */
	open_state();
	ck_assert_str_eq(owed(), "");
	state_close(&s);
	folder_remove();
}

TEST(pids_of_another_namespace_are_nobodys_but_finally_is_owed)
{
	struct recorded r;

	folder_make();
	some_records();
	state_close(&s);
	change_header(3, "17");
	open_state();
	ck_assert_str_eq(owed(), "f g 2/0 two, ");
	ck_assert_int_eq(state_read(&s, &r), 0);
	ck_assert(r.other_pids);
	ck_assert_int_eq(state_rewrite(&s, &r), 0);
	recorded_free(&r);
	started("a", 12);
	ck_assert_str_eq(owed(), "p 12 a, f g 2/0 two, ");
	state_close(&s);
	folder_remove();
}

TEST(records_that_others_could_have_written_are_refused)
{
	folder_make();
	some_records();
	state_close(&s);
	ck_assert_int_eq(chmod(in_folder("s/records"), 0620), 0);
	refused(-EPERM, "/s/records: others can write to it");
	ck_assert_int_eq(chmod(in_folder("s/records"), 0644), 0);
	ck_assert_int_eq(link(in_folder("s/records"), in_folder("s/second")), 0);
	refused(-EPERM, "/s/records");
	ck_assert_int_eq(unlink(in_folder("s/second")), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(in_folder("s/records"), 1, 1), 0);
		refused(-EPERM, "/s/records: belongs to another user");
	}
	ck_assert_int_eq(unlink(in_folder("s/records")), 0);
	ck_assert_int_eq(mkfifo(in_folder("s/records"), 0600), 0);
	refused(-EPERM, "/s/records");
	folder_remove();
}

/* ---- when it grows, and when it cannot */

TEST(the_file_is_made_short_again)
{
	char expected[64];
	size_t n;

	folder_make();
	open_state();
	started("stays", 5);
	armed("g", 1, 0, "zero");
	for (int i = 0; i < 20000; i++) {
		started("comes/and/goes", 1000 + i % 7);
		ck_assert_int_eq(state_gone(&s, 1000 + i % 7), 0);
	}
	snprintf(expected, sizeof expected, "p 5 stays, f g 1/0 zero, ");
	ck_assert_str_eq(owed(), expected);
	records(&n);
	ck_assert_uint_lt(n, 128 * 1024);
	ck_assert(!file_is_there(in_folder("s/records.new")));
	state_close(&s);
	open_state();
	ck_assert_str_eq(owed(), expected);
	state_close(&s);
	folder_remove();
}

static void limit_file_size(size_t n)
{
	struct rlimit l;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
}

TEST(a_record_for_which_there_is_no_room_changes_nothing)
{
	struct invocation id = id_of(1);
	char before[4096];
	size_t n, k;

	folder_make();
	some_records();
	memcpy(before, records(&n), sizeof before);
	for (size_t room = 0; room < 8; room++) { /* so many bytes of it could be written */
		limit_file_size(n + room);
		ck_assert_int_lt(state_process(&s, "c", 12, &id, NULL), 0);
		ck_assert_str_eq(records(&k), before);
	}
	limit_file_size(RLIM_INFINITY);
	started("c", 12);
	ck_assert_str_eq(owed(), "p 11 b, p 12 c, f g 2/0 two, ");
	state_close(&s);
	folder_remove();
}

TEST(without_room_for_a_new_file_the_old_one_goes_on)
{
	static const struct recorded nothing;

	folder_make();
	some_records();
	limit_file_size(10);
	ck_assert_int_lt(state_rewrite(&s, &nothing), 0);
	ck_assert(!file_is_there(in_folder("s/records.new")));
	limit_file_size(RLIM_INFINITY);
	started("c", 12);
	ck_assert_str_eq(owed(), "p 11 b, p 12 c, f g 2/0 two, ");
	state_close(&s);
	folder_remove();
}

TEST(each_allocation_may_fail)
{
	char word[3000];
	const char *argv[] = { "/bin/echo", word, NULL };
	struct recorded r;
	int e;

	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = 0;
	folder_make();
	some_records();
	state_close(&s);
	for (uint64_t n = 1;; n++) {
		harness_fail_alloc(n);
		e = try_open(in_folder("s"), NULL);
		if (e == 0)
			e = state_armed(&s, "g", 3, 0, argv, NULL, 0);
		if (e == 0)
			e = state_read(&s, &r);
		if (e == 0) {
			e = state_rewrite(&s, &r);
			recorded_free(&r);
		}
		if (!harness_alloc_failed())
			break;
		ck_assert_int_eq(e, -ENOMEM);
		harness_fail_alloc(0);
		state_close(&s);
	}
	ck_assert_int_eq(e, 0);
	state_close(&s);
	folder_remove();
}

/* ---- /proc/PID/stat */

TEST(the_start_time_is_found_whatever_the_name_is)
{
	static const char plain[] = "12 (a) S 1 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 100 200 300";
	static const char nasty[] =
		"12 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19) S 1 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 "
		"987654 100 200 300";

	ck_assert_uint_eq(state_start_time(plain, sizeof plain - 1), 987654);
	ck_assert_uint_eq(state_start_time(nasty, sizeof nasty - 1), 987654);
	for (size_t n = 0; n < sizeof plain - 1; n++) {
		uint64_t t = state_start_time(plain, n);

		ck_assert_msg(t == 0 || t == 987654, "cut at %zu: %llu", n, (unsigned long long)t);
	}
	ck_assert_uint_eq(state_start_time("", 0), 0);
	ck_assert_uint_eq(state_start_time(")", 1), 0);
}
