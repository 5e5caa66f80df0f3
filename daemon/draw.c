/* SPDX-License-Identifier: MIT */
/*
 * See draw.h. First the lines are listed: a node each, a pool's replicas that are alike in one, what finally owes behind
 * what is in its group. Then each is told whether it is the last of its siblings, and then they are drawn.
 *
 * How deep a node lies is told by its path. A list that is in no good order makes an odd drawing, and nothing worse.
 */
#include "daemon/draw.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "daemon/row.h"

enum { DEPTH_MAX = 48, STATES_MAX = 16 };
enum { NAME_MIN = 14, WORD_MIN = 9, GAP = 2 }; /* columns */

enum line_kind { LINE_NODE, LINE_POOL, LINE_FINALLY };

struct line {
	const struct draw_node *node;
	uint8_t kind, depth;
	bool last;        /* no sibling comes after it */
	size_t count, of; /* POOL */
	int64_t memory;   /* POOL: of all of them */
};

struct drawing {
	const struct draw_options *o;
	struct line *lines;
	size_t n;
	size_t name, word, state; /* widths of the columns */
	struct row row;
};

/* ---- numbers */

static void add_unit(struct holt__text *t, uint64_t n, const char *unit)
{
	holt__text_uint(t, n);
	holt__text_add(t, unit);
}

static void add_two(
	struct holt__text *t, holt_time span, holt_time big, const char *big_unit, holt_time small, const char *small_unit)
{
	add_unit(t, span / big, big_unit);
	if (span % big >= small)
		add_unit(t, span % big / small, small_unit);
}

void draw_span(struct holt__text *t, holt_time span)
{
	if (span == HOLT_NEVER)
		holt__text_add(t, "for ever");
	else if (span >= 24 * HOLT_HOUR)
		add_two(t, span, 24 * HOLT_HOUR, "d", HOLT_HOUR, "h");
	else if (span >= HOLT_HOUR)
		add_two(t, span, HOLT_HOUR, "h", HOLT_MIN, "min");
	else if (span >= 2 * HOLT_MIN)
		add_two(t, span, HOLT_MIN, "min", HOLT_SEC, "s");
	else if (span >= 10 * HOLT_SEC || (span >= HOLT_SEC && span % HOLT_SEC < HOLT_SEC / 10))
		add_unit(t, span / HOLT_SEC, "s");
	else if (span >= HOLT_SEC)
		add_two(t, span, HOLT_SEC, ".", HOLT_SEC / 10, "s");
	else if (span >= HOLT_MS || span == 0)
		add_unit(t, span / HOLT_MS, "ms");
	else
		holt__text_add(t, "<1ms");
}

void draw_size(struct holt__text *t, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	uint64_t rest = 0;
	size_t i = 0;

	for (; bytes >= 1024 && units[i + 1]; i++) {
		rest = bytes % 1024;
		bytes /= 1024;
	}
	holt__text_uint(t, bytes);
	if (i > 0 && bytes < 10 && rest * 10 / 1024 > 0) {
		holt__text_add(t, ".");
		holt__text_uint(t, rest * 10 / 1024);
	}
	holt__text_add_n(t, &units[i], 1);
}

/* ---- which lines there are */

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool is_group(const struct draw_node *n)
{
	return is(n->kind, "group") || is(n->kind, "tree");
}

/* A name without the number of a replica: "w" of "w@12"; 0: it is none. */
static size_t pool_name(const struct draw_node *n)
{
	const char *at = strrchr(n->name, '@');

	if (!is(n->kind, "process") || !at || !at[1] || at[1 + strspn(at + 1, "0123456789")])
		return 0;
	return (size_t)(at - n->name);
}

static size_t path_depth(const struct draw_node *n)
{
	size_t depth = n->path[0] != 0;

	for (const char *p = n->path; *p; p++)
		depth += *p == '/';
	return depth;
}

static void add_line(struct drawing *d, const struct draw_node *n, enum line_kind kind, size_t depth)
{
	d->lines[d->n++] = (struct line){ .node = n, .kind = (uint8_t)kind, .depth = (uint8_t)depth, .memory = -1 };
}

/* Where nodes in one state are counted, of a pool. */
struct bucket {
	const char *state;
	size_t n;
	int64_t memory;
	bool drawn;
};

