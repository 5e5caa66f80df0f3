/* SPDX-License-Identifier: MIT */
/*
 * holtctl's commands (daemon/ctl.h) against a control socket in the same loop: what they print, and their exit status.
 */
#include "control.h"

#include <holt/io.h>

#include "daemon/ctl.h"

static struct node *shop, *db, *web, *a, *b;
static char directory[64];
static struct ctl c;
static int listener;

static void make_shop(void)
{
	shop = new_tree();
	db = process(shop, "db");
	web = group(shop, "web");
	a = process(web, "a");
	b = process(web, "b");
	in_order(shop);
	in_order(web);
	strcpy(directory, "/tmp/holt-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	c = (struct ctl){ .tree = directory, .limit = CTL_LIMIT, .wanted = "ready" };
}

static void remove_shop(void)
{
	char path[128];

	close_tree();
	snprintf(path, sizeof path, "%s/control", directory);
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

/* ---- what is printed */

static char out[32768], err[4096];

/* Runs a command on a new connection, and keeps what it printed. */
static int run_command(int (*command)(struct ctl *c))
{
	FILE *before[2] = { stdout, stderr };
	int r;

	memset(out, 0, sizeof out);
	memset(err, 0, sizeof err);
	stdout = fmemopen(out, sizeof out - 1, "w");
	stderr = fmemopen(err, sizeof err - 1, "w");
	r = ctl_connect(&c);
	if (r == CTL_OK)
		r = command(&c);
	ctl_disconnect(&c);
	fclose(stdout);
	fclose(stderr);
	stdout = before[0];
	stderr = before[1];
	return r;
}

#define runs(command, path_, status, out_, err_) \
	do { \
		c.path = path_; \
		ck_assert_int_eq(run_command(command), status); \
		harness_same(err, err_); \
		harness_same(out, out_); \
	} while (0)

static holt_group *background;
static int (*claim)(void);

static int serve(void *arg)
{
	(void)arg;
	return control_serve(&runner, listener);
}

static int main_task(void *arg)
{
	(void)arg;
	listener = control_listen(&w.config, directory);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(holt_group_open(&background, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(background, serve, NULL, .background = true), 0);
	claim();
	ck_assert_int_eq(holt_group_close(background, 0), 0);
	return holt_close(listener);
}

#define CLAIM(name, before) \
	static int name##_claim(void); \
	TEST(name) \
	{ \
		make_shop(); \
		before; \
		open_runner(); \
		claim = name##_claim; \
		ck_assert_int_eq(harness_run(main_task, NULL), 0); \
		remove_shop(); \
	} \
	static int name##_claim(void)

/* Something happens a second after now. */
static int in_a_second(void *what)
{
	int r = holt_sleep(HOLT_SEC);

	if (r == 0)
		((void (*)(void))what)();
	return r;
}

static void soon(void (*what)(void))
{
	ck_assert_int_eq(holt_spawn(background, in_a_second, (void *)what), 0);
}

/* ---- looking */

CLAIM(status_draws_the_tree_and_says_whether_it_is_ready, db->process->type = TYPE_NOTIFY)
{
	start_tree();
	gets_ready(db);
	gets_ready(a);
	said[db->index] = "1000 rows";
	runs(ctl_status, NULL, CTL_NOT_READY,
		"◐ tree                     starting   one_for_one  1/2\n"
		"├─● db          process    ready      pid 1001  1M  notify  1000 rows\n"
		"└─◐ web         group      starting   one_for_one  1/2\n"
		"  ├─● a         process    ready      pid 1003  3M\n"
		"  └─◐ b         process    starting   pid 1004  4M  for 0ms\n",
		"");
	gets_ready(b);
	runs(ctl_status, "web", CTL_OK,
		"● tree/web      group      ready      one_for_one   up 0ms\n"
		"├─● a           process    ready      pid 1003  3M\n"
		"└─● b           process    ready      pid 1004  4M\n",
		"");
	ends_badly(b);
	c.draw.ascii = true;
	c.draw.columns = 48;
	runs(ctl_status, "/web/b", CTL_NOT_READY, "x tree/web/b    process    backoff    exit 1, n>\n", "");
	return 0;
}

CLAIM(json_is_what_the_daemon_said, (void)0)
{
	json_error_t e;
	json_t *j;

	start_tree();
	gets_ready(db);
	c.json = true;
	c.path = "db";
	ck_assert_int_eq(run_command(ctl_status), CTL_OK);
	j = json_loads(out, 0, &e);
	ck_assert_ptr_nonnull(j);
	ck_assert_str_eq(json_string_value(json_object_get(j, "tree")), "tree");
	ck_assert_uint_eq(json_array_size(json_object_get(j, "nodes")), 1);
	json_decref(j);
	ck_assert_int_eq(run_command(ctl_why), CTL_OK);
	j = json_loads(out, 0, &e);
	ck_assert_str_eq(json_string_value(json_object_get(j, "state")), "ready");
	json_decref(j);
	return 0;
}

CLAIM(why_follows_the_chain_in_words, (void)0)
{
	start_tree();
	look_again();
	runs(ctl_why, "web/b", CTL_OK,
		"web/b is waiting: its group web waits to be started\n"
		"  web is waiting: starts after db (starting)\n"
		"    db is starting: has been started, and is not ready yet\n",
		"");
	gets_ready(db);
	runs(ctl_why, "/", CTL_OK,
		"the tree is starting: waits for web (starting)\n"
		"  web is starting: waits for web/a (starting), web/b (waiting)\n"
		"    web/a is starting: has been started, and is not ready yet\n",
		"");
	return 0;
}

CLAIM(a_node_that_there_is_not_has_a_status_of_its_own, (void)0)
{
	runs(ctl_status, "dbb", CTL_NO_NODE, "", "holtctl: there is no node \"dbb\"; is \"db\" meant?\n");
	runs(ctl_why, "dbb", CTL_NO_NODE, "", "holtctl: there is no node \"dbb\"; is \"db\" meant?\n");
	runs(ctl_start, "x\033", CTL_NO_NODE, "", "holtctl: there is no node \"x?\"\n");
	runs(ctl_stop, "xyz", CTL_NO_NODE, "", "holtctl: there is no node \"xyz\"\n");
	runs(ctl_wait_for, "xyz", CTL_NO_NODE, "", "holtctl: there is no node \"xyz\"\n");
	return 0;
}

/* ---- doing */

static void db_gets_ready(void)
{
	gets_ready(db);
}

static void db_fails(void)
{
	ends_badly(db);
}

static void db_is_gone(void)
{
	ends_when_asked(db);
}

CLAIM(start_returns_when_it_is_ready, shop->finally.n = 0; db->enabled = false)
{
	holt_time before;

	start_tree();
	gets_ready(a);
	gets_ready(b);
	before = holt_now();
	soon(db_gets_ready);
	runs(ctl_start, "db", CTL_OK, "", "");
	ck_assert_uint_eq(holt_now() - before, HOLT_SEC);
	runs(ctl_start, "db", CTL_OK, "", ""); /* it is */
	c.no_block = true;
	runs(ctl_restart, "db", CTL_OK, "", "");
	ck_assert_int_eq(unit(db)->phase, PHASE_STOPPING);
	return 0;
}

CLAIM(start_says_why_it_will_not_be, (void)0)
{
	start_tree();
	soon(db_fails);
	runs(ctl_start, "db", CTL_FAILED, "", "holtctl: db is backoff: exit 1; restarted 1 time, next in 100ms\n");
	runs(ctl_start, "web/a", CTL_FAILED, "", "holtctl: web/a cannot be started alone: its group web is waiting\n");
	return 0;
}

CLAIM(stop_returns_when_it_is_gone, (void)0)
{
	holt_time before = holt_now();

	start_tree();
	gets_ready(db);
	gets_ready(a);
	gets_ready(b);
	soon(db_is_gone);
	runs(ctl_stop, "db", CTL_OK, "", "");
	ck_assert_uint_eq(holt_now() - before, HOLT_SEC);
	ck_assert_int_eq(unit(db)->phase, PHASE_IDLE);
	runs(ctl_reload, "web", CTL_FAILED, "", "holtctl: web cannot be reloaded: it is a group; reload its processes\n");
	return 0;
}

static void all_are_gone(void)
{
	ends_when_asked(b);
	ends_when_asked(a);
	ends_when_asked(db);
}

CLAIM(the_tree_is_stopped_once_nothing_is_left, (void)0)
{
	start_tree();
	gets_ready(db);
	gets_ready(a);
	gets_ready(b);
	soon(all_are_gone);
	runs(ctl_stop, "/", CTL_OK, "", "");
	ck_assert(w.ended);
	runs(ctl_stop, "db", CTL_OK, "", ""); /* that is what was wanted */
	runs(ctl_start, "db", CTL_FAILED, "", "holtctl: the tree stops\n");
	c.now = true;
	runs(ctl_stop, "/", CTL_OK, "", "");
	ck_assert_uint_eq(hurried, 1);
	return 0;
}

CLAIM(one_waits_for_what_is_asked_for, (void)0)
{
	start_tree();
	soon(db_gets_ready);
	runs(ctl_wait_for, "db", CTL_OK, "", "");
	c.wanted = "failed";
	ends_well(db);
	look_again();
	runs(ctl_wait_for, "db", CTL_FAILED, "", "holtctl: db is done: ended well, exit 0\n");
	c.wanted = "stopped";
	runs(ctl_wait_for, "db", CTL_OK, "", "");
	return 0;
}

/* ---- time */

static int wait_half_a_minute(void *arg)
{
	return run_command(arg);
}

CLAIM(a_daemon_that_lives_may_let_us_wait, (void)0)
{
	holt_time before = holt_now();

	start_tree();
	look_again();
	c.path = "db";
	ck_assert_int_eq(holt_timeout(35 * HOLT_SEC, wait_half_a_minute, (void *)ctl_wait_for), CTL_TIMED_OUT);
	ck_assert_uint_eq(holt_now() - before, 35 * HOLT_SEC);
	ck_assert_str_eq(err, "");
	return 0;
}

/* Nobody accepts there. */
static int a_daemon_that_hangs(void *arg)
{
	int fd = control_listen(&w.config, directory);
	holt_time before = holt_now();

	(void)arg;
	ck_assert_int_ge(fd, 0);
	c.path = "db";
	ck_assert_int_eq(run_command(ctl_status), CTL_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err, "/control: no answer in time\n"));
	ck_assert_uint_eq(holt_now() - before, CTL_LIMIT);
	ck_assert_int_eq(run_command(ctl_wait_for), CTL_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err, "/control: no answer in time\n"));
	ck_assert_uint_eq(holt_now() - before, 3 * CTL_LIMIT);
	return holt_close(fd);
}

TEST(a_daemon_that_hangs_is_a_time_out)
{
	make_shop();
	open_runner();
	ck_assert_int_eq(harness_run(a_daemon_that_hangs, NULL), 0);
	remove_shop();
}

static int hang_up(void *arg)
{
	int fd, *n = arg;

	for (; *n > 0; --*n) {
		fd = holt_accept(listener, NULL, NULL);
		ck_assert_int_ge(fd, 0);
		holt_sleep(HOLT_MS);
		holt_close(fd);
	}
	return 0;
}

static int one_that_hangs_up(void *arg)
{
	int n = 2;

	(void)arg;
	listener = control_listen(&w.config, directory);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(holt_group_open(&background, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(background, hang_up, &n), 0);
	c.path = "/";
	ck_assert_int_eq(run_command(ctl_status), CTL_FAILED);
	ck_assert_ptr_nonnull(strstr(err, "/control: the daemon has hung up\n"));
	ck_assert_int_eq(run_command(ctl_stop), CTL_FAILED); /* it was not even asked */
	ck_assert_int_eq(holt_group_close(background, 0), 0);
	return holt_close(listener);
}

TEST(a_daemon_that_hangs_up_is_told_of)
{
	make_shop();
	open_runner();
	ck_assert_int_eq(harness_run(one_that_hangs_up, NULL), 0);
	remove_shop();
}

/* ---- which daemon */

static char here[128], there[128];

static int make_place(char *place, const char *name)
{
	char command[256];
	int fd;

	snprintf(place, sizeof here, "%s/holt/%s", directory, name);
	snprintf(command, sizeof command, "mkdir -p %s", place);
	ck_assert_int_eq(system(command), 0);
	fd = control_listen(&w.config, place);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static int find_it(struct ctl *x)
{
	printf("%s\n", x->socket + strlen(directory));
	return CTL_OK;
}

static int look_for_it(void *arg)
{
	char text[512];
	int fd[2];

	(void)arg;
	runs(find_it, NULL, CTL_FAILED, "", "holtctl: no holtd runs here\n");
	fd[0] = make_place(here, "one");
	runs(find_it, NULL, CTL_OK, "/holt/one/control\n", "");
	fd[1] = make_place(there, "two");
	c.path = NULL;
	ck_assert_int_eq(run_command(find_it), CTL_USAGE);
	snprintf(text, sizeof text,
		"holtctl: several trees run here; choose one by --tree NAME:\n  %-20s %s/control\n  %-20s %s/control\n", "one",
		here, "two", there);
	harness_same(err, text);
	c.tree = "two";
	runs(find_it, NULL, CTL_OK, "/holt/two/control\n", "");
	c.tree = "three";
	runs(find_it, NULL, CTL_FAILED, "", "holtctl: no holtd runs a tree \"three\" here\n");
	c.tree = here;
	runs(find_it, NULL, CTL_OK, "/holt/one/control\n", "");
	strcat(there, "/control");
	c.tree = there;
	runs(find_it, NULL, CTL_OK, "/holt/two/control\n", "");

	ck_assert_int_eq(chdir(directory), 0);
	c.tree = "./holt/one";
	runs(find_it, NULL, CTL_OK, "/holt/one/control\n", "");
	c.tree = "holt/nowhere";
	runs(find_it, NULL, CTL_FAILED, "", "holtctl: holt/nowhere: No such file or directory\n");

	c.tree = NULL;
	setenv("RUNTIME_DIRECTORY", here, 1); /* the unit's own */
	runs(find_it, NULL, CTL_OK, "/holt/one/control\n", "");
	unsetenv("RUNTIME_DIRECTORY");
	holt_close(fd[0]); /* it ended; its socket is still there */
	runs(find_it, NULL, CTL_OK, "/holt/two/control\n", "");
	return holt_close(fd[1]);
}

TEST(the_only_daemon_that_runs_is_meant)
{
	char command[128];

	make_shop();
	open_runner();
	c.tree = NULL;
	unsetenv("RUNTIME_DIRECTORY");
	setenv("XDG_RUNTIME_DIR", directory, 1);
	ctl_system_directory = "/nowhere";
	ck_assert_int_eq(harness_run(look_for_it, NULL), 0);
	snprintf(command, sizeof command, "rm -r %s/holt", directory);
	ck_assert_int_eq(system(command), 0);
	remove_shop();
}

/* ---- no memory */

static void *json_malloc(size_t n)
{
	return holt__malloc(n);
}

static int commands_without_memory(void)
{
	static int (*const commands[])(struct ctl * c) = { ctl_status, ctl_why, ctl_wait_for };

	start_tree();
	gets_ready(db);
	c.path = "db";
	for (size_t i = 0; i < HOLT__N(commands); i++) {
		bool more = true;

		for (uint64_t n = 1; more; n++) {
			int r;

			harness_fail_alloc(n);
			r = run_command(commands[i]);
			more = harness_alloc_failed();
			harness_fail_alloc(0);
			ck_assert_msg(more || r == CTL_OK, "%d", r);
			ck_assert_msg(r == CTL_OK || err[0], "%d, and no word", r);
			holt_sleep(HOLT_US);
		}
	}
	return 0;
}

TEST(without_memory_a_command_fails_and_says_so)
{
	json_set_alloc_funcs(json_malloc, holt__free);
	make_shop();
	open_runner();
	claim = commands_without_memory;
	ck_assert_int_eq(harness_run(main_task, NULL), 0);
	remove_shop();
}
