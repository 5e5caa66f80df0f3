/* SPDX-License-Identifier: MIT */
/*
 * A tree out of files: its own and its drop-ins, in which order they count, who may have written them. And what else lies about as a
 * file: the example of the manual, the corpus of the fuzzer.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz/tree.c"

static char dir[] = "/tmp/holt-config-XXXXXX";

static char *at(const char *name)
{
	static char path[8][600];
	static unsigned turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static void put_folder(const char *name)
{
	ck_assert_msg(mkdir(at(name), 0755) == 0, "%s: %m", name);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void begin(void)
{
	umask(022);
	unsetenv("SUDO_UID");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void end(void)
{
	char command[100];

	config = config_free(config);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *roots[3];
static struct config_options options = { .home = "/home", .runtime = "/run", .roots = roots };

/* etc, run and lib, each empty */
static void put_roots(void)
{
	static const char *const names[] = { "etc", "run", "lib" };

	for (int i = 0; i < 3; i++) {
		put_folder(names[i]);
		roots[i] = strdup(at(names[i]));
	}
}

static void drop_roots(void)
{
	for (int i = 0; i < 3; i++)
		free((char *)roots[i]);
}

static int load(const char *path)
{
	config = config_free(config);
	return config_load(&config, path, &options);
}

static void loads(const char *path)
{
	int r = load(path);

	ck_assert_msg(r == 0 && config->n_problems == 0, "%d: %s", r, config ? problems_text(config) : "");
}

static void fails(const char *path, const char *problems)
{
	char *text, *in;
	size_t n = strlen(dir);

	ck_assert_int_eq(load(path), -EINVAL);
	text = problems_text(config);
	while ((in = strstr(text, dir))) { /* its name is another each time */
		memmove(in + 1, in + n, strlen(in + n) + 1);
		*in = '~';
	}
	harness_same(text, problems);
}

#define P "[process p]\nExecStart=p\n"

/* ---- drop-ins */

TEST(drop_ins_add_to_the_file_in_the_order_of_their_names)
{
	begin();
	put("x.tree", P "Environment=A=1\nUser=one\n[process q]\nExecStart=q\n");
	put_folder("x.tree.d");
	put("x.tree.d/20.conf", "[process p]\nEnvironment=B=2\nUser=three\n");
	put("x.tree.d/10.conf",
		"[process p]\nUser=two\nEnvironment=A=0\n[process new]\nExecStart=n\n[group g]\nStopParallel=yes\n[process g/h]\nExecStart=h\n");
	put("x.tree.d/.hidden.conf", "junk");
	put("x.tree.d/30.conf.bak", "junk");
	put("x.tree.d/.conf", "junk");
	loads(at("x.tree"));
	ck_assert_str_eq(paths_of(&config->nodes), " p q new g g/h");
	ck_assert_str_eq(node_at("p")->process->user, "three");
	ck_assert_uint_eq(node_at("p")->process->environment.n, 2);
	ck_assert_str_eq(node_at("p")->process->environment.v[0], "A=0");
	ck_assert_str_eq(node_at("p")->file, at("x.tree"));
	ck_assert_str_eq(node_at("new")->file, at("x.tree.d/10.conf"));
	ck_assert_str_eq(paths_of(&node_at("new")->after), "q");
	ck_assert(node_at("g")->stop_parallel);
	end();
}

TEST(a_command_in_a_drop_in_is_a_second_one_unless_it_empties_the_list)
{
	begin();
	put("x.tree", P);
	put_folder("x.tree.d");
	put("x.tree.d/a.conf", "\n[process p]\nExecStart=other\n");
	fails(at("x.tree"),
		"~/x.tree.d/a.conf:3:1: error: p has a second ExecStart=, which only Type=oneshot can have; an empty ExecStart= takes "
		"back those before\n");
	put("x.tree.d/a.conf", "[process p]\nExecStart=\nExecStart=other\n");
	loads(at("x.tree"));
	ck_assert_str_eq(node_at("p")->start.v->path, "other");
	ck_assert_str_eq(node_at("p")->start.v->file, at("x.tree.d/a.conf"));
	end();
}

