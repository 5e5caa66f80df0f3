/* SPDX-License-Identifier: MIT */
/*
 * What a configuration is while it is made; nothing outside of the files named here knows it. The way from text to tree:
 *
 *	sources.c   finds and reads the file and its drop-ins
 *	sections.c  sorts what is in them: a section for each node, and what is said of it, not yet looked at
 *	keys.c      knows each key: which section has it, and how its value gets into the draft of a node
 *	cmdline.c   command lines
 *	names.c     specifiers (%n), names of other nodes
 *	config.c    drafts each section, fills in the nodes; what others may call
 *	unfold.c    order, cycles, replicas: the tree
 *
 * An error is no end: it is noted as a problem, and the next thing is looked at, so that all is told at once. Only being out of
 * memory ends it. So functions return 0 or -ENOMEM, some 1 for "there is one", and -EINVAL for "there was a problem, and it
 * is noted".
 */
#pragma once
#include "daemon/config.h"
#include "daemon/memory.h"
#include "daemon/syntax.h"
#include "daemon/trust.h"

#define NONE UINT32_MAX

enum { REPLICAS_MAX = 4096, NODES_MAX = 1 << 16, DEPTH_MAX = 32 };

struct place {
	const char *file;
	unsigned line, column;
};

struct source {
	const char *name;
	char *text;
	struct syntax syntax;
};

/* "Key=value" of a section. */
struct entry {
	struct piece value;
	unsigned next; /* in entries; NONE: the last one of its section */
	uint16_t source, key;
};

/* A node as written, or as made because something is written below it. Numbered in the order of the file, parents first. */
struct section {
	const char *path;   /* without replicas */
	struct place place; /* of its header; file NULL: it is not written */
	unsigned parent;    /* NONE: it is the tree */
	unsigned first_entry, last_entry;
	unsigned source;       /* in which its header was seen last */
	unsigned last_enabled; /* of its members, while the default order is made */
	unsigned replicas;     /* 0: not replicated */
	enum node_kind kind;
	bool later;         /* of a kind that is not in this version */
	bool after_given;   /* it has an After=, so no default */
	struct node *nodes; /* one, or as many as replicas; all the same but for what has a %i or %n */
};

/* From After=, Requires=, or the default order. */
struct reference {
	unsigned from, to;            /* sections */
	unsigned replica, to_replica; /* 0: all of them */
	struct place place;
	bool requires, by_default;
};

struct loader {
	struct config *config;
	struct config_memory *memory;
	struct config_options options;
	struct trust trust;
	struct list sources, sections, entries, references, problems;
	unsigned *paths;   /* a hash table of section numbers + 1 */
	size_t paths_room; /* a power of two */
	bool again;        /* a section is drafted once more, for its next replica: what is noted already is not noted twice */
};

static inline struct section *section_at(const struct loader *l, unsigned i)
{
	return (struct section *)l->sections.v + i;
}

static inline struct entry *entry_at(const struct loader *l, unsigned i)
{
	return (struct entry *)l->entries.v + i;
}

static inline struct source *source_at(const struct loader *l, unsigned i)
{
	return (struct source *)l->sources.v + i;
}

static inline struct reference *reference_at(const struct loader *l, unsigned i)
{
	return (struct reference *)l->references.v + i;
}

/* ---- problem.c; -ENOMEM */
int complain(struct loader *l, const struct place *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int caution(struct loader *l, const struct place *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int complain_at(struct loader *l, const struct entry *e, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
struct place place_of(const struct loader *l, unsigned source, const struct piece *p, size_t offset);
struct place place_of_entry(const struct loader *l, const struct entry *e);

/* ---- sources.c */
int sources_load(struct loader *l, const char *file);
int sources_add(struct loader *l, const char *name, char *text, size_t n); /* takes text, from holt__malloc, always */
/* A problem if the file is there and is not trusted. */
int sources_judge(struct loader *l, const struct entry *e, const char *path);

/* ---- sections.c */
int sections_read(struct loader *l);                                       /* all sources */
unsigned section_find(const struct loader *l, const char *path, size_t n); /* NONE */
const char *kind_name(enum node_kind kind);

/* ---- unfold.c */
int unfold(struct loader *l);
