/* SPDX-License-Identifier: MIT */
/*
 * From a process's configuration to what holt_process_start() takes: environment, words, files, credentials. Most needs no task;
 * the last tests start what was prepared, and look at what it got.
 */
#include "daemon/exec.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>

#include "folder.h"
#include "harness.h"

#include "daemon/envfile.h"
#include "daemon/exec_parts.h"

static struct exec_base base;
static struct exec e;
static struct process_conf conf;
static struct node node;
static struct exec_extra extra;
static struct invocation id = { { 0x0123456789abcdef, 0xfedcba9876543210 } };

#define ID_TEXT "0123456789abcdeffedcba9876543210"

static char *const usual_env[] = { "PATH=/bin:/usr/bin", "HOME=/root", "A=from us", NULL };

static void open_base(char *const *env)
{
	memset(&conf, 0, sizeof conf);
	conf.stdio[1].kind = conf.stdio[2].kind = STDIO_LOG;
	conf.umask = 022;
	node = (struct node){ .kind = NODE_PROCESS, .path = "shop/api", .name = "api", .process = &conf };
	extra = (struct exec_extra){ .id = &id };
	ck_assert_int_eq(exec_base_open(&base, "shop", folder[0] ? folder : NULL, env ? env : usual_env), 0);
}

/* Words apart by blanks; none has one in it. */
static struct command *command_of(const char *words)
{
	static char text[1000], *argv[32];
	static struct command c;

	snprintf(text, sizeof text, "%s", words);
	c = (struct command){ .argv = argv, .text = words };
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[c.argc++] = w;
	argv[c.argc] = NULL;
	c.path = argv[0];
	return &c;
}

static void prepare(const char *words)
{
	int r = exec_prepare(&e, &base, &node, command_of(words), &extra);

	ck_assert_msg(r == 0, "%s: %s", e.why, strerror(-r));
}

static void fails(int error, const char *part)
{
	int r = exec_prepare(&e, &base, &node, command_of("/bin/true"), &extra);

	ck_assert_int_eq(r, error);
	ck_assert_msg(strstr(e.why, part), "\"%s\" is not in \"%s\"", part, e.why);
	exec_release(&e);
}

static const char *value(const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (const char *const *v = e.options.env; *v; v++) {
		if (strncmp(*v, name, n) != 0 || (*v)[n] != '=')
			continue;
		ck_assert_msg(!found, "%s is there twice", name);
		found = *v + n + 1;
	}
	return found;
}

static void set_env(char **v, size_t n)
{
	conf.environment = (struct strings){ v, n };
}

/* ---- the environment */

TEST(what_is_ours_alone_does_not_reach_a_child)
{
	char *env[] = { "NOTIFY_SOCKET=/x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=a",
		"LISTEN_PID=1", "LISTEN_PIDFDID=1", "CREDENTIALS_DIRECTORY=/c", "JOURNAL_STREAM=1:2", "RUNTIME_DIRECTORY=/r",
		"INVOCATION_ID=a", "SYSTEMD_EXEC_PID=1", "MAINPID=1", "MANAGERPID=1", "FDSTORE=5", "HOLT_NODE=above",
		"HOLT_RESULT=x", "HOLT_INVOCATION_ID=y", "NOTIFY_SOCKETS=mine", "STATE_DIRECTORY=/s", "LANG=C", "=x", "noequals",
		"EMPTY=", NULL };

	folder[0] = 0;
	open_base(env);
	prepare("/bin/true");
	for (size_t i = 0; i < 17; i++) {
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)strcspn(env[i], "="), env[i]);
		if (strcmp(name, "HOLT_NODE") != 0)
			ck_assert_msg(!value(name), "%s", name);
	}
	ck_assert_str_eq(value("NOTIFY_SOCKETS"), "mine");
	ck_assert_str_eq(value("STATE_DIRECTORY"), "/s");
	ck_assert_str_eq(value("LANG"), "C");
	ck_assert_str_eq(value("EMPTY"), "");
	ck_assert_ptr_nonnull(value("PATH"));
	ck_assert_str_eq(value("HOLT_NODE"), "shop/api");
	exec_release(&e);
	exec_base_close(&base);
}

