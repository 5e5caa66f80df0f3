/* SPDX-License-Identifier: MIT */
/*
 * What tasks are called and what they wait for, in words. Allocates nothing and takes no locks, because the
 * handlers of fatal signals print with it.
 */
#include <dlfcn.h>
#include <string.h>

#include "task/task.h"

enum { DEPTH_MAX = 64 };

void holt__group_path(const holt_group *g, struct holt__text *text)
{
	const char *names[DEPTH_MAX];
	size_t n = 0;

	for (; g; g = holt__group_parent(g)) {
		if (!g->name)
			continue;
		if (n == DEPTH_MAX) {
			names[n - 1] = "...";
			break;
		}
		names[n++] = g->name;
	}
	while (n > 0) {
		holt__text_add(text, names[--n]);
		if (n > 0)
			holt__text_add(text, "/");
	}
}

/* Once two of a name have lived in a group, their ids are always told. */
static bool has_namesake(const holt_task *t)
{
	if (t->repeats)
		return true;
	for (const struct holt__scope *s = t->group->first; s; s = s->next)
		if (s != &t->own && s->task->name && t->name && !strcmp(s->task->name, t->name))
			return true;
	return false;
}

void holt__task_path(const holt_task *t, struct holt__text *text)
{
	size_t before = text->len;

	holt__group_path(t->group, text);
	if (text->len > before)
		holt__text_add(text, "/");
	holt__text_add(text, t->name && t->name[0] ? t->name : "task");
	if (has_namesake(t)) {
		holt__text_add(text, "#");
		holt__text_uint(text, t->id);
	}
}

void holt__symbol(uintptr_t address, struct holt__text *text)
{
	Dl_info info;

	if (!dladdr((void *)address, &info)) {
		holt__text_hex(text, address);
	} else if (info.dli_sname && (uintptr_t)info.dli_saddr == address) {
		holt__text_add(text, info.dli_sname);
	} else {
		const char *base = strrchr(info.dli_fname, '/');

		holt__text_add(text, base ? base + 1 : info.dli_fname);
		holt__text_add(text, "+");
		holt__text_hex(text, address - (uintptr_t)info.dli_fbase);
	}
}

/* What `on` is depends on what is waited for. */
void holt__task_waits_for(const holt_task *t, struct holt__text *text)
{
	const char *what = t->waits_for;

	if (!strcmp(what, "sleeps")) {
		holt__text_add(text, "sleep");
		return;
	}
	if (!strncmp(what, "closes ", 7)) {
		holt__text_add(text, "close of ");
		holt__text_add(text, what + 7);
	} else {
		holt__text_add(text, what);
	}
	if (!strncmp(what + strlen(what) - 2, "fd", 2) || !strcmp(what, "signal") || !strcmp(what, "process")) {
		holt__text_add(text, " ");
		holt__text_int(text, (intptr_t)t->waits_on);
	} else if (strstr(what, "group")) {
		const holt_group *g = t->waits_on;

		holt__text_add(text, " ");
		holt__text_add(text, g->name ? g->name : "without a name");
		holt__text_add(text, " (");
		holt__text_tasks(text, g->count, g->background);
		holt__text_add(text, ")");
	} else if (!strcmp(what, "alarm")) { /* the calendar's expression, which its caller keeps */
		holt__text_add(text, " ");
		holt__text_add(text, t->waits_on);
	} else if (!strcmp(what, "task") || !strcmp(what, "start of task")) {
		holt__text_add(text, " ");
		holt__task_path(t->waits_on, text);
	}
}

void holt__text_tasks(struct holt__text *text, size_t n, size_t background)
{
	holt__text_uint(text, n);
	holt__text_add(text, n == 1 ? " task" : " tasks");
	if (background > 0) {
		holt__text_add(text, ", ");
		holt__text_uint(text, background);
		holt__text_add(text, " in the background");
	}
}

void holt__task_waits(const holt_task *t, struct holt__text *text)
{
	if (t == holt__self) {
		holt__text_add(text, "runs");
		return;
	}
	if (t->state != HOLT__PARKED) {
		holt__text_add(text, t->state == HOLT__ENDED ? "ended" : "ready to run");
		return;
	}
	holt__text_add(text, "waits for ");
	holt__task_waits_for(t, text);
}
