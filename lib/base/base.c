/* SPDX-License-Identifier: MIT */
/*
 * What <holt/base.h> declares: which library runs, and the free of holt_auto(free).
 */
#include "base/base.h"

#include <errno.h>

#include "base/alloc.h"

#define TEXT(x) #x
#define VERSION_TEXT(major, minor) TEXT(major) "." TEXT(minor)

const char *holt_version(void)
{
	return VERSION_TEXT(HOLT_VERSION_MAJOR, HOLT_VERSION_MINOR);
}

void holt_auto_free(void **p)
{
	int saved = errno;

	holt__alloc_libc.free(*p); /* it is the caller's own malloc that this gives back, whatever table we use */
	errno = saved;
}
