/* SPDX-License-Identifier: MIT */
/*
 * The orphans. Three questions to the kernel, each at most once a round, at its end, when it is quiet:
 *
 *	reap     who is dead? waitid(WNOWAIT) names one at a time, whose exit is still there afterwards. An orphan is waited for;
 *	         a known child is left to its owner, and hides all behind it until that has happened. So the question is put
 *	         again when it was, and in the next round; if the same is named then, its owner keeps it, and we sweep
 *	scan     who is there? The list of our children. Who is new is taken into the table, with its owner
 *	sweep    of each orphan: are you dead? With every scan that has to, without the help of the first question
 *
 * The list grows only at its end while it is read, for nobody but us waits for our children; that is why none is
 * waited for until it is read. What is claimed of a reading ("nothing of X is left") needs one more thing: no process
 * that nobody knew may have been dead when it was seen, for its children may have become ours behind our back.
 */
#include "daemon/orphans.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <holt/log.h>
#include <holt/run.h>

#include "base/alloc.h"

enum { REAP_MAX = 256, LOOKS_MAX = 20 };

#define KNOWN UINT32_MAX
#define RETRY (20 * HOLT_MS)
#define BUSY (2 * HOLT_MS)
#define PATIENCE HOLT_SEC /* so long nothing is concluded because it is not known whose somebody is */

struct orphan {
	pid_t pid;
	uint32_t cookie; /* no other orphan has had it */
	holt_time since;
	unsigned seen;        /* in that reading */
	uint64_t sent;        /* signals, a bit each */
	struct invocation id; /* none: not known */
	uint8_t looks;        /* at who it is; LOOKS_MAX: for good */
	bool asked;           /* a thread looks */
	bool checked;         /* it was alive once, after we had come to know of it */
	bool refused;         /* it cannot be signaled, and that was told */
};

static bool has_id(const struct invocation *id)
{
	return id->v[0] || id->v[1];
}

static bool patient(const struct orphan *p)
{
	return holt_now() < p->since + PATIENCE;
}

/* ---- who waits */

static struct orphan_wait **bucket(struct orphans *o, const struct invocation *id)
{
	return has_id(id) ? &o->wait[id->v[1] % ORPHAN_BUCKETS] : &o->all;
}

static void link_wait(struct orphan_wait **at, struct orphan_wait *w)
{
	w->next = *at;
	w->at = at;
	if (w->next)
		w->next->at = &w->next;
	*at = w;
}

static void unlink_wait(struct orphan_wait *w)
{
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->next = NULL;
	w->at = NULL;
}

typedef void for_wait(struct orphans *o, struct orphan *p, struct orphan_wait *w);

/* Those who wait for that orphan: for its id, and for all. */
static void each_wait(struct orphans *o, struct orphan *p, for_wait *fn)
{
	struct orphan_wait **own = bucket(o, &p->id);

	for (struct orphan_wait *w = *own; w; w = w->next)
		if (invocation_same(&w->id, &p->id))
			fn(o, p, w);
	if (own == &o->all)
		return;
	for (struct orphan_wait *w = o->all; w; w = w->next)
		fn(o, p, w);
}

/* Another reading, if there is somebody to whom it says something. */
static void ask(struct orphans *o)
{
	if (o->n_waiting == 0)
		return;
	if (!o->scan)
		o->asked = holt_now();
	o->scan = true;
	watch_later(o->watcher, &o->later);
}

/* ---- the table */

static void one_less(struct orphans *o, struct orphan *p, struct orphan_wait *w)
{
	(void)p;
	if (w->n == 0 || --w->n > 0)
		return;
	ask(o); /* its children, if it had some, are ours now */
}

static void drop(struct orphans *o, uint32_t i)
{
	struct orphan *p = &o->table[i];

	each_wait(o, p, one_less);
	if (!has_id(&p->id) && patient(p))
		ask(o); /* whose it was will not be known any more, and somebody waits for the answer */
	pids_remove(&o->pids, p->pid);
	*p = o->table[--o->n];
	if (i < o->n)
		*pids_find(&o->pids, p->pid) = i;
}

