/* SPDX-License-Identifier: MIT */
/*
 * Who may have how much of a service: connections, and memory for messages in work. Root, the user that the service runs
 * as, and clients of whom nobody knows who they are have all of it; every other user a share: a quarter of each. Of the
 * connections an eighth is not for those others at all, so that an administrator gets in whatever they do.
 *
 * A share lives as long as its user has a connection; what is charged to it must be given back before.
 */
#pragma once
#include <sys/types.h>

#include "base/base.h"

struct holt__varlink_share {
	struct holt__varlink_share *next;
	uid_t uid;
	size_t connections, memory;
};

struct holt__varlink_quota {
	size_t connections_max, memory_max;
	size_t others; /* connections that belong to a share */
	size_t memory; /* in work, of all */
	struct holt__varlink_share *shares;
};

/* Charges for one connection's messages. quota NULL: nobody counts. share NULL: of the whole. */
struct holt__varlink_account {
	struct holt__varlink_quota *quota;
	struct holt__varlink_share *share;
};

/* Begins a connection of that user. -EUSERS: it, or all of them together, have too many; -ENOMEM. */
int holt__varlink_join(struct holt__varlink_account *a, struct holt__varlink_quota *q, uid_t uid);
void holt__varlink_leave(struct holt__varlink_account *a);

/* -ENOBUFS: that would be too much. */
int holt__varlink_charge(struct holt__varlink_account *a, size_t n);
/* The same where n is not the client's doing: -ENOBUFS only if it was too much before. */
int holt__varlink_charge_ours(struct holt__varlink_account *a, size_t n);
void holt__varlink_uncharge(struct holt__varlink_account *a, size_t n);
