/* SPDX-License-Identifier: MIT */
/*
 * The records of the task floor, and the narrow waist of the library: all waiting is holt__park
 * (or holt__wait, which queues first), all waking is holt__wake, and a wake only queues.
 *
 * The tree: a task's own scope hangs in the members of its group; scopes and groups that a task
 * opens hang one inside the other, each the `inner` of the one around it; a group is a scope. So each
 * scope has one parent, and what happens to a scope spreads to its inner one and, if it is a
 * group, to its members.
 *
 * A level only rises. `own` is what was asked of this scope, `seen` is what the code inside it
 * sees: the larger of own and the parent's seen, as far as a shield lets it through. A blocking call looks
 * at the seen of the innermost scope, and at nothing else.
 */
#pragma once
#include <holt/group.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/task.h>

#include "base/alloc.h"
#include "base/text.h"
#include "loop/loop.h"
#include "task/context.h"

#define HOLT__HIDDEN_TLS __thread __attribute__((tls_model("initial-exec"), visibility("hidden")))

enum holt__level { HOLT__RUN, HOLT__STOP, HOLT__CANCEL, HOLT__BREAK, HOLT__END }; /* END: finally handlers' shields break, too */
enum holt__kind { HOLT__SCOPE, HOLT__GROUP, HOLT__TASK };
enum holt__cause { HOLT__NONE, HOLT__STOPPED, HOLT__CANCELED, HOLT__DEADLINE, HOLT__FAILURE, HOLT__WINNER, HOLT__CLOSED };
enum {
	HOLT__FINALLY = 0x80, /* a flag beside HOLT_SHIELD: only END breaks it */
	HOLT__IN_TURN = 0x40, /* a stop from outside is passed on by who made the scope, when its turn comes */
};

struct holt__local {
	struct holt__local *next;
	const struct holt_local *key;
	void *value;
};

struct holt__scope {
	/* one cache line: what a walk over the tree and an ordinary end look at */
	struct holt__scope *parent;
	struct holt__scope *inner;       /* what the same task opened inside this one, if it has not ended */
	struct holt__scope *next, *prev; /* a task's own: its neighbours in the group; NULL ends */
	holt_task *task;                 /* whose code is inside; NULL for a root group */
	uint8_t kind, flags, own, seen, cause;
	bool why_owned;
	uint16_t repeats; /* how often more it was asked */
	struct holt__local *locals;
	struct holt__timer timer; /* the deadline; once canceled: when to name who ignores it */

	holt_time near;  /* the nearest deadline that the code inside sees */
	const char *why; /* the first reason recorded; ours if why_owned */
	uint32_t nagged; /* how often those who ignore it were named */
};
_Static_assert(sizeof(struct holt__scope) <= sizeof(struct holt_scope), "a scope must fit into what the caller gives it");

/* Lives on the stack of the waiting task, or in its record. */
struct holt__waiter {
	struct holt__waiter *next, *prev;
	struct holt_waiters *list; /* NULL: in none */
	holt_task *task;
	void (*left)(struct holt__waiter *w); /* a cancellation has just taken it out; may only queue */
	void *data;                           /* the list's own */
};

enum holt__state { HOLT__ACTIVE, HOLT__PARKED, HOLT__ENDED }; /* ACTIVE: runs or is in the ready list */

/*
 * A hundred thousand tasks do not fit into any cache, so the fields are laid out by cache lines: each of the common
 * deeds (switch, wait and wake, a look by the tree's walk, the end) touches as few of them as it can.
 */
struct holt_task {
	/* the switch */
	struct holt__ready ready; /* first: the ready list leads back to the task */
	struct holt__context context;
	struct holt_loop *loop;
	struct holt__scope *scope; /* the innermost */
	uint8_t state;
	bool uncancelable; /* this wait is ended by its event only */
	bool background;
	bool repeats;    /* a namesake has lived in the same group */
	bool overdue;    /* its heartbeat was, and the log has said so */
	uint16_t budget; /* blocking calls that need not wait, until it must yield */
	uint16_t spins;  /* -ECANCELED seen since it last waited */
	uint16_t spun;   /* how often that was too many */
	uint32_t n_waiters;
	struct holt__waiter *waiter; /* where it waits; an array of n_waiters */

