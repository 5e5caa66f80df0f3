/* SPDX-License-Identifier: MIT */
/*
 * Any bytes: a calendar expression up to the first NUL, behind it a time zone, as a file or, if it is none, as a text. What
 * comes next is behind what was asked for, is itself a moment, and is the same again.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib -Ilib/include tests/fuzz/calendar.c \
 *		lib/base/{calendar,calendar_next,civil,zone}.c -o fuzz && ./fuzz -max_len=2048 tests/fuzz/calendar_corpus
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void look(const struct holt__calendar *c, const struct holt__zone *zone, int64_t after)
{
	int64_t first, again;

	for (int i = 0; i < 5; i++, after = first) {
		int r = holt__calendar_next(c, holt__zone_offset, zone, after, &first);

		must(r == 0 || r == -ENOENT);
		if (r < 0)
			return;
		must(first > after);
		must(holt__calendar_next(c, holt__zone_offset, zone, first - 1, &again) == 0 && again == first);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t n = nul ? (size_t)(nul - data) : size;
	struct holt__zone zone, *use = NULL;
	struct holt__calendar c;
	int r = holt__calendar_parse((const char *)data, n, &c);

	must(r == 0 || r == -EINVAL || r == -E2BIG);
	if (nul &&
		(holt__zone_file(&zone, nul + 1, size - n - 1) == 0 ||
			holt__zone_text(&zone, (const char *)nul + 1, size - n - 1) == 0))
		use = &zone;
	if (r < 0)
		return 0;
	look(&c, use, 1743206400000000); /* the day before summer time begins in Europe */
	look(&c, use, 1761350400000000); /* and the one before it ends */
	look(&c, use, -1);
	return 0;
}
