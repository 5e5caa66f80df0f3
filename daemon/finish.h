/* SPDX-License-Identifier: MIT */
/*
 * Finally commands, done: armed in the records when their group starts, run newest first when its members are gone, one
 * at a time, each within FinallyTimeoutSec=. One that fails is logged, and the next one runs. For the runner only.
 */
#pragma once
#include "daemon/runner.h"

void finish_arm(struct runner *r, struct unit *u);
void finish_begin(struct runner *r, struct unit *u);
void finish_resume(struct runner *r); /* what could not be started because the task was canceled */
void finish_close(struct runner *r);