static struct bucket *bucket_of(struct bucket *buckets, size_t *n, const char *state)
{
	for (size_t i = 0; i < *n; i++)
		if (is(buckets[i].state, state))
			return &buckets[i];
	if (*n == STATES_MAX)
		return &buckets[STATES_MAX - 1];
	buckets[*n] = (struct bucket){ .state = state, .memory = -1 };
	return &buckets[(*n)++];
}

static void count_replica(struct bucket *b, const struct draw_node *n)
{
	b->n++;
	if (n->memory > 0)
		b->memory = (b->memory > 0 ? b->memory : 0) + n->memory;
}

/* The replicas of one pool. */
static void list_pool(struct drawing *d, const struct draw_node *nodes, size_t n, size_t depth)
{
	struct bucket buckets[STATES_MAX], *b;
	size_t n_buckets = 0;

	for (size_t i = 0; i < n; i++)
		count_replica(bucket_of(buckets, &n_buckets, nodes[i].state), &nodes[i]);
	for (size_t i = 0; i < n; i++) {
		b = bucket_of(buckets, &n_buckets, nodes[i].state);
		if (b->drawn)
			continue;
		if (b->n <= DRAW_REPLICAS || d->o->all) {
			add_line(d, &nodes[i], LINE_NODE, depth);
			continue;
		}
		b->drawn = true;
		add_line(d, &nodes[i], LINE_POOL, depth);
		d->lines[d->n - 1].count = b->n;
		d->lines[d->n - 1].of = n;
		d->lines[d->n - 1].memory = b->memory;
	}
}

static size_t pool_size(const struct draw_node *nodes, size_t n)
{
	size_t length = pool_name(&nodes[0]), depth = path_depth(&nodes[0]), i = 1;

	while (length > 0 && i < n && pool_name(&nodes[i]) == length && path_depth(&nodes[i]) == depth &&
		strncmp(nodes[i].name, nodes[0].name, length) == 0)
		i++;
	return i;
}

/* Groups whose members are being listed, by depth, so that what they owe comes behind them. */
struct open_groups {
	const struct draw_node *v[DEPTH_MAX + 1];
	size_t depth;
};

static void close_groups(struct drawing *d, struct open_groups *open, size_t depth)
{
	for (; open->depth > depth; open->depth--) {
		const struct draw_node *g = open->v[open->depth - 1];

		if (g && is_group(g) && g->finally > 0)
			add_line(d, g, LINE_FINALLY, open->depth);
	}
}

static void list_lines(struct drawing *d, const struct draw_node *nodes, size_t n)
{
	struct open_groups open = { .depth = 0 };
	size_t top = n > 0 ? path_depth(&nodes[0]) : 0, size;

	for (size_t i = 0; i < n; i += size) {
		size_t depth = path_depth(&nodes[i]);

		depth = i == 0 ? 0 : depth > top ? depth - top : 1;
		if (depth > open.depth)
			depth = open.depth;
		close_groups(d, &open, depth);
		size = pool_size(&nodes[i], n - i);
		list_pool(d, &nodes[i], size, depth);
		if (depth < DEPTH_MAX)
			open.v[open.depth++] = &nodes[i];
	}
	close_groups(d, &open, 0);
}

static void find_last(struct drawing *d)
{
	bool seen[DEPTH_MAX + 2] = { false };

	for (size_t i = d->n; i-- > 0;) {
		struct line *l = &d->lines[i];

		l->last = !seen[l->depth];
		seen[l->depth] = true;
		seen[l->depth + 1] = false; /* what is deeper was told so by its own parent */
	}
}

/* ---- what a line says */

static const char *kind_of(const struct line *l)
{
	return is(l->node->kind, "tree") ? "" : l->node->kind; /* one sees that it is the tree */
}

/* Its name, as it is shown. */
static const char *name_of(const struct drawing *d, const struct line *l, struct holt__text *t)
{
	if (l->kind == LINE_FINALLY)
		return "finally";
	if (l == d->lines && d->o->name)
		return d->o->name;
	if (l->kind == LINE_NODE)
		return l->node->name;
	holt__text_add_n(t, l->node->name, pool_name(l->node));
	holt__text_add(t, "@*");
	return t->buf;
}