	struct holt__scope own __attribute__((aligned(64)));

	/* waiting */
	struct holt__waiter wait __attribute__((aligned(64))); /* for waits in one list by holt__wait_here */
	const char *waits_for;                                 /* what for, a literal */
	const void *waits_on;                                  /* its object or number */

	/* the end */
	holt_group *group;
	uint32_t refs;
	uint32_t locks; /* owned */
	int result;
	struct holt_waiters watchers; /* who waits for its end */
	struct holt_waiters starters; /* who waits until it is ready */
	holt_time heartbeat;          /* by when the next is due; 0: none is */

	/* these three stay as they are while the stack is in the pool */
	struct holt__stacks *stacks;
	void *stack_low;  /* the guard page lies there */
	holt_task *spare; /* the next in the pool */
	holt_fn fn;
	void *arg;
	const char *name;
	uint64_t id;
	holt_time since; /* of its state */
};

#define HOLT__CLEANUP_DEFAULT (10 * HOLT_SEC) /* of a root that does not say */

enum holt__phase { HOLT__OPEN, HOLT__CLOSING, HOLT__FINISHING }; /* FINISHING: finally handlers run */

struct holt__finally {
	struct holt__finally *next; /* the one registered before */
	holt_finally_fn fn;
	void *arg;
};

/* What a supervisor is told of its group. They may queue, spawn and start timers; level_rose may only start timers. */
struct holt__group_hooks {
	void (*ready)(holt_task *member);
	void (*level_rose)(holt_group *g);
};

struct holt_group {
	struct holt__scope scope;
	struct holt__scope *first, *last; /* members' own scopes, in the order of spawning */
	size_t count, background, limit;
	uint8_t kind, phase;
	bool keep, canceled_inside, canceled_outside; /* a -ECANCELED came, and where its cause was then */
	bool has_failure, has_winner, own_budget;     /* own_budget: its cleanup is shorter than what comes from outside */
	int failure, winner;           /* ALL: the first failure, else the last; the first success of an ANY group */
	holt_time grace;               /* as given */
	holt_time cleanup;             /* as given or inherited: never more than that of any group around */
	holt_time canceled_at, end_at; /* set when canceled: since when, and when the cleanup ends */
	struct holt__timer escalate;
	struct holt_waiters room; /* spawners at the limit */
	struct holt_waiters idle; /* those who wait until it holds no task, the closer among them */
	struct holt_waiters next_waiters;
	holt_task *ended_first, **ended_last; /* keep: by `spare` */
	struct holt__finally *finally;
	void (*failed)(void *arg, const struct holt_failure *f);
	void *failed_arg;
	char *failure_why; /* of failure, with the task's path, where the scope's reason is another; or NULL */
	const struct holt__group_hooks *hooks; /* NULL: it is no supervisor's */
	uint64_t id;
	struct holt__sched *sched;
	const char *name; /* behind the record; NULL: none */
};

/* Stacks of one size; the records of tasks lie at their tops. */
struct holt__stacks {
	size_t size, page;         /* guard page included; the page's size */
	holt_task *warm;           /* last in, first out */
	size_t n_warm, n_warm_min; /* the least that lay unused since the last trim */
	void **cold;               /* low ends of stacks whose pages were given back */
	size_t n_cold, total;      /* cold has room for total */
	char *fresh, *fresh_end;   /* never used yet */
	struct holt__slab *slabs;
	struct holt__stacks *next;
};

/* What those hear who look on; the order is that of HOLT_HOOK_... */
enum holt__event { HOLT__SPAWNED, HOLT__RESUMED, HOLT__SUSPENDED, HOLT__WAS_CANCELED, HOLT__HAS_ENDED, HOLT__RUNS_FINALLY };
typedef void holt__event_fn(void *arg, int event, holt_task *t);