TEST(it_is_told_who_it_is)
{
	static const char *const more[] = { "HOLT_RESULT=failed", NULL };

	open_base(NULL);
	node.replica = 3;
	extra.notify_socket = "/run/n";
	extra.watchdog = 5 * HOLT_SEC;
	extra.main_pid = 4711;
	extra.env = more;
	prepare("/bin/true");
	ck_assert_str_eq(e.options.env[0], "HOLT_INVOCATION_ID=" ID_TEXT); /* where it is found quickest */
	ck_assert_str_eq(value("HOLT_TREE"), "shop");
	ck_assert_str_eq(value("HOLT_REPLICA"), "3");
	ck_assert_str_eq(value("NOTIFY_SOCKET"), "/run/n");
	ck_assert_str_eq(value("WATCHDOG_USEC"), "5000000");
	ck_assert_str_eq(value("MAINPID"), "4711");
	ck_assert_str_eq(value("HOLT_RESULT"), "failed");
	exec_release(&e);
	memset(&extra, 0, sizeof extra);
	node = (struct node){ .kind = NODE_TREE, .path = "", .name = "shop" };
	prepare("/bin/true");
	ck_assert_str_eq(value("HOLT_NODE"), "/");
	ck_assert(!value("HOLT_REPLICA") && !value("NOTIFY_SOCKET") && !value("WATCHDOG_USEC") && !value("MAINPID"));
	ck_assert(!value("HOLT_INVOCATION_ID"));
	exec_release(&e);
	exec_base_close(&base);
}

TEST(later_ones_win_but_for_the_invocation)
{
	char *conf_env[] = { "A=from the file", "B=1", "HOLT_INVOCATION_ID=mine", "HOLT_NODE=renamed" };
	struct env_file files[2] = { { .path = NULL }, { .path = NULL } };
	static const char *const more[] = { "C=from the caller", NULL };

	folder_make();
	file_says(in_folder("one"), "B=2\nC=2\n");
	file_says(in_folder("two"), "C=3\nD=4\n");
	open_base(NULL);
	set_env(conf_env, HOLT__N(conf_env));
	files[0].path = in_folder("one");
	files[1].path = in_folder("two");
	conf.env_files = files;
	conf.n_env_files = 2;
	extra.env = more;
	prepare("/bin/true");
	ck_assert_str_eq(value("A"), "from the file");
	ck_assert_str_eq(value("B"), "2");
	ck_assert_str_eq(value("C"), "from the caller");
	ck_assert_str_eq(value("D"), "4");
	ck_assert_str_eq(value("HOLT_INVOCATION_ID"), ID_TEXT);
	ck_assert_str_eq(value("HOLT_NODE"), "renamed");
	exec_release(&e);
	exec_base_close(&base);
	folder_remove();
}

TEST(without_a_path_there_is_one)
{
	char *env[] = { NULL };

	open_base(env);
	prepare("true");
	ck_assert_ptr_nonnull(strstr(value("PATH"), ":/usr/bin:"));
	ck_assert_ptr_null(e.options.path); /* it is looked for */
	exec_release(&e);
	exec_base_close(&base);
}

