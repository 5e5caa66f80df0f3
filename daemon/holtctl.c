/* SPDX-License-Identifier: MIT */
/*
 * holtctl: looks into a tree of processes that holtd runs, and asks things of it. What the words on the command line mean
 * is here, what they do is in ctl_*.c. The exit statuses are those of ctl.h, and part of the interface.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <holt/run.h>
#include <holt/scope.h>

#include "daemon/ctl.h"
#include "daemon/nearest.h"
#include "daemon/values.h"

static const char usage[] = "holtctl [OPTION...] COMMAND [PATH]\n"
			    "\n"
			    "  status [PATH]        the tree, or a part of it\n"
			    "  why PATH             why it is in its state, and what it waits for\n"
			    "  start PATH           start a node, and wait until it is ready\n"
			    "  stop PATH            stop a node, and wait until nothing of it is left; / is the tree\n"
			    "  stop --now           stop the tree, all at once; again: kill it\n"
			    "  restart PATH         stop it and start it\n"
			    "  reload PATH          run its ExecReload=\n"
			    "  wait --for=STATE PATH\n"
			    "                       wait until it is ready, stopped or failed\n"
			    "  check FILE           is a tree file right? No daemon is needed\n"
			    "  help                 this text\n"
			    "\n"
			    "  -t, --tree=NAME      which daemon: a tree's name, or the path of a control socket\n"
			    "      --json           status, why: as JSON\n"
			    "  -w, --watch          status: again and again, each second\n"
			    "  -a, --all            status: each replica, not only how many are alike\n"
			    "  -l, --full           status: lines are not cut at the terminal's edge\n"
			    "      --no-block       start, stop, restart: do not wait\n"
			    "      --for=STATE      wait: for what; ready unless said\n"
			    "      --timeout=SPAN   give up after that span: 30, 1min 30s\n"
			    "  -h, --help, --version\n"
			    "\n"
			    "Exit status: 0 done, 1 failed, 2 usage, 3 not ready, 4 no such node, 5 timed out. See holtctl(1).\n";

enum { OPT_JSON = 256, OPT_NO_BLOCK, OPT_NOW, OPT_FOR, OPT_TIMEOUT, OPT_VERSION };

/* What a command takes: bits of its options, and its argument. */
enum {
	TAKES_TREE = 1,
	TAKES_JSON = 2,
	TAKES_WATCH = 4,
	TAKES_LOOK = 8,
	TAKES_NO_BLOCK = 16,
	TAKES_NOW = 32,
	TAKES_FOR = 64,
	TAKES_TIMEOUT = 128,
	TAKES_PATH = 256,
	NEEDS_PATH = 512 | TAKES_PATH,
	WAITS = 1024,   /* --timeout is about what it waits for; else about the daemon's answer */
	OUTSIDE = 2048, /* no daemon */
};

#define ASKS (TAKES_TREE | TAKES_TIMEOUT)

static const struct verb {
	const char *name;
	int (*run)(struct ctl *c);
	unsigned takes;
} commands[] = {
	{ "status", ctl_status, ASKS | TAKES_JSON | TAKES_WATCH | TAKES_LOOK | TAKES_PATH },
	{ "why", ctl_why, ASKS | TAKES_JSON | NEEDS_PATH },
	{ "start", ctl_start, ASKS | TAKES_NO_BLOCK | NEEDS_PATH | WAITS },
	{ "stop", ctl_stop, ASKS | TAKES_NO_BLOCK | TAKES_NOW | TAKES_PATH | WAITS },
	{ "restart", ctl_restart, ASKS | TAKES_NO_BLOCK | NEEDS_PATH | WAITS },
	{ "reload", ctl_reload, ASKS | TAKES_PATH },
	{ "wait", ctl_wait_for, ASKS | TAKES_FOR | NEEDS_PATH | WAITS },
	{ "check", ctl_check, NEEDS_PATH | OUTSIDE },
	{ "help", NULL, 0 },
	/* to come */
	{ "scale", NULL, 0 },
	{ "run", NULL, 0 },
	{ "logs", NULL, 0 },
	{ "diff", NULL, 0 },
	{ "events", NULL, 0 },
	{ "kill", NULL, 0 },
	{ "reset", NULL, 0 },
	{ "tasks", NULL, 0 },
};

/* ---- the command line */

struct line {
	struct ctl ctl;
	const struct verb *command;
	unsigned given; /* TAKES_… of the options that were */
	holt_time timeout;
};

static int bad(const char *what, const char *word)
{
	ctl_say("%s%s; see holtctl help", what, word);
	return CTL_USAGE;
}

static int set_wanted(struct line *l, const char *state)
{
	if (strcmp(state, "ready") != 0 && strcmp(state, "stopped") != 0 && strcmp(state, "failed") != 0)
		return bad("--for is ready, stopped or failed, not ", state);
	l->ctl.wanted = state;
	l->given |= TAKES_FOR;
	return CTL_OK;
}

static int set_timeout(struct line *l, const char *span)
{
	if (value_span(span, &l->timeout) < 0)
		return bad("not a time span: ", span);
	l->given |= TAKES_TIMEOUT;
	return CTL_OK;
}

static void set_flag(struct line *l, bool *flag, unsigned given)
{
	*flag = true;
	l->given |= given;
}