struct holt__sched {
	struct holt_loop loop;        /* first: a loop leads back to its scheduler */
	struct holt__context context; /* the thread's own stack */
	struct holt_group root;
	holt_task *main;
	size_t n_tasks, n_heartbeats;
	uint64_t last_id;
	struct holt__stacks stacks; /* of the default size; others behind it */
	struct holt__timer trim;
	struct holt__timer heartbeats; /* when the next of them is due; lib/service's */
	bool running;
	int main_result;
	bool main_ended;
	void (*overdue)(struct holt__sched *s, const char *text); /* told who held up the end, before the process leaves */
	void (*level_changed)(struct holt__sched *s);             /* the root's level rose, or the main task ended */
	atomic_uint interrupts;                                   /* SIGINTs seen by holt_run's handler */
	struct {
		holt__event_fn *fn; /* NULL: nobody */
		void *arg;
	} hooks, sim;                                        /* holt_hooks_set's, and the simulator; see holt__look_on */
	struct holt__ready *(*pick)(struct holt_loop *loop); /* the simulator's; NULL: first come, first served */
	bool abandoned;                                      /* by the simulator: the run ends, with its tasks as they are */
	void *alt_stack; /* of the thread, for the handlers of fatal signals; NULL: not ours */
	char *name;
};

extern HOLT__HIDDEN_TLS holt_task *holt__self;          /* the task that runs in this thread */
extern HOLT__HIDDEN_TLS struct holt__sched *holt__here; /* this thread's */

static inline struct holt__sched *holt__sched(struct holt_loop *loop)
{
	return (struct holt__sched *)loop;
}

static inline holt_group *holt__scope_group(struct holt__scope *s)
{
	return s->kind == HOLT__GROUP ? holt__container(s, holt_group, scope) : NULL;
}

static inline holt_time holt__fresh_now(void)
{
	return holt__sys->now();
}

/* ---- waiting (sched.c) */

/* What a blocking call does first: the caller's task, or -EPERM outside of tasks, or -ECANCELED. May yield. */
int holt__enter_slowly(holt_task *t);

static inline int holt__enter(holt_task **ret_task)
{
	holt_task *t = holt__self;

	*ret_task = t;
	if (holt__likely(t && t->scope->seen < HOLT__CANCEL && t->budget > 0)) {
		t->budget--;
		return 0;
	}
	return holt__enter_slowly(t);
}

/* The same for a call that waits in any case, or starts something first: it does not yield, so all stays as it was seen. */
static inline int holt__enter_to_wait(holt_task **ret_task)
{
	holt_task *t = holt__self;

	*ret_task = t;
	return holt__likely(t && t->scope->seen < HOLT__CANCEL) ? 0 : holt__enter_slowly(t);
}

/* Goes on with whoever is next; returns t->context.result when t has been switched back to. Call it last. */
static inline __attribute__((always_inline)) int holt__switch_away(holt_task *t)
{
	struct holt_loop *loop = t->loop;
	struct holt_task *next;

	if (holt__unlikely(!loop->ready || loop->fuel <= 1)) {
		holt__self = NULL;
		return holt__context_switch(&t->context, &holt__sched(loop)->context);
	}
	loop->fuel--;
	next = (holt_task *)holt__ready_pop(loop);
	holt__self = next;
	if (holt__unlikely(next == t))
		return t->context.result;
	return holt__context_switch(&t->context, &next->context);
}

/* A task that will soon be looked at, by who goes through many. */
static inline void holt__prefetch(const holt_task *t)
{
	__builtin_prefetch(t);
	__builtin_prefetch(&t->own);
	__builtin_prefetch(&t->wait);
	__builtin_prefetch(&t->group);
	__builtin_prefetch((const char *)t - 64); /* the frames below it */
	__builtin_prefetch((const char *)t - 128);
	__builtin_prefetch((const char *)t - 192);
}