TEST(a_user_brings_home_and_names_along)
{
	struct passwd *pw = getpwuid(0);
	uid_t uid;
	gid_t gid;

	ck_assert_ptr_nonnull(pw);
	open_base(NULL);
	conf.user = pw->pw_name;
	prepare("/bin/true");
	ck_assert_str_eq(value("HOME"), pw->pw_dir);
	ck_assert_str_eq(value("USER"), pw->pw_name);
	ck_assert_str_eq(value("LOGNAME"), pw->pw_name);
	ck_assert_ptr_nonnull(value("SHELL"));
	exec_release(&e);
	conf.user = "0";
	prepare("/bin/true");
	ck_assert_str_eq(value("USER"), pw->pw_name);
	exec_release(&e);
	conf.user = "no-such-user-here";
	fails(-ESRCH, "User=no-such-user-here: there is no such user");
	ck_assert_int_eq(exec_user_of(&base, &node, &uid, &gid), -ESRCH);
	conf.user = "4000000";
	prepare("/bin/true"); /* holt_process_start() needs the group then */
	exec_release(&e);
	ck_assert_int_eq(exec_user_of(&base, &node, &uid, &gid), -ESRCH);
	conf.group = "77";
	ck_assert_int_eq(exec_user_of(&base, &node, &uid, &gid), 0);
	ck_assert_uint_eq(uid, 4000000);
	ck_assert_uint_eq(gid, 77);
	conf.user = NULL;
	conf.group = "no-such-group-here";
	ck_assert_int_eq(exec_user_of(&base, &node, &uid, &gid), -ESRCH);
	conf.group = getgrgid(0)->gr_name;
	ck_assert_int_eq(exec_user_of(&base, &node, &uid, &gid), 0);
	ck_assert_uint_eq(uid, geteuid());
	ck_assert_uint_eq(gid, 0);
	exec_base_close(&base);
}

/* ---- EnvironmentFile= */

struct assignments {
	struct envfile parser;
	char text[2000];
};

static int assign(struct envfile *f, char *s)
{
	strcat(holt__container(f, struct assignments, parser)->text, s);
	strcat(holt__container(f, struct assignments, parser)->text, "|");
	return 0;
}

static void skip(struct envfile *f, unsigned line, const char *why)
{
	char text[100];

	snprintf(text, sizeof text, "!%u %s|", line, why);
	strcat(holt__container(f, struct assignments, parser)->text, text);
}

static const char *parsed(const char *s, size_t n)
{
	static struct assignments a;
	char *text = malloc(n + 1); /* exactly so large: a sanitizer sees what is read or written beyond it */

	a = (struct assignments){ .parser = { assign, skip } };
	memcpy(text, s, n);
	ck_assert_int_eq(envfile_parse(&a.parser, text, n), 0);
	free(text);
	return a.text;
}

TEST(environment_files_are_read_as_systemd_reads_them)
{
	static const struct {
		const char *text, *is;
	} cases[] = {
		{ "", "" },
		{ "A=1", "A=1|" },
		{ "A=1\nB=2\n", "A=1|B=2|" },
		{ "\n\n A=1  \n\tB =  2 3 \t\n", "A=1|B=2 3|" },
		{ "# A=1\n;B=2\n  # C=3\nD=4 # no comment\n", "D=4 # no comment|" },
		{ "A=\nB=\n", "A=|B=|" },
		{ "A='a b'\nB=\"c d\"\n", "A=a b|B=c d|" },
		{ "A='a\\n$b\"c'\n", "A=a\\n$b\"c|" },
		{ "A=\"a\\\"b\\\\c\\$d\\`e\\nf\"\n", "A=a\"b\\c$d`e\\nf|" },
		{ "A=\"a\nb\"\nB='c\nd'\n", "A=a\nb|B=c\nd|" },
		{ "A=\"a\\\nb\"\n", "A=ab|" },
		{ "A=a\\\nb\\\nc\nB=1\n", "A=abc|B=1|" },
		{ "A=a\\ \\ \nB=\\\"x\\\"\n", "A=a  |B=\"x\"|" },
		{ "A='a'\"b\"\n", "A=ab|" },
		{ "A='a' \"b\" c \n", "A=abc|" },
		{ "A=it's\n", "A=it's|" },
		{ "A=1\r\nB=2\r\n", "A=1|B=2|" },
		{ "A=$B ${C}\n", "A=$B ${C}|" },
		{ "A=b=c\n", "A=b=c|" },
		{ "\xc3\xa9=1\nA=\xc3\xa9\n", "!1 has a name that is none|A=\xc3\xa9|" },
		{ "export A=1\nB=2\n", "!1 has a name that is none|B=2|" },
		{ "A=1\nnonsense\n1A=2\n=3\nB=4",
			"A=1|!2 is not NAME=value|!3 has a name that is none|!4 has a name that is none|B=4|" },
		{ "A=\"open\nB=1\n", "!1 has a quote that is not closed|" },
		{ "A=1\nB='", "A=1|!2 has a quote that is not closed|" },
		{ "A=\\", "A=\\|" },
		{ "A=\"\\", "!1 has a quote that is not closed|" },
	};

	for (size_t i = 0; i < HOLT__N(cases); i++) {
		const char *is = parsed(cases[i].text, strlen(cases[i].text));

		ck_assert_msg(!strcmp(is, cases[i].is), "%s\ngives %s\nnot   %s", cases[i].text, is, cases[i].is);
	}
	ck_assert_str_eq(parsed("A=x\0y\nB=1\n", 10), "!1 has a NUL in it|B=1|");
}

