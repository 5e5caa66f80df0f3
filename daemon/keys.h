/* SPDX-License-Identifier: MIT */
/*
 * Every key of a tree file, in one table: which sections have it, what makes its value out of a text, and where that goes. And
 * the draft, in which a node is put together before it is known who its members are.
 */
#pragma once
#include "daemon/loader.h"

/* Section kinds, a bit each; the last four are not in this version, but their keys are told from mistyped ones. */
enum {
	IN_TREE = 1,
	IN_GROUP = 2,
	IN_PROCESS = 4,
	IN_SOCKET = 8,
	IN_PROXY = 16,
	IN_JOB = 32,
	IN_CHECK = 64,
	IN_NODES = IN_GROUP | IN_PROCESS | IN_SOCKET | IN_PROXY | IN_JOB | IN_CHECK,
	IN_GROUPS = IN_TREE | IN_GROUP,
	IN_PROCESSES = IN_PROCESS | IN_JOB,
};

struct draft {
	struct loader *l;
	unsigned section;
	unsigned replica;  /* for which it is made; 0: there are none */
	bool varies;       /* it is another for each replica */
	bool start_is_bad; /* an ExecStart= had a problem, so a missing one is none */
	bool after_given;
	unsigned references; /* its own begin here in loader.references */

	struct node node;
	struct process_conf process;
	struct {
		const char *control_group, *log_directory;
		enum log_target log_target;
		unsigned log_file_keep;
		uint64_t log_file_max;
	} tree;

	/* what becomes an array; all of the items are zeroed first, so that equal ones are equal in each byte */
	struct list start, start_pre, reload, stop, stop_post, finally; /* of struct command */
	struct list environment, supplementary_groups;                  /* of char * */
	struct list env_files, limits, cgroup_limits, credentials;
	struct list words;     /* of char *: a command's, while it is read */
	struct list text, raw; /* of characters: the value at hand */
};

struct key;

/*
 * Puts the value of an entry into the draft. text is the value with its specifiers put in, terminated, free to be changed; for
 * a list of words it is NULL, and words_of() gives them one by one. An empty value has taken back what was there, if the table
 * says where that is; lists see n == 0 in e->value.
 */
typedef int parse_fn(struct draft *d, const struct key *k, const struct entry *e, char *text);

enum {
	KEY_LATER = 1, /* not in this version */
	KEY_WORDS = 2, /* see parse_fn */
	KEY_SHARE = 4, /* a % at its end is no specifier */
};

struct key {
	const char *name;
	uint8_t length;
	uint8_t sections;
	uint8_t flags;
	uint16_t at, size; /* in struct draft; size 0: not a plain value */
	parse_fn *parse;
	const void *more; /* for parse */
};

#define KEY_NONE UINT16_MAX
/* The key of that name which a section of kind (IN_…) has; KEY_NONE: it has none, and that is noted. */
int key_find(struct loader *l, unsigned source, const struct piece *name, unsigned kind, unsigned *ret);
/* Whether a key is NAME=. */
bool key_is(unsigned key, const char *name);
const char *section_name(unsigned kind); /* "process" for IN_PROCESS */

/* As a section of its kind is when nothing is said. */
void draft_begin(struct draft *d, enum node_kind kind);
int draft_add(struct draft *d, const struct entry *e);
void draft_free(struct draft *d);

/* ---- parsers.c: by what a value is; `more` and `at` of the key say which, and where it goes */

struct choice {
	const char *name; /* NULL: the end */
	int value;
};

struct range {
	uint64_t min, max;
};

enum {                 /* more of parse_span, as a number */
	SPAN_TIMEOUT,  /* 0 and infinity: none, HOLT_NEVER */
	SPAN_OFF,      /* 0 and infinity: none, 0 */
	SPAN_POSITIVE, /* more than 0; infinity is HOLT_NEVER */
};

parse_fn parse_text, parse_bool, parse_span, parse_choice, parse_number, parse_size, parse_backoff, parse_rate, parse_signal,
	parse_mode, parse_nice, parse_user, parse_users, parse_folder, parse_environment, parse_env_file, parse_limit,
	parse_memory, parse_tasks, parse_weight, parse_credential, parse_stdio, parse_success, parse_log_target, parse_replicas,
	parse_type;

/* ---- cmdline.c */
parse_fn parse_commands;

/* ---- names.c */
parse_fn parse_names;
/* Adds n bytes to d->text, with specifiers put in, and a NUL. e and offset are where problems are said to be. -EINVAL: noted. */
int put_in(struct draft *d, const struct entry *e, size_t offset, const char *s, size_t n);

/* The words of a value, one after the other: 1, and its text is in d->text; 0; -EINVAL: noted; -ENOMEM. */
struct word_reader {
	struct words words;
	struct word word;
};
int words_of(struct draft *d, const struct entry *e, struct word_reader *w, char **ret);
