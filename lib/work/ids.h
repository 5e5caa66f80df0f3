/* SPDX-License-Identifier: MIT */
/*
 * Users and groups by name or number, as a child is to have them.
 */
#pragma once
#include <sys/types.h>

struct holt__ids {
	uid_t uid; /* -1: ours */
	gid_t gid; /* -1: ours */
	gid_t *groups;
	int n_groups; /* -1: ours */
};

/*
 * Each name may be NULL. -ESRCH: there is none such; -EINVAL, -ENOMEM, or what the database says. Then *failed says of
 * which option, and there is nothing to free.
 */
int holt__ids_find(
	struct holt__ids *ret, const char *user, const char *group, const char *const *supplementary, const char **failed);
void holt__ids_done(struct holt__ids *ids);
