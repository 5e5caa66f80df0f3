/* SPDX-License-Identifier: MIT */
/*
 * See values.h: what is written by a name, as signals, exit statuses, limits, and what is one, as paths, users and nodes.
 */
#include "daemon/values.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- signals and exit statuses */

/* "RTMIN", "RTMIN+3", "RTMAX-1" */
static int real_time_signal(const char *s, int *ret)
{
	bool from_min = strncmp(s, "RTMIN", 5) == 0;
	uint64_t n = 0;
	int r = 0;

	if (!from_min && strncmp(s, "RTMAX", 5) != 0)
		return -EINVAL;
	if (s[5] && s[5] != (from_min ? '+' : '-'))
		return -EINVAL;
	if (s[5])
		r = value_number(s + 6, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), &n);
	if (r < 0)
		return r;
	*ret = from_min ? SIGRTMIN + (int)n : SIGRTMAX - (int)n;
	return 0;
}

int value_signal(const char *s, int *ret)
{
	uint64_t n;
	int r;

	if (is_digit(*s)) {
		r = value_number(s, 1, (uint64_t)SIGRTMAX, &n);
		if (r == 0)
			*ret = (int)n;
		return r;
	}
	if (strncmp(s, "SIG", 3) == 0)
		s += 3;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcmp(name, s) == 0) {
			*ret = sig;
			return 0;
		}
	}
	return real_time_signal(s, ret);
}

/* The names that systemd.exec(5) lists: those of the C library, of LSB, and of sysexits.h. */
static const char *const exit_names[] = {
	[0] = "SUCCESS",
	[1] = "FAILURE",
	[2] = "INVALIDARGUMENT",
	[3] = "NOTIMPLEMENTED",
	[4] = "NOPERMISSION",
	[5] = "NOTINSTALLED",
	[6] = "NOTCONFIGURED",
	[7] = "NOTRUNNING",
	[64] = "USAGE",
	[65] = "DATAERR",
	[66] = "NOINPUT",
	[67] = "NOUSER",
	[68] = "NOHOST",
	[69] = "UNAVAILABLE",
	[70] = "SOFTWARE",
	[71] = "OSERR",
	[72] = "OSFILE",
	[73] = "CANTCREAT",
	[74] = "IOERR",
	[75] = "TEMPFAIL",
	[76] = "PROTOCOL",
	[77] = "NOPERM",
	[78] = "CONFIG",
};

int value_exit_status(const char *s, struct success_status *add)
{
	uint64_t code = 0;
	int sig, r;

	if (is_digit(*s)) {
		r = value_number(s, 0, 255, &code);
		if (r == 0)
			add->codes[code / 8] |= (uint8_t)(1 << code % 8);
		return r;
	}
	for (; code < HOLT__N(exit_names); code++)
		if (exit_names[code] && strcmp(s, exit_names[code]) == 0) {
			add->codes[code / 8] |= (uint8_t)(1 << code % 8);
			return 0;
		}
	r = value_signal(s, &sig);
	if (r == 0)
		add->signals |= 1ull << (sig - 1);
	return r;
}

/* ---- limits */

enum limit_kind { LIMIT_COUNT, LIMIT_BYTES, LIMIT_SECONDS, LIMIT_MICROSECONDS, LIMIT_NICE };

static const struct {
	const char *name;
	int resource;
	enum limit_kind kind;
} resources[] = {
	{ "CPU", RLIMIT_CPU, LIMIT_SECONDS },
	{ "FSIZE", RLIMIT_FSIZE, LIMIT_BYTES },
	{ "DATA", RLIMIT_DATA, LIMIT_BYTES },
	{ "STACK", RLIMIT_STACK, LIMIT_BYTES },
	{ "CORE", RLIMIT_CORE, LIMIT_BYTES },
	{ "RSS", RLIMIT_RSS, LIMIT_BYTES },
	{ "NOFILE", RLIMIT_NOFILE, LIMIT_COUNT },
	{ "AS", RLIMIT_AS, LIMIT_BYTES },
	{ "NPROC", RLIMIT_NPROC, LIMIT_COUNT },
	{ "MEMLOCK", RLIMIT_MEMLOCK, LIMIT_BYTES },
	{ "LOCKS", RLIMIT_LOCKS, LIMIT_COUNT },
	{ "SIGPENDING", RLIMIT_SIGPENDING, LIMIT_COUNT },
	{ "MSGQUEUE", RLIMIT_MSGQUEUE, LIMIT_BYTES },
	{ "NICE", RLIMIT_NICE, LIMIT_NICE },
	{ "RTPRIO", RLIMIT_RTPRIO, LIMIT_COUNT },
	{ "RTTIME", RLIMIT_RTTIME, LIMIT_MICROSECONDS },
};

