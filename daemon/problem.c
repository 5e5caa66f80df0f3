/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a configuration, and where. A problem can quote what was written, so it is made fit for a terminal; and
 * there are never too many of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "daemon/loader.h"
#include "daemon/utf8.h"

struct place place_of(const struct loader *l, unsigned source, const struct piece *p, size_t offset)
{
	const struct source *s = source_at(l, source);
	struct place at = { .file = s->name };

	syntax_place(&s->syntax, p, offset, &at.line, &at.column);
	return at;
}

struct place place_of_entry(const struct loader *l, const struct entry *e)
{
	return place_of(l, e->source, &e->value, 0);
}

static bool is_noted(const struct loader *l, const struct place *at)
{
	const struct problem *p = l->problems.v;

	for (size_t i = 0; i < l->problems.n; i++)
		if (p[i].file == at->file && p[i].line == at->line && p[i].column == at->column)
			return true;
	return false;
}

static int add(struct loader *l, const struct place *at, bool warning, const char *text)
{
	struct problem *p = list_add(&l->problems, sizeof *p);

	if (!p)
		return -ENOMEM;
	*p = (struct problem){ .file = at->file ? at->file : "", .line = at->line, .column = at->column, .warning = warning };
	p->text = memory_string(l->memory, text, strlen(text));
	return p->text ? 0 : -ENOMEM;
}

__attribute__((format(printf, 4, 0))) static int note(
	struct loader *l, const struct place *at, bool warning, const char *fmt, va_list ap)
{
	char text[1024], clean[1024];

	if (l->again && is_noted(l, at))
		return 0;
	l->config->n_errors += !warning;
	if (l->problems.n > PROBLEMS_MAX)
		return 0;
	if (l->problems.n == PROBLEMS_MAX)
		return add(l, at, warning, "and more, which are not shown");
	vsnprintf(text, sizeof text, fmt, ap);
	utf8_clean(clean, sizeof clean, text);
	return add(l, at, warning, clean);
}

int complain(struct loader *l, const struct place *at, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = note(l, at, false, fmt, ap);
	va_end(ap);
	return r;
}

int caution(struct loader *l, const struct place *at, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = note(l, at, true, fmt, ap);
	va_end(ap);
	return r;
}

int complain_at(struct loader *l, const struct entry *e, size_t offset, const char *fmt, ...)
{
	struct place at = place_of(l, e->source, &e->value, offset);
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = note(l, &at, false, fmt, ap);
	va_end(ap);
	return r;
}

void config_print_problems(const struct config *c, FILE *f)
{
	for (size_t i = 0; i < c->n_problems; i++) {
		const struct problem *p = &c->problems[i];
		char file[4096];

		utf8_clean(file, sizeof file, *p->file ? p->file : c->file);
		fputs(file, f);
		if (p->line)
			fprintf(f, ":%u", p->line);
		if (p->line && p->column)
			fprintf(f, ":%u", p->column);
		fprintf(f, ": %s: %s\n", p->warning ? "warning" : "error", p->text);
	}
}