TEST(random_environment_files_do_no_harm)
{
	static const char alphabet[] = "AB=='\"\\\n\n\r #;$ \t1\x00";
	unsigned seed = 1;
	char text[64];

	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)rand_r(&seed) % sizeof text;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
		(void)parsed(text, n);
	}
}

TEST(an_environment_file_that_is_not_there_is_an_error_but_with_a_dash)
{
	struct env_file file = { .path = "/nonexistent/x" };

	open_base(NULL);
	conf.env_files = &file;
	conf.n_env_files = 1;
	fails(-ENOENT, "EnvironmentFile=/nonexistent/x: No such file");
	file.optional = true;
	prepare("/bin/true");
	exec_release(&e);
	file = (struct env_file){ .path = "/tmp", .optional = true };
	fails(-EISDIR, "EnvironmentFile=/tmp: Is a directory");
	folder_make();
	file_says(in_folder("large"), "");
	ck_assert_int_eq(truncate(in_folder("large"), (1 << 20) + 1), 0);
	file = (struct env_file){ .path = in_folder("large"), .optional = true };
	fails(-EFBIG, "File too large");
	exec_base_close(&base);
	folder_remove();
}

TEST(an_environment_file_that_others_can_write_is_refused_to_root)
{
	struct env_file file = { .path = NULL };

	if (geteuid() != 0)
		SKIP("only root is so careful");
	folder_make();
	file_says(in_folder("env"), "A=1\nbroken\n");
	open_base(NULL);
	file.path = in_folder("env");
	conf.env_files = &file;
	conf.n_env_files = 1;
	prepare("/bin/true");
	exec_release(&e);
	ck_assert(harness_logged("/env:2: ignored"));
	ck_assert_int_eq(chmod(file.path, 0666), 0);
	fails(-EPERM, "/env: ");
	exec_base_close(&base);
	folder_remove();
}

/* ---- words */

static const char *words_of(const char *words)
{
	static char text[1000];

	prepare(words);
	text[0] = 0;
	for (const char *const *v = e.options.argv; *v; v++) {
		strcat(text, *v);
		strcat(text, "|");
	}
	exec_release(&e);
	return text;
}

TEST(variables_are_put_in_as_systemd_does)
{
	static const struct {
		const char *words, *are;
	} cases[] = {
		{ "$A $A", "$A|one|two|" }, /* not the program */
		{ "x ${A}", "x|one  two |" },
		{ "x a${A}b${B}c", "x|aone  two bc|" },
		{ "x $A", "x|one|two|" },
		{ "x $B ${B} y", "x||y|" }, /* a lone one vanishes */
		{ "x $NONE ${NONE} a${NONE}b", "x||ab|" },
		{ "x a$A $A/b", "x|a$A|$A/b|" }, /* only whole words, and in braces */
		{ "x $$A $${A} $$ a$$b $$$$", "x|$A|${A}|$|a$b|$$|" },
		{ "x $ ${ ${} ${A ${A-b} $1 ${1}", "x|$|${|${}|${A|${A-b}|$1|${1}|" },
		{ "x $Q", "x|a b|c\"d|e\\f|gh|i\\j|" },
		{ "x $ESC ${ESC}", "x|${A}|${A}|" }, /* a value is not looked at again */
		{ "x $HOLT_NODE", "x|shop/api|" },
	};
	char *env[] = { "A=one  two ", "B=", "Q='a b' c\\\"d \"e\\\\f\"  g''h 'i\\j'", "ESC=${A}" };

	open_base(NULL);
	set_env(env, HOLT__N(env));
	for (size_t i = 0; i < HOLT__N(cases); i++) {
		const char *are = words_of(cases[i].words);

		ck_assert_msg(!strcmp(are, cases[i].are), "%s\ngives %s\nnot   %s", cases[i].words, are, cases[i].are);
	}
	exec_base_close(&base);
}

