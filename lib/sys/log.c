/* SPDX-License-Identifier: MIT */
/*
 * The log. Each line is put together in one piece, under a lock that is never held while anything could wait, and
 * goes out by one call: to the sink, to the journal, or to stderr.
 *
 * It may be called on a small stack, so what is large is static, under the lock, or on the heap; without memory a
 * line is shortened, not lost. A line that can neither go out nor wait is counted; as long as the count is not told
 * nothing overtakes it.
 *
 * It never blocks. Of stderr's flags nothing is changed, as others share them: a pipe is written without waiting
 * (RWF_NOWAIT), a socket is sent to (MSG_DONTWAIT); on a terminal, and with a kernel that does not know better, we ask
 * first and write little at a time.
 */
#include "sys/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/logline.h"
#include "base/text.h"
#include "sys/journal.h"
#include "sys/sys.h"

enum {
	MESSAGE_SIZE = 1024, /* on the stack */
	FIELDS = 24,         /* on the stack, ours included */
	OURS = 7,            /* HOLT_TASK, HOLT_TASK_ID, HOLT_WHY, CODE_FILE, CODE_LINE, CODE_FUNC, TID */
	LINE_SIZE = 8192,    /* static */
	TRIES = 3,
};

typedef void (*sink_fn)(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n);

_Atomic(const char *) holt__log_identifier;
_Atomic(void (*)(struct holt__log_context *c)) holt__log_context;
atomic_bool holt__log_waiting;

static atomic_int level = LOG_INFO;
static _Atomic(sink_fn) sink;
static _Atomic(void *) sink_arg;
static atomic_bool silent;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* All of it under the mutex. */
static struct {
	enum { UNKNOWN, JOURNAL, FILE_LIKE, SOCKET, OTHER } stderr_is;
	enum holt__log_form form; /* of text */
	bool torn;                /* the last line on stderr is not whole */
	uint64_t lost;            /* lines that nobody was told of yet */
	struct holt__log_waker *wakers;
	char line[LINE_SIZE];
} state;

/* A thread canceled inside would leave the mutex locked for ever. */
static int lock(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_mutex_lock(&mutex);
	return old;
}

static void unlock(int old)
{
	pthread_mutex_unlock(&mutex);
	pthread_setcancelstate(old, NULL);
}

/* ---- stderr */

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static void decide(void)
{
	struct stat st;

	state.form = HOLT__LOG_PREFIXED;
	if (holt__journal_is(STDERR_FILENO)) {
		state.stderr_is = JOURNAL;
		return;
	}
	state.stderr_is = OTHER;
	if (holt__sys->fstat(STDERR_FILENO, &st) < 0)
		return;
	if (S_ISREG(st.st_mode))
		state.stderr_is = FILE_LIKE;
	else if (S_ISSOCK(st.st_mode))
		state.stderr_is = SOCKET;
	else if (holt__sys->isatty(STDERR_FILENO))
		state.form = wants_color() ? HOLT__LOG_COLORED : HOLT__LOG_PLAIN;
}

