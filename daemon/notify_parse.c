/* SPDX-License-Identifier: MIT */
/*
 * What a message of sd_notify says: lines of KEY=VALUE. Pure, and made for rubbish: a value is taken as a whole or not at all.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "daemon/notify.h"

enum { NAME_MAX_LEN = 255, ERROR_MAX = 4095 };

/* Digits only, no sign, no space. */
static bool number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9 || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

/* Microseconds; what is more than time has is for ever. */
static bool span(const char *s, holt_time *ret)
{
	uint64_t us;

	if (!number(s, UINT64_MAX, &us))
		return false;
	*ret = us > HOLT_NEVER / HOLT_US ? HOLT_NEVER : us * HOLT_US;
	return true;
}

/* The length of one character of well-formed UTF-8; 0: it is none. */
static size_t utf8(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80) /* the NUL at the end is none, either */
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
		(s[0] == 0xf4 && s[1] >= 0x90)) /* longer than need be, surrogates, beyond the last */
		return 0;
	return n;
}

/* Control characters, of both sets, become question marks. */
static bool clean_text(char *text)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		size_t n = utf8(s);

		if (n == 0)
			return false;
		if (*s < 0x20 || *s == 0x7f)
			*s = '?';
		if (*s == 0xc2 && s[1] < 0xa0)
			s[0] = s[1] = '?';
		s += n;
	}
	return true;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == ':')
			return false;
	return true;
}

static bool is_one(const char *value, bool *ret)
{
	if (strcmp(value, "1") != 0)
		return false;
	*ret = true;
	return true;
}

enum key {
	READY,
	STOPPING,
	RELOADING,
	STATUS,
	ERRNO,
	MAINPID,
	WATCHDOG,
	WATCHDOG_USEC,
	EXTEND_TIMEOUT_USEC,
	BARRIER,
	FDSTORE,
	FDSTOREREMOVE,
	FDNAME,
	FDPOLL,
	N_KEYS
};

static const char *const keys[N_KEYS] = {
	[READY] = "READY",
	[STOPPING] = "STOPPING",
	[RELOADING] = "RELOADING",
	[STATUS] = "STATUS",
	[ERRNO] = "ERRNO",
	[MAINPID] = "MAINPID",
	[WATCHDOG] = "WATCHDOG",
	[WATCHDOG_USEC] = "WATCHDOG_USEC",
	[EXTEND_TIMEOUT_USEC] = "EXTEND_TIMEOUT_USEC",
	[BARRIER] = "BARRIER",
	[FDSTORE] = "FDSTORE",
	[FDSTOREREMOVE] = "FDSTOREREMOVE",
	[FDNAME] = "FDNAME",
	[FDPOLL] = "FDPOLL",
};

/* False: the value makes no sense. */
static bool take(struct notify_message *m, enum key key, char *value)
{
	uint64_t n;

	switch (key) {
	case READY:
		return is_one(value, &m->ready);
	case STOPPING:
		return is_one(value, &m->stopping);
	case RELOADING:
		return is_one(value, &m->reloading);
	case STATUS:
		if (!clean_text(value))
			return false;
		m->status = value;
		return true;
	case ERRNO:
		if (!number(value, ERROR_MAX, &n))
			return false;
		m->error = (int)n;
		return true;
	case MAINPID:
		if (!number(value, INT32_MAX, &n) || n == 0)
			return false;
		m->main_pid = (pid_t)n;
		return true;
	case WATCHDOG:
		if (strcmp(value, "trigger") == 0)
			return m->watchdog_trigger = true;
		return is_one(value, &m->watchdog);
	case WATCHDOG_USEC:
		return m->has_watchdog_span = span(value, &m->watchdog_span);
	case EXTEND_TIMEOUT_USEC:
		return m->has_extend = span(value, &m->extend);
	case BARRIER:
		return is_one(value, &m->barrier);
	case FDSTORE:
		return is_one(value, &m->fdstore);
	case FDSTOREREMOVE:
		return is_one(value, &m->fdstore_remove);
	case FDNAME:
		if (!is_name(value))
			return false;
		m->fdname = value;
		return true;
	case FDPOLL:
		if (strcmp(value, "0") != 0)
			return strcmp(value, "1") == 0;
		return m->fdpoll_off = true;
	case N_KEYS:
		break;
	}
	return false;
}

static void take_line(struct notify_message *m, char *line, unsigned *done)
{
	char *value = strchr(line, '=');

	if (!value)
		return;
	*value++ = 0;
	for (unsigned key = 0; key < N_KEYS; key++) {
		if (strcmp(keys[key], line) != 0)
			continue;
		if (!(*done & 1U << key) && take(m, (enum key)key, value))
			*done |= 1U << key;
		return;
	}
}

int notify_parse(struct notify_message *ret, char *text, size_t n)
{
	unsigned done = 0;
	char *next;

	memset(ret, 0, sizeof *ret);
	if (n > 0 && text[n - 1] == 0)
		n--;
	if (memchr(text, 0, n))
		return -EBADMSG;
	text[n] = 0;
	for (char *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		take_line(ret, line, &done);
	}
	return 0;
}