TEST(with_a_colon_nothing_is_put_in)
{
	struct command *c;

	open_base(NULL);
	c = command_of("x $A ${A} $$");
	c->no_variables = true;
	ck_assert_int_eq(exec_prepare(&e, &base, &node, c, &extra), 0);
	ck_assert_str_eq(e.options.argv[1], "$A");
	ck_assert_str_eq(e.options.argv[2], "${A}");
	ck_assert_str_eq(e.options.argv[3], "$$");
	exec_release(&e);
	exec_base_close(&base);
}

TEST(a_value_of_too_many_words_is_refused)
{
	char *env[1] = { malloc(200002) };

	memcpy(env[0], "A=", 2);
	for (size_t i = 0; i < 100000 - 1; i++)
		memcpy(env[0] + 2 + 2 * i, "x ", 3);
	open_base(NULL);
	set_env(env, 1);
	ck_assert_int_eq(exec_prepare(&e, &base, &node, command_of("x $A"), &extra), -E2BIG);
	exec_base_close(&base);
	free(env[0]);
}

/* ---- descriptors, folders, the rest */

TEST(output_and_errors_share_one_pipe)
{
	open_base(NULL);
	prepare("/bin/true");
	ck_assert_int_eq(e.options.stdio[0].how, HOLT_STDIO_NULL);
	ck_assert_int_eq(e.options.stdio[1].how, HOLT_STDIO_PIPE);
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_STDOUT);
	exec_release(&e);
	conf.stdio[1].kind = STDIO_NULL;
	prepare("/bin/true");
	ck_assert_int_eq(e.options.stdio[1].how, HOLT_STDIO_NULL);
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_PIPE);
	exec_release(&e);
	conf.stdio[0].kind = conf.stdio[1].kind = conf.stdio[2].kind = STDIO_INHERIT;
	prepare("/bin/true");
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_INHERIT);
	exec_release(&e);
	conf.stdio[1].kind = conf.stdio[2].kind = STDIO_LOG;
	extra.log_fd = 7;
	prepare("/bin/true");
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_FD);
	ck_assert_int_eq(e.options.stdio[2].fd, 7);
	exec_release(&e);
	exec_base_close(&base);
}

static int flags_of(int i)
{
	return fcntl(e.files[i], F_GETFL);
}

TEST(files_are_opened_as_said_and_shared)
{
	folder_make();
	file_says(in_folder("in"), "input");
	file_says(in_folder("out"), "12345");
	open_base(NULL);
	conf.stdio[0] = (struct stdio_spec){ STDIO_FILE, in_folder("in") };
	conf.stdio[1] = (struct stdio_spec){ STDIO_FILE, in_folder("out") };
	conf.stdio[2] = (struct stdio_spec){ STDIO_FILE, in_folder("out") };
	prepare("/bin/true");
	ck_assert_int_eq(flags_of(0) & (O_ACCMODE | O_NONBLOCK | O_APPEND), O_RDONLY);
	ck_assert_int_eq(flags_of(1) & (O_ACCMODE | O_NONBLOCK | O_APPEND), O_WRONLY);
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_STDOUT);
	ck_assert_int_eq(e.files[2], -1);
	ck_assert_str_eq(file_read(in_folder("out"), NULL), "12345");
	exec_release(&e);
	conf.stdio[1].kind = conf.stdio[2].kind = STDIO_APPEND;
	conf.stdio[2].path = in_folder("err");
	prepare("/bin/true");
	ck_assert_int_eq(flags_of(1) & O_APPEND, O_APPEND);
	ck_assert_int_eq(e.options.stdio[2].how, HOLT_STDIO_FD);
	ck_assert_uint_eq(file_mode(in_folder("err")), 0644);
	exec_release(&e);
	conf.stdio[1].kind = STDIO_TRUNCATE;
	prepare("/bin/true"); /* a later command of the same start: it would truncate what the first one wrote */
	ck_assert_str_eq(file_read(in_folder("out"), NULL), "12345");
	exec_release(&e);
	extra.first = true;
	prepare("/bin/true");
	ck_assert_str_eq(file_read(in_folder("out"), NULL), "");
	exec_release(&e);
	exec_base_close(&base);
	folder_remove();
}