static ssize_t write_some(const char *p, size_t n)
{
	ssize_t k;
	int r;

	if (state.stderr_is == FILE_LIKE)
		return holt__sys->write(STDERR_FILENO, p, n);
	if (state.stderr_is != OTHER) /* the journal's stream is a socket, too */
		return holt__sys->send(STDERR_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	r = holt__sys->poll(STDERR_FILENO, POLLOUT, 0);
	if (r < 0)
		return r;
	if (r & (POLLERR | POLLHUP | POLLNVAL)) /* nobody reads: not worth a SIGPIPE */
		return -EPIPE;
	if (!(r & POLLOUT))
		return -EAGAIN;
	k = holt__sys->write_nowait(STDERR_FILENO, p, n);
	if (k != -EOPNOTSUPP && k != -ENOSYS && k != -EINVAL)
		return k;
	return holt__sys->write(STDERR_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF); /* what a writable pipe takes at least */
}

static bool write_whole(const char *p, size_t n)
{
	int interrupted = 0;

	while (n > 0) {
		ssize_t k = write_some(p, n);

		if (k == -EINTR && ++interrupted < TRIES)
			continue;
		if (k <= 0)
			return false;
		state.torn = (size_t)k < n;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

/* ---- a line */

/* The bytes of the line: state.line, or *ret_heap, which is the caller's to free. */
static const char *render(struct holt__logline *l, enum holt__log_form form, size_t *ret_n, char **ret_heap)
{
	char *buf = state.line;

	*ret_heap = NULL;
	*ret_n = holt__logline_write(l, form, buf, LINE_SIZE);
	if (*ret_n <= LINE_SIZE)
		return buf;
	buf = *ret_heap = holt__malloc(*ret_n);
	if (buf) {
		holt__logline_write(l, form, buf, *ret_n);
		return buf;
	}
	holt__logline_fit(l, form, LINE_SIZE);
	*ret_n = holt__logline_write(l, form, state.line, LINE_SIZE);
	return state.line;
}

static bool to_stderr(struct holt__logline *l)
{
	const char *bytes;
	char *heap;
	size_t n;
	bool ok;

	if (state.torn && !write_whole("\n", 1))
		return false;
	bytes = render(l, state.form, &n, &heap);
	ok = write_whole(bytes, n);
	holt__free(heap);
	return ok;
}

static int to_journal(struct holt__logline *l)
{
	const char *bytes;
	char *heap;
	size_t n;
	int r;

	bytes = render(l, HOLT__LOG_ENTRY, &n, &heap);
	r = holt__journal_send(bytes, n);
	holt__free(heap);
	return r;
}

static void note_waiting(void)
{
	bool waits = holt__journal_waits();

	if (waits == atomic_load_explicit(&holt__log_waiting, memory_order_relaxed))
		return;
	atomic_store(&holt__log_waiting, waits);
	if (waits && state.wakers)
		state.wakers->wake(state.wakers);
}

static bool deliver(struct holt__logline *l)
{
	if (state.stderr_is == JOURNAL) {
		int r = to_journal(l);

		if (r == 0 || r == -ENOSPC)
			return r == 0;
	}
	return to_stderr(l);
}

static const char *identifier(void)
{
	const char *given = atomic_load_explicit(&holt__log_identifier, memory_order_relaxed);

	return given ? given : program_invocation_short_name;
}

static void tell_lost(void)
{
	char text[96];
	struct holt__text t = HOLT__TEXT(text);
	struct holt__logline l = { .priority = LOG_WARNING, .identifier = identifier(), .message = text };

	if (state.lost == 0)
		return;
	holt__text_uint(&t, state.lost);
	holt__text_add(&t, state.lost == 1 ? " log line was lost" : " log lines were lost");
	l.n_message = t.len;
	if (deliver(&l))
		state.lost = 0;
}

static void put(struct holt__logline *l)
{
	int old = lock();

	if (state.stderr_is == UNKNOWN)
		decide();
	tell_lost();
	if (state.lost > 0 || !deliver(l))
		state.lost++;
	note_waiting();
	unlock(old);
}

/* ---- what is said */

struct message {
	char *text; /* here, or on the heap */
	size_t n;
	char here[MESSAGE_SIZE];
};

static __attribute__((format(printf, 3, 0))) void format(struct message *m, int error, const char *fmt, va_list ap)
{
	va_list again;
	int k;

	va_copy(again, ap);
	m->text = m->here;
	errno = error; /* for %m */
	k = vsnprintf(m->here, sizeof m->here, fmt, ap);
	if (k < 0) { /* %ls with what is no text, or longer than INT_MAX */
		k = snprintf(m->here, sizeof m->here, "%s", fmt);
	} else if ((size_t)k >= sizeof m->here) {
		char *heap = holt__malloc((size_t)k + 1);

		errno = error;
		if (heap && vsnprintf(heap, (size_t)k + 1, fmt, again) == k)
			m->text = heap;
		else
			holt__free(heap);
	}
	va_end(again);
	m->n = (size_t)k;
	if (m->text == m->here && m->n >= sizeof m->here) {
		m->n = holt__log_cut(m->here, sizeof m->here - 4);
		memcpy(m->here + m->n, "...", 4);
		m->n += 3;
	}
	while (m->n > 0 && m->text[m->n - 1] == '\n')
		m->text[--m->n] = 0;
}

/* What holt adds, and the room for its numbers. */
struct ours {
	struct holt__log_context context;
	char id[24], line[16], tid[16];
};

static void number(char *buf, size_t size, int64_t v)
{
	struct holt__text t = { .buf = buf, .size = size };

	holt__text_int(&t, v);
}

static void who(struct ours *o)
{
	void (*provider)(struct holt__log_context * c) = atomic_load(&holt__log_context);

	o->context.task[0] = 0;
	o->context.id = 0;
	o->context.why = NULL;
	if (provider)
		provider(&o->context);
}

/* Not when the caller said it himself. */
static void add(struct holt__logline *l, const char *key, const char *value)
{
	for (size_t i = 0; i < l->n_own; i++)
		if (!strcmp(l->fields[i].key, key))
			return;
	l->fields[l->n++] = (struct holt_field){ key, value };
}

static void add_own(struct holt__logline *l, const struct holt_field *fields, size_t n, size_t room)
{
	for (size_t i = 0; i < n && l->n < room; i++) {
		const char *key = fields[i].key;

		if (!holt__log_key(key) || !fields[i].value || !strcmp(key, "MESSAGE") || !strcmp(key, "PRIORITY"))
			continue;
		l->fields[l->n++] = fields[i];
	}
	l->n_own = l->n;
}

static void add_ours(struct holt__logline *l, struct ours *o, const char *file, int line, const char *func)
{
	pid_t tid = gettid();

	if (o->context.task[0]) {
		l->task = o->context.task;
		number(o->id, sizeof o->id, (int64_t)o->context.id);
		add(l, "HOLT_TASK", o->context.task);
		add(l, "HOLT_TASK_ID", o->id);
	}
	if (o->context.why)
		add(l, "HOLT_WHY", o->context.why);
	if (file) {
		number(o->line, sizeof o->line, line);
		add(l, "CODE_FILE", file);
		add(l, "CODE_LINE", o->line);
	}
	if (func)
		add(l, "CODE_FUNC", func);
	if (tid != getpid()) { /* in the main thread _PID says it */
		number(o->tid, sizeof o->tid, tid);
		add(l, "TID", o->tid);
	}
}

void holt_log_at(int priority, const char *file, int line, const char *func, const struct holt_field *fields, size_t n,
	const char *fmt, ...)
{
	struct holt_field here[FIELDS], *heap = NULL;
	struct holt__logline l = { .identifier = identifier(), .fields = here };
	size_t room = FIELDS - OURS;
	struct message m;
	struct ours ours;
	int saved = errno;
	sink_fn to;
	va_list ap;

	l.priority = LOG_PRI(priority);
	if (l.priority > atomic_load_explicit(&level, memory_order_relaxed))
		return;
	who(&ours);
	va_start(ap, fmt);
	format(&m, saved, fmt, ap);
	va_end(ap);
	l.message = m.text;
	l.n_message = m.n;

	if (n > room)
		heap = holt__calloc(n + OURS, sizeof *heap); /* without memory: the first of them */
	if (heap) {
		l.fields = heap;
		room = n;
	}
	add_own(&l, fields, n, room);
	add_ours(&l, &ours, file, line, func);
	to = atomic_load_explicit(&sink, memory_order_acquire);
	if (to)
		to(atomic_load_explicit(&sink_arg, memory_order_relaxed), l.priority, l.message, l.fields, l.n);
	else if (!atomic_load_explicit(&silent, memory_order_relaxed))
		put(&l);
	holt__free(heap);
	if (m.text != m.here)
		holt__free(m.text);
	errno = saved;
}

void holt_log_level(int max_priority)
{
	atomic_store_explicit(&level, max_priority, memory_order_relaxed);
}

void holt_log_sink(sink_fn to, void *arg)
{
	atomic_store_explicit(&sink_arg, arg, memory_order_relaxed);
	atomic_store_explicit(&sink, to, memory_order_release);
}

bool holt__log_silent(bool on)
{
	return atomic_exchange(&silent, on);
}

/* ---- lines that wait */

void holt__log_add_waker(struct holt__log_waker *w)
{
	int old = lock();
	struct holt__log_waker **last = &state.wakers;

	while (*last)
		last = &(*last)->next;
	w->next = NULL;
	*last = w;
	unlock(old);
}

void holt__log_remove_waker(struct holt__log_waker *w)
{
	int old = lock();

	for (struct holt__log_waker **p = &state.wakers; *p; p = &(*p)->next) {
		if (*p != w)
			continue;
		*p = w->next;
		break;
	}
	if (state.wakers && holt__journal_waits())
		state.wakers->wake(state.wakers); /* it is the next one's now */
	unlock(old);
}

/* As holt__journal_drain(). */
static int drain(void)
{
	int old = lock(), r = holt__journal_drain();

	if (r == 0 && state.stderr_is == JOURNAL)
		tell_lost(); /* who knows when the next line comes */
	note_waiting();
	unlock(old);
	return r;
}

void holt__log_drain(void)
{
	int saved = errno;

	if (!atomic_load_explicit(&holt__log_waiting, memory_order_relaxed))
		return;
	drain();
	errno = saved;
}

int holt__log_pending_fd(void)
{
	int old = lock(), fd = holt__journal_waits() ? holt__journal_fd() : -1;

	unlock(old);
	return fd;
}

void holt__log_flush(holt_time span)
{
	holt_time end = holt__time_add(holt__sys->now(), span);

	while (holt__log_pending() && drain() == -EAGAIN) {
		holt_time now = holt__sys->now();
		int r;

		if (now >= end)
			return;
		r = holt__sys->poll(holt__log_pending_fd(), POLLOUT, (int)(holt__time_min(end - now, HOLT_MIN) / HOLT_MS) + 1);
		if (r < 0 && r != -EINTR)
			return;
	}
}

void holt__log_reset(void)
{
	int old = lock();

	holt__journal_reset();
	state.stderr_is = UNKNOWN;
	state.torn = false;
	state.lost = 0;
	note_waiting();
	unlock(old);
}
