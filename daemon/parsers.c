/* SPDX-License-Identifier: MIT */
/*
 * From the text of a value into the draft, a function for each sort of value. What can be said of a value alone is said here;
 * what it means beside others is config.c's.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keys.h"
#include "daemon/values.h"

#define FIELD(d, k, type) ((type *)((char *)(d) + (k)->at))

/* A value that is none, or none that is allowed: "Nice=50 is out of range: -20 to 19". */
__attribute__((format(printf, 4, 5))) static int bad(
	struct draft *d, const struct key *k, const struct entry *e, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return complain_at(d->l, e, 0, "%s=%.*s%s %s", k->name, (int)(e->value.n < 60 ? e->value.n : 60), e->value.text,
		e->value.n > 60 ? "..." : "", why);
}

static char *keep(struct draft *d, const char *s)
{
	return memory_string(d->l->memory, s, strlen(s));
}

/* ---- plain values */

int parse_text(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	const char **to = FIELD(d, k, const char *);

	(void)e;
	*to = *text ? keep(d, text) : NULL;
	return *to || !*text ? 0 : -ENOMEM;
}

int parse_bool(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	return value_bool(text, FIELD(d, k, bool)) < 0 ? bad(d, k, e, "is neither yes nor no") : 0;
}

int parse_span(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	intptr_t sort = (intptr_t)k->more;
	holt_time v;
	int r = value_span(text, &v);

	if (r < 0)
		return bad(d, k, e,
			r == -ERANGE ? "is too long: infinity is for ever" : "is no time span, as are 90, 1min 30s, infinity");
	if (sort == SPAN_POSITIVE && v == 0)
		return bad(d, k, e, "is out of range: it must be more than 0");
	if (sort == SPAN_TIMEOUT && v == 0)
		v = HOLT_NEVER;
	if (sort == SPAN_OFF && v == HOLT_NEVER)
		v = 0;
	*FIELD(d, k, holt_time) = v;
	return 0;
}

/* Into an enum or a bool, as the key says. */
int parse_choice(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	const struct choice *choices = k->more;
	char list[200] = "";

	for (const struct choice *c = choices; c->name; c++) {
		if (strcmp(c->name, text) == 0) {
			if (k->size == sizeof(bool))
				*FIELD(d, k, bool) = c->value;
			else
				*FIELD(d, k, int) = c->value;
			return 0;
		}
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
			c == choices        ? ""
				: c[1].name ? ", "
					    : " or ",
			c->name);
	}
	return bad(d, k, e, "must be %s", list);
}

int parse_number(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	const struct range *range = k->more;
	uint64_t v;
	int r = value_number(text, range->min, range->max, &v);

	if (r < 0)
		return bad(d, k, e, "is %s: %llu to %llu", r == -ERANGE ? "out of range" : "no number",
			(unsigned long long)range->min, (unsigned long long)range->max);
	*FIELD(d, k, unsigned) = (unsigned)v;
	return 0;
}

/* Into an unsigned or an uint64_t, as the key says. */
int parse_size(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	const struct range *range = k->more;
	uint64_t v;
	int r = value_size(text, &v);

	if (r == -EINVAL)
		return bad(d, k, e, "is no size, as are 4096, 64K, 1.5G");
	if (r < 0 || v < range->min || v > range->max)
		return bad(d, k, e, "is out of range: %llu to %llu bytes", (unsigned long long)range->min,
			(unsigned long long)range->max);
	if (k->size == sizeof(unsigned))
		*FIELD(d, k, unsigned) = (unsigned)v;
	else
		*FIELD(d, k, uint64_t) = v;
	return 0;
}

int parse_backoff(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	int r = value_spans(text, &d->node.restart_min, &d->node.restart_max);

	if (r == -EINVAL)
		return bad(d, k, e, "is neither MIN..MAX nor one time span");
	return r < 0 ? bad(d, k, e, "is out of range: MIN is at most MAX, and neither is infinity") : 0;
}

int parse_rate(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	int r = value_rate(text, &d->node.intensity, &d->node.intensity_within);

	if (r == -EINVAL)
		return bad(d, k, e, "is not N/SPAN, as 5/10s");
	return r < 0 ? bad(d, k, e, "is out of range: at most 10000, in more than no time") : 0;
}

