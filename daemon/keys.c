/* SPDX-License-Identifier: MIT */
/*
 * The table of all keys, each once, and drafts.
 */
#include "daemon/keys.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "daemon/nearest.h"

/* ---- what can be chosen from, and how far things can go */

static const struct choice restarts[] = {
	{ "no", HOLT_RESTART_NEVER },
	{ "on-failure", HOLT_RESTART_ON_FAILURE },
	{ "always", HOLT_RESTART_ALWAYS },
	{ NULL, 0 },
};
static const struct choice strategies[] = {
	{ "one_for_one", HOLT_ONE_FOR_ONE },
	{ "one_for_all", HOLT_ONE_FOR_ALL },
	{ "rest_for_one", HOLT_REST_FOR_ONE },
	{ NULL, 0 },
};
static const struct choice types[] = { { "exec", TYPE_EXEC }, { "notify", TYPE_NOTIFY }, { "oneshot", TYPE_ONESHOT },
	{ NULL, 0 } };
static const struct choice kill_modes[] = {
	{ "mixed", KILL_MIXED },
	{ "control-group", KILL_CONTROL_GROUP },
	{ "process", KILL_PROCESS },
	{ NULL, 0 },
};
static const struct choice failures[] = { { "fail", false }, { "ignore", true }, { NULL, 0 } };

static const struct range any_count = { 0, UINT32_MAX };
static const struct range kept_files = { 0, 1000 };
static const struct range file_size = { 1, UINT64_MAX };
static const struct range line_size = { 79, 1 << 20 }; /* from journald's own lower limit on */

/* ---- the table */

/* A plain value in the draft, another one, one that can be a percentage, a list of words, and what is no key yet. */
#define VALUE(name, in, field, parse, more) \
	{ \
		name, sizeof(name) - 1, in, 0, offsetof(struct draft, field), sizeof(((struct draft *)0)->field), parse, more \
	}
#define OTHER(name, in, parse) \
	{ \
		name, sizeof(name) - 1, in, 0, 0, 0, parse, NULL \
	}
#define SHARE(name, in, parse) \
	{ \
		name, sizeof(name) - 1, in, KEY_SHARE, 0, 0, parse, NULL \
	}
#define WORDS(name, in, parse) \
	{ \
		name, sizeof(name) - 1, in, KEY_WORDS, 0, 0, parse, NULL \
	}
#define COMMANDS(name, in, field) \
	{ \
		name, sizeof(name) - 1, in, KEY_WORDS, offsetof(struct draft, field), 0, parse_commands, NULL \
	}
#define LATER(name, in) \
	{ \
		name, sizeof(name) - 1, in, KEY_LATER, 0, 0, NULL, NULL \
	}
#define NUMBER(n) (const void *)(intptr_t)(n)

