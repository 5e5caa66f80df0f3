/* SPDX-License-Identifier: MIT */
/*
 * holt/time.h - tickers, and alarms by the calendar
 *
 * A TICKER ticks on the monotonic clock and never drifts. An ALARM goes off by the wall clock (CLOCK_REALTIME), whoever sets
 * that meanwhile.
 *
 * CALENDAR EXPRESSIONS are those of systemd's timers, systemd.time(7):
 *
 *	[WEEKDAYS] [DATE] [TIME] [ZONE]     at least one of the first three, one space or more between them
 *
 *	Mon..Fri 08:30                      weekdays: names or their first three letters, in any case;
 *	Mon,Thu..Sat *-*-* 12:00            lists and ranges of them, which do not run over Sunday
 *	2026-12-24 18:00                    a date: [YEAR-]MONTH-DAY; left out: every day
 *	*-01,07-01                          a time: HOUR:MINUTE[:SECOND]; left out: midnight
 *	*-*~01                              MONTH~DAY counts from the month's end: its last day
 *	Mon *-05~07/1                       the last Monday in May: the last seven days, if a Monday
 *	*:0/15                              each quarter of an hour
 *	*:*:0/2.5                           seconds may have fractions, rounded to microseconds
 *	daily UTC, 03:00 Europe/Berlin      in a zone; without one in the process's own
 *	@1767225600                         seconds since 1970, whatever the zone
 *
 * Each component is * or a list, with commas, of VALUE, VALUE/STEP (from it on as far as the component goes, at least once),
 * FIRST..LAST and FIRST..LAST/STEP. Years are 1970 to 2199; 70 to 99 and 0 to 69 mean 1970 to 2069. Days from the month's end are 1
 * to 28. Of a range that is no whole number of steps the last value is the last step.
 *
 * Shorthands, in any case: minutely, hourly, daily, weekly (Monday), monthly, quarterly, semiannually, yearly, annually.
 *
 * ZONES are UTC, or a name in /usr/share/zoneinfo. The process's own is $TZ, as tzset(3) reads it, else /etc/localtime, else UTC;
 * it is looked up in each call, so a change is seen by the next one. Where clocks are put forward, a point that the wall clock never
 * shows is left out: 02:30 of that day has no moment. Where they are put back, a point that is shown twice counts once: the first
 * time, or the second if the first has passed and the clock shows it again. All as systemd does it. Zones with leap seconds
 * ("right/...") are not supported, nor are abbreviations of a zone's halves (CEST).
 */
#ifndef HOLT_TIME_H
#define HOLT_TIME_H

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct holt_ticker holt_ticker; /* something that is due again and again */

HOLT__AUTO(ticker, holt_ticker *) /* closes it */

/**
 * holt_calendar_next() - when a calendar expression has its next moment
 * @calendar: the expression
 * @after_us: strictly after this, in microseconds of CLOCK_REALTIME
 * @ret_us: the moment, in microseconds of CLOCK_REALTIME
 *
 * Reads the zone's file, if one counts. Does not suspend. Allowed outside tasks, and in any thread. Returns 0, or:
 * -EINVAL: not an expression, or no such zone.
 * -ENOENT: never again, before the year 2200.
 * -E2BIG: more than 32 seconds with fractions in it.
 * -EOPNOTSUPP: a zone that counts leap seconds.
 * -ENOMEM, and -errno of open(2) and read(2) on the zone's file but those that say there is none.
 *
 * From systemd.timer(5)'s OnCalendar=.
 */
HOLT_EXPORT int holt_calendar_next(const char *calendar, int64_t after_us, int64_t *ret_us);

/**
 * holt_alarm() - sleep until a calendar expression's next moment
 * @calendar: the expression; must stay as it is meanwhile
 *
 * The moment is the first after the call. When somebody sets the clock meanwhile it is looked at anew: forward over the moment,
 * that counts as reached, once, however many moments were jumped over; else the next moment is that after the new time. The
 * same after the machine was suspended. A loop of alarms never sees a moment twice while the clock runs on, but may miss one that
 * came between two calls; a periodic job that must not miss any asks holt_calendar_next() from the last one on.
 *
 * Suspends. Returns 0: it is reached, as the wall clock says; or:
 * -EINVAL, -ENOENT, -E2BIG, -EOPNOTSUPP: as holt_calendar_next(), and at once.
 * -ENOMEM, -EMFILE, -ENFILE, -ENOSPC: no memory or no descriptor to watch the clock with; its other errors.
 * -ECANCELED; -EPERM outside tasks.
 *
 * From systemd's timers, which elapse once after a jump, too.
 */
HOLT_EXPORT int holt_alarm(const char *calendar);

/**
 * holt_ticker_open() - make a ticker
 * @ret: the ticker, which the caller closes; see holt_auto(ticker)
 * @period: from tick to tick, on the monotonic clock
 *
 * It ticks at its beginning, now, plus once, twice, ... the period, whenever it is asked: it does not drift.
 *
 * Does not suspend. Allowed outside tasks. Returns 0; -EINVAL, a period of 0 or NULL for @ret; -ENOMEM.
 */
HOLT_EXPORT int holt_ticker_open(holt_ticker **ret, holt_time period);

/**
 * holt_ticker_next() - wait for the next tick
 * @t: the ticker
 * @ret_missed: how many ticks came and went unasked since the last one that was returned: 0 normally; may be NULL
 *
 * Returns at once when one is due already: the latest, and those before it were missed. A canceled call has taken no tick. Several
 * tasks may wait: each tick goes to one of them.
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks.
 */
HOLT_EXPORT int holt_ticker_next(holt_ticker *t, uint64_t *ret_missed);

/**
 * holt_ticker_close() - free a ticker
 * @t: the ticker, or NULL; taken. That a task waits for it aborts with one sentence
 *
 * Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_ticker *holt_ticker_close(holt_ticker *t);

#ifdef __cplusplus
}
#endif
#endif