TEST(mistakes_in_drop_ins_are_told_with_their_file)
{
	begin();
	put("x.tree", P "Foo=1\n");
	put_folder("x.tree.d");
	put("x.tree.d/b.conf", "[group p]\n[process q]\nExecStart=x\n[process q]\n");
	put("x.tree.d/a.conf", "Bar=1\n[process p]\nNice=x\n");
	put("x.tree.d/c.conf", "\xff");
	put_folder("x.tree.d/d.conf");
	ck_assert_int_eq(symlink("nowhere", at("x.tree.d/e.conf")), 0);
	fails(at("x.tree"),
		"~/x.tree:3:1: error: unknown key Foo=\n~/x.tree.d/a.conf:1:1: error: an assignment before the first section\n"
		"~/x.tree.d/a.conf:3:6: error: Nice=x is no number: -20 to 19\n~/x.tree.d/b.conf:1:8: error: p is a process (~/x.tree:1)\n"
		"~/x.tree.d/b.conf:4:10: error: repeated path: q is in line 2 already\n~/x.tree.d/c.conf:1:1: error: not UTF-8\n"
		"~/x.tree.d/d.conf: error: is not a file\n~/x.tree.d/e.conf: error: cannot be opened: No such file or directory\n");
	end();
}

TEST(a_tree_below_etc_has_drop_ins_in_three_places)
{
	begin();
	put_roots();
	put_folder("etc/x.tree.d");
	put_folder("run/x.tree.d");
	put_folder("lib/x.tree.d");
	put("etc/x.tree", P);
	/* sorted by name whatever the folder, and of one name only the strongest */
	put("lib/x.tree.d/10.conf", "[process p]\nEnvironment=TEN=lib\n");
	put("lib/x.tree.d/20.conf", "[process p]\nEnvironment=TWENTY=lib\nUser=twenty\n");
	put("lib/x.tree.d/30.conf", "[process p]\nEnvironment=THIRTY=lib\n");
	put("lib/x.tree.d/40.conf", "[process p]\nEnvironment=FORTY=lib\n");
	put("run/x.tree.d/20.conf", "[process p]\nEnvironment=TWENTY=run\n");
	put("run/x.tree.d/15.conf", "[process p]\nUser=fifteen\n");
	put("etc/x.tree.d/10.conf", "[process p]\nUser=ten\nEnvironment=TEN=etc\n");
	/* masked */
	put("run/x.tree.d/30.conf", "");
	ck_assert_int_eq(symlink("/dev/null", at("etc/x.tree.d/40.conf")), 0);
	loads(at("etc/x.tree"));
	ck_assert_str_eq(node_at("p")->process->user, "fifteen");
	ck_assert_uint_eq(node_at("p")->process->environment.n, 2);
	ck_assert_str_eq(node_at("p")->process->environment.v[0], "TEN=etc");
	ck_assert_str_eq(node_at("p")->process->environment.v[1], "TWENTY=run");

	/* the same from a path that only leads there, and from a folder below */
	ck_assert_int_eq(symlink("etc", at("link")), 0);
	loads(at("link/../link/x.tree"));
	ck_assert_str_eq(node_at("p")->process->user, "fifteen");
	put_folder("etc/sub");
	put_folder("run/sub");
	put_folder("run/sub/x.tree.d");
	put("etc/sub/x.tree", P);
	put("run/sub/x.tree.d/a.conf", "[process p]\nUser=sub\n");
	loads(at("etc/sub/x.tree"));
	ck_assert_str_eq(node_at("p")->process->user, "sub");

	/* elsewhere there are only those beside it */
	put("x.tree", P);
	put_folder("x.tree.d");
	put("x.tree.d/a.conf", "[process p]\nUser=beside\n");
	put_folder("run/y.tree.d");
	put("run/y.tree.d/a.conf", "junk\n");
	put("y.tree", P);
	put_folder("etcetera");
	put("etcetera/y.tree", P);
	put_folder("runetera");
	put_folder("runetera/y.tree.d");
	put("runetera/y.tree.d/a.conf", "junk\n");
	loads(at("x.tree"));
	ck_assert_str_eq(node_at("p")->process->user, "beside");
	loads(at("y.tree"));
	loads(at("etcetera/y.tree"));
	drop_roots();
	end();
}

TEST(a_file_may_be_named_from_where_we_are)
{
	char cwd[4096];

	begin();
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	put_roots();
	put("etc/x.tree", P);
	put_folder("run/x.tree.d");
	put("run/x.tree.d/a.conf", "[process p]\nUser=run\n");
	ck_assert_int_eq(chdir(at("etc")), 0);
	loads("x.tree");
	ck_assert_str_eq(node_at("p")->process->user, "run");
	ck_assert_str_eq(config->name, "x");
	ck_assert_int_eq(chdir(cwd), 0);
	drop_roots();
	end();
}