/* -1: go on. */
static int take_option(struct line *l, int option)
{
	switch (option) {
	case 't':
		l->ctl.tree = optarg;
		l->given |= TAKES_TREE;
		return CTL_OK;
	case 'w':
		set_flag(l, &l->ctl.watch, TAKES_WATCH);
		return CTL_OK;
	case 'a':
		set_flag(l, &l->ctl.draw.all, TAKES_LOOK);
		return CTL_OK;
	case 'l':
		l->ctl.draw.columns = 0;
		l->given |= TAKES_LOOK;
		return CTL_OK;
	case OPT_JSON:
		set_flag(l, &l->ctl.json, TAKES_JSON);
		return CTL_OK;
	case OPT_NO_BLOCK:
		set_flag(l, &l->ctl.no_block, TAKES_NO_BLOCK);
		return CTL_OK;
	case OPT_NOW:
		set_flag(l, &l->ctl.now, TAKES_NOW);
		return CTL_OK;
	case OPT_FOR:
		return set_wanted(l, optarg);
	case OPT_TIMEOUT:
		return set_timeout(l, optarg);
	default:
		fputs("holtctl: see holtctl help\n", stderr); /* getopt has said what is wrong */
		return CTL_USAGE;
	}
}

static int no_command(const char *name)
{
	struct nearest near;

	nearest_init(&near, name, strlen(name));
	for (size_t i = 0; i < HOLT__N(commands); i++)
		nearest_try(&near, commands[i].name);
	if (!near.best)
		return bad("there is no command ", name);
	ctl_say("there is no command %s; is %s meant?", name, near.best);
	return CTL_USAGE;
}

static int find_command(struct line *l, const char *name)
{
	for (size_t i = 0; i < HOLT__N(commands) && !l->command; i++)
		if (strcmp(commands[i].name, name) == 0)
			l->command = &commands[i];
	if (!l->command)
		return no_command(name);
	if (l->command->run || strcmp(name, "help") == 0)
		return CTL_OK;
	ctl_say("%s: not in this version", name);
	return CTL_USAGE;
}

/* Whether what was given goes together. */
static int check_line(const struct line *l, int n_args)
{
	unsigned takes = l->command->takes;

	if (l->given & ~takes)
		return bad("an option does not go with ", l->command->name);
	if (n_args > (takes & TAKES_PATH ? 1 : 0))
		return bad("too many arguments for ", l->command->name);
	if (n_args == 0 && (takes & NEEDS_PATH) == NEEDS_PATH)
		return bad(l->command->name, takes & OUTSIDE ? ": which file?" : ": which node? / is the tree");
	if (l->command->run != ctl_stop)
		return CTL_OK;
	if (n_args == 0 && !l->ctl.now)
		return bad(l->command->name, ": which node? / is the tree");
	if (n_args == 1 && l->ctl.now && strcmp(l->ctl.path, "/") != 0 && l->ctl.path[0])
		return bad("--now is for the whole tree, not for ", l->ctl.path);
	return CTL_OK;
}

/* CTL_OK: run the command; else an exit status. *ret_done: nothing is left to do. */
static int read_line(struct line *l, int argc, char **argv, bool *ret_done)
{
	static const struct option options[] = {
		{ "tree", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "watch", no_argument, NULL, 'w' },
		{ "all", no_argument, NULL, 'a' },
		{ "full", no_argument, NULL, 'l' },
		{ "no-block", no_argument, NULL, OPT_NO_BLOCK },
		{ "now", no_argument, NULL, OPT_NOW },
		{ "for", required_argument, NULL, OPT_FOR },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "t:walh", options, NULL)) >= 0) {
		*ret_done = option == 'h' || option == OPT_VERSION;
		if (*ret_done) {
			fputs(option == 'h' ? usage : "holtctl ", stdout);
			if (option != 'h')
				puts(holt_version());
			return CTL_OK;
		}
		r = take_option(l, option);
		if (r != CTL_OK)
			return r;
	}
	if (optind == argc)
		return bad("which command?", "");
	r = find_command(l, argv[optind]);
	if (r != CTL_OK)
		return r;
	l->ctl.path = argv[optind + 1]; /* NULL behind the last */
	r = check_line(l, argc - optind - 1);
	*ret_done = r == CTL_OK && !l->command->run;
	if (*ret_done)
		fputs(usage, stdout);
	if (l->ctl.now && !l->ctl.path)
		l->ctl.path = "/";
	return r;
}

/* ---- the terminal */

static size_t screen_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;
	uint64_t n;

	if (columns && value_number(columns, 1, 10000, &n) == 0)
		return n;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

static void look_at_terminal(struct ctl *c)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	c->draw.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	c->screen = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	if (!c->screen)
		return;
	c->draw.columns = screen_width();
	c->draw.color = !none || !none[0];
}

/* ---- running */

static int run(void *arg)
{
	struct line *l = arg;
	bool waits = l->command->takes & WAITS;
	struct holt_scope whole;
	int r;

	if (!waits && l->timeout != HOLT_NEVER)
		l->ctl.limit = l->timeout;
	holt_scope_begin(&whole, waits ? holt_in(l->timeout) : HOLT_NEVER, 0);
	r = ctl_connect(&l->ctl);
	if (r == CTL_OK)
		r = l->command->run(&l->ctl);
	ctl_disconnect(&l->ctl);
	if (holt_scope_end(&whole, r == CTL_TIMED_OUT ? -ECANCELED : r) == -ETIME)
		ctl_say("timed out");
	return r;
}

int main(int argc, char **argv)
{
	struct line l = { .ctl = { .limit = CTL_LIMIT, .wanted = "ready" }, .timeout = HOLT_NEVER };
	bool over = false;
	int r;

	look_at_terminal(&l.ctl);
	r = read_line(&l, argc, argv, &over);
	if (r == CTL_OK && !over)
		r = l.command->takes & OUTSIDE ? l.command->run(&l.ctl) : holt_run(run, &l, .name = "holtctl");
	if (r < 0)
		r = ctl_error("holtctl", r);
	if (fflush(stdout) != 0 || ferror(stdout))
		r = r == CTL_OK ? ctl_error("standard output", -EIO) : r;
	return r;
}