TEST(a_file_that_cannot_be_opened_is_told_and_a_fifo_holds_nobody_up)
{
	folder_make();
	open_base(NULL);
	ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
	conf.stdio[2] = (struct stdio_spec){ STDIO_APPEND, in_folder("fifo") };
	fails(-ENXIO, "StandardError=/tmp/");
	conf.stdio[0] = (struct stdio_spec){ STDIO_FILE, in_folder("fifo") };
	conf.stdio[2].kind = STDIO_NULL;
	prepare("/bin/true");
	ck_assert_int_eq(flags_of(0) & O_NONBLOCK, 0);
	exec_release(&e);
	conf.stdio[0].path = in_folder("none");
	fails(-ENOENT, "StandardInput=/tmp/");
	exec_base_close(&base);
	folder_remove();
}

TEST(the_working_directory_is_as_systemd_has_it)
{
	open_base(NULL);
	prepare("/bin/true");
	ck_assert_str_eq(e.options.cwd, geteuid() == 0 ? "/" : "/root");
	exec_release(&e);
	conf.working_directory = "~";
	prepare("/bin/true");
	ck_assert_str_eq(e.options.cwd, "/root"); /* HOME */
	exec_release(&e);
	conf.user = "daemon";
	prepare("/bin/true");
	ck_assert_str_eq(e.options.cwd, getpwnam("daemon")->pw_dir);
	exec_release(&e);
	conf.user = NULL;
	conf.working_directory = "/nonexistent";
	prepare("/bin/true"); /* its start will fail */
	ck_assert_str_eq(e.options.cwd, "/nonexistent");
	exec_release(&e);
	conf.working_directory_optional = true;
	prepare("/bin/true");
	ck_assert_str_eq(e.options.cwd, "/");
	exec_release(&e);
	exec_base_close(&base);
}

TEST(the_rest_is_handed_on)
{
	struct limit limits[] = { { RLIMIT_NOFILE, { 10, 20 } }, { RLIMIT_CORE, { 0, 0 } } };
	char *groups[] = { "daemon", "bin", (char *)"not in it" };

	open_base(NULL);
	conf.limits = limits;
	conf.n_limits = 2;
	conf.supplementary_groups = (struct strings){ groups, 2 };
	conf.umask = 077;
	conf.nice = 5;
	prepare("/bin/true");
	ck_assert_int_eq(e.options.nice, 0);
	exec_release(&e);
	conf.nice_set = true;
	conf.no_new_privileges = true;
	extra.cgroup_fd = 9;
	prepare("/bin/true");
	ck_assert_uint_eq(e.options.size, sizeof e.options);
	ck_assert_str_eq(e.options.path, "/bin/true");
	ck_assert_int_eq(e.options.nice, 5);
	ck_assert_uint_eq(e.options.umask_plus_1, 077 + 1);
	ck_assert(e.options.no_new_privileges);
	ck_assert_int_eq(e.options.cgroup_fd_plus_1, 10);
	ck_assert_int_eq(e.options.death_signal, SIGKILL);
	ck_assert_uint_eq(e.options.n_limits, 2);
	ck_assert_int_eq(e.options.limits[0].resource, RLIMIT_NOFILE);
	ck_assert_uint_eq(e.options.limits[0].value.rlim_max, 20);
	ck_assert_str_eq(e.options.supplementary_groups[1], "bin");
	ck_assert_ptr_null(e.options.supplementary_groups[2]);
	exec_release(&e);
	exec_base_close(&base);
}