static void find_widths(struct drawing *d)
{
	d->name = NAME_MIN;
	d->word = d->state = WORD_MIN;
	for (size_t i = 0; i < d->n; i++) {
		const struct line *l = &d->lines[i];
		char buf[256] = "";
		struct holt__text t = HOLT__TEXT(buf);
		size_t name = l->depth * 2u + 2 + row_width(name_of(d, l, &t), d->o->ascii);

		d->name = name > d->name ? name : d->name;
		if (l->kind == LINE_FINALLY)
			continue;
		name = row_width(kind_of(l), d->o->ascii);
		d->word = name > d->word ? name : d->word;
		name = row_width(l->node->state, d->o->ascii);
		d->state = name > d->state ? name : d->state;
	}
}

static const struct look {
	const char *state, *mark, *ascii;
	enum row_color color;
} looks[] = {
	{ "ready", "●", "*", ROW_GREEN }, { "degraded", "◐", "~", ROW_YELLOW }, { "starting", "◐", "~", ROW_YELLOW },
	{ "stopping", "◐", "~", ROW_YELLOW }, { "finally", "◐", "~", ROW_YELLOW }, { "failed", "✗", "x", ROW_RED },
	{ "backoff", "✗", "x", ROW_RED }, { "listening", "●", "*", ROW_GREEN }, { NULL, "○", "o", ROW_DIM }, /* all others */
};

static const struct look *look_of(const char *state)
{
	const struct look *l = looks;

	while (l->state && !is(l->state, state))
		l++;
	return l;
}

/* One of the details; two blanks before it. */
static void detail(struct drawing *d, const char *s)
{
	if (!s || !s[0])
		return;
	row_text(&d->row, s);
	row_gap(&d->row, GAP);
}

static void detail_text(struct drawing *d, struct holt__text *t)
{
	detail(d, t->buf);
	t->len = 0;
	t->buf[0] = 0;
}

/* "up 3d2h", "for 2.1s" */
static void detail_since(struct drawing *d, const char *before, holt_time since)
{
	char buf[64] = "";
	struct holt__text t = HOLT__TEXT(buf);

	if (since == HOLT_NEVER)
		return;
	holt__text_add(&t, before);
	draw_span(&t, since);
	detail_text(d, &t);
}

static void detail_part(struct drawing *d, const char *before, int64_t part, const char *between, int64_t whole)
{
	char buf[96] = "";
	struct holt__text t = HOLT__TEXT(buf);

	holt__text_add(&t, before);
	holt__text_int(&t, part);
	holt__text_add(&t, between);
	holt__text_int(&t, whole);
	detail_text(d, &t);
}

static void detail_restarts(struct drawing *d, const struct draw_node *n)
{
	char buf[96] = "";
	struct holt__text t = HOLT__TEXT(buf);

	if (n->used <= 0 || n->intensity < 0)
		return;
	holt__text_add(&t, "restarts ");
	holt__text_int(&t, n->used);
	holt__text_add(&t, "/");
	holt__text_int(&t, n->intensity);
	if (n->within != HOLT_NEVER) {
		holt__text_add(&t, " in ");
		draw_span(&t, n->within);
	}
	detail_text(d, &t);
}

static void group_details(struct drawing *d, const struct draw_node *n)
{
	bool up = is(n->state, "ready"), coming = is(n->state, "degraded") || is(n->state, "starting");

	detail(d, n->strategy);
	if (coming && n->members >= 0)
		detail_part(d, "", n->members_ready, "/", n->members);
	detail_restarts(d, n);
	if (up && n->since != HOLT_NEVER) {
		row_gap(&d->row, 1);
		detail_since(d, "up ", n->since);
	}
	if (!coming)
		detail(d, n->why);
}

static void detail_memory(struct drawing *d, int64_t memory)
{
	char buf[32] = "";
	struct holt__text t = HOLT__TEXT(buf);

	if (memory <= 0)
		return;
	draw_size(&t, (uint64_t)memory);
	detail_text(d, &t);
}

static void detail_pid(struct drawing *d, const struct draw_node *n)
{
	char buf[32] = "";
	struct holt__text t = HOLT__TEXT(buf);

	if (n->pid <= 0)
		return;
	holt__text_add(&t, "pid ");
	holt__text_int(&t, n->pid);
	detail_text(d, &t);
}

