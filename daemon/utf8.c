/* SPDX-License-Identifier: MIT */
/*
 * See utf8.h. The widths are those of the blocks in which all characters are alike, not Unicode's whole table: a wrong guess
 * costs a column in a drawing.
 */
#include "daemon/utf8.h"

#include "base/base.h"

size_t utf8_next(const char *s, size_t n, uint32_t *ret_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s[0];
	size_t length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
	uint32_t c = length < 2 ? first : first & (0x7fu >> length);

	if (length == 0 || length > n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret_char = c;
	return length;
}

int utf8_width(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		int width;
	} blocks[] = {
		{ 0x0, 0x1f, -1 },
		{ 0x7f, 0x9f, -1 },
		{ 0x300, 0x36f, 0 },
		{ 0x1100, 0x115f, 2 },
		{ 0x200b, 0x200d, 0 },
		{ 0x200e, 0x200f, -1 },
		{ 0x2028, 0x202e, -1 },
		{ 0x2066, 0x2069, -1 },
		{ 0x2e80, 0xa4cf, 2 },
		{ 0xac00, 0xd7a3, 2 },
		{ 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 },
		{ 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1f64f, 2 },
		{ 0x1f900, 0x1f9ff, 2 },
		{ 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < HOLT__N(blocks) && c >= blocks[i].first; i++)
		if (c <= blocks[i].last)
			return blocks[i].width;
	return 1;
}

void utf8_clean(char *buf, size_t size, const char *s)
{
	size_t length = 0, n = 0, step;
	uint32_t c;

	while (s[length] && length < size)
		length++; /* no further than what can be used */
	for (size_t i = 0; i < length; i += step) {
		step = utf8_next(s + i, length - i, &c);
		if (step == 0 || utf8_width(c) < 0) {
			if (step == 0 && length == size && length - i < 4)
				break; /* perhaps only cut */
			step = step ? step : 1;
			if (n + 1 >= size)
				break;
			buf[n++] = '?';
			continue;
		}
		if (n + step >= size)
			break;
		for (size_t k = 0; k < step; k++)
			buf[n++] = s[i + k];
	}
	buf[n] = 0;
}
