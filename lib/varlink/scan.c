/* SPDX-License-Identifier: MIT */
/*
 * See scan.h. What jansson takes for each kind of value (2.14, 64 bits, with the heap's own overhead):
 *
 *	object    80, and 144 for its first table
 *	member    at most 80 and its key, and 48 of the table, twice while that grows
 *	array     48, and 80 for its first table
 *	element   24 of the table while that grows
 *	string    48, and another block of its length; the longest so far lies in the parser's buffer as well, twice while that grows
 *	number    32
 *
 * Objects and arrays are counted by what opens them, members by colons, elements by commas, strings by their first quote,
 * and a number with what stands before it.
 */
#include "varlink/scan.h"

#include <string.h>

enum { PARSER = 256, OBJECT = 256, ARRAY = 160, MEMBER = 160, ELEMENT = 64, STRING = 80 };

static const unsigned char *end_of_string(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p != '"')
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	return p < end ? p + 1 : end;
}

bool holt__varlink_scan(const char *text, size_t n, size_t depth, size_t *ret_cost)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + n;
	size_t nested = 0, cost = 0;

	while (p < end) {
		switch (*p++) {
		case '"':
			cost += STRING;
			p = end_of_string(p, end);
			break;
		case '{':
		case '[':
			cost += p[-1] == '{' ? OBJECT : ARRAY;
			if (nested++ == depth)
				return false;
			break;
		case '}':
		case ']':
			nested -= nested > 0;
			break;
		case ':':
			cost += MEMBER;
			break;
		case ',':
			cost += ELEMENT;
			break;
		default:
			break;
		}
	}
	*ret_cost = PARSER + cost + 4 * n;
	return true;
}