/* "exit 1 ×3, next in 1.6s" */
static void backoff_details(struct drawing *d, const struct draw_node *n)
{
	char buf[64] = "";
	struct holt__text t = HOLT__TEXT(buf);

	row_text(&d->row, n->ended);
	if (n->restarts > 1) {
		row_sign(&d->row, " ×", " x");
		holt__text_int(&t, n->restarts);
	}
	if (n->next != HOLT_NEVER) {
		holt__text_add(&t, ", next in ");
		draw_span(&t, n->next);
	}
	row_text(&d->row, t.buf);
}

static void process_details(struct drawing *d, const struct draw_node *n)
{
	if (is(n->state, "backoff") && n->ended) {
		backoff_details(d, n);
		return;
	}
	detail_pid(d, n);
	detail_memory(d, n->memory);
	if (n->type && !is(n->type, "exec"))
		detail(d, n->type);
	if (is(n->state, "starting"))
		detail_since(d, "for ", n->since);
	else
		detail(d, n->why);
	detail(d, n->status);
}

static void pool_details(struct drawing *d, const struct line *l)
{
	detail_part(d, "", (int64_t)l->count, " of ", (int64_t)l->of);
	detail_memory(d, l->memory);
	if (look_of(l->node->state)->color != ROW_RED || !l->node->ended)
		return;
	row_text(&d->row, l->node->name);
	row_text(&d->row, ": ");
	row_text(&d->row, l->node->ended);
}

/* ---- drawing */

static void draw_branches(struct drawing *d, const struct line *l, const bool *more)
{
	for (size_t k = 1; k < l->depth; k++)
		row_sign(&d->row, more[k] ? "│ " : "  ", more[k] ? "| " : "  ");
	if (l->depth > 0)
		row_sign(&d->row, l->last ? "└─" : "├─", l->last ? "`-" : "|-");
}

static void draw_finally(struct drawing *d, const struct line *l)
{
	char buf[64] = "";
	struct holt__text t = HOLT__TEXT(buf);

	row_color(&d->row, ROW_YELLOW);
	row_sign(&d->row, "⚑", "!");
	row_color(&d->row, ROW_PLAIN);
	row_text(&d->row, " finally");
	row_to(&d->row, d->name + GAP);
	holt__text_int(&t, l->node->finally);
	holt__text_add(&t, is(l->node->state, "finally") ? " armed, running" : " armed");
	row_text(&d->row, t.buf);
}

static void draw_node(struct drawing *d, const struct line *l)
{
	const struct look *look = look_of(l->node->state);
	size_t column = d->name + GAP;
	char buf[256] = "";
	struct holt__text t = HOLT__TEXT(buf);

	row_color(&d->row, look->color);
	row_sign(&d->row, look->mark, look->ascii);
	row_color(&d->row, ROW_PLAIN);
	row_text(&d->row, " ");
	row_text(&d->row, name_of(d, l, &t));
	row_to(&d->row, column);
	row_text(&d->row, kind_of(l));
	row_to(&d->row, column += d->word + GAP);
	row_color(&d->row, look->color);
	row_text(&d->row, l->node->state);
	row_color(&d->row, ROW_PLAIN);
	row_to(&d->row, column + d->state + GAP);
	if (l->kind == LINE_POOL)
		pool_details(d, l);
	else if (is_group(l->node))
		group_details(d, l->node);
	else
		process_details(d, l->node);
}

int draw_tree(const struct draw_node *nodes, size_t n, const struct draw_options *o, draw_line line, void *arg)
{
	struct drawing *d = holt__calloc(1, sizeof *d);
	bool more[DEPTH_MAX + 2] = { false };

	if (d)
		d->lines = holt__calloc(2 * n + 1, sizeof *d->lines); /* each may owe a finally */
	if (!d || !d->lines) {
		holt__free(d);
		return -ENOMEM;
	}
	d->o = o;
	list_lines(d, nodes, n);
	find_last(d);
	find_widths(d);
	for (size_t i = 0; i < d->n; i++) {
		const struct line *l = &d->lines[i];

		row_begin(&d->row, o->ascii);
		draw_branches(d, l, more);
		if (l->kind == LINE_FINALLY)
			draw_finally(d, l);
		else
			draw_node(d, l);
		more[l->depth] = !l->last;
		line(arg, row_end(&d->row, o->columns, o->color));
	}
	holt__free(d->lines);
	holt__free(d);
	return 0;
}