/* As holt__switch_away, never to come back. */
static inline __attribute__((always_inline)) _Noreturn void holt__leave(holt_task *t)
{
	struct holt_loop *loop = t->loop;
	struct holt__context *to = &holt__sched(loop)->context;
	struct holt_task *next = NULL;

	if (holt__likely(loop->ready && loop->fuel > 1)) {
		loop->fuel--;
		next = (holt_task *)holt__ready_pop(loop);
		to = &next->context;
		if (loop->ready)
			holt__prefetch((holt_task *)loop->ready);
	}
	holt__self = next;
	holt__context_leave(&t->context, to);
}

/* Suspends the calling task until holt__wake; returns its result, or -ECANCELED. what: "read", on: an object or number. */
int holt__park(holt_task *t, const char *what, const void *on);

/* Ends the wait of a parked task by -ECANCELED, if that may be. */
void holt__interrupt(holt_task *t);

/*
 * A wait that a point in time ends with 0, and a cancellation with -ECANCELED; and any wake-up through the lists in which
 * the caller has put t->waiter.
 */
int holt__pause_until(holt_task *t, holt_time point, const char *what, const void *on);

void holt__run_ready(struct holt_loop *loop);

/*
 * Looking on costs nothing while nobody does: a loop where somebody does has a `pick`, and that sends each switch
 * through holt__run_ready. After a change of hooks, sim or pick.
 */
void holt__look_on(struct holt__sched *s);
void holt__tell_event(struct holt__sched *s, int event, holt_task *t);

static inline void holt__event(holt_task *t, int event)
{
	if (holt__unlikely(t->loop->pick != NULL))
		holt__tell_event(holt__sched(t->loop), event, t);
}
void holt__check_fork(const char *what);                                /* aborts in a forked child */
void holt__check_thread(const struct holt__sched *s, const char *what); /* aborts in a thread that does not run s */

static inline void holt__waiters_add(struct holt_waiters *list, struct holt__waiter *w)
{
	struct holt__waiter *last = list->tail;

	w->list = list;
	w->next = NULL;
	w->prev = last;
	if (last)
		last->next = w;
	else
		list->head = w;
	list->tail = w;
}

static inline void holt__waiter_remove(struct holt__waiter *w)
{
	struct holt_waiters *list = w->list;

	if (!list)
		return;
	w->list = NULL;
	if (w->prev)
		w->prev->next = w->next;
	else
		list->head = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		list->tail = w->prev;
}

/* Makes a parked task ready, and takes it out of all lists. The result is committed. */
static inline void holt__wake(holt_task *t, int result)
{
	if (t->state != HOLT__PARKED)
		return;
	if (holt__likely(t->n_waiters > 0))
		holt__waiter_remove(t->waiter);
	for (uint32_t i = 1; holt__unlikely(i < t->n_waiters); i++)
		holt__waiter_remove(&t->waiter[i]);
	t->n_waiters = 0;
	t->context.result = result;
	t->state = HOLT__ACTIVE;
	holt__ready_push(t->loop, &t->ready);
}

/* The same by one of its waiters, which is told to who waits in several lists. */
static inline void holt__wake_by(struct holt__waiter *w, int result)
{
	holt_task *t = w->task;

	holt__wake(t, result);
	t->waiter = w;
}

/* For a task that has just come back from a wait; NULL: no waiter of its own has ended it. */
static inline struct holt__waiter *holt__woken_by(const holt_task *t)
{
	return t->waiter;
}

static inline bool holt__wake_first(struct holt_waiters *list, int result) /* false: nobody waits */
{
	if (!list->head)
		return false;
	holt__wake_by(list->head, result);
	return true;
}

static inline void holt__wake_all(struct holt_waiters *list, int result)
{
	while (holt__wake_first(list, result))
		;
}

