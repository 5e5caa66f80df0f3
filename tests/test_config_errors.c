/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a tree file is told in full, each problem with its place, and what was meant.
 */
#include "config.h"

#define P "[process p]\nExecStart=p\n" /* two lines: what follows is on the third */

static const struct {
	const char *text, *problems;
} bad[] = {
	/* sections */
	{ "[proces p]\nNonsense=1\n" P, "t:1:2: error: unknown section [proces], is [process] meant?\n" },
	{ "[Process p]\n" P, "t:1:2: error: unknown section [Process], is [process] meant?\n" },
	{ "[Unit]\nAfter=x\n" P, "t:1:2: error: unknown section [Unit]\n" },
	{ "[process]\n" P, "t:1:2: error: [process] needs a path: [process NAME]\n" },
	{ "[tree shop]\n" P, "t:1:2: error: [tree] has no path: its name is the file's\n" },
	{ "k=v\n" P, "t:1:1: error: an assignment before the first section\n" },
	{ "[process /p]\n" P,
		"t:1:10: error: the path /p has an empty part: it is the names of groups and of the node, with a / in between\n" },
	{ "[process a//b]\n" P,
		"t:1:12: error: the path a//b has an empty part: it is the names of groups and of the node, with a / in between\n" },
	{ "[process a/]\n" P,
		"t:1:10: error: the path a/ has an empty part: it is the names of groups and of the node, with a / in between\n" },
	{ "[process w@1]\n" P, "t:1:10: error: the path w@1 has an @, which is for the numbers of replicas\n" },
	{ "[process a/../b]\n" P,
		"t:1:12: error: the path a/../b has a part that is no name: letters, digits and _ . : - make one, but . and .. are none\n" },
	{ "[process a b]\n" P,
		"t:1:10: error: the path a b has a part that is no name: letters, digits and _ . : - make one, but . and .. are none\n" },
	{ "[process 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33]\n" P,
		"t:1:97: error: the path 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33 "
		"has too many parts\n" },
	{ P P, "t:3:10: error: repeated path: p is in line 1 already\n" },
	{ "[tree]\n" P "[tree]\n", "t:4:2: error: repeated path: [tree] is in line 1 already\n" },
	{ P "[group p]\n", "t:3:8: error: repeated path: p is in line 1 already\n" },
	{ "[process g/p]\nExecStart=p\n[process g]\nExecStart=g\n", "t:3:10: error: g is a group, because something is in it\n" },
	{ P "[process p/q]\nExecStart=q\n", "t:3:10: error: p is no group, so nothing can be in it (t:1)\n" },
	{ "[socket http]\nListenStream=80\n[proxy x]\n[job y]\nWhatever=1\n[check z]\n" P "After=http /x\n",
		"t:1:9: error: [socket] is not in this version\nt:3:8: error: [proxy] is not in this version\n"
		"t:4:6: error: [job] is not in this version\nt:6:8: error: [check] is not in this version\n" },
	{ "", "t: error: there is nothing to run: no [process NAME]\n" },
	{ "[tree]\nDescription=x\n", "t: error: there is nothing to run: no [process NAME]\n" },
	{ "[group g]\n", "t: warning: nothing will run: no process is enabled\nt:1:8: warning: nothing is in group g\n" },
	{ P "Enabled=no\n", "t: warning: nothing will run: no process is enabled\n" },

	/* syntax */
	{ P "junk\n", "t:3:1: error: neither [section] nor Key=value nor a comment\n" },
	{ P "=x\n", "t:3:1: error: no key before the =\n" },
	{ P "[process q\n", "t:3:1: error: a section has no ] at its end\n" },
	{ P "User=a\\ \n", "t:3:7: error: blanks after the backslash: so the line does not go on\n" },
	{ P "\xff", "t:3:1: error: not UTF-8\n" },

	/* keys */
	{ P "Memorymax=1\n", "t:3:1: error: unknown key Memorymax=, is MemoryMax= meant?\n" },
	{ P "ExecStrat=x\n", "t:3:1: error: unknown key ExecStrat=, is ExecStart= meant?\n" },
	{ P "PIDFile=x\n", "t:3:1: error: unknown key PIDFile=\n" },
	{ P "Strategy=one_for_all\n", "t:3:1: error: Strategy= is a key of [tree] and [group], not of [process]\n" },
	{ P "LogTarget=auto\n", "t:3:1: error: LogTarget= is a key of [tree], not of [process]\n" },
	{ P "ListenStream=1\n", "t:3:1: error: ListenStream= is a key of [socket], not of [process]\n" },
	{ P "[tree]\nRestart=no\n",
		"t:4:1: error: Restart= is a key of [group], [process], [socket], [proxy], [job] and [check], not of [tree]\n" },
	{ P "[group g]\nExecStart=x\n[process g/q]\nExecStart=q\n",
		"t:4:1: error: ExecStart= is a key of [process] and [job], not of [group]\n" },
	{ P "[group g]\nStratgy=one_for_all\n[process g/q]\nExecStart=q\n",
		"t:4:1: error: unknown key Stratgy=, is Strategy= meant?\n" },
	{ P "Sockets=http\n", "t:3:1: error: Sockets= is not in this version\n" },
	{ P "Type=fd:3\n", "t:3:6: error: Type=fd:N is not in this version\n" },
	{ P "Type=log:ready.*\n", "t:3:6: error: Type=log:REGEX is not in this version\n" },

	/* values */
	{ P "Type=simple\n", "t:3:6: error: Type=simple must be exec, notify or oneshot\n" },
	{ P "Restart=sometimes\n", "t:3:9: error: Restart=sometimes must be no, on-failure or always\n" },
	{ P "OnFailure=panic\n", "t:3:11: error: OnFailure=panic must be fail or ignore\n" },
	{ P "KillMode=none\n", "t:3:10: error: KillMode=none must be mixed, control-group or process\n" },
	{ P "Significant=maybe\n", "t:3:13: error: Significant=maybe is neither yes nor no\n" },
	{ P "TimeoutStopSec = fast\n", "t:3:18: error: TimeoutStopSec=fast is no time span, as are 90, 1min 30s, infinity\n" },
	{ P "TimeoutStopSec=9999y\n", "t:3:16: error: TimeoutStopSec=9999y is too long: infinity is for ever\n" },
	{ P "BackoffResetSec=0\n", "t:3:17: error: BackoffResetSec=0 is out of range: it must be more than 0\n" },
	{ P "RestartSec=5..1\n",
		"t:3:12: error: RestartSec=5..1 is out of range: MIN is at most MAX, and neither is infinity\n" },
	{ P "RestartSec=..\n", "t:3:12: error: RestartSec=.. is neither MIN..MAX nor one time span\n" },
	{ P "KillSignal=SIGFOO\n", "t:3:12: error: KillSignal=SIGFOO is no signal, as are SIGTERM, INT, RTMIN+3\n" },
	{ P "UMask=999\n", "t:3:7: error: UMask=999 is no mode: octal, 0 to 0777\n" },
	{ P "Nice=20\n", "t:3:6: error: Nice=20 is out of range: -20 to 19\n" },
	{ P "Nice=high\n", "t:3:6: error: Nice=high is no number: -20 to 19\n" },
	{ P "User=a b\n", "t:3:6: error: User=a b is no name or number of a user or group\n" },
	{ P "SupplementaryGroups=a b: c:\n",
		"t:3:23: error: SupplementaryGroups=: b: is no name or number of a group\n"
		"t:3:26: error: SupplementaryGroups=: c: is no name or number of a group\n" },
	{ P "LimitNOFILE=5:3\n", "t:3:13: error: LimitNOFILE=5:3 has a soft limit over the hard one\n" },
	{ P "LimitCPU=x\n",
		"t:3:10: error: LimitCPU=x is no limit, as are 100, 1024:4096, infinity, and 1G or 1h where it fits\n" },
	{ P "MemoryMax=lots\n", "t:3:11: error: MemoryMax=lots is no size, as are 64M, 1.5G, 20%, infinity\n" },
	{ P "MemoryMax=0\nMemoryMax=101%\n",
		"t:3:11: error: MemoryMax=0 is out of range\nt:4:11: error: MemoryMax=101% is out of range\n" },
	{ P "TasksMax=-0\n", "t:3:10: error: TasksMax=-0 is out of range\n" },
	{ P "TasksMax=few\n", "t:3:10: error: TasksMax=few is no number of tasks, as are 100, 5%, infinity\n" },
	{ P "CPUWeight=0\n", "t:3:11: error: CPUWeight=0 must be 1 to 10000, or idle\n" },
	{ P "Environment=A B=1 1C=2\n",
		"t:3:13: error: Environment=: A is not NAME=value\nt:3:19: error: Environment=: 1C=2 is not NAME=value\n" },
	{ P "EnvironmentFile=x\n",
		"t:3:17: error: EnvironmentFile=x must be an absolute path without .., perhaps with a - before it\n" },
	{ P "EnvironmentFile=/etc/*.env\n", "t:3:17: error: EnvironmentFile=/etc/*.env is a pattern, but must be one file\n" },
	{ P "WorkingDirectory=x\n", "t:3:18: error: WorkingDirectory=x must be an absolute path without .., or ~\n" },
	{ P "LoadCredential=a/b\n",
		"t:3:16: error: LoadCredential=a/b is not ID:PATH, with an ID of letters, digits and _ . : -\n" },
	{ P "LoadCredential=a:./b\n",
		"t:3:16: error: LoadCredential=a:./b has a PATH that is neither absolute without .. nor the name of a credential\n" },
	{ P "StandardInput=log\n", "t:3:15: error: StandardInput=log must be null, inherit or file:PATH\n" },
	{ P "StandardOutput=tty\n",
		"t:3:16: error: StandardOutput=tty must be null, inherit, log, file:PATH, append:PATH or truncate:PATH\n" },
	{ P "StandardOutput=file:x\n", "t:3:16: error: StandardOutput=file:x must have an absolute path without ..\n" },
	{ P "LogLineMax=10\n", "t:3:12: error: LogLineMax=10 is out of range: 79 to 1048576 bytes\n" },
	{ P "LogRateLimitBurst=-1\n", "t:3:19: error: LogRateLimitBurst=-1 is no number: 0 to 4294967295\n" },
	{ P "SuccessExitStatus=1 256 x\n",
		"t:3:21: error: SuccessExitStatus=: 256 is no exit status (0 to 255, or a name as TEMPFAIL) and no signal\n"
		"t:3:25: error: SuccessExitStatus=: x is no exit status (0 to 255, or a name as TEMPFAIL) and no signal\n" },
	{ P "Replicas=0\n", "t:3:10: error: Replicas=0 is no number from 1 to 4096\n" },
	{ P "Replicas=many\n", "t:3:10: error: Replicas=many is no number from 1 to 4096\n" },
	{ P "Description=50% of it\n",
		"t:3:15: error: an unknown specifier; there are %i %n %N %h %t, and %% for a percent sign\n" },
	{ P "User=100%\n", "t:3:9: error: an unknown specifier; there are %i %n %N %h %t, and %% for a percent sign\n" },
	{ P "User=u%i\n", "t:3:7: error: %i is a replica's number, but there is no Replicas=\n" },
	{ P "[tree]\nIntensity=5\n", "t:4:11: error: Intensity=5 is not N/SPAN, as 5/10s\n" },
	{ P "[tree]\nIntensity=5/0\n", "t:4:11: error: Intensity=5/0 is out of range: at most 10000, in more than no time\n" },
	{ P "[tree]\nLogTarget=syslog\n",
		"t:4:11: error: LogTarget=syslog must be auto, journal, console or an absolute path\n" },
	{ P "[tree]\nControlGroup=a:b\n", "t:4:14: error: ControlGroup=a:b is no name or number of a user or group\n" },
	{ P "Description=\xc3\xa4\xc3\xb6 \\\n  %x\n",
		"t:4:3: error: an unknown specifier; there are %i %n %N %h %t, and %% for a percent sign\n" },

	/* commands */
	{ "[process p]\n", "t:1:10: error: p has no ExecStart=\n" },
	{ "[process p]\nType=oneshot\n", "t:1:10: error: p has no ExecStart=\n" },
	{ P "ExecStart=\n", "t:1:10: error: p has no ExecStart=\n" },
	{ P "ExecStart=q\n",
		"t:3:1: error: p has a second ExecStart=, which only Type=oneshot can have; an empty ExecStart= takes back those before\n" },
	{ P "Type=notify\nExecStart=\nExecStart=a ; b\n",
		"t:5:1: error: p has a second ExecStart=, which only Type=oneshot can have; an empty ExecStart= takes back those before\n" },
	{ P "Type=oneshot\nRestart=always\n",
		"t:4:9: error: Restart=always would run a Type=oneshot again and again: no and on-failure are possible\n" },
	{ "[process p]\nExecStart=@/bin/x y\n", "t:2:11: error: the prefix @ is not supported, only - and : are\n" },
	{ P "ExecStartPre=+/bin/x\nExecStop=-!x\nExecStopPost=!!x\nExecReload=|x\n",
		"t:3:14: error: the prefix + is not supported, only - and : are\nt:4:10: error: the prefix ! is not supported, only - and : are\n"
		"t:5:14: error: the prefix ! is not supported, only - and : are\nt:6:12: error: the prefix | is not supported, only - and : are\n" },
	{ P "ExecStop=--x\n", "t:3:10: error: the prefix - is there twice\n" },
	{ P "ExecStop=- x\n", "t:3:10: error: there is no command\n" },
	{ P "ExecStop=''\n", "t:3:10: error: there is no command\n" },
	{ P "ExecStop=bin/x\n",
		"t:3:10: error: the path of a command is absolute, or it is a name without /, to be found by $PATH\n" },
	{ P "ExecStop=/bin/\n", "t:3:10: error: a folder cannot be executed\n" },
	{ P "ExecStop=x ; $FOO y\n", "t:3:14: error: a variable cannot be the command, nor a part of it\n" },
	{ P "ExecStop=x ; ; y\n", "t:3:14: error: there is no command before the ;\n" },
	{ P "ExecStop=x 'y\n", "t:3:12: error: a quote that is not closed\n" },
	{ P "ExecStop=x \\\n  y\\qz\n", "t:4:4: error: an unknown escape after the backslash; \\\\ is a backslash\n" },

	/* names */
	{ P "After=q\n", "t:3:7: error: there is no node q\n" },
	{ P "After=p\n", "t:3:7: error: p: a node cannot wait for itself\n" },
	{ P "After=p@1\n", "t:3:7: error: p@1: a node cannot wait for itself\n" },
	{ P "[process server]\nExecStart=x\nAfter=sevrer /P\n",
		"t:5:7: error: there is no node sevrer, is /server meant?\nt:5:14: error: there is no node P, is /p meant?\n" },
	{ P "[process g/q]\nExecStart=x\nAfter=p\n", "t:5:7: error: there is no node g/p, is /p meant?\n" },
	{ P "[process g/q]\nExecStart=x\n[process r]\nExecStart=x\nRequires=q\n",
		"t:7:10: error: there is no node q, is /g/q meant?\n" },
	{ P "[process g/q]\nExecStart=x\nAfter=../p\n", "t:5:7: error: there is no node g/../p\n" },
	{ P "[process g/q]\nExecStart=x\nAfter=/g\n",
		"t:5:7: error: /g: a node cannot wait for a group that it is in: that is ready only when all in it are\n" },
	{ P "After=/\n",
		"t:3:7: error: /: a node cannot wait for a group that it is in: that is ready only when all in it are\n" },
	{ P "[group g]\nRequires=g/h/q\n[process g/h/q]\nExecStart=x\n",
		"t:4:10: error: g/h/q: a group cannot wait for what is in it: that starts only when the group does\n" },
	{ P "[process w]\nReplicas=3\nExecStart=w\n[process x]\nExecStart=x\nAfter=w@4 w@0 w@ w@x p@1 w@03\n",
		"t:8:7: error: w@4: there are not so many replicas\nt:8:11: error: w@0: what is behind @ is no number of a replica\n"
		"t:8:15: error: w@: what is behind @ is no number of a replica\nt:8:18: error: w@x: what is behind @ is no number of a replica\n"
		"t:8:22: error: p@1: there is no Replicas=, so no @\nt:8:26: error: w@03: what is behind @ is no number of a replica\n" },
	{ P "[process off]\nExecStart=x\nEnabled=no\n[process r]\nExecStart=x\nRequires=off\n",
		"t:8:10: error: r requires off, which is not enabled: so it could never start\n" },
	{ P "[group g]\nEnabled=no\n[process g/q]\nExecStart=x\n[process r]\nExecStart=x\nRequires=g/q\n",
		"t:9:10: error: r requires g/q, which is not enabled: so it could never start\n" },

	/* cycles */
	{ "[process a]\nExecStart=x\nAfter=c\n[process b]\nExecStart=x\nAfter=a\n[process c]\nExecStart=x\nRequires=b\nAfter=\n",
		"t:3:7: error: a cycle: a is after c (t:3), c requires b (t:9), b is after a (t:6)\n" },
	{ "[process a]\nExecStart=x\nAfter=b\n[process b]\nExecStart=x\n",
		"t:3:7: error: a cycle: a is after b (t:3), b is after a by default (t:4); an empty After= takes a default away\n" },
	{ "[process g/a]\nExecStart=x\nAfter=/b\n[process b]\nExecStart=x\nAfter=g\n",
		"t:3:7: error: a cycle: g/a is after b (t:3), b is after g (t:6), g is ready when g/a is\n" },
	{ "[group g]\nAfter=b\n[process g/a]\nExecStart=x\n[process b]\nExecStart=x\nAfter=g/a\n",
		"t:2:7: error: a cycle: g is after b (t:2), b is after g/a (t:7), g/a starts with g\n" },
	{ "[process a]\nExecStart=x\nReplicas=3\nAfter=b\n[process b]\nExecStart=x\nAfter=a@2\n",
		"t:4:7: error: a cycle: a is after b (t:4), b is after a (t:7)\n" },

	/* for a terminal */
	{ P "User=\x1b[31m\x07\xe2\x80\xae\n", "t:3:6: error: User=?[31m?? is no name or number of a user or group\n" },
};

