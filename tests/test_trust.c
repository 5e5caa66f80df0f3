/* SPDX-License-Identifier: MIT */
/*
 * Whose hand a file may be from: the rule on numbers, and the way to a file on real folders below /tmp, which is sticky and so
 * safe. Files of others need root; without it those tests say so.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/trust.h"

/* ---- the rule */

static const char *verdict(uid_t uid, mode_t mode)
{
	struct trust t = { .uids = { 0, 1000 }, .n = 2 };
	struct stat st = { .st_uid = uid, .st_mode = mode };

	return trust_verdict(&t, &st);
}

TEST(a_file_is_trusted_if_only_the_trusted_can_write_it)
{
	ck_assert_ptr_null(verdict(0, S_IFREG | 0644));
	ck_assert_ptr_null(verdict(0, S_IFREG | 0755));
	ck_assert_ptr_null(verdict(1000, S_IFREG | 0600));
	ck_assert_str_eq(verdict(1001, S_IFREG | 0644), "belongs to another user");
	ck_assert_str_eq(verdict(1001, S_IFREG | 0444), "belongs to another user"); /* who owns it can change that */
	ck_assert_str_eq(verdict(0, S_IFREG | 0664), "can be written by its group");
	ck_assert_str_eq(verdict(0, S_IFREG | 0666), "can be written by everybody");
	ck_assert_str_eq(verdict(0, S_IFREG | 01666), "can be written by everybody"); /* sticky means nothing here */
}

TEST(a_folder_may_be_sticky)
{
	ck_assert_ptr_null(verdict(0, S_IFDIR | 0755));
	ck_assert_ptr_null(verdict(0, S_IFDIR | 01777));
	ck_assert_ptr_null(verdict(0, S_IFDIR | 01775));
	ck_assert_str_eq(verdict(0, S_IFDIR | 0777), "can be written by everybody");
	ck_assert_str_eq(verdict(0, S_IFDIR | 02775), "can be written by its group");
	ck_assert_str_eq(verdict(1001, S_IFDIR | 01777), "belongs to another user"); /* who owns it can replace all in it */
}

TEST(a_links_mode_means_nothing_but_its_owner_does)
{
	ck_assert_ptr_null(verdict(0, S_IFLNK | 0777));
	ck_assert_str_eq(verdict(1001, S_IFLNK | 0777), "belongs to another user");
}

TEST(trusted_are_root_and_ourselves_and_the_one_behind_sudo)
{
	struct trust t;

	unsetenv("SUDO_UID");
	trust_init(&t);
	ck_assert_uint_eq(t.n, 2);
	ck_assert(t.uids[0] == 0 && t.uids[1] == geteuid());
	if (geteuid() != 0)
		SKIP("needs root");
	setenv("SUDO_UID", "1234", 1);
	trust_init(&t);
	ck_assert(t.n == 3 && t.uids[2] == 1234);
	static const char *const bad[] = { "", "x", "-1", "12x", "4294967295", "99999999999999999999", " 5" };
	for (size_t i = 0; i < HOLT__N(bad); i++) {
		setenv("SUDO_UID", bad[i], 1);
		trust_init(&t);
		ck_assert_msg(t.n == 2, "%s", bad[i]);
	}
	unsetenv("SUDO_UID");
}

/* ---- the way */

static char dir[] = "/tmp/holt-trust-XXXXXX";
static struct refusal refusal;