static int add(struct orphans *o, pid_t pid)
{
	int r;

	if (o->n == o->room) {
		size_t room = o->room ? o->room * 2 : 16;
		struct orphan *table = holt__realloc(o->table, room * sizeof *table);

		if (!table)
			return -ENOMEM;
		o->table = table;
		o->room = room;
	}
	r = pids_put(&o->pids, pid, (uint32_t)o->n);
	if (r < 0)
		return r;
	o->table[o->n++] = (struct orphan){ .pid = pid, .cookie = o->cookies++, .since = holt_now(), .seen = o->readings };
	return 0;
}

static void send_signal(struct orphan *p, int sig)
{
	uint64_t bit = 1ULL << (sig - 1);

	if (p->sent & bit)
		return;
	p->sent |= bit;
	if (kill(p->pid, sig) == 0) {
		if (sig != SIGKILL)
			kill(p->pid, SIGCONT); /* who is stopped would not hear it */
	} else if (errno == EPERM && !p->refused) {
		p->refused = true;
		holt_log(LOG_WARNING, "process %d, which has lost its parent, cannot be signaled: it has other privileges",
			p->pid);
	}
}

/* ---- who is dead */

/* Takes its exit, if it is dead. 1: it was, or is no child of ours at all (somebody else has waited for it). */
static int wait_for(struct orphans *o, pid_t pid)
{
	siginfo_t si = { 0 };
	int r;

	do
		r = waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | __WALL);
	while (r < 0 && errno == EINTR);
	if (r == 0 && si.si_pid == 0)
		return 0;
	o->reaped++;
	return 1;
}

static pid_t peek(void)
{
	siginfo_t si = { 0 };
	int r;

	do
		r = waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? 0 : si.si_pid;
}

/* A known child is dead, and others may stand behind it. In this round it was not waited for, perhaps in the next. */
static void stand_behind(struct orphans *o, pid_t pid)
{
	if (o->behind == pid && !o->watcher->more) {
		o->scan = o->sweep = true;
		return;
	}
	o->behind = pid;
	o->reap = true;
	watch_later(o->watcher, &o->later);
}

static void reap(struct orphans *o)
{
	o->reap = false;
	for (int i = 0; i < REAP_MAX; i++) {
		pid_t pid = peek();
		uint32_t *at = pids_find(&o->pids, pid);

		if (pid != 0 && !(at && *at == KNOWN) && o->hear) {
			o->hear(o);
			at = pids_find(&o->pids, pid);
		}
		if (pid == 0) {
			o->behind = 0;
			return;
		}
		if (at && *at == KNOWN) {
			stand_behind(o, pid);
			return;
		}
		wait_for(o, pid);
		if (at)
			drop(o, *at);
	}
	o->reap = true;
	watch_later(o->watcher, &o->later);
}

/* ---- who is there */

static int seen(void *arg, pid_t pid)
{
	struct orphans *o = arg;
	uint32_t *at = pids_find(&o->pids, pid);

	if (!at)
		return add(o, pid);
	if (*at != KNOWN)
		o->table[*at].seen = o->readings;
	return 0;
}

/* No other process can get a number that is still a group's or a session's. */
static bool in_group(struct orphans *o, struct orphan *p)
{
	pid_t group = getpgid(p->pid), session = getsid(p->pid);

	for (size_t i = 0; i < ORPHAN_BUCKETS; i++) {
		for (const struct orphan_wait *w = o->wait[i]; w; w = w->next) {
			if (w->group == 0 || (w->group != group && w->group != session))
				continue;
			p->id = w->id;
			return true;
		}
	}
	return false;
}

/* False: not known yet, and it may be known soon. */
static bool know_owner(struct orphans *o, struct orphan *p)
{
	int r = -EACCES;

	if (has_id(&p->id))
		return true;
	if (p->looks < LOOKS_MAX)
		r = invocation_of(o->children.proc, p->pid, &p->id);
	if (r == 0 || in_group(o, p))
		return true;
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return false;
	if (r == -EBUSY && p->looks > 0 && !p->asked) /* at a second glance */
		p->asked = lookup_start(&o->lookup, p->pid, p->cookie) == 0;
	/* Who has none may still get one, by what it executes: so it is looked at again with the next reading, some times. */
	if (p->looks < LOOKS_MAX)
		p->looks = r == -EACCES ? LOOKS_MAX : p->looks + 1;
	return r == -EACCES || r == -ENOENT || !patient(p);
}

