/* SPDX-License-Identifier: MIT */
/*
 * What a tree file says, as data. daemon/config.c fills it, and nobody changes it afterwards: a running tree points into
 * it. A configuration that has an error has no tree at all, only problems, each with file, line and column.
 *
 * The rule: names are resolved, defaults filled in, replicas unfolded, order found and cycles refused while it is loaded.
 * So whoever reads it later has nothing to check. All strings and arrays live as long as the configuration does.
 *
 * It is small: a simple process takes about 400 bytes in all. Equal strings are one string, equal arrays one array and
 * equal struct process_conf one: so pointers of equal content are equal, two nodes may share what looks like their own, and
 * what a node has for itself (its command) is in struct node.
 */
#pragma once
#include <holt/supervise.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/base.h"

/* ---- problems */

struct problem {
	const char *file;      /* "" for one of the whole tree */
	unsigned line, column; /* from 1; 0: of the whole file */
	bool warning;
	const char *text; /* "unknown key Memorymax=, is MemoryMax= meant?" */
};

/* ---- the tree */

enum node_kind { NODE_TREE, NODE_GROUP, NODE_PROCESS }; /* the tree is a group, too: see node_is_group() */
enum process_type { TYPE_EXEC, TYPE_NOTIFY, TYPE_ONESHOT };
enum kill_mode { KILL_MIXED, KILL_CONTROL_GROUP, KILL_PROCESS };
enum stdio_kind { STDIO_NULL, STDIO_LOG, STDIO_FILE, STDIO_APPEND, STDIO_TRUNCATE, STDIO_INHERIT };
enum log_target { LOG_TO_AUTO, LOG_TO_JOURNAL, LOG_TO_CONSOLE, LOG_TO_FILES };

/*
 * A command line as written: split into words, quotes undone, specifiers (%i, %n, …) put in, variables not yet. As in
 * systemd, quotes do not keep a $VAR from being replaced: $$ is a dollar sign, and ":" before the command keeps all.
 */
struct command {
	const char *path; /* what is executed: the first word, absolute, or a name to be found by PATH when it is started */
	char **argv;      /* NULL-terminated; argv[0] is the first word, which holds no variable unless no_variables */
	const char *text; /* the line, for messages */
	const char *file; /* where it was written */
	unsigned line;
	unsigned argc;
	bool ignore;       /* "-": a failure is none */
	bool no_variables; /* ":": $VAR stays as it is */
};

struct commands {
	struct command *v;
	size_t n;
};

struct strings {
	char **v;
	size_t n;
};

struct nodes {
	struct node **v;
	size_t n;
};

struct limit {
	int resource; /* RLIMIT_… */
	struct rlimit value;
};

struct cgroup_limit {
	const char *attribute; /* "memory.max" */
	const char *value;     /* "1073741824", "max"; cpu.idle: "1" */
	bool optional;         /* "-" before it: a warning if it cannot be enforced, not an error */
	const char *file;
	unsigned line;
};

/*
 * INHERIT is holtd's own descriptor. StandardError=inherit is StandardOutput='s and already filled in as such. Files that
 * are equal in kind and path are opened once and shared.
 */
struct stdio_spec {
	enum stdio_kind kind;
	const char *path; /* FILE, APPEND, TRUNCATE: absolute */
};

struct credential {
	const char *id, *path; /* an absolute path, or the name of one of holtd's own in $CREDENTIALS_DIRECTORY */
};

struct env_file {
	const char *path; /* absolute; read when the process is started, by trust_open() where ownership counts */
	bool optional;    /* "-" */
};

/* What SuccessExitStatus= adds to the clean exits that each process has. */
struct success_status {
	uint8_t codes[32]; /* a bit each */
	uint64_t signals;  /* bit n - 1: signal n */
};

/* How a process is run; shared by all that are run alike, so it is never changed. Its ExecStart= is the node's own. */
struct process_conf {
	struct commands start_pre, reload, stop, stop_post;
	enum process_type type;
	int kill_signal;
	enum kill_mode kill_mode;
	bool send_sigkill;
	const char *user, *group; /* NULL: ours */
	struct strings supplementary_groups;
	const char *working_directory; /* absolute; "~": the user's home; NULL: "/" as root, else the user's home, as systemd */
	bool working_directory_optional;
	struct strings environment; /* "NAME=value", each name once */
	struct env_file *env_files;
	size_t n_env_files;
	mode_t umask; /* 0022 */
	int nice;
	bool nice_set;
	struct limit *limits;
	size_t n_limits;
	struct cgroup_limit *cgroup_limits;
	size_t n_cgroup_limits;
	struct credential *credentials;
	size_t n_credentials;
	struct stdio_spec stdio[3];  /* 0: null by default, 1 and 2: log */
	unsigned log_line_max;       /* bytes, 48K */
	unsigned log_rate_burst;     /* 0: no limit; 10000 */
	holt_time log_rate_interval; /* 0: no limit; 30 s */
	bool no_new_privileges;
	holt_time watchdog; /* 0: none */
	struct success_status success;
};

