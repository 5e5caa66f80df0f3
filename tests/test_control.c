/* SPDX-License-Identifier: MIT */
/*
 * The control socket (daemon/control.h): what it says of a tree, what it does to one, who may call it, and how long.
 */
#include "control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <holt/supervise.h>
#include <holt/varlink.h>

#include "daemon/cause.h"

static struct node *shop, *db, *web, *a, *b;

/* db, then web with a and b in it, one after the other. */
static void make_shop(void)
{
	shop = new_tree();
	db = process(shop, "db");
	web = group(shop, "web");
	a = process(web, "a");
	b = process(web, "b");
	in_order(shop);
	in_order(web);
	a->process->type = b->process->type = TYPE_NOTIFY;
}

/* ---- a client and its server, in one loop */

static int (*conversation)(holt_varlink *v);
static holt_group *around;

static int serve_it(void *fd)
{
	int r = control_serve_one(&runner, *(int *)fd);

	close(*(int *)fd);
	return r;
}

/* One more, served by a task of its own. */
static int open_client(holt_varlink **ret)
{
	int pair[2], r;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r = holt_spawn(around, serve_it, &pair[1], .copy = sizeof(int));
	if (r < 0)
		close(pair[1]);
	else
		r = holt_varlink_open_fd(ret, pair[0]);
	if (r < 0)
		close(pair[0]);
	return r;
}

static int talk(void *arg)
{
	holt_varlink *v = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&around, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	r = open_client(&v);
	if (r == 0)
		r = conversation(v);
	v = holt_varlink_close(v);
	return holt_group_close(around, r);
}

static int converse(int (*fn)(holt_varlink *v))
{
	conversation = fn;
	return harness_run(talk, NULL);
}

/* A test that is a client of a tree that was made before. */
#define CLAIM(name, before) \
	static int name##_client(holt_varlink *v); \
	TEST(name) \
	{ \
		before; \
		open_runner(); \
		ck_assert_int_eq(converse(name##_client), 0); \
		close_tree(); \
	} \
	static int name##_client(holt_varlink *v)

/* What is answered, as compact JSON: "OK {...}", or "Error {...}" without the interface's name. Lives until the next one. */
static const char *answer_of(holt_varlink *v, int r, json_t *out)
{
	static char text[65536];
	const char *name = holt_varlink_error_name(v);
	char *dump;

	if (r == -EREMOTEIO) {
		ck_assert_ptr_nonnull(name);
		out = json_incref(holt_varlink_error_params(v));
		name = strrchr(name, '.') + 1;
	} else {
		ck_assert_int_eq(r, 0);
		name = "OK";
	}
	dump = out ? json_dumps(out, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	snprintf(
		text, sizeof text, "%s%s%s", name, dump && strcmp(dump, "{}") ? " " : "", dump && strcmp(dump, "{}") ? dump : "");
	free(dump);
	json_decref(out);
	return text;
}

static const char *ask(holt_varlink *v, const char *method, json_t *params)
{
	char name[64];
	json_t *out = NULL;
	int r;

	snprintf(name, sizeof name, "io.holt.Tree.%s", method);
	r = holt_varlink_call(v, name, params ? params : json_object(), &out);
	return answer_of(v, r, out);
}

#define asks(method, params, expected) harness_same(ask(v, method, params), expected)
#define PATH(p) json_pack("{s:s}", "path", p)
#define WAIT(p, what) json_pack("{s:s, s:s}", "path", p, "for", what)

/* ---- what it is */

TEST(the_description_is_that_of_the_file)
{
	static char text[16384];
	FILE *f = fopen("daemon/io.holt.Tree.varlink", "re");

	ck_assert_msg(f, "not run from the top of the sources");
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
	fclose(f);
	harness_same(control_interface, text);
}

CLAIM(it_describes_itself, make_shop())
{
	json_t *out = NULL;

	ck_assert_int_eq(holt_varlink_call(v, "org.varlink.service.GetInterfaceDescription",
				 json_pack("{s:s}", "interface", "io.holt.Tree"), &out),
		0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "description")), control_interface);
	json_decref(out);
	ck_assert_int_eq(holt_varlink_call(v, "org.varlink.service.GetInfo", json_object(), &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "product")), "holtd");
	json_decref(out);
	return 0;
}