TEST(what_cannot_be_read_is_told)
{
	begin();
	fails(at("none.tree"), "~/none.tree: error: cannot be opened: No such file or directory\n");
	put_folder("folder.tree");
	fails(at("folder.tree"), "~/folder.tree: error: is not a file\n");
	ck_assert_int_eq(mkfifo(at("fifo.tree"), 0600), 0);
	fails(at("fifo.tree"), "~/fifo.tree: error: is not a file\n");
	put("x.tree", P);
	put("x.tree.d", "");
	fails(at("x.tree"), "~/x.tree.d: error: cannot be opened: Not a directory\n");
	end();
}

/* ---- who may have written it */

TEST(a_tree_that_others_could_have_written_is_refused)
{
	begin();
	options.check_owner = true;
	put("x.tree", P);
	loads(at("x.tree"));
	chmod(at("x.tree"), 0646);
	fails(at("x.tree"), "~/x.tree: error: refused: ~/x.tree can be written by everybody\n");
	put_folder("d");
	put("d/x.tree", P);
	chmod(at("d"), 0775);
	fails(at("d/x.tree"),
		"~/d/x.tree: error: refused: ~/d can be written by its group\n~/d/x.tree.d: error: refused: ~/d can be written by its group\n");
	chmod(at("d"), 01777);
	loads(at("d/x.tree"));
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(at("d/x.tree"), 12345, 0), 0);
		fails(at("d/x.tree"), "~/d/x.tree: error: refused: ~/d/x.tree belongs to another user\n");
		setenv("SUDO_UID", "12345", 1);
		loads(at("d/x.tree"));
	}
	options.check_owner = false;
	end();
}

TEST(drop_ins_and_environment_files_are_refused_as_well)
{
	char text[1000];

	begin();
	options.check_owner = true;
	put("x.tree", P);
	put_folder("x.tree.d");
	put("x.tree.d/a.conf", "[process p]\nUser=x\n");
	loads(at("x.tree"));
	chmod(at("x.tree.d/a.conf"), 0666);
	fails(at("x.tree"), "~/x.tree.d/a.conf: error: refused: ~/x.tree.d/a.conf can be written by everybody\n");
	chmod(at("x.tree.d/a.conf"), 0644);
	chmod(at("x.tree.d"), 0777);
	fails(at("x.tree"), "~/x.tree.d: error: refused: ~/x.tree.d can be written by everybody\n");
	chmod(at("x.tree.d"), 0755);

	put_folder("e");
	put("e/env", "A=1\n");
	snprintf(text, sizeof text, P "EnvironmentFile=%s\nEnvironmentFile=-%s\n", at("e/env"), at("e/none"));
	put("x.tree", text);
	loads(at("x.tree"));
	chmod(at("e/env"), 0666);
	fails(at("x.tree"), "~/x.tree:3:17: error: EnvironmentFile= is refused: ~/e/env can be written by everybody\n");
	chmod(at("e"), 0777);
	fails(at("x.tree"),
		"~/x.tree:3:17: error: EnvironmentFile= is refused: ~/e can be written by everybody\n"
		"~/x.tree:4:17: error: EnvironmentFile= is refused: ~/e can be written by everybody\n");
	options.check_owner = false;
	end();
}

/* ---- out of memory */

TEST(each_allocation_of_loading_may_fail)
{
	begin();
	put_roots();
	put_folder("run/x.tree.d");
	put_folder("etc/x.tree.d");
	put("etc/x.tree", P "EnvironmentFile=-/none\n");
	put("etc/x.tree.d/a.conf", "[process p]\nUser=a\n");
	put("run/x.tree.d/b.conf", "[process q]\nExecStart=q\n");
	for (int owner = 0; owner < 2; owner++)
		for (unsigned i = 1;; i++) {
			size_t live, fds = harness_fds();
			int r;

			options.check_owner = owner;
			config = config_free(config);
			live = harness_live();
			harness_fail_alloc(i);
			r = config_load(&config, at("etc/x.tree"), &options);
			ck_assert_uint_eq(harness_fds(), fds);
			if (!harness_alloc_failed()) {
				ck_assert_msg(r == 0, "%s", problems_text(config));
				break;
			}
			ck_assert_msg(r == -ENOMEM, "allocation %u: %d", i, r);
			ck_assert_ptr_null(config);
			ck_assert_msg(harness_live() == live, "allocation %u leaks", i);
		}
	harness_fail_alloc(0);
	options.check_owner = false;
	drop_roots();
	end();
}

/* ---- what lies about */

