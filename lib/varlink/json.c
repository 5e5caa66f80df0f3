/* SPDX-License-Identifier: MIT */
/*
 * Loading jansson, and the few walks over its values. See json.h.
 *
 * Dumping a value takes 304 bytes of stack for each level of nesting, parsing 80, and freeing 80 (jansson 2.14, amd64), with
 * 4 KiB for a number's text at the end: 64 levels are 25 KiB. So nothing is dumped before it was measured.
 */
#include "varlink/json.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <holt/log.h>

#include "base/alloc.h"

/* ---- loading */

struct holt__json holt__json;
const char *holt__json_name = "libjansson.so.4";

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

#define FIND(member, name) \
	{ \
		offsetof(struct holt__json, member), #name \
	}

static const struct {
	size_t offset;
	const char *name;
} functions[] = {
	FIND(loadb, json_loadb),
	FIND(dump_callback, json_dump_callback),
	{ offsetof(struct holt__json, free), "json_delete" }, /* whose name is a macro here */
	FIND(object, json_object),
	FIND(object_get, json_object_get),
	FIND(object_set_new, json_object_set_new),
	FIND(object_iter, json_object_iter),
	FIND(object_iter_next, json_object_iter_next),
	FIND(object_iter_value, json_object_iter_value),
	FIND(array, json_array),
	FIND(array_append_new, json_array_append_new),
	FIND(array_size, json_array_size),
	FIND(array_get, json_array_get),
	FIND(string, json_string),
	FIND(stringn, json_stringn),
	FIND(string_value, json_string_value),
	FIND(integer, json_integer),
	FIND(integer_value, json_integer_value),
};
_Static_assert(sizeof functions / sizeof *functions * sizeof(void *) == sizeof(struct holt__json), "one line for each function");

/* RTLD_LOCAL: the program's own symbols stay what they are. Never closed again: values outlive any connection. */
static int load(void)
{
	void *library = dlopen(holt__json_name, RTLD_NOW | RTLD_LOCAL);
	struct holt__json found;

	if (!library) {
		holt_log(LOG_DEBUG, "varlink: %s", dlerror());
		return -ELIBACC;
	}
	for (size_t i = 0; i < HOLT__N(functions); i++) {
		void *f = dlsym(library, functions[i].name);

		if (!f) {
			holt_log(LOG_DEBUG, "varlink: %s has no %s", holt__json_name, functions[i].name);
			dlclose(library);
			return -ELIBBAD;
		}
		memcpy((char *)&found + functions[i].offset, &f, sizeof f);
	}
	holt__json = found;
	loaded = true;
	return 0;
}

int holt__json_load(void)
{
	int r;

	pthread_mutex_lock(&loading);
	r = loaded ? 0 : load();
	pthread_mutex_unlock(&loading);
	return r;
}

void holt__json_delete(json_t *json)
{
	holt__json.free(json);
}

int holt__json_parse(const char *text, size_t n, json_t **ret)
{
	json_error_t e = { .line = 0 }; /* zeroed: jansson itself does not set the code where it has none */
	json_t *j = holt__json.loadb(text, n, JSON_REJECT_DUPLICATES, &e);

	if (j) {
		*ret = j;
		return 0;
	}
	/* Out of memory, jansson mostly has no word; for a string it says that it is not JSON. */
	return json_error_code(&e) == json_error_unknown || json_error_code(&e) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
}

/* ---- depth */

static bool members_fit(json_t *object, size_t depth)
{
	for (void *i = holt__json.object_iter(object); i; i = holt__json.object_iter_next(object, i))
		if (!holt__json_fits(holt__json.object_iter_value(i), depth))
			return false;
	return true;
}

/* Recursive, in small frames; and it ends in what holds itself, for that goes too deep. */
bool holt__json_fits(json_t *json, size_t depth)
{
	size_t n;

	if (!json_is_object(json) && !json_is_array(json))
		return true;
	if (depth == 0)
		return false;
	if (json_is_object(json))
		return members_fit(json, depth - 1);
	n = holt__json.array_size(json);
	for (size_t i = 0; i < n; i++)
		if (!holt__json_fits(holt__json.array_get(json, i), depth - 1))
			return false;
	return true;
}

/* ---- text */

static int make_room(struct holt__json_text *t, size_t n)
{
	size_t size = t->size ? t->size : 256;
	char *buf;

	if (n > SIZE_MAX / 4 - t->n)
		return -ENOMEM;
	while (size - t->n < n)
		size *= 2;
	if (size == t->size)
		return 0;
	buf = holt__realloc(t->buf, size);
	if (!buf)
		return -ENOMEM;
	t->buf = buf;
	t->size = size;
	return 0;
}

int holt__json_text_add(struct holt__json_text *t, const char *text, size_t n)
{
	int r = make_room(t, n);

	if (r < 0)
		return r;
	memcpy(t->buf + t->n, text, n);
	t->n += n;
	return 0;
}

struct dump {
	struct holt__json_text *text;
	int result;
};

static int dumped(const char *part, size_t n, void *arg)
{
	struct dump *d = arg;

	d->result = holt__json_text_add(d->text, part, n);
	return d->result;
}

int holt__json_text_dump(struct holt__json_text *t, const json_t *json)
{
	struct dump d = { .text = t };

	if (holt__json.dump_callback(json, dumped, &d, JSON_COMPACT) == 0)
		return 0;
	return d.result < 0 ? d.result : -ENOMEM; /* jansson's own trouble: it needs memory to look for values in themselves */
}

void holt__json_text_free(struct holt__json_text *t)
{
	holt__free(t->buf);
	*t = (struct holt__json_text){ .n = 0 };
}