/* ---- looking */

CLAIM(status_tells_of_each_node_in_order, make_shop(); shop->finally.n = 2; a->description = "the first")
{
	start_tree();
	gets_ready(db);
	gets_ready(a);
	said[a->index] = "busy\xff\033";
	time_passes(0);
	holt_sleep(2500 * HOLT_MS);
	asks("Status", NULL,
		"OK {\"tree\":\"tree\",\"nodes\":["
		"{\"path\":\"\",\"name\":\"tree\",\"kind\":\"tree\",\"state\":\"starting\",\"why\":\"waits for web (starting)\",\"since\":2500000,"
		"\"restarts\":0,\"strategy\":\"one_for_one\",\"intensity\":5,\"within\":10000000,\"used\":0,\"members\":2,\"members_ready\":1,"
		"\"finally\":2},"
		"{\"path\":\"db\",\"name\":\"db\",\"kind\":\"process\",\"state\":\"ready\",\"why\":\"\",\"since\":2500000,\"restarts\":0,"
		"\"type\":\"exec\",\"pid\":1001,\"memory\":1048576},"
		"{\"path\":\"web\",\"name\":\"web\",\"kind\":\"group\",\"state\":\"starting\",\"why\":\"waits for web/b (starting)\","
		"\"since\":2500000,\"restarts\":0,\"strategy\":\"one_for_one\",\"intensity\":5,\"within\":10000000,\"used\":0,\"members\":2,"
		"\"members_ready\":1,\"finally\":0},"
		"{\"path\":\"web/a\",\"name\":\"a\",\"kind\":\"process\",\"state\":\"ready\",\"why\":\"\",\"description\":\"the first\","
		"\"since\":2500000,\"restarts\":0,\"type\":\"notify\",\"pid\":1003,\"status\":\"busy??\",\"memory\":3145728},"
		"{\"path\":\"web/b\",\"name\":\"b\",\"kind\":\"process\",\"state\":\"starting\","
		"\"why\":\"has been started, and is not ready yet\",\"since\":2500000,\"restarts\":0,\"type\":\"notify\",\"pid\":1004,"
		"\"memory\":4194304}]}");
	return 0;
}

CLAIM(status_tells_of_a_part, make_shop())
{
	start_tree();
	gets_ready(db);
	ends_badly(db);
	asks("Status", PATH("/db"),
		"OK {\"tree\":\"tree\",\"nodes\":[{\"path\":\"db\",\"name\":\"db\",\"kind\":\"process\",\"state\":\"backoff\","
		"\"why\":\"exit 1; restarted 1 time, next in 100ms\",\"since\":0,\"restarts\":1,\"next\":100000,\"type\":\"exec\","
		"\"ended\":\"exit 1\"}]}");
	ck_assert_uint_eq(harness_count(ask(v, "Status", PATH("web")), "\"path\""), 3);
	ck_assert_uint_eq(harness_count(ask(v, "Status", PATH("")), "\"path\""), 5);
	ck_assert_uint_eq(harness_count(ask(v, "Status", PATH("/")), "\"path\""), 5);
	ck_assert_uint_eq(harness_count(ask(v, "Status", json_pack("{s:n}", "path")), "\"path\""), 5);
	return 0;
}

