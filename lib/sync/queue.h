/* SPDX-License-Identifier: MIT */
/*
 * Where those wait who want something of a queue. A waiter's data is where its item goes, or comes from.
 */
#pragma once
#include <holt/queue.h>

struct holt_waiters *holt__queue_getters(holt_queue *q); /* only while it is empty */
struct holt_waiters *holt__queue_putters(holt_queue *q); /* only while it is full */