/* Queues w at the end of the list, then parks. */
static inline int holt__wait(holt_task *t, struct holt_waiters *list, struct holt__waiter *w, const char *what, const void *on)
{
	w->task = t;
	holt__waiters_add(list, w);
	t->waiter = w;
	t->n_waiters = 1;
	return holt__park(t, what, on);
}

/*
 * The same with the waiter in the task's own record, so that a blocking call can end with it and be come back from
 * without a return on the way (see holt__context_switch).
 */
static inline int holt__wait_here(holt_task *t, struct holt_waiters *list, void (*left)(struct holt__waiter *w), void *data,
	const char *what, const void *on)
{
	t->wait.left = left;
	t->wait.data = data;
	return holt__wait(t, list, &t->wait, what, on);
}

bool holt__task_waits_for_itself(const holt_task *t); /* would the caller, if it waited for t's end? (task.c) */

/* ---- scopes (scope.c) */

void holt__scope_look(struct holt__scope *s); /* makes seen anew */
void holt__scope_close_slowly(struct holt__scope *s);

static inline void holt__scope_open(struct holt__scope *s, struct holt__scope *parent, holt_task *task, enum holt__kind kind,
	unsigned flags, holt_time deadline)
{
	s->parent = parent;
	s->inner = NULL;
	s->task = task;
	s->timer.next = NULL;
	s->why = NULL;
	s->locals = NULL;
	s->kind = (uint8_t)kind;
	s->flags = (uint8_t)flags;
	s->own = s->cause = 0;
	s->why_owned = false;
	s->repeats = 0;
	s->nagged = 0;
	s->near = parent && !(flags & HOLT_SHIELD) ? holt__time_min(parent->near, deadline) : deadline;
	s->seen = HOLT__RUN;
	if (holt__unlikely(parent && parent->seen != HOLT__RUN))
		holt__scope_look(s);
}

/* Gives back timer, reason and locals; unlinks nothing. */
static inline void holt__scope_close(struct holt__scope *s)
{
	holt__timer_stop(&s->timer);
	if (holt__unlikely(s->locals || s->why))
		holt__scope_close_slowly(s);
}

void holt__scope_ask(struct holt__scope *s, enum holt__level level, enum holt__cause cause, const char *why);
enum holt__level holt__scope_outside(const struct holt__scope *s); /* what comes through from its parent */
void holt__scope_push(
	holt_task *t, struct holt__scope *s, holt_time deadline); /* makes it the innermost, and starts its deadline */
void holt__scope_pop(holt_task *t, struct holt__scope *s);
struct holt__scope *holt__tree_next(struct holt__scope *root, struct holt__scope *s, bool descend); /* iteration, parents first */
struct holt__local *holt__local_find(struct holt__scope *s, const struct holt_local *key);
void holt__name_who_ignores(struct holt__scope *s, int priority, const char *since, char *first, size_t first_size);

/* ---- groups (group.c) */

void holt__group_init(
	holt_group *g, struct holt__sched *s, holt_group *outer, const struct holt_group_options *o, const char *name);
void holt__group_member_result(holt_group *g, holt_task *t);
void holt__group_member_handed_on(holt_group *g, holt_task *t);
void holt__group_became_idle(holt_group *g);
int holt__group_reserve_slowly(holt_group *g);
void holt__group_unreserve(holt_group *g);
void holt__group_level_rose(holt_group *g, enum holt__level before, holt_time now);
bool holt__group_zero_grace(const holt_group *g);
bool holt__task_inside(const holt_task *t, const holt_group *g); /* a member of g, or deeper */
int holt__group_end(holt_group *g, int result);                  /* all members are gone: the result of the group */
void holt__group_note_canceled(holt_group *g);                   /* a -ECANCELED came just now */
holt_group *holt__group_parent(const holt_group *g);

/* ---- stacks (stack.c) */

enum { HOLT__STACK_DEFAULT = 64 * 1024, HOLT__STACK_MIN = 16 * 1024 };

