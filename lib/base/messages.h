/* SPDX-License-Identifier: MIT */
/*
 * The messages that the catalog explains (units/holt.catalog, `journalctl -x`), by their MESSAGE_ID=.
 */
#pragma once

#define HOLT__MSG_FAILED "33b776d3d7d449439d0d08c2803d7566"    /* a task failed, and nobody else is told */
#define HOLT__MSG_FINALLY "3bca5f64d7fd4337a6932109045a89cf"   /* a finally handler failed or took too long */
#define HOLT__MSG_IGNORES "cae22df852244ff78ed6c3b203260341"   /* a task has not ended long after it was canceled */
#define HOLT__MSG_HELD_UP "ba3496ca92874eee97a24650c553238b"   /* the process leaves, and this is why it had to */
#define HOLT__MSG_SPIN "98f9666c58af4606b985467ebce6d6b2"      /* a task sees -ECANCELED again and again */
#define HOLT__MSG_HEARTBEAT "b10c3301aab741ccbc3ff4bb13822d07" /* a heartbeat is overdue */
#define HOLT__MSG_RELOAD "d667845335e344b48273d387e7f7a039"    /* a reload failed */
#define HOLT__MSG_SERVICE "5a57d39a4b3840a3994ad0967da07ea3"   /* the service failed */
#define HOLT__MSG_NO_FDS "6dcb1abc9712408dbb6e1c1a13f48319"    /* accept waits for a descriptor */
#define HOLT__MSG_RESTART "19fa0d0dbc0b4bc0b681e992c20c604e"   /* a child of a supervisor ended, and is started again */
#define HOLT__MSG_GAVE_UP "5fbc29ed46be48ac923934c7cf1fad0b"   /* that was too often */

/* holt_log() with an id. */
#define holt__log_id(id, priority, ...) holt_log_fields(priority, (&(struct holt_field){ "MESSAGE_ID", id }), 1, __VA_ARGS__)
