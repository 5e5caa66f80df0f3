/* SPDX-License-Identifier: MIT */
/* provisional */
#include <stdarg.h>
#include <stdio.h>
#include "sys/log.h"
#include "sys/sys.h"
_Atomic(void (*)(struct holt__log_context *c)) holt__log_context;
void holt_log_at(int priority, const char *file, int line, const char *func, const struct holt_field *fields, size_t n, const char *fmt, ...)
{
	char b[2048];
	va_list ap;
	(void)file;(void)line;(void)func;(void)fields;(void)n;
	int k = snprintf(b, sizeof b, "<%d> ", priority);
	va_start(ap, fmt);
	k += vsnprintf(b + k, sizeof b - (size_t)k - 2, fmt, ap);
	va_end(ap);
	b[k] = '\n';
	holt__sys_say(b, (size_t)k + 1);
}