int holt__stacks_init(struct holt__stacks *s, size_t size);
void holt__stacks_done(struct holt__stacks *s); /* and all behind it */
holt_task *holt__stack_get_slowly(struct holt__stacks *s);
int holt__stacks_of_size(struct holt__stacks *first, size_t size, struct holt__stacks **ret);
void holt__stacks_trim(struct holt__stacks *s);

static inline holt_task *holt__stack_get(struct holt__stacks *s)
{
	holt_task *t = s->warm;

	if (holt__unlikely(!t))
		return holt__stack_get_slowly(s);
	s->warm = t->spare;
	if (--s->n_warm < s->n_warm_min)
		s->n_warm_min = s->n_warm;
	return t;
}

static inline void holt__stack_put(holt_task *t)
{
	struct holt__stacks *s = t->stacks;

	t->spare = s->warm;
	s->warm = t;
	s->n_warm++;
}

/* A place below the limit; suspends for it. */
static inline int holt__group_reserve(holt_group *g)
{
	if (holt__likely(g->limit == 0 || (g->count < g->limit && !g->room.head))) {
		g->count++;
		return 0;
	}
	return holt__group_reserve_slowly(g);
}

static inline void holt__task_drop(holt_task *t)
{
	if (--t->refs == 0)
		holt__stack_put(t);
}

/* Takes the run's reference. Inline for the way that most go: success, in a group that keeps nothing. */
static inline void holt__group_member_ended(holt_group *g, holt_task *t)
{
	struct holt__scope *s = &t->own;

	if (holt__unlikely(t->result < 0 || g->kind == HOLT_ANY))
		holt__group_member_result(g, t);
	if (s->prev)
		s->prev->next = s->next;
	else
		g->first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		g->last = s->prev;
	if (holt__unlikely(g->keep || t->background || g->room.head)) {
		holt__group_member_handed_on(g, t);
	} else {
		g->count--;
		holt__task_drop(t);
	}
	if (g->count > 0)
		return;
	holt__wake_all(&g->idle, 0);
	if (holt__unlikely(g->next_waiters.head || g->phase == HOLT__CLOSING))
		holt__group_became_idle(g);
}

/* ---- names (path.c): safe in signal handlers */

void holt__task_path(const holt_task *t, struct holt__text *text);
void holt__group_path(const holt_group *g, struct holt__text *text);
void holt__symbol(uintptr_t address, struct holt__text *text);               /* a function's name, or file+offset */
void holt__task_waits(const holt_task *t, struct holt__text *text);          /* "runs", "waits for read fd 7" */
void holt__task_waits_for(const holt_task *t, struct holt__text *text);      /* of a parked one: "sleep", "read fd 7" */
void holt__text_tasks(struct holt__text *text, size_t n, size_t background); /* "3 tasks, 1 in the background" */

/* ---- the tree, a line for each group and task (tree.c): safe in signal handlers, too */

int holt__tree(struct holt__sched *s, size_t at_most, int (*line)(void *arg, const struct holt__text *text), void *arg);
const char *holt__task_state(const holt_task *t);         /* "running", "ready", "waiting" */
const char *holt__scope_why(const struct holt__scope *s); /* as the code inside it sees it; NULL: none */

/* ---- the run (run.c) */

/* What a service adds to a run: called on the open loop before the main task is spawned, and when all has ended. */
struct holt__run_hooks {
	int (*begin)(struct holt__sched *s, void *arg);
	void (*end)(struct holt__sched *s, void *arg);
	void *arg;
	bool own_signals; /* SIGINT is not holt_run's */
};
int holt__run(const struct holt_run_options *o, holt_fn fn, void *arg, const struct holt__run_hooks *hooks);
void holt__die_of(int sig); /* by its default action; as pid 1, which has none, by the status that a shell would say */
void holt__overflow_init(struct holt__sched *s); /* overflow.c */
void holt__overflow_done(struct holt__sched *s);