CLAIM(who_mistypes_a_name_is_told_the_nearest, make_shop())
{
	static const char *const methods[] = { "Status", "Why", "Start", "Stop", "Restart", "Reload" };

	for (size_t i = 0; i < HOLT__N(methods); i++) {
		asks(methods[i], PATH("dbb"), "NoSuchNode {\"path\":\"dbb\",\"nearest\":\"db\"}");
		asks(methods[i], PATH("/xyz"), "NoSuchNode {\"path\":\"xyz\"}");
		if (strcmp(methods[i], "Status") != 0 && strcmp(methods[i], "Reload") != 0)
			asks(methods[i], NULL, "InvalidParameter {\"parameter\":\"path\"}");
	}
	asks("Wait", WAIT("dbb", "ready"), "NoSuchNode {\"path\":\"dbb\",\"nearest\":\"db\"}");
	asks("Wait", WAIT("db", "happy"), "InvalidParameter {\"parameter\":\"for\"}");
	asks("Wait", PATH("db"), "InvalidParameter {\"parameter\":\"for\"}");
	asks("Status", json_pack("{s:i}", "path", 5), "InvalidParameter {\"parameter\":\"path\"}");
	asks("Scale", PATH("db"), "MethodNotFound {\"method\":\"io.holt.Tree.Scale\"}");
	return 0;
}

/* The paths of the chain, and the states. */
static const char *chain_of(holt_varlink *v, const char *path)
{
	static char text[1024];
	json_t *out = NULL, *node;
	size_t i;

	text[0] = 0;
	ck_assert_int_eq(holt_varlink_call(v, "io.holt.Tree.Why", PATH(path), &out), 0);
	json_array_foreach(json_object_get(out, "chain"), i, node)
	{
		strcat(text, json_string_value(json_object_get(node, "path")));
		strcat(text, " ");
		strcat(text, json_string_value(json_object_get(node, "state")));
		strcat(text, ", ");
	}
	json_decref(out);
	return text;
}

CLAIM(why_follows_the_chain, make_shop(); requires(web, db))
{
	ck_assert_str_eq(chain_of(v, ""), " stopped, ");
	start_tree();
	look_again();
	ck_assert_str_eq(chain_of(v, ""), " starting, db starting, ");
	ck_assert_str_eq(chain_of(v, "web/b"), "web/b waiting, web waiting, db starting, ");
	gets_ready(db);
	ck_assert_str_eq(chain_of(v, "web/b"), "web/b waiting, web/a starting, ");
	gets_ready(a);
	gets_ready(b);
	ck_assert_str_eq(chain_of(v, ""), " ready, ");
	ends_badly(a);
	ck_assert_str_eq(chain_of(v, ""), " degraded, web degraded, web/a backoff, ");
	asks("Stop", PATH("db"), "OK");
	ck_assert_str_eq(chain_of(v, "db"), "db ready, web stopping, web/b stopping, ");
	ends_when_asked(b);
	ends_when_asked(db);
	ck_assert_str_eq(chain_of(v, "web/a"), "web/a waiting, web waiting, db stopped, ");
	ck_assert_str_eq(chain_of(v, "web"), "web waiting, db stopped, ");
	asks("Why", PATH("web"),
		"OK {\"state\":\"waiting\",\"why\":\"requires db, which is stopped\",\"chain\":["
		"{\"path\":\"web\",\"name\":\"web\",\"kind\":\"group\",\"state\":\"waiting\",\"why\":\"requires db, which is stopped\",\"since\":0,"
		"\"restarts\":0,\"strategy\":\"one_for_one\",\"intensity\":5,\"within\":10000000,\"used\":1,\"members\":2,\"members_ready\":0,"
		"\"finally\":0},"
		"{\"path\":\"db\",\"name\":\"db\",\"kind\":\"process\",\"state\":\"stopped\",\"why\":\"stopped by hand\",\"since\":0,"
		"\"restarts\":0,\"type\":\"exec\",\"ended\":\"killed by SIGTERM\"}]}");
	return 0;
}

CLAIM(why_names_who_brought_a_group_down, make_shop(); a->restart = HOLT_RESTART_NEVER)
{
	start_tree();
	gets_ready(db);
	gets_ready(a);
	gets_ready(b);
	ends_badly(a);
	ck_assert_str_eq(chain_of(v, ""), " degraded, web stopping, web/b stopping, ");
	ends_when_asked(b);
	ck_assert_str_eq(chain_of(v, "web"), "web failed, web/a failed, ");
	ck_assert_str_eq(chain_of(v, "web/b"), "web/b stopped, web failed, web/a failed, ");
	ends_when_asked(db);
	ck_assert_str_eq(chain_of(v, ""), " failed, web failed, web/a failed, ");
	return 0;
}