struct node {
	enum node_kind kind;
	unsigned line;
	const char *path;        /* "workers/w@1"; "" for the tree */
	const char *name;        /* its last part; the tree's is the tree's name */
	const char *description; /* NULL: none */
	const char *file;        /* where its section is, as is line; NULL and 0 for a group that is nowhere written */
	struct node *parent;     /* NULL: the tree */
	unsigned replica;        /* from 1; 0: it is none */
	unsigned replicas;       /* of how many */
	unsigned index;          /* in config.nodes */
	unsigned order;          /* among its siblings, in the order of starting: parent->members.v[order] == this */
	struct nodes members;    /* in the order of starting, as After= and the file say */

	enum holt_restart restart;
	unsigned intensity;                                /* groups; within intensity_within */
	holt_time restart_min, restart_max, backoff_reset; /* backoff_reset HOLT_NEVER: not by time */
	holt_time timeout_start;                           /* HOLT_NEVER: none. A process: 90 s; a group: none by default */
	holt_time timeout_stop;   /* HOLT_NEVER: none. A process: 10 s; a group: none by default, so that its members' rule */
	struct nodes after;       /* who must be ready before, if started at all; replicas unfolded, the default filled in */
	struct nodes requires;    /* who must be ready, and have to stay; each is in after as well, none is off unless this is */
	struct nodes before;      /* the reverse of after */
	struct nodes required_by; /* the reverse of requires */
	bool ignore_failure;      /* OnFailure=ignore */
	bool significant;
	bool enabled; /* its own Enabled= */
	bool off;     /* it or a group around it is not enabled: not started with the tree */

	/* groups */
	bool stop_parallel;
	enum holt_strategy strategy;
	holt_time intensity_within;
	struct commands finally;   /* in the order of the file */
	holt_time finally_timeout; /* 10 s by default, of each */
	holt_time stop_budget;     /* the tree's StopBudgetSec=; HOLT_NEVER: none */

	/* NODE_PROCESS only */
	struct commands start; /* ExecStart=: one; several only for oneshot */
	struct process_conf *process;
};

static inline bool node_is_group(const struct node *n)
{
	return n->kind != NODE_PROCESS;
}

struct config {
	const char *name; /* of the tree: the file's without ".tree" */
	const char *file;
	struct node *tree;
	struct nodes nodes;        /* all, the tree first, each group before its members, in the order of starting */
	const unsigned *by_path;   /* indices of nodes, in the order of their paths */
	const char *control_group; /* ControlGroup=: who may look; NULL: nobody else */
	enum log_target log_target;
	const char *log_directory;
	uint64_t log_file_max;  /* bytes; 10M */
	unsigned log_file_keep; /* old ones beside the one that is written; 5 */

	struct problem *problems;    /* errors and warnings */
	size_t n_problems, n_errors; /* at most PROBLEMS_MAX and one that says so are kept */
	struct config_memory *memory;
};

enum { PROBLEMS_MAX = 100 };

struct config_options {
	const char *name;           /* NULL: from the file's name */
	bool check_owner;           /* refuse what others than root (and SUDO_UID's user) could have written */
	const char *home, *runtime; /* %h, %t; NULL: from the environment */
	const char *const *roots; /* NULL: /etc/holt, /run/holt, /usr/lib/holt. Where drop-ins are looked for: three folders, the
	                               strongest first; a tree below the first has drop-ins in all three */
};

/*
 * Loads FILE with its drop-ins. 0: it is good, with warnings at the most; -EINVAL: *ret has problems and no tree to run;
 * -ENOMEM. *ret is set in the first two cases. The caller frees it.
 */
int config_load(struct config **ret, const char *file, const struct config_options *o);
/* The same of a text in memory, that has no drop-ins and asks for no owner; file is what problems are said to be in. */
int config_parse(struct config **ret, const char *file, const char *text, size_t n, const struct config_options *o);
struct config *config_free(struct config *c); /* NULL */

/* Bytes of heap that it takes. */
size_t config_size(const struct config *c);

/* "FILE:LINE:COLUMN: error: TEXT", a line each; a column counts characters, from 1. */
void config_print_problems(const struct config *c, FILE *f);

/* By path, with or without a leading "/"; "" and "/" are the tree. NULL: none. */
struct node *config_find(const struct config *c, const char *path);
/* The node whose path is nearest to a mistyped one; NULL: none is near. */
struct node *config_nearest(const struct config *c, const char *path);