TEST_LOOP(each_mistake_is_told, 0, (int)HOLT__N(bad))
{
	load_bad(bad[_i].text, bad[_i].problems);
}

TEST(all_mistakes_are_told_at_once_in_the_order_of_the_file)
{
	load_bad("[process a]\nUser=a b\nAfter=nobody\n[tre]\n[process b]\nExecStart=x\nFoo=1\nAfter=b\n",
		"t:1:10: error: a has no ExecStart=\nt:2:6: error: User=a b is no name or number of a user or group\n"
		"t:3:7: error: there is no node nobody\nt:4:2: error: unknown section [tre], is [tree] meant?\n"
		"t:7:1: error: unknown key Foo=\nt:8:7: error: b: a node cannot wait for itself\n");
}

TEST(a_mistake_in_replicas_is_told_once)
{
	load_bad("[process w]\nExecStart=x %i\nReplicas=500\nNice=%i\nUser=a b\n",
		"t:4:6: error: Nice=%i is out of range: -20 to 19\nt:5:6: error: User=a b is no name or number of a user or group\n");
}

TEST(more_than_a_hundred_mistakes_are_not_told)
{
	char text[4000] = P;
	int r;

	for (int i = 0; i < 300; i++)
		strcat(text, "Bad=1\n");
	r = config_parse(&config, "t", text, strlen(text), NULL);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_uint_eq(config->n_errors, 300);
	ck_assert_uint_eq(config->n_problems, PROBLEMS_MAX + 1);
	ck_assert_str_eq(config->problems[100].text, "and more, which are not shown");
	ck_assert_uint_eq(config->problems[99].line, 102);
	config = config_free(config);
}