/* ---- credentials */

static struct credential credentials[2];

static void open_with_credentials(void)
{
	static char own[200];
	char *env[] = { "PATH=/bin", own, NULL };

	folder_make();
	mkdir(in_folder("own"), 0700);
	file_says(in_folder("own/inherited"), "from systemd");
	file_write(in_folder("secret"), "pass\0word", 9);
	snprintf(own, sizeof own, "CREDENTIALS_DIRECTORY=%s/own", folder);
	open_base(env);
	credentials[0] = (struct credential){ "db", in_folder("secret") };
	credentials[1] = (struct credential){ "tls", "inherited" };
	conf.credentials = credentials;
	conf.n_credentials = 2;
	extra.first = true;
}

TEST(credentials_are_copied_for_the_process_alone)
{
	const char *dir;
	size_t n;

	open_with_credentials();
	prepare("/bin/true");
	dir = value("CREDENTIALS_DIRECTORY");
	ck_assert_str_eq(dir, in_folder("credentials/" ID_TEXT));
	ck_assert_uint_eq(file_mode(in_folder("credentials")), 0711);
	ck_assert_uint_eq(file_mode(dir), 0500);
	ck_assert_uint_eq(file_mode(in_folder("credentials/" ID_TEXT "/db")), 0400);
	ck_assert_int_eq(memcmp(file_read(in_folder("credentials/" ID_TEXT "/db"), &n), "pass\0word", 9), 0);
	ck_assert_uint_eq(n, 9);
	ck_assert_str_eq(file_read(in_folder("credentials/" ID_TEXT "/tls"), NULL), "from systemd");
	exec_release(&e);
	extra.first = false;
	prepare("/bin/true"); /* a later command finds the same ones */
	ck_assert_str_eq(value("CREDENTIALS_DIRECTORY"), in_folder("credentials/" ID_TEXT));
	exec_release(&e);
	exec_credentials_remove(&base, &node, &id);
	ck_assert(!file_is_there(in_folder("credentials/" ID_TEXT)));
	exec_credentials_remove(&base, &node, &id);
	exec_base_close(&base);
	folder_remove();
}

TEST(credentials_belong_to_the_processs_user)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("only root can give files away");
	open_with_credentials();
	conf.user = "daemon";
	prepare("/bin/true");
	exec_release(&e);
	ck_assert_int_eq(stat(in_folder("credentials/" ID_TEXT "/db"), &st), 0);
	ck_assert_uint_eq(st.st_uid, getpwnam("daemon")->pw_uid);
	ck_assert_int_eq(stat(in_folder("credentials/" ID_TEXT), &st), 0);
	ck_assert_uint_eq(st.st_uid, getpwnam("daemon")->pw_uid);
	exec_credentials_remove(&base, &node, &id);
	exec_base_close(&base);
	folder_remove();
}

TEST(a_credential_that_cannot_be_had_is_named_and_nothing_is_left)
{
	char *large = calloc(1, (1 << 20) + 1);

	open_with_credentials();
	credentials[1].path = "missing";
	fails(-ENOENT, "LoadCredential=missing: No such file");
	ck_assert(!file_is_there(in_folder("credentials/" ID_TEXT)));
	credentials[1].path = in_folder("large");
	file_write(in_folder("large"), large, 1 << 20);
	prepare("/bin/true"); /* just fits */
	exec_release(&e);
	file_write(in_folder("large"), large, (1 << 20) + 1);
	fails(-EFBIG, "more than 1 MiB");
	ck_assert(!file_is_there(in_folder("credentials/" ID_TEXT)));
	credentials[1].path = "/tmp";
	fails(-EISDIR, "LoadCredential=/tmp: ");
	mkfifo(in_folder("fifo"), 0600);
	credentials[1].path = in_folder("fifo");
	fails(-EINVAL, "LoadCredential=/tmp/");
	base.state = NULL;
	fails(-ENOTSUP, "there is no state directory");
	exec_base_close(&base);
	folder_remove();
	free(large);
}

