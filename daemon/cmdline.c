/* SPDX-License-Identifier: MIT */
/*
 * Command lines: words as syntax.h splits them, a lone ; between one command and the next, prefixes before the first word.
 * Variables are left for when it is run: only what has to be known before is looked at here.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "daemon/keys.h"

/* Takes the prefixes off: "-" and ":", each once. Returns how many characters; -EINVAL: there is another one, which is noted. */
static int prefixes(struct draft *d, const struct entry *e, size_t at, const char *s, struct command *c)
{
	static const char known[] = "-:@+!|";
	int n = 0, r;

	for (; s[n] && strchr(known, s[n]); n++) {
		bool *flag = s[n] == '-' ? &c->ignore : s[n] == ':' ? &c->no_variables : NULL;

		if (flag && !*flag) {
			*flag = true;
			continue;
		}
		r = complain_at(d->l, e, at,
			flag ? "the prefix %c is there twice" : "the prefix %c is not supported, only - and : are", s[n]);
		return r < 0 ? r : -EINVAL;
	}
	return n;
}

/* Why the first word of a command cannot name a program; NULL: it can. */
static const char *check_program(const char *s, const struct command *c)
{
	size_t n = strlen(s);

	if (n == 0)
		return "there is no command";
	if (n >= PATH_MAX)
		return "the path of the command is too long";
	if (strchr(s, '/') && *s != '/')
		return "the path of a command is absolute, or it is a name without /, to be found by $PATH";
	if (s[n - 1] == '/' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return "a folder cannot be executed";
	if (strchr(s, '$') && !c->no_variables)
		return "a variable cannot be the command, nor a part of it";
	return NULL;
}

/* The first word, with what is before it. -EINVAL: it cannot be, which is noted. */
static int first_word(struct draft *d, const struct entry *e, size_t at, char **text, struct command *c)
{
	const char *why;
	int n = prefixes(d, e, at, *text, c), r;

	if (n < 0)
		return n;
	*text += n;
	why = check_program(*text, c);
	if (!why)
		return 0;
	r = complain_at(d->l, e, at, "%s", why);
	return r < 0 ? r : -EINVAL;
}

static int add_word(struct draft *d, const char *text)
{
	char **to = list_add(&d->words, sizeof *to);

	if (!to)
		return -ENOMEM;
	*to = memory_string(d->l->memory, text, strlen(text));
	return *to ? 0 : -ENOMEM;
}

/* The words so far are a command. */
static int finish(struct draft *d, const struct entry *e, struct list *commands, const struct command *c)
{
	struct place at = place_of_entry(d->l, e);
	struct command *to = list_add(commands, sizeof *to);

	if (!to || !list_add(&d->words, sizeof(char *)))
		return -ENOMEM;
	to->argc = (unsigned)d->words.n - 1;
	to->argv = memory_same(d->l->memory, d->words.v, d->words.n * sizeof(char *));
	to->text = memory_string(d->l->memory, e->value.text, e->value.n);
	if (!to->argv || !to->text)
		return -ENOMEM;
	to->path = to->argv[0];
	to->file = at.file;
	to->line = at.line;
	to->ignore = c->ignore;
	to->no_variables = c->no_variables;
	d->words.n = 0;
	return 0;
}

static bool is_separator(const struct draft *d, const struct word_reader *w)
{
	return w->word.plain && d->raw.n == 1 && *(const char *)d->raw.v == ';';
}

static int read_commands(struct draft *d, const struct entry *e, struct list *commands)
{
	struct word_reader w = { 0 };
	struct command c = { 0 };
	char *text;
	int r;

	d->words.n = 0;
	while ((r = words_of(d, e, &w, &text)) > 0) {
		if (is_separator(d, &w) && d->words.n > 0) {
			r = finish(d, e, commands, &c);
			c = (struct command){ 0 };
		} else if (is_separator(d, &w)) {
			r = complain_at(d->l, e, w.word.offset, "there is no command before the ;");
			r = r < 0 ? r : -EINVAL;
		} else {
			r = d->words.n > 0 ? 0 : first_word(d, e, w.word.offset, &text, &c);
			r = r < 0 ? r : add_word(d, text);
		}
		if (r < 0)
			return r;
	}
	return r == 0 && d->words.n > 0 ? finish(d, e, commands, &c) : r;
}

int parse_commands(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	struct list *commands = (struct list *)((char *)d + k->at);
	int r;

	(void)text;
	if (e->value.n == 0) {
		commands->n = 0;
		return 0;
	}
	r = read_commands(d, e, commands);
	if (r == -EINVAL && commands == &d->start)
		d->start_is_bad = true;
	return r == -EINVAL ? 0 : r;
}
