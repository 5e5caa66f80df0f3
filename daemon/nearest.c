/* SPDX-License-Identifier: MIT */
/*
 * See nearest.h: the restricted edit distance, by rows, in memory of fixed size; longer words are near to nothing.
 */
#include "daemon/nearest.h"

#include <string.h>

enum { LONGEST = 100 };

static unsigned char small(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Steps between a and b; not exact from limit on. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b, unsigned limit)
{
	unsigned rows[3][LONGEST + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (unsigned k = 0; k <= n_b; k++)
		above[k] = k;
	for (unsigned i = 1; i <= n_a; i++) {
		unsigned best = row[0] = i;

		for (unsigned k = 1; k <= n_b; k++) {
			bool same = small(a[i - 1]) == small(b[k - 1]);

			row[k] = least(above[k - 1] + !same, least(above[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && small(a[i - 1]) == small(b[k - 2]) && small(a[i - 2]) == small(b[k - 1]))
				row[k] = least(row[k], before[k - 2] + 1);
			best = least(best, row[k]);
		}
		if (best > limit)
			return best;
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[n_b];
}

void nearest_init(struct nearest *x, const char *word, size_t n)
{
	*x = (struct nearest){ .word = word, .n = n, .limit = n > LONGEST ? 0 : (unsigned)n / 3 + 1 };
}

void nearest_try(struct nearest *x, const char *name)
{
	size_t n = strlen(name);
	unsigned steps;

	if (n > LONGEST || x->limit == 0 || (n > x->n ? n - x->n : x->n - n) >= x->limit)
		return;
	steps = distance(x->word, x->n, name, n, x->limit);
	if (steps >= x->limit || steps >= least((unsigned)n, (unsigned)x->n))
		return;
	x->limit = steps;
	x->best = name;
}