/* ---- doing */

CLAIM(start_stop_and_restart_go_to_the_runner, make_shop())
{
	start_tree();
	gets_ready(db);
	gets_ready(a);
	gets_ready(b);
	saw("+db +web/a +web/b READY ");
	asks("Restart", PATH("web/a"), "OK");
	saw("-web/a ");
	ends_when_asked(a);
	saw("+web/a ");
	gets_ready(a);
	asks("Stop", PATH("/web"), "OK");
	ends_when_asked(b);
	ends_when_asked(a);
	saw("-web/b -web/a ");
	asks("Stop", PATH("web"), "OK"); /* it is stopped */
	asks("Start", PATH("web"), "OK");
	saw("+web/a ");
	ck_assert(harness_logged("web/a: restart, asked for by pid"));
	ck_assert(harness_logged("web: stop, asked for by pid"));
	return 0;
}

CLAIM(what_cannot_be_done_is_said, make_shop(); web->enabled = false)
{
	start_tree();
	look_again();
	asks("Start", PATH("web/a"), "GroupDown {\"path\":\"web/a\",\"group\":\"web\",\"state\":\"disabled\"}");
	asks("Start", PATH("db"), "OK"); /* it starts already */
	asks("Stop", json_pack("{s:s, s:b}", "path", "db", "now", 1), "InvalidParameter {\"parameter\":\"now\"}");
	asks("Stop", PATH("/"), "OK");
	ck_assert_uint_eq(ended_by_hand, 1);
	asks("Start", PATH("db"), "Stopping");
	asks("Restart", PATH("db"), "Stopping");
	asks("Stop", PATH("db"), "Stopping");
	asks("Stop", json_pack("{s:s, s:b}", "path", "", "now", 1), "OK");
	ck_assert_uint_eq(hurried, 1);
	return 0;
}

CLAIM(a_reload_says_why_it_cannot_be, make_shop())
{
	start_tree();
	asks("Reload", NULL, "CannotReload {\"path\":\"\",\"why\":\"Operation not supported\"}");
	asks("Reload", PATH("web"), "CannotReload {\"path\":\"web\",\"why\":\"it is a group; reload its processes\"}");
	reload_result = -ENOTSUP;
	asks("Reload", PATH("db"), "CannotReload {\"path\":\"db\",\"why\":\"it has no ExecReload=\"}");
	reload_result = -EHOSTDOWN;
	asks("Reload", PATH("db"), "CannotReload {\"path\":\"db\",\"why\":\"it is not ready\"}");
	reload_result = -EBUSY;
	asks("Reload", PATH("db"), "CannotReload {\"path\":\"db\",\"why\":\"a reload is on its way\"}");
	reload_result = 0;
	asks("Reload", PATH("db"), "OK");
	ck_assert(harness_logged("db: reload, asked for by pid"));
	return 0;
}

/* ---- waiting */

struct waiter {
	const char *path, *what;
	bool impatient;
	holt_varlink *v;
	char answer[256];
};

static int wait_there(void *arg)
{
	struct waiter *x = arg;
	json_t *out = NULL;
	int r;

	r = holt_varlink_call(x->v, "io.holt.Tree.Wait",
		json_pack("{s:s, s:s, s:b}", "path", x->path, "for", x->what, "patient", !x->impatient), &out);
	if (r == -ECANCELED || r == -EPIPE)
		return r;
	strncat(x->answer, answer_of(x->v, r, out), sizeof x->answer - 1);
	return 0;
}

/* What goes on by itself has gone on. */
static void let_go_on(void)
{
	for (int i = 0; i < 20; i++)
		holt_sleep(HOLT_US);
}

static struct waiter waiters[16];
static size_t n_waiters;

static struct waiter *one_waits(const char *path, const char *what)
{
	struct waiter *x = &waiters[n_waiters++];

	*x = (struct waiter){ .path = path, .what = what[0] == '!' ? what + 1 : what, .impatient = what[0] == '!' };
	ck_assert_int_eq(open_client(&x->v), 0);
	ck_assert_int_eq(holt_spawn(around, wait_there, x), 0);
	let_go_on();
	return x;
}

