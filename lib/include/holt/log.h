/* SPDX-License-Identifier: MIT */
/*
 * holt/log.h - log lines, to the journal with fields, else to stderr
 *
 * It never suspends, never blocks and works in every thread, with a loop or without. errno is kept,
 * so that %m says it.
 *
 * WHERE TO. When stderr is the journal ($JOURNAL_STREAM), the journal's native protocol, large messages
 * by memfd. On a terminal colors; else a line with a prefix <N>, which systemd and syslog understand.
 * A journal that does not keep up does not hold us up: lines wait in a bounded ring that the loop
 * drains; what is lost is counted, and told in the next line.
 *
 * WHAT IS ADDED, in the journal: HOLT_TASK= (the path of the task that logs), HOLT_TASK_ID=, HOLT_WHY=
 * when it is being stopped or canceled, CODE_FILE=, CODE_LINE=, CODE_FUNC=, and a MESSAGE_ID= for what the
 * catalog explains. Elsewhere the path stands before the message.
 */
#ifndef HOLT_LOG_H
#define HOLT_LOG_H

#include <syslog.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct holt_field - a field of a log line beside its message
 * @key: capital letters, digits and _, not beginning with _ or a digit, as the journal wants it; a
 *	field with another key is left out
 * @value: any text
 */
struct holt_field {
	const char *key, *value;
};

/**
 * holt_log() - log one line
 * @priority: LOG_EMERG to LOG_DEBUG, of <syslog.h>
 *
 * Then a format as for printf, and what it needs, without a newline at its end:
 *
 *	holt_log(LOG_WARNING, "no answer from %s", peer);
 */
#define holt_log(priority, ...) holt_log_at(priority, __FILE__, __LINE__, __func__, NULL, 0, __VA_ARGS__)

/**
 * holt_log_fields() - log one line with fields
 * @priority: LOG_EMERG to LOG_DEBUG
 * @fields: an array of struct holt_field; copied
 * @n: how many
 *
 * Then a format as for printf, and what it needs.
 */
#define holt_log_fields(priority, fields, n, ...) holt_log_at(priority, __FILE__, __LINE__, __func__, fields, n, __VA_ARGS__)

/**
 * holt_log_at() - what holt_log() and holt_log_fields() call
 * @priority: LOG_EMERG to LOG_DEBUG
 * @file: CODE_FILE; NULL: none
 * @line: CODE_LINE
 * @func: CODE_FUNC; NULL: none
 * @fields: further fields; may be NULL when @n is 0
 * @n: how many
 * @fmt: the message, as for printf
 *
 * From any thread. Not in signal handlers. Does not suspend or block. Says nothing of errors: a line
 * that could not be written is counted, and told in the next.
 */
HOLT_EXPORT void holt_log_at(int priority, const char *file, int line, const char *func, const struct holt_field *fields,
	size_t n, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/**
 * holt_log_level() - leave out what is less important
 * @max_priority: the least important that is still logged, LOG_INFO unless said; LOG_DEBUG: all
 *
 * For the whole process. Does not suspend.
 */
HOLT_EXPORT void holt_log_level(int max_priority);

/**
 * holt_log_sink() - have log lines go to a function
 * @sink: gets each line that passes the level, in the thread that logs it, in place of journal and
 *	stderr; what it is given is borrowed; it must not suspend, block or log; NULL: back to normal
 * @arg: handed to @sink
 *
 * @sink's fields are those that were given with the line, and then those that are added (HOLT_TASK and
 * so on). For the whole process: set it before there are other threads. Does not suspend.
 */
HOLT_EXPORT void holt_log_sink(
	void (*sink)(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n), void *arg);

#ifdef __cplusplus
}
#endif
#endif
