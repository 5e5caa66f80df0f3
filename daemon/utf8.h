/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 from strangers: a process's own words, a name out of a file. What is no UTF-8, and what would steer a terminal
 * in place of being shown on it, becomes a question mark, so that text can go into JSON and onto a screen.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at s has, at most n; 0: it is none. n > 0. */
size_t utf8_next(const char *s, size_t n, uint32_t *ret_char);

/* Columns of a terminal that a character takes: 0 to 2; -1: it is a control character. */
int utf8_width(uint32_t c);

/* As much of s as fits, NUL-terminated, without half a character at its end and with ? for what is none, and for controls. */
void utf8_clean(char *buf, size_t size, const char *s);