static void owner_told(struct lookup *l, pid_t pid, uint32_t cookie, int r, const struct invocation *id)
{
	struct orphans *o = holt__container(l, struct orphans, lookup);
	uint32_t *at = pids_find(&o->pids, pid);

	if (!at || *at == KNOWN || o->table[*at].cookie != cookie)
		return; /* it has ended meanwhile, and what was read may be of another */
	o->table[*at].asked = false;
	if (r < 0)
		return;
	o->table[*at].id = *id;
	ask(o);
}

/*
 * The orphans one by one, from the last, as the last one fills the place of who is dropped. False: nothing can be concluded.
 * Who is dead may have been alive when its part of the list was read, and its children have become ours since.
 */
static bool look_at_each(struct orphans *o, bool whole)
{
	bool sweep = o->sweep, sure = true;

	o->sweep = false;
	for (uint32_t i = (uint32_t)o->n; i-- > 0;) {
		struct orphan *p = &o->table[i];

		if ((whole && p->seen != o->readings) || ((sweep || !p->checked) && wait_for(o, p->pid))) {
			drop(o, i);
			ask(o);
			sure = false;
			continue;
		}
		p->checked = true;
		if (!know_owner(o, p)) {
			watch_timer(o->watcher, &o->retry, holt_in(RETRY));
			sure = false;
		}
	}
	return sure;
}

/* ---- a reading, and what follows from it */

static void counted(struct orphans *o, struct orphan *p, struct orphan_wait *w)
{
	(void)o;
	w->n++;
	if (w->signal)
		send_signal(p, w->signal);
}

static void each_list(struct orphans *o, void (*fn)(struct orphans *o, struct orphan_wait **list))
{
	fn(o, &o->all);
	for (size_t i = 0; i < ORPHAN_BUCKETS; i++)
		fn(o, &o->wait[i]);
}

static void count_anew(struct orphans *o, struct orphan_wait **list)
{
	(void)o;
	for (struct orphan_wait *w = *list; w; w = w->next)
		w->n = 0;
}

static void take_gone(struct orphans *o, struct orphan_wait **list)
{
	struct orphan_wait *next;

	for (struct orphan_wait *w = *list; w; w = next) {
		next = w->next;
		if (w->n > 0)
			continue;
		unlink_wait(w);
		link_wait(&o->gone, w);
	}
}

static void scan(struct orphans *o)
{
	bool sure;
	int r;

	o->scan = false;
	o->readings++;
	r = children_each(&o->children, seen, o);
	if (r < 0)
		watch_timer(o->watcher, &o->retry, holt_in(RETRY));
	sure = look_at_each(o, r == 0) && r == 0;
	each_list(o, count_anew);
	for (size_t i = 0; i < o->n; i++)
		each_wait(o, &o->table[i], counted);
	if (sure)
		each_list(o, take_gone);
	while (o->gone) {
		struct orphan_wait *w = o->gone;

		orphans_unwait(o, w);
		w->gone(w);
	}
}

/*
 * While there are events, there will be more who ask: one reading for all of them, when there is nothing else to do,
 * or after a while.
 */
static void round_ends(struct watch_later *l)
{
	struct orphans *o = holt__container(l, struct orphans, later);

	if (o->reap)
		reap(o);
	if (o->scan && o->watcher->n_events > 0 && holt_now() < o->asked + BUSY) {
		watch_later(o->watcher, l);
		return;
	}
	if (o->scan && o->hear)
		o->hear(o);
	if (o->scan)
		scan(o);
	if (!o->reap && !o->scan)
		watch_not_later(o->watcher, l);
}

static void retry_due(struct holt__timer *t)
{
	ask(holt__container(t, struct orphans, retry));
}

static void reap_due(struct holt__timer *t)
{
	struct orphans *o = holt__container(t, struct orphans, lazy);

	o->reap = true;
	watch_later(o->watcher, &o->later);
}

/*
 * The kernel looks through all our children to answer who is dead. So that 1000 known ones that die one after another
 * do not cost 1000 such answers, it is asked a little later, unless somebody waits for an orphan.
 */