static const struct key keys[] = {
	/* every node, and some the tree */
	VALUE("Description", IN_TREE | IN_NODES, node.description, parse_text, NULL),
	VALUE("Restart", IN_NODES, node.restart, parse_choice, restarts),
	VALUE("RestartSec", IN_NODES, node.restart_min, parse_backoff, NULL),
	VALUE("BackoffResetSec", IN_NODES, node.backoff_reset, parse_span, NUMBER(SPAN_POSITIVE)),
	VALUE("TimeoutStartSec", IN_NODES, node.timeout_start, parse_span, NUMBER(SPAN_TIMEOUT)),
	VALUE("TimeoutStopSec", IN_NODES, node.timeout_stop, parse_span, NUMBER(SPAN_TIMEOUT)),
	WORDS("After", IN_NODES, parse_names),
	WORDS("Requires", IN_NODES, parse_names),
	VALUE("OnFailure", IN_NODES, node.ignore_failure, parse_choice, failures),
	VALUE("Significant", IN_NODES, node.significant, parse_bool, NULL),
	VALUE("Enabled", IN_NODES, node.enabled, parse_bool, NULL),

	/* the tree and groups */
	VALUE("Strategy", IN_GROUPS, node.strategy, parse_choice, strategies),
	VALUE("Intensity", IN_GROUPS, node.intensity, parse_rate, NULL),
	COMMANDS("Finally", IN_GROUPS, finally),
	VALUE("FinallyTimeoutSec", IN_GROUPS, node.finally_timeout, parse_span, NUMBER(SPAN_TIMEOUT)),
	VALUE("StopParallel", IN_GROUP, node.stop_parallel, parse_bool, NULL),
	VALUE("StopBudgetSec", IN_TREE, node.stop_budget, parse_span, NUMBER(SPAN_TIMEOUT)),
	VALUE("ControlGroup", IN_TREE, tree.control_group, parse_user, NULL),
	OTHER("LogTarget", IN_TREE, parse_log_target),
	VALUE("LogFileMax", IN_TREE, tree.log_file_max, parse_size, &file_size),
	VALUE("LogFileKeep", IN_TREE, tree.log_file_keep, parse_number, &kept_files),

	/* processes: what is run */
	VALUE("Type", IN_PROCESSES, process.type, parse_type, types),
	COMMANDS("ExecStart", IN_PROCESSES, start),
	COMMANDS("ExecStartPre", IN_PROCESSES, start_pre),
	COMMANDS("ExecReload", IN_PROCESSES, reload),
	COMMANDS("ExecStop", IN_PROCESSES, stop),
	COMMANDS("ExecStopPost", IN_PROCESSES, stop_post),
	OTHER("Replicas", IN_PROCESSES, parse_replicas),
	WORDS("SuccessExitStatus", IN_PROCESSES, parse_success),
	VALUE("WatchdogSec", IN_PROCESSES, process.watchdog, parse_span, NUMBER(SPAN_OFF)),
	/* how it is ended */
	VALUE("KillSignal", IN_PROCESSES, process.kill_signal, parse_signal, NULL),
	VALUE("KillMode", IN_PROCESSES, process.kill_mode, parse_choice, kill_modes),
	VALUE("SendSIGKILL", IN_PROCESSES, process.send_sigkill, parse_bool, NULL),
	/* as whom, and where */
	VALUE("User", IN_PROCESSES, process.user, parse_user, NULL),
	VALUE("Group", IN_PROCESSES, process.group, parse_user, NULL),
	WORDS("SupplementaryGroups", IN_PROCESSES, parse_users),
	OTHER("WorkingDirectory", IN_PROCESSES, parse_folder),
	WORDS("Environment", IN_PROCESSES, parse_environment),
	OTHER("EnvironmentFile", IN_PROCESSES, parse_env_file),
	OTHER("LoadCredential", IN_PROCESSES, parse_credential),
	VALUE("UMask", IN_PROCESSES, process.umask, parse_mode, NULL),
	OTHER("Nice", IN_PROCESSES, parse_nice),
	VALUE("NoNewPrivileges", IN_PROCESSES, process.no_new_privileges, parse_bool, NULL),
	LATER("Sockets", IN_PROCESSES),
	/* limits */
	OTHER("LimitCPU", IN_PROCESSES, parse_limit),
	OTHER("LimitFSIZE", IN_PROCESSES, parse_limit),
	OTHER("LimitDATA", IN_PROCESSES, parse_limit),
	OTHER("LimitSTACK", IN_PROCESSES, parse_limit),
	OTHER("LimitCORE", IN_PROCESSES, parse_limit),
	OTHER("LimitRSS", IN_PROCESSES, parse_limit),
	OTHER("LimitNOFILE", IN_PROCESSES, parse_limit),
	OTHER("LimitAS", IN_PROCESSES, parse_limit),
	OTHER("LimitNPROC", IN_PROCESSES, parse_limit),
	OTHER("LimitMEMLOCK", IN_PROCESSES, parse_limit),
	OTHER("LimitLOCKS", IN_PROCESSES, parse_limit),
	OTHER("LimitSIGPENDING", IN_PROCESSES, parse_limit),
	OTHER("LimitMSGQUEUE", IN_PROCESSES, parse_limit),
	OTHER("LimitNICE", IN_PROCESSES, parse_limit),
	OTHER("LimitRTPRIO", IN_PROCESSES, parse_limit),
	OTHER("LimitRTTIME", IN_PROCESSES, parse_limit),
	SHARE("MemoryMax", IN_PROCESSES, parse_memory),
	SHARE("TasksMax", IN_PROCESSES, parse_tasks),
	OTHER("CPUWeight", IN_PROCESSES, parse_weight),
	/* input and output */
	VALUE("StandardInput", IN_PROCESSES, process.stdio[0], parse_stdio, NUMBER(0)),
	VALUE("StandardOutput", IN_PROCESSES, process.stdio[1], parse_stdio, NUMBER(1)),
	VALUE("StandardError", IN_PROCESSES, process.stdio[2], parse_stdio, NUMBER(2)),
	VALUE("LogLineMax", IN_PROCESSES, process.log_line_max, parse_size, &line_size),
	VALUE("LogRateLimitIntervalSec", IN_PROCESSES, process.log_rate_interval, parse_span, NUMBER(SPAN_OFF)),
	VALUE("LogRateLimitBurst", IN_PROCESSES, process.log_rate_burst, parse_number, &any_count),

	/* sections that are not in this version */
	LATER("ListenStream", IN_SOCKET),
	LATER("ListenDatagram", IN_SOCKET),
	LATER("ListenSequentialPacket", IN_SOCKET),
	LATER("SocketMode", IN_SOCKET),
	LATER("SocketUser", IN_SOCKET),
	LATER("Backlog", IN_SOCKET),
	LATER("ReusePort", IN_SOCKET),
	LATER("FileDescriptorName", IN_SOCKET),
	LATER("NonBlocking", IN_SOCKET),
	LATER("Socket", IN_PROXY),
	LATER("Upstream", IN_PROXY),
	LATER("StartUpstream", IN_PROXY),
	LATER("ConnectionsMax", IN_PROXY),
	LATER("IdleTimeoutSec", IN_PROXY),
	LATER("DrainSec", IN_PROXY),
	LATER("OnCalendar", IN_JOB),
	LATER("OnInterval", IN_JOB),
	LATER("OnPath", IN_JOB),
	LATER("Overlap", IN_JOB),
	LATER("Persistent", IN_JOB),
	LATER("RandomizedDelaySec", IN_JOB),
	LATER("For", IN_CHECK),
	LATER("Http", IN_CHECK),
	LATER("Tcp", IN_CHECK),
	LATER("Exec", IN_CHECK),
	LATER("IntervalSec", IN_CHECK),
	LATER("TimeoutSec", IN_CHECK),
	LATER("FailureThreshold", IN_CHECK),
	LATER("SuccessThreshold", IN_CHECK),
	LATER("Action", IN_CHECK),
};