int value_resource(const char *name)
{
	for (size_t i = 0; i < HOLT__N(resources); i++)
		if (strcmp(name, resources[i].name) == 0)
			return resources[i].resource;
	return -EINVAL;
}

/* With a sign it is a nice level, -20 to 19; without, the kernel's own number. */
static int nice_limit(const char *s, uint64_t *ret)
{
	int64_t v;
	int r;

	if (*s != '+' && *s != '-')
		return value_number(s, 0, 40, ret);
	r = value_integer(s, -20, 19, &v);
	if (r == 0)
		*ret = (uint64_t)(20 - v);
	return r;
}

static int one_limit(enum limit_kind kind, const char *s, rlim_t *ret)
{
	uint64_t v = 0, in = kind == LIMIT_SECONDS ? HOLT_SEC : HOLT_US;
	int r;

	if (strcmp(s, "infinity") == 0) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	switch (kind) {
	case LIMIT_BYTES:
		r = value_size(s, &v);
		break;
	case LIMIT_SECONDS:
	case LIMIT_MICROSECONDS:
		r = value_span_in(s, in, &v);
		v = v / in + (v % in > 0);
		break;
	case LIMIT_NICE:
		r = nice_limit(s, &v);
		break;
	default:
		r = value_number(s, 0, UINT64_MAX - 1, &v);
		break;
	}
	if (r == 0)
		*ret = v;
	return r;
}

int value_limit(int resource, const char *s, struct rlimit *ret)
{
	const char *colon = strchr(s, ':');
	enum limit_kind kind = LIMIT_COUNT;
	struct rlimit v;
	char soft[64];
	int r;

	for (size_t i = 0; i < HOLT__N(resources); i++)
		if (resources[i].resource == resource)
			kind = resources[i].kind;
	if (colon && value_part(s, colon, soft, sizeof soft) < 0)
		return -EINVAL;
	r = one_limit(kind, colon ? soft : s, &v.rlim_cur);
	if (r < 0)
		return r;
	v.rlim_max = v.rlim_cur;
	if (colon)
		r = one_limit(kind, colon + 1 + strspn(colon + 1, " \t"), &v.rlim_max);
	if (r < 0)
		return r;
	if (v.rlim_cur > v.rlim_max)
		return -EILSEQ;
	*ret = v;
	return 0;
}

/* ---- names and paths */

int value_path(char *s)
{
	char *to = s;

	if (*s != '/' || strlen(s) >= PATH_MAX)
		return -EINVAL;
	for (const char *from = s; *from;) {
		size_t n;

		from += strspn(from, "/");
		n = strcspn(from, "/");
		if (n == 2 && memcmp(from, "..", 2) == 0)
			return -EINVAL;
		if (n > 0 && !(n == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	if (to == s)
		*to++ = '/';
	*to = 0;
	return 0;
}

bool value_is_variable(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != '_' && !is_letter(s[i]) && (i == 0 || !is_digit(s[i])))
			return false;
	return n > 0;
}

bool value_is_user(const char *s)
{
	uint64_t n;

	if (*s == 0 || *s == '-' || strlen(s) > 255 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr(":/,", *p))
			return false;
	if (s[strspn(s, "0123456789")])
		return true;
	/* the last number of 16 and of 32 bits stands for "none" */
	return value_number(s, 0, UINT32_MAX - 1, &n) == 0 && n != UINT16_MAX;
}

bool value_is_node_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_letter(s[i]) && !is_digit(s[i]) && (s[i] == 0 || !strchr("_.:-", s[i])))
			return false;
	return n > 0 && n <= 255 && !(n == 1 && *s == '.') && !(n == 2 && s[0] == '.' && s[1] == '.');
}
