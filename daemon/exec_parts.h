/* SPDX-License-Identifier: MIT */
/*
 * The parts of exec.c, for it and for each other; see exec.h.
 */
#pragma once
#include "daemon/exec.h"

/* ---- memory that is freed as a whole */

struct exec_piece {
	struct exec_piece *next;
	size_t n, room;
	char bytes[] __attribute__((aligned(sizeof(void *))));
};

void *exec_get(struct exec *e, size_t n); /* aligned for pointers, not zeroed; NULL: out of memory */

/* Strings, and a NULL at their end, once exec_list_end() was there. */
struct exec_list {
	const char **v;
	size_t n, room;
};

int exec_list_add(struct exec *e, struct exec_list *l, const char *s); /* -ENOMEM */

/* ---- who it will be: exec_user.c */

struct exec_user {
	char *asked;  /* User=; NULL: ourselves */
	holt_time at; /* when it was looked up */
	uid_t uid;
	gid_t gid;
	bool known; /* by the user database, and so what follows is there */
	const char *name, *home, *shell;
	struct passwd *entry;
};

/* Borrowed until the next call. 0; -ESRCH: no such user; -errno. NAME NULL: ourselves. */
int exec_user_find(struct exec_base *b, const char *name, const struct exec_user **ret);
void exec_user_forget(struct exec_base *b);

/* ---- arguments: exec_words.c */

/* Adds what the command's words become, with the environment ENV. -ENOMEM; -E2BIG. */
int exec_words(struct exec *e, struct exec_list *argv, const struct command *c, const struct exec_list *env);
const char *exec_value(const struct exec_list *env, const char *name, size_t n); /* NULL: it is not set */

/* ---- credentials: exec_credentials.c */

/* The directory's path, in E's memory; NULL: out of memory. */
const char *exec_credentials_path(struct exec *e, const struct exec_base *b, const struct invocation *id);
/* Makes them. -errno, and E->why; nothing is left of them then. */
int exec_credentials_make(struct exec *e, struct exec_base *b, const struct node *n, const struct invocation *id);

/* ---- */

/* Fills E->why with "WHAT=NAME: TEXT", and returns R. TEXT NULL: that of R. */
int exec_fails(struct exec *e, const char *what, const char *name, const char *text, int r);
