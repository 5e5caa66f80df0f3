/* SPDX-License-Identifier: MIT */
/*
 * Variables in a command's words. Values may come from a file that others write: however long they are, and whatever is in them,
 * they become arguments, and are not looked at for variables again.
 */
#include <errno.h>
#include <string.h>

#include "daemon/exec_parts.h"

enum { WORDS_MAX = 65536 };

static size_t name_length(const char *s)
{
	size_t n = 0;

	if (*s >= '0' && *s <= '9')
		return 0;
	while ((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= 'a' && s[n] <= 'z') || s[n] == '_')
		n++;
	return n;
}

const char *exec_value(const struct exec_list *env, const char *name, size_t n)
{
	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* The length of "${NAME}" at s; 0: it is none. */
static size_t braced(const char *s)
{
	size_t n = s[0] == '$' && s[1] == '{' ? name_length(s + 2) : 0;

	return n && s[2 + n] == '}' ? n + 3 : 0;
}

/* What one word becomes; to NULL: only how long that is, without the NUL. */
static size_t replace(const char *s, const struct exec_list *env, char *to)
{
	size_t len = 0;

	while (*s) {
		size_t skip = braced(s), n = 1;
		const char *piece = s;

		if (skip) {
			piece = exec_value(env, s + 2, skip - 3);
			n = piece ? strlen(piece) : 0;
		} else {
			skip = s[0] == '$' && s[1] == '$' ? 2 : 1;
		}
		if (to && n)
			memcpy(to + len, piece, n);
		len += n;
		s += skip;
	}
	if (to)
		to[len] = 0;
	return len;
}

static int add(struct exec *e, struct exec_list *argv, const char *s)
{
	return argv->n >= WORDS_MAX ? -E2BIG : exec_list_add(e, argv, s);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One word of a value at s, without its quotes, to *to, which then is behind its NUL. Returns where it ends. */
static const char *unquote(const char *s, char **to)
{
	char quote = 0;

	for (; *s && (quote || !is_blank(*s)); s++) {
		if (*s == quote) {
			quote = 0;
		} else if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
		} else {
			if (*s == '\\' && s[1] && quote != '\'')
				s++;
			*(*to)++ = *s;
		}
	}
	*(*to)++ = 0;
	return s;
}

/* In one piece for all words: each takes no more than it has in the value, its NUL included, for a blank or the end is behind it. */
static int split(struct exec *e, struct exec_list *argv, const char *value)
{
	char *to = exec_get(e, strlen(value) + 1);
	int r = 0;

	if (!to)
		return -ENOMEM;
	while (r == 0) {
		char *word = to;

		while (is_blank(*value))
			value++;
		if (!*value)
			break;
		value = unquote(value, &to);
		r = add(e, argv, word);
	}
	return r;
}

static int one_word(struct exec *e, struct exec_list *argv, const char *s, const struct exec_list *env)
{
	size_t n = s[0] == '$' ? name_length(s + 1) : 0;
	const char *value;
	char *word;

	if (n && !s[1 + n]) {
		value = exec_value(env, s + 1, n);
		return value ? split(e, argv, value) : 0;
	}
	word = exec_get(e, replace(s, env, NULL) + 1);
	if (!word)
		return -ENOMEM;
	replace(s, env, word);
	return add(e, argv, word);
}

int exec_words(struct exec *e, struct exec_list *argv, const struct command *c, const struct exec_list *env)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->argc; i++) {
		const char *s = c->argv[i];

		if (i == 0 || c->no_variables || !strchr(s, '$'))
			r = add(e, argv, s);
		else
			r = one_word(e, argv, s, env);
	}
	return r;
}