static void child_died(struct watch *watch, uint32_t events)
{
	struct orphans *o = holt__container(watch, struct orphans, watch);
	struct signalfd_siginfo si;

	(void)events;
	while (read(watch->fd, &si, sizeof si) > 0) /* what it says is of one of them only */
		;
	if (o->n_waiting > 0)
		reap_due(&o->lazy);
	else if (!holt__timer_started(&o->lazy))
		watch_timer(o->watcher, &o->lazy, holt_in(RETRY));
}

/* ---- from outside */

int orphans_reserve(struct orphans *o)
{
	return pids_reserve(&o->pids, 1);
}

int orphans_know(struct orphans *o, pid_t pid)
{
	uint32_t *at = pids_find(&o->pids, pid);

	if (at && *at != KNOWN)
		drop(o, *at);
	return pids_put(&o->pids, pid, KNOWN);
}

void orphans_forget(struct orphans *o, pid_t pid)
{
	uint32_t *at = pids_find(&o->pids, pid);

	if (!at || *at != KNOWN)
		return;
	pids_remove(&o->pids, pid);
	if (o->behind != pid)
		return;
	o->behind = 0;
	o->reap = true;
	watch_later(o->watcher, &o->later);
}

void orphans_wait(struct orphans *o, struct orphan_wait *w)
{
	if (!w->waiting) {
		w->waiting = true;
		o->n_waiting++;
		w->n = 0;
		link_wait(bucket(o, &w->id), w);
	}
	if (holt__timer_started(&o->lazy)) { /* who is dead already is not to be looked at first */
		holt__timer_stop(&o->lazy);
		o->reap = true;
	}
	ask(o);
}

void orphans_unwait(struct orphans *o, struct orphan_wait *w)
{
	if (!w->waiting)
		return;
	w->waiting = false;
	o->n_waiting--;
	unlink_wait(w);
}

void orphans_signal(struct orphans *o, struct orphan_wait *w, int sig)
{
	w->signal = sig;
	if (sig == 0)
		return;
	for (size_t i = 0; i < o->n; i++) {
		struct orphan *p = &o->table[i];

		if (bucket(o, &w->id) == &o->all || invocation_same(&w->id, &p->id)) {
			p->sent &= ~(1ULL << (sig - 1));
			send_signal(p, sig);
		}
	}
	if (w->waiting)
		ask(o);
}

bool orphans_any(const struct orphans *o, const struct invocation *id)
{
	if (!id || !has_id(id))
		return o->n > 0;
	for (size_t i = 0; i < o->n; i++)
		if (invocation_same(&o->table[i].id, id))
			return true;
	return false;
}

/* ---- open and close */

static int take_signal(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;
	int fd;

	/* Ignored, which we may have been born with, the kernel would throw the exits away, those of known children, too. */
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return fd;
}

int orphans_open(struct orphans *o, struct watcher *w)
{
	int fd, r;

	memset(o, 0, sizeof *o);
	o->watcher = w;
	o->later.fire = round_ends;
	o->retry.fire = retry_due;
	o->lazy.fire = reap_due;
	o->watch.fire = child_died;
	o->children = (struct children){ -1, -1 };
	fd = take_signal();
	if (fd < 0)
		return fd;
	r = watch_add(w, &o->watch, fd, EPOLLIN);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		holt_log(LOG_WARNING, "cannot become a subreaper: %m");
	children_open(&o->children);
	o->lookup.watcher = w;
	o->lookup.proc = o->children.proc;
	o->lookup.answer = owner_told;
	if (o->children.proc < 0)
		holt_log(LOG_WARNING, "no /proc of this pid namespace: processes that leave their group are not found");
	o->reap = true; /* what died before */
	watch_later(w, &o->later);
	return 0;
}

void orphans_close(struct orphans *o)
{
	if (!o->watcher)
		return;
	holt__timer_stop(&o->retry);
	holt__timer_stop(&o->lazy);
	watch_not_later(o->watcher, &o->later);
	watch_close(o->watcher, &o->watch);
	lookup_close(&o->lookup);
	children_close(&o->children);
	holt__free(o->table);
	pids_free(&o->pids);
	o->watcher = NULL;
}