static char *read_whole(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "r");
	char *text = malloc(1 << 20);

	ck_assert_msg(f, "%s: %m", path);
	*ret_n = fread(text, 1, (1 << 20) - 1, f);
	text[*ret_n] = 0;
	fclose(f);
	return text;
}

/* What roff needs is taken off: \e is a backslash, \- a minus; its own lines begin with a dot. */
static void unroff(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p == '.' && (p == text || p[-1] == '\n')) {
			p = strchr(p, '\n');
			continue;
		}
		if (*p == '\\') {
			p++;
			ck_assert_msg(*p == 'e' || *p == '-', "an escape that is not known here: \\%c", *p);
		}
		*to++ = *p;
		if (*p == 'e' && p > text && p[-1] == '\\')
			to[-1] = '\\';
	}
	*to = 0;
}

TEST(the_example_of_the_manual_is_good)
{
	size_t n;
	char *page, *example, *stop;

	if (access("daemon/man/holt.tree.5", R_OK) < 0)
		SKIP("daemon/man/holt.tree.5 is not here");
	page = read_whole("daemon/man/holt.tree.5", &n);
	example = strstr(page, ".\\\" example: shop.tree\n");
	ck_assert_ptr_nonnull(example);
	stop = strstr(example, ".\\\" end\n");
	ck_assert_ptr_nonnull(stop);
	*stop = 0;
	example = strchr(example, '\n') + 1;
	unroff(example);
	load_text(example);
	ck_assert_str_eq(paths_of(&config->tree->members), "db migrate workers api");
	ck_assert_uint_eq(node_at("workers")->members.n, 5);
	ck_assert_uint_eq(node_at("db")->start.v->argc, 4);
	config = config_free(config);
	free(page);
}

/* Every key of the table in the manual, and every default that it names, would be too much; but each key is in it. */
TEST(the_manual_names_each_key)
{
	static const char *const keys[] = { "Description", "Restart", "RestartSec", "BackoffResetSec", "TimeoutStartSec",
		"TimeoutStopSec", "After", "Requires", "OnFailure", "Significant", "Enabled", "Strategy", "Intensity", "Finally",
		"FinallyTimeoutSec", "StopParallel", "StopBudgetSec", "ControlGroup", "LogTarget", "LogFileMax", "LogFileKeep",
		"Type", "ExecStart", "ExecStartPre", "ExecReload", "ExecStop", "ExecStopPost", "Replicas", "SuccessExitStatus",
		"WatchdogSec", "KillSignal", "KillMode", "SendSIGKILL", "User", "Group", "SupplementaryGroups",
		"WorkingDirectory", "Environment", "EnvironmentFile", "LoadCredential", "UMask", "Nice", "NoNewPrivileges",
		"Sockets", "LimitCPU", "LimitFSIZE", "LimitDATA", "LimitSTACK", "LimitCORE", "LimitRSS", "LimitNOFILE", "LimitAS",
		"LimitNPROC", "LimitMEMLOCK", "LimitLOCKS", "LimitSIGPENDING", "LimitMSGQUEUE", "LimitNICE", "LimitRTPRIO",
		"LimitRTTIME", "MemoryMax", "TasksMax", "CPUWeight", "StandardInput", "StandardOutput", "StandardError",
		"LogLineMax", "LogRateLimitIntervalSec", "LogRateLimitBurst" };
	char *page, word[50];
	size_t n;

	if (access("daemon/man/holt.tree.5", R_OK) < 0)
		SKIP("daemon/man/holt.tree.5 is not here");
	page = read_whole("daemon/man/holt.tree.5", &n);
	for (size_t i = 0; i < HOLT__N(keys); i++) {
		snprintf(word, sizeof word, " %s=", keys[i]);
		ck_assert_msg(strstr(page, word), "%s= is not in the manual", keys[i]);
	}
	free(page);
}

TEST(the_corpus_of_the_fuzzer_breaks_nothing)
{
	DIR *d = opendir("tests/fuzz/tree_corpus");
	struct dirent *e;
	unsigned found = 0;

	if (!d)
		SKIP("tests/fuzz/tree_corpus is not here");
	while ((e = readdir(d))) {
		char path[400], *text;
		size_t n;

		if (*e->d_name == '.')
			continue;
		snprintf(path, sizeof path, "tests/fuzz/tree_corpus/%s", e->d_name);
		text = read_whole(path, &n);
		LLVMFuzzerTestOneInput((const uint8_t *)text, n);
		free(text);
		found++;
	}
	closedir(d);
	ck_assert_uint_gt(found, 10);
}