TEST(too_much_is_refused)
{
	char text[4000] = "";
	char *large;

	for (int i = 0; i < 17; i++)
		sprintf(text + strlen(text), "[process p%d]\nExecStart=x\nReplicas=4096\n", i);
	load_bad(text, "t: error: more than 65536 nodes, with all replicas\n");

	large = calloc(1, (1 << 20) + 2);
	memset(large, '\n', (1 << 20) + 1);
	load_bad(large, "t: error: larger than 1 MiB\n");
	free(large);
}

TEST(the_name_of_a_tree_is_checked)
{
	static const struct {
		const char *file, *given, *name;
	} names[] = { { "/etc/holt/shop.tree", NULL, "shop" }, { "shop", NULL, "shop" }, { "a.b.tree", NULL, "a.b" },
		{ "x.conf", NULL, "x.conf" }, { "/dev/fd/3", "web@1", "web@1" }, { ".tree", NULL, ".tree" },
		{ "a b.tree", NULL, NULL }, { "..", NULL, NULL }, { "x/", NULL, NULL }, { "x", "", NULL } };

	for (size_t i = 0; i < HOLT__N(names); i++) {
		struct config_options o = { .name = names[i].given };
		int r = config_parse(&config, names[i].file, P, strlen(P), &o);

		ck_assert_msg(r == (names[i].name ? 0 : -EINVAL), "%s: %d", names[i].file, r);
		if (r == 0)
			ck_assert_str_eq(config->name, names[i].name);
		config = config_free(config);
	}
}

TEST(what_is_not_known_of_home_is_told_where_it_is_used)
{
	static const char text[] = P "User=%t\n";
	struct config_options o = { 0 };

	if (geteuid() == 0)
		SKIP("root always has /run");
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_int_eq(config_parse(&config, "t", text, sizeof text - 1, &o), -EINVAL);
	ck_assert_str_eq(config->problems[0].text, "%t is not known: there is no $XDG_RUNTIME_DIR");
	config = config_free(config);
}