static void all_leave(void)
{
	while (n_waiters > 0)
		holt_varlink_close(waiters[--n_waiters].v);
	let_go_on();
}

#define got(waiter, expected) \
	do { \
		let_go_on(); \
		harness_same((waiter)->answer, expected); \
	} while (0)

CLAIM(one_waits_until_it_is_ready, make_shop())
{
	struct waiter *tree, *group_, *last;

	(void)v;
	tree = one_waits("", "ready");
	group_ = one_waits("/web", "ready");
	last = one_waits("web/b", "ready");
	start_tree();
	gets_ready(db);
	gets_ready(a);
	got(tree, "");
	got(last, "");
	gets_ready(b);
	got(last, "OK {\"state\":\"ready\",\"why\":\"\"}");
	got(group_, "OK {\"state\":\"ready\",\"why\":\"\"}");
	got(tree, "OK {\"state\":\"ready\",\"why\":\"\"}");
	got(one_waits("db", "ready"), "OK {\"state\":\"ready\",\"why\":\"\"}"); /* at once */
	all_leave();
	return 0;
}

CLAIM(what_ended_well_is_as_good_as_ready, make_shop(); db->process->type = TYPE_ONESHOT)
{
	struct waiter *x;

	(void)v;
	start_tree();
	x = one_waits("db", "ready");
	ends_well(db);
	look_again();
	got(x, "OK {\"state\":\"done\",\"why\":\"ended well, exit 0\"}");
	got(one_waits("db", "stopped"), "OK {\"state\":\"done\",\"why\":\"ended well, exit 0\"}");
	got(one_waits("db", "failed"), "WillNotBe {\"state\":\"done\",\"why\":\"ended well, exit 0\",\"path\":\"db\"}");
	all_leave();
	return 0;
}

CLAIM(who_is_patient_waits_through_restarts, make_shop(); db->ignore_failure = true; shop->intensity = 1;
	db->restart_max = db->restart_min = HOLT_SEC)
{
	struct waiter *patient, *impatient, *failed;

	(void)v;
	start_tree();
	patient = one_waits("db", "ready");
	impatient = one_waits("db", "!ready");
	failed = one_waits("db", "failed");
	ends_badly(db);
	got(impatient, "WillNotBe {\"state\":\"backoff\",\"why\":\"exit 1; restarted 1 time, next in 1s\",\"path\":\"db\"}");
	got(patient, "");
	time_passes(2 * HOLT_SEC);
	gets_ready(db);
	got(patient, "OK {\"state\":\"ready\",\"why\":\"\"}");
	got(failed, "");
	ends_badly(db);
	got(failed, "OK {\"state\":\"failed\",\"why\":\"exit 1; restarted too often; ignored by its group (OnFailure=ignore)\"}");
	got(one_waits("db", "ready"),
		"WillNotBe {\"state\":\"failed\",\"why\":\"exit 1; restarted too often; ignored by its group (OnFailure=ignore)\",\"path\":\"db\"}");
	all_leave();
	return 0;
}

CLAIM(a_restart_by_hand_is_not_ready_before_it_was_down, make_shop())
{
	struct waiter *x;

	start_tree();
	gets_ready(db);
	gets_ready(a);
	gets_ready(b);
	asks("Restart", PATH("db"), "OK");
	x = one_waits("db", "!ready");
	ends_when_asked(db);
	got(x, "");
	gets_ready(db);
	got(x, "OK {\"state\":\"ready\",\"why\":\"\"}");
	all_leave();
	return 0;
}

CLAIM(nor_while_it_waits_for_its_turn_to_stop, make_shop())
{
	struct waiter *x;

	start_tree();
	gets_ready(db);
	gets_ready(a);
	asks("Stop", PATH("web"), "OK");
	asks("Restart", PATH("db"), "OK");
	ck_assert_int_eq(unit(db)->phase, PHASE_UP); /* web is not down yet */
	x = one_waits("db", "ready");
	got(x, "");
	ends_when_asked(b);
	ends_when_asked(a);
	ends_when_asked(db);
	got(x, "");
	gets_ready(db);
	got(x, "OK {\"state\":\"ready\",\"why\":\"\"}");
	all_leave();
	return 0;
}