int parse_signal(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	return value_signal(text, FIELD(d, k, int)) < 0 ? bad(d, k, e, "is no signal, as are SIGTERM, INT, RTMIN+3") : 0;
}

int parse_mode(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	return value_mode(text, FIELD(d, k, mode_t)) < 0 ? bad(d, k, e, "is no mode: octal, 0 to 0777") : 0;
}

int parse_nice(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	int64_t v;
	int r;

	d->process.nice_set = *text;
	if (!*text)
		return 0;
	r = value_integer(text, -20, 19, &v);
	if (r < 0)
		return bad(d, k, e, "is %s: -20 to 19", r == -ERANGE ? "out of range" : "no number");
	d->process.nice = (int)v;
	return 0;
}

int parse_type(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	if (strncmp(text, "fd:", 3) == 0)
		return complain_at(d->l, e, 0, "Type=fd:N is not in this version");
	if (strncmp(text, "log:", 4) == 0)
		return complain_at(d->l, e, 0, "Type=log:REGEX is not in this version");
	return parse_choice(d, k, e, text);
}

/* It was looked at before all else, see config.c. */
int parse_replicas(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	(void)d;
	(void)k;
	(void)e;
	(void)text;
	return 0;
}

int parse_log_target(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	static const char *const names[] = { [LOG_TO_AUTO] = "auto", [LOG_TO_JOURNAL] = "journal", [LOG_TO_CONSOLE] = "console" };

	d->tree.log_directory = NULL;
	d->tree.log_target = LOG_TO_AUTO;
	if (!*text)
		return 0;
	for (size_t i = 0; i < HOLT__N(names); i++)
		if (strcmp(text, names[i]) == 0) {
			d->tree.log_target = (enum log_target)i;
			return 0;
		}
	if (value_path(text) < 0)
		return bad(d, k, e, "must be auto, journal, console or an absolute path");
	d->tree.log_target = LOG_TO_FILES;
	d->tree.log_directory = keep(d, text);
	return d->tree.log_directory ? 0 : -ENOMEM;
}

/* ---- users and folders */

int parse_user(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	return value_is_user(text) ? parse_text(d, k, e, text) : bad(d, k, e, "is no name or number of a user or group");
}

/* At the end of a list of char *, or in the place of one that is there. */
static int add_string(struct draft *d, struct list *l, char **at, const char *text)
{
	char **to = at ? at : list_add(l, sizeof *to);

	if (!to)
		return -ENOMEM;
	*to = keep(d, text);
	return *to ? 0 : -ENOMEM;
}

int parse_users(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	struct word_reader w = { 0 };
	int r;

	if (e->value.n == 0)
		d->supplementary_groups.n = 0;
	while ((r = words_of(d, e, &w, &text)) > 0) {
		if (value_is_user(text))
			r = add_string(d, &d->supplementary_groups, NULL, text);
		else
			r = complain_at(d->l, e, w.word.offset, "%s=: %s is no name or number of a group", k->name, text);
		if (r < 0)
			return r;
	}
	return r == -EINVAL ? 0 : r;
}

int parse_folder(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	d->process.working_directory = NULL;
	d->process.working_directory_optional = *text == '-';
	if (!*text)
		return 0;
	text += *text == '-';
	if (strcmp(text, "~") != 0 && value_path(text) < 0)
		return bad(d, k, e, "must be an absolute path without .., or ~");
	d->process.working_directory = keep(d, text);
	return d->process.working_directory ? 0 : -ENOMEM;
}

/* ---- environment and credentials */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

int parse_environment(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	struct word_reader w = { 0 };
	int r;

	if (e->value.n == 0)
		d->environment.n = 0;
	while ((r = words_of(d, e, &w, &text)) > 0) {
		char **v = d->environment.v, **same = NULL;

		for (size_t i = 0; i < d->environment.n; i++)
			same = same_name(text, v[i]) ? &v[i] : same;
		if (strchr(text, '=') && value_is_variable(text, strcspn(text, "=")))
			r = add_string(d, &d->environment, same, text);
		else
			r = complain_at(d->l, e, w.word.offset, "%s=: %.60s is not NAME=value", k->name, text);
		if (r < 0)
			return r;
	}
	return r == -EINVAL ? 0 : r;
}