/* ---- memory */

TEST(each_allocation_may_fail)
{
	char *env[] = { "A=one two three" };
	struct env_file file = { .path = NULL };
	struct limit limits[] = { { RLIMIT_NOFILE, { 10, 20 } } };
	char *groups[] = { "daemon" };
	size_t live, fds;
	int r = 0;

	open_with_credentials();
	file_says(in_folder("env"), "B=1\n");
	file.path = in_folder("env");
	conf.env_files = &file;
	conf.n_env_files = 1;
	conf.user = "daemon";
	conf.supplementary_groups = (struct strings){ groups, 1 };
	conf.limits = limits;
	conf.n_limits = 1;
	conf.stdio[0] = (struct stdio_spec){ STDIO_FILE, file.path };
	set_env(env, 1);
	live = harness_live();
	fds = harness_fds();
	for (uint64_t n = 1;; n++) {
		exec_user_forget(&base);
		harness_fail_alloc(n);
		r = exec_prepare(&e, &base, &node, command_of("x $A ${A}"), &extra);
		if (!harness_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_str_ne(e.why, "");
		exec_user_forget(&base);
		ck_assert_uint_eq(harness_live(), live);
		ck_assert_uint_eq(harness_fds(), fds);
		ck_assert(!file_is_there(in_folder("credentials/" ID_TEXT)));
	}
	ck_assert_int_eq(r, 0);
	exec_release(&e);
	exec_user_forget(&base);
	ck_assert_uint_eq(harness_live(), live); /* nothing is kept for a process that runs */
	exec_credentials_remove(&base, &node, &id);
	exec_base_close(&base);
	folder_remove();
}

TEST(large_environments_fit)
{
	char *env[2000];

	for (size_t i = 0; i < HOLT__N(env); i++)
		ck_assert_int_gt(asprintf(&env[i], "V%zu=%0*zu", i, (int)(i % 500) + 1, i), 0);
	open_base(NULL);
	set_env(env, HOLT__N(env));
	prepare("x ${V1999} $V7");
	ck_assert_str_eq(value("V1234"), strchr(env[1234], '=') + 1);
	ck_assert_str_eq(e.options.argv[2], strchr(env[7], '=') + 1);
	exec_release(&e);
	exec_base_close(&base);
	for (size_t i = 0; i < HOLT__N(env); i++)
		free(env[i]);
}

/* ---- for real */

static int run_it(void *words)
{
	holt_auto(process) p = NULL;
	char buf[4096];
	struct holt_exit x;
	ssize_t n;

	prepare(words);
	ck_assert_int_eq(holt_process_start(&p, &e.options), 0);
	exec_release(&e);
	n = holt_read_full(holt_process_fd(p, 1), buf, sizeof buf - 1);
	ck_assert_int_ge(n, 0);
	buf[n] = 0;
	ck_assert_int_eq(holt_process_wait(p, &x), 0);
	printf("%s", buf);
	return x.signaled ? 128 + x.code : x.code;
}

static int run_in_child(void *words)
{
	harness_real_clock();
	return holt_run(run_it, words);
}

TEST(what_was_prepared_can_be_started)
{
	char *env[] = { "A=one two", "PATH=/usr/bin:/bin" };

	folder_make();
	file_says(in_folder("script"), "#!/bin/sh\necho \"$#:$1:$HOLT_NODE:$(umask):$PWD\"; echo err >&2; exit 3\n");
	ck_assert_int_eq(chmod(in_folder("script"), 0755), 0);
	open_base(NULL);
	set_env(env, 2);
	conf.working_directory = "/tmp";
	conf.umask = 027;
	ck_assert_int_eq(WEXITSTATUS(harness_child(run_in_child, (void *)(uintptr_t)in_folder("script $A x"))), 3);
	ck_assert_str_eq(harness_output(), "3:one:shop/api:0027:/tmp\nerr\n");
	exec_base_close(&base);
	folder_remove();
}