CLAIM(what_waits_for_somebody_who_is_down_will_not_be_ready, make_shop(); requires(web, db))
{
	start_tree();
	gets_ready(db);
	asks("Stop", PATH("web"), "OK");
	ends_when_asked(a);
	asks("Stop", PATH("db"), "OK");
	ends_when_asked(db);
	got(one_waits("web", "stopped"), "OK {\"state\":\"stopped\",\"why\":\"stopped by hand\"}");
	got(one_waits("web", "ready"), "WillNotBe {\"state\":\"stopped\",\"why\":\"stopped by hand\",\"path\":\"web\"}");
	all_leave();
	return 0;
}

static int n_tasks;

CLAIM(who_hangs_up_waits_no_longer, make_shop())
{
	struct waiter *x;

	(void)v;
	start_tree();
	let_go_on();
	n_tasks = (int)holt_task_count();
	x = one_waits("db", "ready");
	ck_assert_int_gt((int)holt_task_count(), n_tasks);
	x->v = holt_varlink_close(x->v);
	let_go_on();
	ck_assert_int_eq((int)holt_task_count(), n_tasks);
	gets_ready(db);
	ck_assert_str_eq(x->answer, "");
	n_waiters = 0;
	return 0;
}

/* ---- who may */

static struct ucred peer;
static gid_t peer_groups[3] = { 4711, 4712, 4713 };

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	if (level != SOL_SOCKET || (name != SO_PEERCRED && name != SO_PEERGROUPS))
		return getsockopt(fd, level, name, value, n) < 0 ? -errno : 0;
	if (name == SO_PEERCRED) {
		memcpy(value, &peer, sizeof peer);
		return 0;
	}
	if (*n < sizeof peer_groups) {
		*n = sizeof peer_groups;
		return -ERANGE;
	}
	*n = sizeof peer_groups;
	memcpy(value, peer_groups, sizeof peer_groups);
	return 0;
}

static void called_by(uid_t uid, gid_t gid)
{
	peer = (struct ucred){ .pid = 17, .uid = uid, .gid = gid };
	harness_sys.getsockopt = fake_getsockopt;
}

static void make_shop_for(const char *control_group)
{
	make_shop();
	w.config.control_group = control_group;
}

/* What a call is answered with, in a letter each: status, wait, why, start, stop, restart, reload. */
static const char *permissions(holt_varlink *v)
{
	static const char *const methods[] = { "Status", "Wait", "Why", "Start", "Stop", "Restart", "Reload" };
	static char text[8];

	reload_result = -EBUSY;
	for (size_t i = 0; i < 7; i++) {
		const char *answer = ask(v, methods[i], WAIT("db", "stopped"));

		text[i] = strncmp(answer, "PermissionDenied", 16) == 0 ? '-' : methods[i][i == 6];
	}
	return text;
}