int parse_env_file(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	bool optional = *text == '-';
	struct env_file *f;
	int r;

	if (!*text) {
		d->env_files.n = 0;
		return 0;
	}
	text += optional;
	if (value_path(text) < 0)
		return bad(d, k, e, "must be an absolute path without .., perhaps with a - before it");
	if (strpbrk(text, "*?["))
		return bad(d, k, e, "is a pattern, but must be one file");
	r = sources_judge(d->l, e, text);
	if (r < 0)
		return r;
	f = list_add(&d->env_files, sizeof *f);
	if (!f || !(f->path = keep(d, text)))
		return -ENOMEM;
	f->optional = optional;
	return 0;
}

int parse_credential(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	struct credential *c = d->credentials.v, *to = NULL;
	char *colon = strchr(text, ':'), *path = colon ? colon + 1 : text;

	if (!*text) {
		d->credentials.n = 0;
		return 0;
	}
	if (colon)
		*colon = 0;
	if (!value_is_node_name(text, strlen(text)))
		return bad(d, k, e, "is not ID:PATH, with an ID of letters, digits and _ . : -");
	if (*path == '/' ? value_path(path) < 0 : !value_is_node_name(path, strlen(path)))
		return bad(d, k, e, "has a PATH that is neither absolute without .. nor the name of a credential");
	for (size_t i = 0; i < d->credentials.n; i++)
		to = strcmp(c[i].id, text) == 0 ? &c[i] : to;
	if (!to)
		to = list_add(&d->credentials, sizeof *to);
	if (!to || !(to->id = keep(d, text)) || !(to->path = keep(d, path)))
		return -ENOMEM;
	return 0;
}

/* ---- limits */

static void drop_limit(struct draft *d, int resource)
{
	struct limit *v = d->limits.v;

	for (size_t i = 0; i < d->limits.n; i++)
		if (v[i].resource == resource)
			v[i--] = v[--d->limits.n];
}

int parse_limit(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	int resource = value_resource(k->name + strlen("Limit")), r;
	struct rlimit value;
	struct limit *to;

	drop_limit(d, resource);
	if (!*text)
		return 0;
	r = value_limit(resource, text, &value);
	if (r == -EILSEQ)
		return bad(d, k, e, "has a soft limit over the hard one");
	if (r < 0)
		return bad(d, k, e,
			r == -ERANGE ? "is out of range"
				     : "is no limit, as are 100, 1024:4096, infinity, and 1G or 1h where it fits");
	to = list_add(&d->limits, sizeof *to);
	if (!to)
		return -ENOMEM;
	to->resource = resource;
	to->value = value;
	return 0;
}

/* A controller has one limit: memory.max, pids.max, cpu.weight or cpu.idle. */
static void drop_cgroup_limit(struct draft *d, const char *attribute)
{
	struct cgroup_limit *v = d->cgroup_limits.v;

	for (size_t i = 0; i < d->cgroup_limits.n; i++)
		if (strncmp(v[i].attribute, attribute, 4) == 0)
			v[i--] = v[--d->cgroup_limits.n];
}

static int set_cgroup_limit(struct draft *d, const struct entry *e, const char *attribute, const char *value)
{
	struct place at = place_of_entry(d->l, e);
	struct cgroup_limit *to;

	drop_cgroup_limit(d, attribute);
	to = list_add(&d->cgroup_limits, sizeof *to);
	if (!to || !(to->value = keep(d, value)))
		return -ENOMEM;
	to->attribute = attribute;
	to->optional = *e->value.text == '-';
	to->file = at.file;
	to->line = at.line;
	return 0;
}

static int set_cgroup_number(struct draft *d, const struct entry *e, const char *attribute, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return set_cgroup_limit(d, e, attribute, text);
}

int parse_memory(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), v = 0;
	unsigned percent;
	int r;

	text += *text == '-';
	if (e->value.n == 0)
		drop_cgroup_limit(d, "memory.max");
	if (e->value.n == 0)
		return 0;
	if (strcmp(text, "infinity") == 0)
		return set_cgroup_limit(d, e, "memory.max", "max");
	r = value_percent(text, &percent);
	if (r == 0)
		v = all / 10000 * percent;
	else if (r == -EINVAL)
		r = value_size(text, &v);
	if (r == -EINVAL)
		return bad(d, k, e, "is no size, as are 64M, 1.5G, 20%%, infinity");
	if (r < 0 || v == 0)
		return bad(d, k, e, "is out of range");
	return set_cgroup_number(d, e, "memory.max", v);
}