static const char *at(const char *name)
{
	static char path[2][4096];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void make_dir(const char *name, mode_t mode)
{
	ck_assert_int_eq(mkdir(at(name), 0700), 0);
	ck_assert_int_eq(chmod(at(name), mode), 0);
}

static void link_to(const char *target, const char *name)
{
	ck_assert_int_eq(symlink(target, at(name)), 0);
}

static void begin(void)
{
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void end(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* Opens it and reads what is in it; or -errno. */
static int try(const char *path, char *text, size_t size)
{
	struct trust t;
	ssize_t n;
	int fd;

	memset(&refusal, 0, sizeof refusal);
	unsetenv("SUDO_UID");
	trust_init(&t);
	fd = trust_open(&t, path, O_RDONLY | O_NONBLOCK, &refusal);
	if (fd < 0)
		return fd;
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = 0;
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	return 0;
}

static void opens(const char *path, const char *expected)
{
	char text[100] = "";
	int r = try(path, text, sizeof text);

	ck_assert_msg(r == 0, "%s: %s, %s %s", path, strerror(-r), refusal.path, refusal.why ? refusal.why : "");
	ck_assert_str_eq(text, expected);
}

static void fails(const char *path, int error)
{
	char text[100];
	int r = try(path, text, sizeof text);

	ck_assert_msg(r == error, "%s: %s", path, strerror(-r));
}

static void refuses(const char *path, const char *what, const char *why)
{
	fails(path, -EPERM);
	ck_assert_str_eq(refusal.path, what);
	ck_assert_str_eq(refusal.why, why);
}

TEST(a_good_file_is_opened_whatever_the_way)
{
	char cwd[4096];

	begin();
	make_dir("d", 0755);
	make_dir("d/e", 0755);
	write_file("d/e/f", "here", 0644);
	opens(at("d/e/f"), "here");
	opens(at("d//e/./f"), "here");
	opens(at("d/e/../e/f"), "here");
	opens(at("d/../../../../../../.."), "");
	opens(at("d/e"), ""); /* a folder is opened, too */
	opens("/", "");
	link_to("e/f", "d/relative");
	opens(at("d/relative"), "here");
	link_to(at("d/e"), "absolute");
	opens(at("absolute/f"), "here");
	opens(at("absolute/../relative"), "here"); /* .. of where the link leads to */
	link_to("absolute/../relative", "chain");
	opens(at("chain"), "here");
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	ck_assert_int_eq(chdir(at("d")), 0);
	opens("e/f", "here");
	opens("./e/../../d/e/f", "here");
	opens(".", "");
	ck_assert_int_eq(chdir(cwd), 0);
	end();
}

TEST(what_is_missing_or_goes_round_is_told)
{
	char longest[5000];

	begin();
	write_file("f", "", 0644);
	fails(at("none"), -ENOENT);
	fails(at("none/f"), -ENOENT);
	fails(at("f/g"), -ENOTDIR);
	link_to("b", "a");
	link_to("a", "b");
	fails(at("a"), -ELOOP);
	link_to("none", "dangling");
	fails(at("dangling"), -ENOENT);
	memset(longest, 'x', sizeof longest);
	longest[0] = '/';
	longest[300] = 0;
	fails(longest, -ENAMETOOLONG);
	longest[300] = '/';
	longest[sizeof longest - 1] = 0;
	fails(longest, -ENAMETOOLONG);
	end();
}

TEST(a_file_that_others_can_write_is_refused_by_name)
{
	begin();
	write_file("all", "", 0646);
	write_file("group", "", 0664);
	refuses(at("all"), at("all"), "can be written by everybody");
	refuses(at("group"), at("group"), "can be written by its group");
	link_to("all", "link");
	refuses(at("link"), at("all"), "can be written by everybody");
	end();
}

TEST(a_folder_above_it_is_refused_by_name)
{
	begin();
	make_dir("open", 0777);
	make_dir("open/d", 0755);
	write_file("open/d/f", "", 0644);
	refuses(at("open/d/f"), at("open"), "can be written by everybody");
	refuses(at("open"), at("open"), "can be written by everybody");
	make_dir("sticky", 01777);
	write_file("sticky/f", "here", 0644);
	opens(at("sticky/f"), "here");
	link_to("open/d/f", "link"); /* the way through a link is looked at, too */
	refuses(at("link"), at("open"), "can be written by everybody");
	make_dir("d", 0755);
	link_to("../open/../d", "d/up");
	refuses(at("d/up"), at("open"), "can be written by everybody");
	end();
}

TEST(what_belongs_to_another_is_refused)
{
	if (geteuid() != 0)
		SKIP("needs root");
	begin();
	write_file("f", "here", 0644);
	ck_assert_int_eq(chown(at("f"), 12345, 0), 0);
	refuses(at("f"), at("f"), "belongs to another user");
	ck_assert_int_eq(chown(at("f"), 0, 0), 0);
	opens(at("f"), "here");
	make_dir("d", 0755);
	write_file("d/f", "", 0644);
	ck_assert_int_eq(chown(at("d"), 12345, 0), 0);
	refuses(at("d/f"), at("d"), "belongs to another user");
	/* in a sticky folder somebody can put a link of theirs, to a file of ours that is no configuration */
	link_to("f", "link");
	ck_assert_int_eq(lchown(at("link"), 12345, 0), 0);
	refuses(at("link"), at("link"), "belongs to another user");
	end();
}

TEST(a_pipe_does_not_hold_us_up)
{
	begin();
	ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
	opens(at("fifo"), "");
	end();
}
