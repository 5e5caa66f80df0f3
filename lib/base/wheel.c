/* SPDX-License-Identifier: MIT */
/*
 * The timer wheel. The rule that keeps it right: relative to base, no timer lies in the slot
 * of base's own digit, except on level 0. It holds because base moves on only past slots that
 * were emptied, and because what remains of the slot that now falls into is placed again.
 */
#include "base/wheel.h"

static bool empty(const struct holt__timer *head)
{
	return head->next == head;
}

static void append(struct holt__timer *head, struct holt__timer *t)
{
	t->next = head;
	t->prev = head->prev;
	head->prev->next = t;
	head->prev = t;
}

void holt__wheel_init(struct holt__wheel *w, holt_time now)
{
	w->base = now;
	w->levels = 0;
	w->due.next = w->due.prev = &w->due;
	for (int l = 0; l < HOLT__WHEEL_LEVELS; l++) {
		w->used[l] = 0;
		for (int i = 0; i < HOLT__WHEEL_SLOTS; i++)
			w->slot[l][i].next = w->slot[l][i].prev = &w->slot[l][i];
	}
}

void holt__wheel_place(struct holt__wheel *w, struct holt__timer *t)
{
	holt_time at = t->at > w->base ? t->at : w->base; /* a time that has passed is due at base */
	holt_time differs = (at ^ w->base) | 1;
	unsigned level = (63 - (unsigned)__builtin_clzll(differs)) / HOLT__WHEEL_BITS;
	unsigned slot = (at >> (level * HOLT__WHEEL_BITS)) & (HOLT__WHEEL_SLOTS - 1);

	append(&w->slot[level][slot], t);
	w->used[level] |= 1ULL << slot;
	w->levels |= 1U << level;
}

/* The slot that comes first in time, or NULL; forgets the marks of slots that have become empty. */
static struct holt__timer *first_slot(struct holt__wheel *w, holt_time *ret_start, holt_time *ret_last)
{
	while (w->levels) {
		unsigned level = (unsigned)__builtin_ctz(w->levels), shift = level * HOLT__WHEEL_BITS;

		while (w->used[level]) {
			unsigned slot = (unsigned)__builtin_ctzll(w->used[level]);
			struct holt__timer *head = &w->slot[level][slot];

			if (!empty(head)) {
				holt_time span = (1ULL << shift) - 1;
				holt_time above = shift + HOLT__WHEEL_BITS >= 64
					? 0
					: w->base >> (shift + HOLT__WHEEL_BITS) << (shift + HOLT__WHEEL_BITS);

				*ret_start = above | (holt_time)slot << shift;
				*ret_last = *ret_start | span;
				return head;
			}
			w->used[level] &= ~(1ULL << slot);
		}
		w->levels &= ~(1U << level);
	}
	return NULL;
}

holt_time holt__wheel_next(struct holt__wheel *w)
{
	holt_time start, last, at = HOLT_NEVER;
	struct holt__timer *head;
	unsigned n = 0;

	if (!empty(&w->due))
		return w->base;
	head = first_slot(w, &start, &last);
	if (!head)
		return HOLT_NEVER;
	/* A long list is not searched: its slot's start is early enough, and what is early only costs a look. */
	for (struct holt__timer *t = head->next; t != head; t = t->next) {
		if (++n > 64)
			return start > w->base ? start : w->base;
		at = holt__time_min(at, t->at);
	}
	return at > w->base ? at : w->base;
}

/* Merges two sorted chains (by next, ended by NULL); of equal times those of a come first. */
static struct holt__timer *merge(struct holt__timer *a, struct holt__timer *b)
{
	struct holt__timer *first = NULL, **tail = &first;

	while (a && b) {
		struct holt__timer **from = b->at < a->at ? &b : &a;

		*tail = *from;
		tail = &(*from)->next;
		*from = (*from)->next;
	}
	*tail = a ? a : b;
	return first;
}

/* Stable merge sort of a chain; bin[i] holds a sorted chain of 2^i timers, older than those of smaller i. */
static struct holt__timer *sort(struct holt__timer *chain)
{
	struct holt__timer *bin[48] = { NULL }, *all = NULL;
	size_t i, top = 0;

	while (chain) {
		struct holt__timer *one = chain;

		chain = chain->next;
		one->next = NULL;
		for (i = 0; bin[i]; i++) {
			one = merge(bin[i], one);
			bin[i] = NULL;
		}
		bin[i] = one;
		if (i > top)
			top = i;
	}
	for (i = 0; i <= top; i++)
		all = merge(bin[i], all);
	return all;
}

/* Empties the slot: what is due by now goes to the due list in order, the rest is placed again, from base on. */
static void expire(struct holt__wheel *w, struct holt__timer *head, holt_time now)
{
	struct holt__timer *chain = head->next, *due = NULL, **tail = &due;

	head->prev->next = NULL;
	head->next = head->prev = head;
	while (chain) {
		struct holt__timer *t = chain;

		chain = t->next;
		if (t->at <= now) {
			*tail = t;
			tail = &t->next;
		} else {
			holt__wheel_place(w, t);
		}
	}
	*tail = NULL;
	if (due && due->next)
		due = sort(due);
	while (due) {
		struct holt__timer *t = due;

		due = t->next;
		append(&w->due, t);
	}
}

void holt__wheel_run(struct holt__wheel *w, holt_time now)
{
	struct holt__timer *head;
	holt_time start, last;

	while ((head = first_slot(w, &start, &last)) && start <= now) {
		w->base = last < now ? last : now > w->base ? now : w->base;
		expire(w, head, now);
		if (last >= now)
			break;
	}
	if (now > w->base)
		w->base = now;
	while (!empty(&w->due)) {
		struct holt__timer *t = w->due.next;

		holt__timer_stop(t);
		t->fire(t);
	}
}