const char *section_name(unsigned kind)
{
	static const char *const names[] = { "tree", "group", "process", "socket", "proxy", "job", "check" };

	return names[__builtin_ctz(kind)];
}

bool key_is(unsigned key, const char *name)
{
	return strcmp(keys[key].name, name) == 0;
}

/* "[tree] and [group]" */
static void list_sections(unsigned sections, char *buf, size_t size)
{
	struct holt__text t = { .buf = buf, .size = size };

	while (sections) {
		unsigned kind = sections & -sections;

		sections -= kind;
		holt__text_add(&t, t.len == 0 ? "[" : sections ? ", [" : " and [");
		holt__text_add(&t, section_name(kind));
		holt__text_add(&t, "]");
	}
}

/* Why a key is none of this section's. */
static int no_key(struct loader *l, unsigned source, const struct piece *name, unsigned kind, const struct key *known)
{
	struct place at = place_of(l, source, name, 0);
	char sections[100] = "";
	struct nearest x;

	if (known && known->sections & kind)
		return complain(l, &at, "%s= is not in this version", known->name);
	if (known) {
		list_sections(known->sections, sections, sizeof sections);
		return complain(l, &at, "%s= is a key of %s, not of [%s]", known->name, sections, section_name(kind));
	}
	nearest_init(&x, name->text, name->n);
	for (size_t i = 0; i < HOLT__N(keys); i++)
		if (keys[i].sections & kind)
			nearest_try(&x, keys[i].name);
	return complain(l, &at, "unknown key %.*s=%s%s%s", (int)(name->n < 60 ? name->n : 60), name->text, x.best ? ", is " : "",
		x.best ? x.best : "", x.best ? "= meant?" : "");
}

int key_find(struct loader *l, unsigned source, const struct piece *name, unsigned kind, unsigned *ret)
{
	const struct key *known = NULL;

	for (unsigned i = 0; i < HOLT__N(keys) && !known; i++) {
		if (keys[i].length != name->n || memcmp(keys[i].name, name->text, name->n) != 0)
			continue;
		known = &keys[i];
		*ret = i;
	}
	if (known && known->sections & kind && !(known->flags & KEY_LATER))
		return 0;
	*ret = KEY_NONE;
	return no_key(l, source, name, kind, known);
}

