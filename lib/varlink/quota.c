/* SPDX-License-Identifier: MIT */
/*
 * See quota.h. Users are few, so their shares are a list.
 */
#include "varlink/quota.h"

#include <errno.h>

#include "base/alloc.h"

static size_t quarter(size_t n)
{
	return n < 4 ? 1 : n / 4;
}

static struct holt__varlink_share *find(struct holt__varlink_quota *q, uid_t uid)
{
	struct holt__varlink_share *s = q->shares;

	while (s && s->uid != uid)
		s = s->next;
	return s;
}

static struct holt__varlink_share *add(struct holt__varlink_quota *q, uid_t uid)
{
	struct holt__varlink_share *s = holt__calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->uid = uid;
	s->next = q->shares;
	return q->shares = s;
}

int holt__varlink_join(struct holt__varlink_account *a, struct holt__varlink_quota *q, uid_t uid)
{
	struct holt__varlink_share *s = find(q, uid);
	size_t reserved = q->connections_max / 8;

	if (q->others >= q->connections_max - reserved || (s && s->connections >= quarter(q->connections_max)))
		return -EUSERS;
	if (!s)
		s = add(q, uid);
	if (!s)
		return -ENOMEM;
	q->others++;
	s->connections++;
	*a = (struct holt__varlink_account){ q, s };
	return 0;
}

void holt__varlink_leave(struct holt__varlink_account *a)
{
	struct holt__varlink_share *s = a->share, **link;

	if (!s)
		return;
	a->share = NULL;
	a->quota->others--;
	if (--s->connections > 0)
		return;
	for (link = &a->quota->shares; *link != s; link = &(*link)->next)
		;
	*link = s->next;
	holt__free(s);
}

static bool fits(size_t used, size_t n, size_t max)
{
	return used <= max && n <= max - used;
}

static int charge(struct holt__varlink_account *a, size_t n, size_t asked)
{
	if (!a->quota)
		return 0;
	if (!fits(a->quota->memory, asked, a->quota->memory_max))
		return -ENOBUFS;
	if (a->share && !fits(a->share->memory, asked, quarter(a->quota->memory_max)))
		return -ENOBUFS;
	a->quota->memory += n;
	if (a->share)
		a->share->memory += n;
	return 0;
}

int holt__varlink_charge(struct holt__varlink_account *a, size_t n)
{
	return charge(a, n, n);
}

int holt__varlink_charge_ours(struct holt__varlink_account *a, size_t n)
{
	return charge(a, n, 1);
}

void holt__varlink_uncharge(struct holt__varlink_account *a, size_t n)
{
	if (!a->quota)
		return;
	a->quota->memory -= n;
	if (a->share)
		a->share->memory -= n;
}
