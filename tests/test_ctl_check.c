/* SPDX-License-Identifier: MIT */
/*
 * holtctl check (daemon/ctl_check.c) on files: what it says of a good one, and of a bad one.
 */
#include <sys/stat.h>

#include "harness.h"

#include "daemon/ctl.h"

static char directory[64], path[128], out[8192], err[8192];

static void write_tree(const char *text)
{
	FILE *f;

	strcpy(directory, "/tmp/holt-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/shop.tree", directory);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static int check_it(void)
{
	FILE *before[2] = { stdout, stderr };
	struct ctl c = { .path = path };
	int r;

	memset(out, 0, sizeof out);
	memset(err, 0, sizeof err);
	stdout = fmemopen(out, sizeof out - 1, "w");
	stderr = fmemopen(err, sizeof err - 1, "w");
	r = ctl_check(&c);
	fclose(stdout);
	fclose(stderr);
	stdout = before[0];
	stderr = before[1];
	return r;
}

/* Without the directory's name, which is another each time. */
static void said(char *text, const char *expected)
{
	static char shorter[8192];
	char *to = shorter;

	for (const char *p = text; *p;) {
		if (strncmp(p, directory, strlen(directory)) == 0)
			p += strlen(directory) + 1;
		else
			*to++ = *p++;
	}
	*to = 0;
	harness_same(shorter, expected);
}

static void remove_tree(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

TEST(a_good_file_is_summed_up)
{
	write_tree("[process db]\nExecStart=/bin/true\nTimeoutStopSec=20s\n"
		   "[process web/a]\nExecStart=/bin/true\n[process web/b]\nExecStart=/bin/true\n"
		   "[process log]\nExecStart=/bin/true\nAfter=\nEnabled=no\n");
	ck_assert_int_eq(check_it(), CTL_OK);
	said(err, "");
	said(out,
		"shop.tree: good\n"
		"  4 processes in 2 groups, 1 of them disabled; starts in 3 steps\n"
		"  stops within 46s at the worst; a unit that runs it needs TimeoutStopSec=47s or more\n");
	remove_tree();
}

TEST(steps_are_those_of_the_longest_chain)
{
	write_tree(
		"[group late]\nAfter=early\n[process late/x]\nExecStart=/bin/true\n[process late/y]\nExecStart=/bin/true\nAfter=\n"
		"[process early]\nExecStart=/bin/true\nAfter=\n[process other]\nExecStart=/bin/true\nAfter=/late/x\n");
	ck_assert_int_eq(check_it(), CTL_OK);
	ck_assert_ptr_nonnull(strstr(out, "4 processes in 2 groups; starts in 3 steps\n"));
	remove_tree();
}

TEST(an_endless_stop_is_said_to_be_one)
{
	write_tree("[process db]\nExecStart=/bin/true\nTimeoutStopSec=infinity\n");
	ck_assert_int_eq(check_it(), CTL_OK);
	ck_assert_ptr_nonnull(strstr(out, "may stop for ever"));
	remove_tree();
}

TEST(a_bad_file_is_told_line_by_line)
{
	write_tree("[process db]\nExecStar=/bin/true\nRestart=perhaps\n");
	ck_assert_int_eq(check_it(), CTL_FAILED);
	said(out, "");
	ck_assert_ptr_nonnull(strstr(err, "shop.tree:2:1: error: "));
	ck_assert_ptr_nonnull(strstr(err, "ExecStart"));
	ck_assert_ptr_nonnull(strstr(err, "shop.tree:3:"));
	ck_assert_ptr_nonnull(strstr(err, " errors\n"));
	remove_tree();
}

TEST(a_file_that_is_not_there_is_an_error)
{
	strcpy(directory, "/nowhere");
	strcpy(path, "/nowhere/shop.tree");
	ck_assert_int_eq(check_it(), CTL_FAILED);
	ck_assert_ptr_nonnull(strstr(err, "shop.tree"));
}

TEST(without_memory_it_says_so)
{
	write_tree("[process db]\nExecStart=/bin/true\n");
	for (uint64_t n = 1;; n++) {
		int r;

		harness_fail_alloc(n);
		r = check_it();
		if (!harness_alloc_failed())
			break;
		ck_assert(r == CTL_OK ? out[0] : r == CTL_FAILED && strstr(err, "Cannot allocate memory"));
	}
	harness_fail_alloc(0);
	remove_tree();
}