/* ---- drafts */

#define EVERY_NODE \
	.enabled = true, .restart_min = 100 * HOLT_MS, .restart_max = 30 * HOLT_SEC, .backoff_reset = HOLT_MIN, .intensity = 5, \
	.intensity_within = 10 * HOLT_SEC, .strategy = HOLT_ONE_FOR_ONE, .finally_timeout = 10 * HOLT_SEC, \
	.stop_budget = HOLT_NEVER

static const struct draft group_defaults = {
	.node = { EVERY_NODE, .restart = HOLT_RESTART_NEVER, .timeout_start = HOLT_NEVER, .timeout_stop = HOLT_NEVER },
	.tree = { .log_target = LOG_TO_AUTO, .log_file_max = 10 << 20, .log_file_keep = 5 },
};

static const struct draft process_defaults = {
	.node = { EVERY_NODE, .restart = HOLT_RESTART_ON_FAILURE, .timeout_start = 90 * HOLT_SEC, .timeout_stop = 10 * HOLT_SEC },
	.process = {
		.type = TYPE_EXEC,
		.kill_signal = SIGTERM,
		.kill_mode = KILL_MIXED,
		.send_sigkill = true,
		.umask = 0022,
		.stdio = { { STDIO_NULL, NULL }, { STDIO_LOG, NULL }, { STDIO_LOG, NULL } },
		.log_line_max = 48 << 10,
		.log_rate_interval = 30 * HOLT_SEC,
		.log_rate_burst = 10000,
	},
};

static const struct draft *defaults(enum node_kind kind)
{
	return kind == NODE_PROCESS ? &process_defaults : &group_defaults;
}

void draft_begin(struct draft *d, enum node_kind kind)
{
	struct list *lists[] = { &d->start, &d->start_pre, &d->reload, &d->stop, &d->stop_post, &d->finally, &d->environment,
		&d->supplementary_groups, &d->env_files, &d->limits, &d->cgroup_limits, &d->credentials };

	memcpy(&d->node, &defaults(kind)->node, sizeof d->node);
	memcpy(&d->process, &defaults(kind)->process, sizeof d->process);
	memcpy(&d->tree, &defaults(kind)->tree, sizeof d->tree);
	d->node.kind = kind;
	for (size_t i = 0; i < HOLT__N(lists); i++)
		lists[i]->n = 0;
	d->varies = d->start_is_bad = d->after_given = false;
	d->references = (unsigned)d->l->references.n;
}

/* An empty value takes back what was said before. */
static void take_back(struct draft *d, const struct key *k)
{
	const char *from = (const char *)defaults(d->node.kind);

	memcpy((char *)d + k->at, from + k->at, k->size);
	if (k->parse == parse_backoff)
		d->node.restart_max = defaults(d->node.kind)->node.restart_max;
	else if (k->parse == parse_rate)
		d->node.intensity_within = defaults(d->node.kind)->node.intensity_within;
}

int draft_add(struct draft *d, const struct entry *e)
{
	const struct key *k = &keys[e->key];
	const struct piece *v = &e->value;
	bool share = k->flags & KEY_SHARE && v->n > 1 && v->text[v->n - 1] == '%' && v->text[v->n - 2] != '%';
	int r;

	if (v->n == 0 && k->size > 0) {
		take_back(d, k);
		return 0;
	}
	if (k->flags & KEY_WORDS)
		return k->parse(d, k, e, NULL);
	d->text.n = 0;
	r = put_in(d, e, 0, v->text, v->n - share);
	if (r == 0 && share) {
		d->text.n--; /* its NUL */
		r = list_add_bytes(&d->text, "%", 2);
	}
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	return k->parse(d, k, e, d->text.v);
}

void draft_free(struct draft *d)
{
	struct list *lists[] = { &d->start, &d->start_pre, &d->reload, &d->stop, &d->stop_post, &d->finally, &d->environment,
		&d->supplementary_groups, &d->env_files, &d->limits, &d->cgroup_limits, &d->credentials, &d->words, &d->text,
		&d->raw };

	for (size_t i = 0; i < HOLT__N(lists); i++)
		list_free(lists[i]);
}