/* A number in a file of the kernel's; fallback if that cannot be read. */
static uint64_t read_number(const char *path, uint64_t fallback)
{
	FILE *f = fopen(path, "re");
	unsigned long long v = fallback;

	if (!f)
		return fallback;
	if (fscanf(f, "%llu", &v) != 1)
		v = fallback;
	fclose(f);
	return v;
}

/* As many tasks as there can be. */
static uint64_t all_tasks(void)
{
	uint64_t pids = read_number("/proc/sys/kernel/pid_max", 32768),
		 threads = read_number("/proc/sys/kernel/threads-max", UINT64_MAX);

	return pids < threads ? pids : threads;
}

int parse_tasks(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	unsigned percent;
	uint64_t v = 0;
	int r;

	text += *text == '-';
	if (e->value.n == 0)
		drop_cgroup_limit(d, "pids.max");
	if (e->value.n == 0)
		return 0;
	if (strcmp(text, "infinity") == 0)
		return set_cgroup_limit(d, e, "pids.max", "max");
	r = value_percent(text, &percent);
	if (r == 0)
		v = all_tasks() * percent / 10000;
	else if (r == -EINVAL)
		r = value_number(text, 1, INT_MAX, &v);
	if (r < 0 || v == 0)
		return bad(d, k, e, r == -EINVAL ? "is no number of tasks, as are 100, 5%%, infinity" : "is out of range");
	return set_cgroup_number(d, e, "pids.max", v);
}

int parse_weight(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	uint64_t v;

	text += *text == '-';
	if (e->value.n == 0)
		drop_cgroup_limit(d, "cpu.weight");
	if (e->value.n == 0)
		return 0;
	if (strcmp(text, "idle") == 0)
		return set_cgroup_limit(d, e, "cpu.idle", "1");
	if (value_number(text, 1, 10000, &v) < 0)
		return bad(d, k, e, "must be 1 to 10000, or idle");
	return set_cgroup_number(d, e, "cpu.weight", v);
}

/* ---- the rest */

/* more: which of the three it is. */
int parse_stdio(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	static const struct choice words[] = { { "null", STDIO_NULL }, { "inherit", STDIO_INHERIT }, { "log", STDIO_LOG },
		{ "journal", STDIO_LOG }, { NULL, 0 } };
	static const struct choice files[] = { { "file:", STDIO_FILE }, { "append:", STDIO_APPEND },
		{ "truncate:", STDIO_TRUNCATE }, { NULL, 0 } };
	intptr_t which = (intptr_t)k->more;
	struct stdio_spec *to = FIELD(d, k, struct stdio_spec);

	for (const struct choice *c = words; c->name; c++)
		if (strcmp(text, c->name) == 0 && (which > 0 || c->value != STDIO_LOG)) {
			to->kind = (enum stdio_kind)c->value;
			to->path = NULL;
			return 0;
		}
	for (const struct choice *c = files; c->name; c++) {
		size_t n = strlen(c->name);

		if (strncmp(text, c->name, n) != 0 || (which == 0 && c->value != STDIO_FILE))
			continue;
		if (value_path(text + n) < 0)
			return bad(d, k, e, "must have an absolute path without ..");
		to->kind = (enum stdio_kind)c->value;
		to->path = keep(d, text + n);
		return to->path ? 0 : -ENOMEM;
	}
	return bad(
		d, k, e, "must be null, inherit%s", which ? ", log, file:PATH, append:PATH or truncate:PATH" : " or file:PATH");
}

int parse_success(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	struct word_reader w = { 0 };
	int r;

	if (e->value.n == 0)
		memset(&d->process.success, 0, sizeof d->process.success);
	while ((r = words_of(d, e, &w, &text)) > 0) {
		if (value_exit_status(text, &d->process.success) < 0)
			r = complain_at(d->l, e, w.word.offset,
				"%s=: %s is no exit status (0 to 255, or a name as TEMPFAIL) and no signal", k->name, text);
		if (r < 0)
			return r;
	}
	return r == -EINVAL ? 0 : r;
}
