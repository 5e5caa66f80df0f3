/* SPDX-License-Identifier: MIT */
/*
 * The list of our children, as the kernel has it: those we started and those that became ours, the dead who were not waited
 * for among them. Read from /proc/self/task/TID/children where there is that, else from the stat of every process.
 *
 * It is whole under one condition: nobody waits for a child while it is read. For the kernel's list then grows only at
 * its end. By stat, who has become ours meanwhile may be missed, if his parent is told, dead or alive.
 */
#pragma once
#include <sys/types.h>

/* To be left alone while it is closed: both -1. */
struct children {
	int proc; /* /proc; -1: there is none, or it shows another pid namespace than ours, whose numbers are not ours */
	int list; /* that of the main thread, to which orphans come; -1: this kernel has none */
};

void children_open(struct children *c); /* in the main thread. Never fails: see .proc */
void children_close(struct children *c);

/* Each of them, until fn fails. 0; fn's error; -errno: it is not whole. Without /proc: nobody, and 0. */
int children_each(const struct children *c, int (*fn)(void *arg, pid_t pid), void *arg);