/* A hand-made config has its group set after open_tree(): so here, not in the claim's head. */
#define MAY(name, group_, uid, gid, expected) \
	static int name##_client(holt_varlink *v) \
	{ \
		start_tree(); \
		asks_nothing(v); \
		ck_assert_str_eq(permissions(v), expected); \
		return 0; \
	} \
	TEST(name) \
	{ \
		make_shop_for(NULL); \
		db->process->type = TYPE_ONESHOT; \
		open_runner(); \
		w.config.control_group = group_; \
		called_by(uid, gid); \
		ck_assert_int_eq(converse(name##_client), 0); \
		close_tree(); \
	}

/* So that a wait for the end of db ends at once. */
static void asks_nothing(holt_varlink *v)
{
	(void)v;
	ends_well(db);
	look_again();
}

MAY(the_owner_may_do_everything, NULL, geteuid(), 1, "SWWSSRe")
MAY(root_may_do_everything, NULL, 0, 0, "SWWSSRe")
MAY(a_stranger_may_do_nothing, NULL, 12345, 12345, "-------")
MAY(a_stranger_with_another_group_may_do_nothing, "999", 12345, 12345, "-------")
MAY(a_member_of_the_control_group_may_look, "4712", 12345, 12345, "SWW----")
MAY(his_own_group_counts_too, "4700", 12345, 4700, "SWW----")
MAY(a_group_by_name_is_found, "root", 12345, 0, "SWW----")
MAY(a_group_that_there_is_not_lets_nobody_in, "no-such-group", 12345, 0, "-------")

/* ---- the socket, and the end */

static char directory[64];

static void make_directory(void)
{
	strcpy(directory, "/tmp/holt-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void remove_directory(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/control", directory);
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

static int dial(holt_varlink **ret)
{
	char address[128];

	snprintf(address, sizeof address, "unix:%s/control", directory);
	return holt_varlink_open(ret, address);
}

static int serve_listener(void *fd)
{
	return control_serve(&runner, *(int *)fd);
}

/* As holtd: a stop of the whole is an orderly stop of the tree, and this returns when nothing of it is left. */
static int run_tree(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	ck_assert_int_eq(holt_scope_end(&s, holt_sleep(HOLT_NEVER)), -ESHUTDOWN);
	runner_end(&runner);
	for (r = 0; r == 0 && !w.ended;)
		r = holt_event_wait(&runner.changed);
	return r;
}

static struct waiter end_of_tree, end_of_db, never;

static void wait_by_socket(struct waiter *x, const char *path, const char *what)
{
	*x = (struct waiter){ .path = path, .what = what };
	ck_assert_int_eq(dial(&x->v), 0);
	ck_assert_int_eq(holt_spawn(around, wait_there, x), 0);
	let_go_on();
}

static int stops_while_it_is_looked_at(void *arg)
{
	holt_auto(varlink) v = NULL, late = NULL;
	holt_supervisor *s;
	int fd, r;

	(void)arg;
	fd = control_listen(&w.config, directory);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(holt_group_open(&around, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_supervisor_open(&s, .name = "holtd"), 0);
	ck_assert_int_eq(holt_supervise(s, serve_listener, &fd, .name = "control"), 0);
	ck_assert_int_eq(
		holt_supervise(s, run_tree, NULL, .name = "tree", .restart = HOLT_RESTART_NEVER, .significant = true), 0);
	ck_assert_int_eq(dial(&v), 0);
	start_tree();
	gets_ready(db);
	wait_by_socket(&end_of_tree, "/", "stopped");
	wait_by_socket(&end_of_db, "db", "stopped");
	wait_by_socket(&never, "web/a", "failed");

	holt_loop_stop(holt_loop_self(), "SIGTERM");
	let_go_on();
	ck_assert_uint_eq(ended_by_hand, 1);
	ends_when_asked(a);
	let_go_on();
	ck_assert_ptr_nonnull(strstr(ask(v, "Status", PATH("web")), "\"state\":\"stopped\""));
	ck_assert_int_eq(dial(&late), 0); /* others are let in, too */
	ck_assert_ptr_nonnull(strstr(ask(late, "Status", NULL), "\"state\":\"stopping\""));
	asks("Start", PATH("web"), "Stopping");
	got(&end_of_db, "");
	ends_when_asked(db);
	got(&end_of_db, "OK {\"state\":\"stopped\",\"why\":\"stopped with its group\"}");
	got(&end_of_tree, "OK {\"state\":\"stopped\",\"why\":\"stopped\"}");
	got(&never, "WillNotBe {\"state\":\"stopped\",\"why\":\"stopped with its group\",\"path\":\"web/a\"}");

	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	r = holt_supervisor_close(s, 0);
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(holt_varlink_call(v, "io.holt.Tree.Status", json_object(), NULL), -EPIPE);
	holt_close(fd);
	holt_varlink_close(end_of_tree.v);
	holt_varlink_close(end_of_db.v);
	holt_varlink_close(never.v);
	return holt_group_close(around, 0);
}

TEST(a_tree_that_stops_is_told_of_until_nothing_is_left)
{
	make_directory();
	make_shop();
	open_runner();
	ck_assert_int_eq(harness_run(stops_while_it_is_looked_at, NULL, .grace = HOLT_NEVER), 0);
	close_tree();
	remove_directory();
}

static int who_waits_is_told(void *arg)
{
	holt_group *control;
	int fd;

	(void)arg;
	fd = control_listen(&w.config, directory);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(holt_group_open(&around, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_group_open(&control, .grace = HOLT_NEVER), 0);
	ck_assert_int_eq(holt_spawn(control, serve_listener, &fd), 0);
	start_tree();
	wait_by_socket(&never, "db", "stopped");
	holt_group_stop(control, "enough"); /* though the tree is up */
	ck_assert_int_eq(holt_group_wait(control), 0);
	got(&never, "Stopping");
	holt_varlink_close(never.v);
	holt_close(fd);
	ck_assert_int_eq(holt_group_close(control, 0), 0);
	return holt_group_close(around, 0);
}

TEST(a_stop_of_the_socket_leaves_nobody_waiting)
{
	make_directory();
	make_shop();
	open_runner();
	ck_assert_int_eq(harness_run(who_waits_is_told, NULL), 0);
	close_tree();
	remove_directory();
}

static int listen_there(void *arg)
{
	int fd = control_listen(&w.config, arg ? arg : directory);

	if (fd < 0)
		return fd;
	return holt_close(fd);
}

TEST(the_socket_is_the_owners_and_the_groups)
{
	char path[128];
	struct stat st;

	make_directory();
	make_shop();
	open_runner();
	snprintf(path, sizeof path, "%s/control", directory);
	umask(0);
	ck_assert_int_eq(harness_run(listen_there, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);

	w.config.control_group = "no-such-group";
	ck_assert_int_eq(harness_run(listen_there, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert(harness_logged("ControlGroup=no-such-group: there is no such group"));

	w.config.control_group = geteuid() == 0 ? "4711" : "0";
	ck_assert_int_eq(harness_run(listen_there, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(st.st_mode & 07777, 0660);
		ck_assert_int_eq(st.st_gid, 4711);
	} else {
		ck_assert_int_eq(st.st_mode & 07777, 0600);
		ck_assert(harness_logged("ControlGroup=0 cannot be given"));
	}
	ck_assert_int_eq(harness_run(listen_there, "/nowhere"), -ENOENT);
	ck_assert(harness_logged("/nowhere/control: No such file or directory"));
	close_tree();
	remove_directory();
}

/* ---- no memory */

static void *json_malloc(size_t n)
{
	return holt__malloc(n);
}

static const char *tried;

static int try_it(holt_varlink *v)
{
	char name[64];
	int r;

	snprintf(name, sizeof name, "io.holt.Tree.%s", tried);
	r = holt_varlink_call(v, name, json_pack("{s:s, s:s}", "path", "web/b", "for", "ready"), NULL);
	/* An answer, an error, or a hang-up. (jansson cuts a text short that it has no memory for, and says nothing.) */
	ck_assert_msg(r == 0 || r == -EREMOTEIO || r == -ENOMEM || r == -EPIPE || r == -EBADMSG, "%s: %d", tried, r);
	return 0;
}

TEST(without_memory_it_is_said_or_hung_up)
{
	static const char *const methods[] = { "Status", "Why", "Wait", "Stop" };

	json_set_alloc_funcs(json_malloc, holt__free);
	make_shop();
	requires(web, db);
	open_runner();
	start_tree();
	ends_badly(db);
	runner_stop(NULL, unit(db));
	for (size_t i = 0; i < HOLT__N(methods); i++) {
		bool more = true;

		tried = methods[i];
		for (uint64_t n = 1; more; n++) {
			int r;

			harness_fail_alloc(n);
			r = converse(try_it);
			more = harness_alloc_failed();
			harness_fail_alloc(0);
			ck_assert(r == 0 || (more && r == -ENOMEM));
		}
	}
	close_tree();
}
