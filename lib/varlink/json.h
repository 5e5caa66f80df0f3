/* SPDX-License-Identifier: MIT */
/*
 * jansson, loaded when it is first needed: one table of the functions that are used, and the little around them that
 * jansson does not offer. Nothing of jansson may be called but through the table, so that the library links without it.
 */
#pragma once
/* What the inline json_decref of jansson's header calls: ours leads to the table. */
#define json_delete holt__json_delete
#include <jansson.h>

#include "base/base.h"

/* How deep a message may nest, the message itself counted: unless said, and at most. See json.c for what it costs. */
enum { HOLT__VARLINK_DEPTH = 32, HOLT__VARLINK_DEPTH_MAX = 64 };

static inline bool holt__varlink_depth_is_fine(size_t depth)
{
	return depth >= 2 && depth <= HOLT__VARLINK_DEPTH_MAX;
}

struct holt__json {
	json_t *(*loadb)(const char *text, size_t n, size_t flags, json_error_t *error);
	int (*dump_callback)(const json_t *json, json_dump_callback_t fn, void *arg, size_t flags);
	void (*free)(json_t *json);
	json_t *(*object)(void);
	json_t *(*object_get)(const json_t *object, const char *key);
	int (*object_set_new)(json_t *object, const char *key, json_t *value); /* takes value, and says -1 for NULL */
	void *(*object_iter)(json_t *object);
	void *(*object_iter_next)(json_t *object, void *iter);
	json_t *(*object_iter_value)(void *iter);
	json_t *(*array)(void);
	int (*array_append_new)(json_t *array, json_t *value); /* as object_set_new */
	size_t (*array_size)(const json_t *array);
	json_t *(*array_get)(const json_t *array, size_t i);
	json_t *(*string)(const char *value);
	json_t *(*stringn)(const char *value, size_t n);
	const char *(*string_value)(const json_t *string);
	json_t *(*integer)(json_int_t value);
	json_int_t (*integer_value)(const json_t *integer);
};

extern struct holt__json holt__json; /* filled by holt__json_load() */
extern const char *holt__json_name;  /* of the shared object; a test may ask for another */

/* From any thread. Blocks for a dlopen(3) the first time. -ELIBACC: there is none; -ELIBBAD: it lacks a function. */
int holt__json_load(void);

void holt__json_delete(json_t *json);

/* One value, without a key twice. -EBADMSG: not JSON; -ENOMEM. */
int holt__json_parse(const char *text, size_t n, json_t **ret);

/* Whether a value nests at most so deep: 1 for an object or array without others in it. */
bool holt__json_fits(json_t *json, size_t depth);

/* ---- a text that grows, on the heap: the message that is being made */

struct holt__json_text {
	char *buf;
	size_t size, n;
};

int holt__json_text_add(struct holt__json_text *t, const char *text, size_t n); /* -ENOMEM */
int holt__json_text_dump(struct holt__json_text *t, const json_t *json);        /* -ENOMEM; -EINVAL: it holds itself */
void holt__json_text_free(struct holt__json_text *t);
