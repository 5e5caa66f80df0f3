/* SPDX-License-Identifier: MIT */
/*
 * What a good tree file means: defaults, keys, commands, order, replicas.
 */
#include "config.h"

#include <signal.h>

#define ALL "[process p]\nExecStart=/bin/p\n"

/* Keys are given to a process p. */
static struct process_conf *process_with(const char *keys)
{
	char text[4000];

	snprintf(text, sizeof text, ALL "%s\n", keys);
	load_text(text);
	return node_at("p")->process;
}

/* ---- defaults */

TEST(a_process_is_as_the_manual_says)
{
	const struct process_conf *p = process_with("");
	const struct node *n = node_at("p");

	ck_assert_int_eq(n->kind, NODE_PROCESS);
	ck_assert(!node_is_group(n));
	ck_assert_str_eq(n->path, "p");
	ck_assert_str_eq(n->name, "p");
	ck_assert_str_eq(n->file, "shop.tree");
	ck_assert_uint_eq(n->line, 1);
	ck_assert_ptr_null(n->description);
	ck_assert_ptr_eq(n->parent, config->tree);
	ck_assert(n->replica == 0 && n->replicas == 0);
	ck_assert_int_eq(n->restart, HOLT_RESTART_ON_FAILURE);
	ck_assert_uint_eq(n->restart_min, 100 * HOLT_MS);
	ck_assert_uint_eq(n->restart_max, 30 * HOLT_SEC);
	ck_assert_uint_eq(n->backoff_reset, HOLT_MIN);
	ck_assert_uint_eq(n->timeout_start, 90 * HOLT_SEC);
	ck_assert_uint_eq(n->timeout_stop, 10 * HOLT_SEC);
	ck_assert(!n->ignore_failure && !n->significant && n->enabled && !n->off);
	ck_assert(n->after.n == 0 && n->requires.n == 0 && n->before.n == 0 && n->required_by.n == 0 && n->members.n == 0);

	ck_assert_int_eq(p->type, TYPE_EXEC);
	ck_assert_int_eq(p->kill_signal, SIGTERM);
	ck_assert_int_eq(p->kill_mode, KILL_MIXED);
	ck_assert(p->send_sigkill && !p->no_new_privileges && !p->nice_set);
	ck_assert(!p->user && !p->group && !p->working_directory);
	ck_assert_uint_eq(p->umask, 022);
	ck_assert_int_eq(p->stdio[0].kind, STDIO_NULL);
	ck_assert_int_eq(p->stdio[1].kind, STDIO_LOG);
	ck_assert_int_eq(p->stdio[2].kind, STDIO_LOG);
	ck_assert_uint_eq(p->log_line_max, 49152);
	ck_assert_uint_eq(p->log_rate_burst, 10000);
	ck_assert_uint_eq(p->log_rate_interval, 30 * HOLT_SEC);
	ck_assert_uint_eq(p->watchdog, 0);
	ck_assert_uint_eq(p->success.signals, 0);
	ck_assert(p->start_pre.n == 0 && p->reload.n == 0 && p->stop.n == 0 && p->stop_post.n == 0 && n->start.n == 1);
	config = config_free(config);
}

TEST(a_group_and_the_tree_are_as_the_manual_says)
{
	load_text("[process g/p]\nExecStart=p\n");
	for (int i = 0; i < 2; i++) {
		const struct node *n = i ? node_at("/") : node_at("/g");

		ck_assert_int_eq(n->kind, i ? NODE_TREE : NODE_GROUP);
		ck_assert(node_is_group(n) && !n->process);
		ck_assert_int_eq(n->restart, HOLT_RESTART_NEVER);
		ck_assert_uint_eq(n->timeout_start, HOLT_NEVER);
		ck_assert_uint_eq(n->timeout_stop, HOLT_NEVER);
		ck_assert_int_eq(n->strategy, HOLT_ONE_FOR_ONE);
		ck_assert_uint_eq(n->intensity, 5);
		ck_assert_uint_eq(n->intensity_within, 10 * HOLT_SEC);
		ck_assert_uint_eq(n->finally_timeout, 10 * HOLT_SEC);
		ck_assert_uint_eq(n->stop_budget, HOLT_NEVER);
		ck_assert(!n->stop_parallel && n->finally.n == 0 && n->members.n == 1);
		ck_assert_ptr_null(n->file);
	}
	ck_assert_str_eq(config->tree->path, "");
	ck_assert_str_eq(config->tree->name, "shop");
	ck_assert_str_eq(config->name, "shop");
	ck_assert_str_eq(config->file, "shop.tree");
	ck_assert_ptr_null(config->control_group);
	ck_assert_int_eq(config->log_target, LOG_TO_AUTO);
	ck_assert_uint_eq(config->log_file_max, 10 << 20);
	ck_assert_uint_eq(config->log_file_keep, 5);
	config = config_free(config);
}

/* ---- keys */

TEST(each_key_of_a_node_sets_its_value)
{
	const struct node *n;

	load_text(
		"[process p]\nExecStart=p\nDescription=The \"p\" of %N at 100%%\nRestart=always\nRestartSec=1s..2min\n"
		"BackoffResetSec=infinity\nTimeoutStartSec=5\nTimeoutStopSec=infinity\nOnFailure=ignore\nSignificant=yes\nEnabled=no\n"
		"[group g]\nRestart=on-failure\nRestartSec=3s\nTimeoutStartSec=0\nTimeoutStopSec=1min\nStrategy=rest_for_one\nIntensity=3/1min\n"
		"Finally=/bin/a\nFinally=-b c\nFinallyTimeoutSec=3s\nStopParallel=yes\n[process g/q]\nExecStart=q\nRestart=no\n"
		"[tree]\nDescription=All of it\nStrategy=one_for_all\nIntensity=0/1h\nFinally=x\nFinallyTimeoutSec=infinity\nStopBudgetSec=90\n"
		"ControlGroup=adm\nLogTarget=/var/log//x/\nLogFileMax=64K\nLogFileKeep=0\n");
	n = node_at("p");
	ck_assert_str_eq(n->description, "The \"p\" of shop at 100%");
	ck_assert_int_eq(n->restart, HOLT_RESTART_ALWAYS);
	ck_assert_uint_eq(n->restart_min, HOLT_SEC);
	ck_assert_uint_eq(n->restart_max, 2 * HOLT_MIN);
	ck_assert_uint_eq(n->backoff_reset, HOLT_NEVER);
	ck_assert_uint_eq(n->timeout_start, 5 * HOLT_SEC);
	ck_assert_uint_eq(n->timeout_stop, HOLT_NEVER);
	ck_assert(n->ignore_failure && n->significant && !n->enabled && n->off);
	n = node_at("g");
	ck_assert_int_eq(n->restart, HOLT_RESTART_ON_FAILURE);
	ck_assert(n->restart_min == 3 * HOLT_SEC && n->restart_max == 3 * HOLT_SEC);
	ck_assert_uint_eq(n->timeout_start, HOLT_NEVER);
	ck_assert_uint_eq(n->timeout_stop, HOLT_MIN);
	ck_assert_int_eq(n->strategy, HOLT_REST_FOR_ONE);
	ck_assert(n->intensity == 3 && n->intensity_within == HOLT_MIN);
	ck_assert_uint_eq(n->finally.n, 2);
	ck_assert_str_eq(words_of_command(&n->finally.v[0]), "</bin/a>");
	ck_assert_str_eq(words_of_command(&n->finally.v[1]), "<b><c>");
	ck_assert(!n->finally.v[0].ignore && n->finally.v[1].ignore);
	ck_assert_uint_eq(n->finally_timeout, 3 * HOLT_SEC);
	ck_assert(n->stop_parallel);
	ck_assert_int_eq(node_at("g/q")->restart, HOLT_RESTART_NEVER);
	n = config->tree;
	ck_assert_str_eq(n->description, "All of it");
	ck_assert_int_eq(n->strategy, HOLT_ONE_FOR_ALL);
	ck_assert(n->intensity == 0 && n->intensity_within == HOLT_HOUR && n->finally.n == 1);
	ck_assert_uint_eq(n->finally_timeout, HOLT_NEVER);
	ck_assert_uint_eq(n->stop_budget, 90 * HOLT_SEC);
	ck_assert_str_eq(config->control_group, "adm");
	ck_assert_int_eq(config->log_target, LOG_TO_FILES);
	ck_assert_str_eq(config->log_directory, "/var/log/x");
	ck_assert_uint_eq(config->log_file_max, 65536);
	ck_assert_uint_eq(config->log_file_keep, 0);
	config = config_free(config);
}

TEST(each_key_of_a_process_sets_its_value)
{
	const struct process_conf *p = process_with(
		"ExecStartPre=a\nExecStartPre=b\nExecReload=c\nExecStop=d\nExecStopPost=e\nType=notify\n"
		"KillSignal=SIGINT\nKillMode=control-group\nSendSIGKILL=no\nUser=www\nGroup=33\n"
		"SupplementaryGroups=a b\nSupplementaryGroups=c\nUMask=077\nNice=-5\nNoNewPrivileges=yes\n"
		"WatchdogSec=30s\nSuccessExitStatus=3 TEMPFAIL\nSuccessExitStatus=SIGUSR1\nStandardInput=file:/a/b\n"
		"StandardOutput=append:/c//d\nStandardError=null\nLogLineMax=1K\nLogRateLimitIntervalSec=1min\n"
		"LogRateLimitBurst=7\n");

	ck_assert(p->start_pre.n == 2 && p->reload.n == 1 && p->stop.n == 1 && p->stop_post.n == 1);
	ck_assert_str_eq(p->start_pre.v[1].path, "b");
	ck_assert_int_eq(p->type, TYPE_NOTIFY);
	ck_assert_int_eq(p->kill_signal, SIGINT);
	ck_assert_int_eq(p->kill_mode, KILL_CONTROL_GROUP);
	ck_assert(!p->send_sigkill && p->no_new_privileges);
	ck_assert_str_eq(p->user, "www");
	ck_assert_str_eq(p->group, "33");
	ck_assert_uint_eq(p->supplementary_groups.n, 3);
	ck_assert_str_eq(p->supplementary_groups.v[2], "c");
	ck_assert_uint_eq(p->umask, 077);
	ck_assert(p->nice_set && p->nice == -5);
	ck_assert_uint_eq(p->watchdog, 30 * HOLT_SEC);
	ck_assert(p->success.codes[0] == 8 && p->success.codes[9] == 8 && p->success.signals == 1ull << (SIGUSR1 - 1));
	ck_assert_int_eq(p->stdio[0].kind, STDIO_FILE);
	ck_assert_str_eq(p->stdio[0].path, "/a/b");
	ck_assert_int_eq(p->stdio[1].kind, STDIO_APPEND);
	ck_assert_str_eq(p->stdio[1].path, "/c/d");
	ck_assert_int_eq(p->stdio[2].kind, STDIO_NULL);
	ck_assert(p->log_line_max == 1024 && p->log_rate_burst == 7 && p->log_rate_interval == HOLT_MIN);
	config = config_free(config);
}

TEST(standard_error_inherits_standard_output)
{
	const struct process_conf *p = process_with("StandardError=inherit\nStandardOutput=truncate:/x\n");

	ck_assert_int_eq(p->stdio[2].kind, STDIO_TRUNCATE);
	ck_assert_ptr_eq(p->stdio[2].path, p->stdio[1].path);
	p = process_with("StandardOutput=inherit\nStandardError=inherit\nStandardInput=inherit\n");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(p->stdio[i].kind, STDIO_INHERIT);
	p = process_with("StandardOutput=null\nStandardError=journal\n");
	ck_assert_int_eq(p->stdio[2].kind, STDIO_LOG);
	config = config_free(config);
}

TEST(limits_are_kept_one_of_a_kind)
{
	const struct process_conf *p = process_with(
		"LimitNOFILE=5\nLimitCORE=1M\nLimitNOFILE=1024:4096\nLimitNICE=7\nLimitNICE=\n"
		"MemoryMax=1G\nMemoryMax=-64M\nTasksMax=infinity\nCPUWeight=50\nCPUWeight=idle\n");

	ck_assert_uint_eq(p->n_limits, 2);
	for (size_t i = 0; i < 2; i++)
		if (p->limits[i].resource == RLIMIT_NOFILE)
			ck_assert(p->limits[i].value.rlim_cur == 1024 && p->limits[i].value.rlim_max == 4096);
		else
			ck_assert(p->limits[i].resource == RLIMIT_CORE && p->limits[i].value.rlim_max == 1 << 20);
	ck_assert_uint_eq(p->n_cgroup_limits, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct cgroup_limit *c = &p->cgroup_limits[i];

		ck_assert_str_eq(c->file, "shop.tree");
		if (strcmp(c->attribute, "memory.max") == 0)
			ck_assert(c->optional && strcmp(c->value, "67108864") == 0 && c->line == 9);
		else if (strcmp(c->attribute, "pids.max") == 0)
			ck_assert(!c->optional && strcmp(c->value, "max") == 0);
		else
			ck_assert(strcmp(c->attribute, "cpu.idle") == 0 && strcmp(c->value, "1") == 0);
	}
	p = process_with("MemoryMax=100%\nTasksMax=50%\nCPUWeight=-200\n");
	ck_assert_uint_eq(p->n_cgroup_limits, 3);
	ck_assert_uint_gt(strtoull(p->cgroup_limits[0].value, NULL, 10), 1 << 20);
	ck_assert_uint_gt(strtoull(p->cgroup_limits[1].value, NULL, 10), 10);
	ck_assert(p->cgroup_limits[2].optional && strcmp(p->cgroup_limits[2].value, "200") == 0);
	ck_assert_uint_eq(
		process_with("MemoryMax=1G\nMemoryMax=\nTasksMax=5\nTasksMax=\nCPUWeight=5\nCPUWeight=\n")->n_cgroup_limits, 0);
	config = config_free(config);
}

TEST(an_environment_has_each_name_once)
{
	const struct process_conf *p = process_with("Environment=A=1 \"B=two words\" 'C=%n'\nEnvironment=A=3 D= E=a=b\n"
						    "EnvironmentFile=/etc/a\nEnvironmentFile=-/etc//b\n");
	static const char *const expected[] = { "A=3", "B=two words", "C=p", "D=", "E=a=b" };

	ck_assert_uint_eq(p->environment.n, 5);
	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(p->environment.v[i], expected[i]);
	ck_assert_uint_eq(p->n_env_files, 2);
	ck_assert(!p->env_files[0].optional && p->env_files[1].optional);
	ck_assert_str_eq(p->env_files[1].path, "/etc/b");
	p = process_with("Environment=A=1\nEnvironment=\nEnvironment=B=2\nEnvironmentFile=/a\nEnvironmentFile=\n");
	ck_assert(p->environment.n == 1 && p->n_env_files == 0);
	config = config_free(config);
}

TEST(credentials_and_folders_are_paths_or_names)
{
	const struct process_conf *p = process_with(
		"LoadCredential=a:/etc/a b\nLoadCredential=b\nLoadCredential=c:other\nLoadCredential=a:/x\n"
		"WorkingDirectory=-/srv/%n/\n");

	ck_assert_uint_eq(p->n_credentials, 3);
	ck_assert_str_eq(p->credentials[0].id, "a");
	ck_assert_str_eq(p->credentials[0].path, "/x");
	ck_assert_str_eq(p->credentials[1].path, "b");
	ck_assert_str_eq(p->credentials[2].path, "other");
	ck_assert_str_eq(p->working_directory, "/srv/p");
	ck_assert(p->working_directory_optional);
	p = process_with("WorkingDirectory=~\nLoadCredential=a:/etc/a b\n");
	ck_assert_str_eq(p->working_directory, "~");
	ck_assert(!p->working_directory_optional);
	ck_assert_str_eq(p->credentials[0].path, "/etc/a b");
	config = config_free(config);
}

TEST(an_empty_value_takes_back_what_was_said)
{
	const struct process_conf *p;
	const struct node *n;

	load_text(
		"[process p]\nExecStart=a\nExecStart=\nExecStart=b\nExecStartPre=c\nExecStartPre=\nRestart=no\nRestart=\nRestartSec=1..2\n"
		"RestartSec=\nBackoffResetSec=1\nBackoffResetSec=\nTimeoutStartSec=1\nTimeoutStartSec=\nTimeoutStopSec=1\nTimeoutStopSec=\n"
		"Description=x\nDescription=\nSignificant=yes\nSignificant=\nEnabled=no\nEnabled=\nOnFailure=ignore\nOnFailure=\nType=notify\nType=\n"
		"KillSignal=1\nKillSignal=\nUser=x\nUser=\nUMask=0\nUMask=\nNice=1\nNice=\nLimitCPU=1\nLimitCPU=\nLoadCredential=x\n"
		"LoadCredential=\nStandardOutput=null\nStandardOutput=\nLogLineMax=1K\nLogLineMax=\nSuccessExitStatus=1\nSuccessExitStatus=\n"
		"WorkingDirectory=-/x\nWorkingDirectory=\nSupplementaryGroups=x\nSupplementaryGroups=\nReplicas=3\nReplicas=\nWatchdogSec=1\n"
		"WatchdogSec=\n[group g]\nIntensity=1/1\nIntensity=\nFinally=x\nFinally=\n[process g/q]\nExecStart=q\nAfter=\n"
		"[tree]\nLogTarget=/x\nLogTarget=\nControlGroup=x\nControlGroup=\n");
	n = node_at("p");
	p = n->process;
	ck_assert(n->start.n == 1 && strcmp(n->start.v[0].path, "b") == 0 && p->start_pre.n == 0);
	ck_assert_int_eq(n->restart, HOLT_RESTART_ON_FAILURE);
	ck_assert(n->restart_min == 100 * HOLT_MS && n->restart_max == 30 * HOLT_SEC && n->backoff_reset == HOLT_MIN);
	ck_assert(n->timeout_start == 90 * HOLT_SEC && n->timeout_stop == 10 * HOLT_SEC);
	ck_assert(!n->description && !n->significant && n->enabled && !n->ignore_failure && n->replicas == 0);
	ck_assert(p->type == TYPE_EXEC && p->kill_signal == SIGTERM && !p->user && p->umask == 022 && !p->nice_set &&
		p->n_limits == 0);
	ck_assert(p->n_credentials == 0 && p->stdio[1].kind == STDIO_LOG && p->log_line_max == 49152 && p->success.codes[0] == 0);
	ck_assert(!p->working_directory && !p->working_directory_optional && p->supplementary_groups.n == 0 && p->watchdog == 0);
	n = node_at("g");
	ck_assert(n->intensity == 5 && n->intensity_within == 10 * HOLT_SEC && n->finally.n == 0);
	ck_assert(config->log_target == LOG_TO_AUTO && !config->log_directory && !config->control_group);
	config = config_free(config);
}

TEST(what_begins_with_x_dash_is_nobodys_business)
{
	load_text("[X-Mine]\nAnything=goes\n[process p]\nX-Note=hello\nExecStart=p\n[X-Other thing]\nk=v\n");
	ck_assert_uint_eq(config->nodes.n, 2);
	config = config_free(config);
}

/* ---- commands */

TEST(a_command_is_split_and_knows_its_line)
{
	const struct node *n;

	load_text("[process p]\nType=oneshot\n"
		  "ExecStart=-:/bin/a --x=\"1 2\" $FOO ${BAR} '$BAZ' %n %% \\\n  \\x41 ; b c \\; \"; \"\nExecStart=:-c$x\n");
	n = node_at("p");
	ck_assert_uint_eq(n->start.n, 3);
	ck_assert_str_eq(words_of_command(&n->start.v[0]), "</bin/a><--x=1 2><$FOO><${BAR}><$BAZ><p><%><A>");
	ck_assert(n->start.v[0].ignore && n->start.v[0].no_variables && n->start.v[0].line == 3);
	ck_assert_str_eq(n->start.v[0].text, "-:/bin/a --x=\"1 2\" $FOO ${BAR} '$BAZ' %n %%  \\x41 ; b c \\; \"; \"");
	ck_assert_str_eq(words_of_command(&n->start.v[1]), "<b><c><;><; >");
	ck_assert(!n->start.v[1].ignore && !n->start.v[1].no_variables);
	ck_assert_str_eq(words_of_command(&n->start.v[2]), "<c$x>");
	ck_assert(n->start.v[2].ignore && n->start.v[2].no_variables && n->start.v[2].line == 5);
	config = config_free(config);
}

TEST(specifiers_stand_for_the_node_and_the_tree)
{
	load_text(
		"[process g/p]\nExecStart=x %i %n %N %h %t %%i \"%n\"\nReplicas=2\nUser=u%i\nWorkingDirectory=%h/%N\n[tree]\nDescription=%N: %n\n");
	ck_assert_str_eq(config->tree->description, "shop: /");
	ck_assert_str_eq(words_of_command(node_at("g/p@2")->start.v), "<x><2><g/p@2><shop></home></run><%i><g/p@2>");
	ck_assert_str_eq(node_at("g/p@1")->process->user, "u1");
	ck_assert_str_eq(node_at("g/p@1")->process->working_directory, "/home/shop");
	config = config_free(config);
}

/* ---- order */

TEST(each_node_comes_after_the_one_before_it)
{
	load_text("[process a]\nExecStart=x\n[process g/b]\nExecStart=x\n[process g/c]\nExecStart=x\n[process d]\nExecStart=x\n");
	ck_assert_str_eq(paths_of(&config->nodes), " a g g/b g/c d");
	ck_assert_str_eq(paths_of(&config->tree->members), "a g d");
	ck_assert_str_eq(paths_of(&node_at("g")->members), "g/b g/c");
	ck_assert_str_eq(paths_of(&node_at("a")->after), "");
	ck_assert_str_eq(paths_of(&node_at("g")->after), "a");
	ck_assert_str_eq(paths_of(&node_at("g/b")->after), "");
	ck_assert_str_eq(paths_of(&node_at("g/c")->after), "g/b");
	ck_assert_str_eq(paths_of(&node_at("d")->after), "g");
	ck_assert_str_eq(paths_of(&node_at("g")->before), "d");
	ck_assert_str_eq(paths_of(&node_at("g/b")->before), "g/c");
	for (size_t i = 0; i < config->nodes.n; i++) {
		const struct node *n = config->nodes.v[i];

		ck_assert_uint_eq(n->index, i);
		ck_assert(!n->parent || n->parent->members.v[n->order] == n);
	}
	config = config_free(config);
}

TEST(after_replaces_the_default_and_an_empty_one_takes_it_away)
{
	load_text(
		"[process a]\nExecStart=x\n[process b]\nExecStart=x\nAfter=\n[process c]\nExecStart=x\nAfter=a\n"
		"[process d]\nExecStart=x\nAfter=a b\nAfter=c\n[process e]\nExecStart=x\nAfter=a\nAfter=\nAfter=b\n[process f]\nExecStart=x\nAfter=a\nAfter=\n");
	ck_assert_str_eq(paths_of(&node_at("b")->after), "");
	ck_assert_str_eq(paths_of(&node_at("c")->after), "a");
	ck_assert_str_eq(paths_of(&node_at("d")->after), "a b c");
	ck_assert_str_eq(paths_of(&node_at("e")->after), "b");
	ck_assert_str_eq(paths_of(&node_at("f")->after), "");
	ck_assert_str_eq(paths_of(&node_at("a")->before), "c d");
	config = config_free(config);
}

TEST(requires_is_beside_the_default_and_in_after_as_well)
{
	load_text("[process a]\nExecStart=x\n[process b]\nExecStart=x\n[process c]\nExecStart=x\nRequires=a\n"
		  "[process d]\nExecStart=x\nAfter=\nRequires=a b\nRequires=\nRequires=c c\n");
	ck_assert_str_eq(paths_of(&node_at("c")->after), "a b");
	ck_assert_str_eq(paths_of(&node_at("c")->requires), "a");
	ck_assert_str_eq(paths_of(&node_at("d")->after), "c");
	ck_assert_str_eq(paths_of(&node_at("d")->requires), "c");
	ck_assert_str_eq(paths_of(&node_at("a")->required_by), "c");
	ck_assert_str_eq(paths_of(&node_at("c")->required_by), "d");
	config = config_free(config);
}

TEST(names_are_relative_to_the_group_or_begin_at_the_root)
{
	load_text(
		"[process db]\nExecStart=x\n[process g/db]\nExecStart=x\n[process g/h/p]\nExecStart=x\n"
		"[process g/a]\nExecStart=x\nAfter=db\n[process g/b]\nExecStart=x\nAfter=/db\n[process g/c]\nExecStart=x\nAfter=h/p \"/g/a\"\n"
		"[process q]\nExecStart=x\nAfter=g/c\n");
	ck_assert_str_eq(paths_of(&node_at("g/a")->after), "g/db");
	ck_assert_str_eq(paths_of(&node_at("g/b")->after), "db");
	ck_assert_str_eq(paths_of(&node_at("g/c")->after), "g/h/p g/a");
	ck_assert_str_eq(paths_of(&node_at("q")->after), "g/c");
	config = config_free(config);
}

TEST(siblings_are_sorted_by_what_their_members_wait_for)
{
	load_text(
		"[process a/x]\nExecStart=x\nAfter=/c/z\n[group b]\nAfter=\n[process b/y]\nExecStart=x\n[group c]\nAfter=\n[process c/z]\nExecStart=x\n"
		"[process d]\nExecStart=x\nAfter=b\n[process e]\nExecStart=x\nAfter=\n");
	ck_assert_str_eq(paths_of(&config->tree->members), "b c a d e");
	ck_assert_str_eq(paths_of(&config->nodes), " b b/y c c/z a a/x d e");
	config = config_free(config);
}

TEST(who_is_not_enabled_is_off_with_all_below_and_no_default)
{
	load_text(
		"[process a]\nExecStart=x\n[process b]\nExecStart=x\nEnabled=no\n[process c]\nExecStart=x\n[group g]\nEnabled=no\n"
		"[process g/x]\nExecStart=x\n[process g/y]\nExecStart=x\nRequires=x\n[process d]\nExecStart=x\nAfter=b c\n[process e]\nExecStart=x\n");
	ck_assert(!node_at("a")->off && node_at("b")->off && node_at("g")->off && node_at("g/x")->off);
	ck_assert(node_at("g/x")->enabled && !node_at("g")->enabled);
	ck_assert_str_eq(paths_of(&node_at("b")->after), "a");
	ck_assert_str_eq(paths_of(&node_at("c")->after), "a");
	ck_assert_str_eq(paths_of(&node_at("g/y")->after), "g/x"); /* for when the group is started by hand */
	ck_assert_str_eq(paths_of(&node_at("d")->after), "b c");
	ck_assert_str_eq(paths_of(&node_at("e")->after), "d");
	config = config_free(config);
}

/* ---- replicas */

TEST(replicas_are_nodes_side_by_side)
{
	const struct node *w;

	load_text(
		"[process a]\nExecStart=x\n[process w]\nExecStart=w\nReplicas=3\nRequires=a\n[process b]\nExecStart=x\nRequires=w\n"
		"[process c]\nExecStart=x\nAfter=w@2\n");
	ck_assert_str_eq(paths_of(&config->nodes), " a w@1 w@2 w@3 b c");
	for (unsigned i = 1; i <= 3; i++) {
		w = config->nodes.v[i + 1];
		ck_assert(w->replica == i && w->replicas == 3 && w->name[0] == 'w' && w->name[1] == '@');
		ck_assert_str_eq(paths_of(&w->after), "a");
		ck_assert_str_eq(paths_of(&w->requires), "a");
		ck_assert_str_eq(paths_of(&w->required_by), "b");
		ck_assert_str_eq(paths_of(&w->before), i == 2 ? "b c" : "b");
		/* what they have in common is there once */
		ck_assert_ptr_eq(w->process, node_at("w@1")->process);
		ck_assert_ptr_eq(w->start.v, node_at("w@1")->start.v);
		ck_assert_ptr_eq(w->after.v, node_at("w@1")->after.v);
	}
	ck_assert_str_eq(paths_of(&node_at("b")->after), "w@1 w@2 w@3");
	ck_assert_str_eq(paths_of(&node_at("a")->before), "w@1 w@2 w@3");
	ck_assert_ptr_null(config_find(config, "w"));
	config = config_free(config);
}

TEST(one_replica_is_a_replica)
{
	load_text("[process w]\nExecStart=w %i\nReplicas=1\n");
	ck_assert_str_eq(words_of_command(node_at("w@1")->start.v), "<w><1>");
	ck_assert_uint_eq(node_at("w@1")->replicas, 1);
	config = config_free(config);
}

TEST(replicas_can_wait_for_each_others_number)
{
	load_text(
		"[process v]\nExecStart=v\nReplicas=3\n[process w]\nExecStart=w\nReplicas=3\nRequires=v@%i\n[process x]\nExecStart=x\nAfter=w@3\n");
	ck_assert_str_eq(paths_of(&node_at("w@2")->requires), "v@2");
	ck_assert_str_eq(paths_of(&node_at("v@2")->required_by), "w@2");
	ck_assert_str_eq(paths_of(&node_at("v@2")->before), "w@1 w@2 w@3"); /* and the default order */
	ck_assert_str_eq(paths_of(&node_at("w@3")->before), "x");
	ck_assert_str_eq(paths_of(&node_at("w@1")->before), "");
	config = config_free(config);
}

/* ---- finding */

TEST(nodes_are_found_by_path)
{
	load_text(
		"[process a]\nExecStart=x\n[process g/api]\nExecStart=x\n[process g/b]\nExecStart=x\nReplicas=12\n[process g-x]\nExecStart=x\n");
	for (size_t i = 0; i < config->nodes.n; i++) {
		char path[100];

		snprintf(path, sizeof path, "/%s", config->nodes.v[i]->path);
		ck_assert_ptr_eq(config_find(config, path), config->nodes.v[i]);
		ck_assert_ptr_eq(config_find(config, path + 1), config->nodes.v[i]);
	}
	ck_assert_ptr_null(config_find(config, "g/"));
	ck_assert_ptr_null(config_find(config, "g/b@13"));
	ck_assert_ptr_null(config_find(config, "//a"));
	ck_assert_ptr_eq(config_nearest(config, "api"), node_at("g/api"));
	ck_assert_ptr_eq(config_nearest(config, "/other/api"), node_at("g/api"));
	ck_assert_ptr_eq(config_nearest(config, "g/ap"), node_at("g/api"));
	ck_assert_ptr_eq(config_nearest(config, "g/B@1"), node_at("g/b@1"));
	ck_assert_ptr_null(config_nearest(config, "something/else"));
	config = config_free(config);
}

/* ---- size */

/* n times the pattern, its number for each #. */
static char *many(const char *pattern, unsigned n)
{
	char *text = malloc(n * (strlen(pattern) + 30) + 1), *to = text;

	for (unsigned i = 0; i < n; i++)
		for (const char *p = pattern; *p; p++)
			if (*p == '#')
				to += sprintf(to, "%u", i);
			else
				*to++ = *p;
	*to = 0;
	return text;
}

TEST(a_simple_process_takes_less_than_500_bytes)
{
	static const char *const formats[] = {
		"[process w#]\nExecStart=/bin/sleep infinity\n",
		"[process group/worker-#]\nExecStart=/usr/bin/server --port=# --config=/etc/server.conf\nUser=nobody\n",
	};

	for (size_t i = 0; i < HOLT__N(formats); i++) {
		char *text = many(formats[i], 5000);

		load_text(text);
		free(text);
		ck_assert_uint_ge(config->nodes.n, 5001);
		ck_assert_msg(config_size(config) < 5000 * 500, "%zu bytes each", config_size(config) / 5000);
		ck_assert_ptr_eq(config->nodes.v[5000]->process, config->nodes.v[4000]->process);
	}
	config = config_free(config);
	ck_assert_uint_eq(harness_live(), 0);
}

TEST(large_pools_share_their_lists)
{
	load_text(
		"[process a]\nExecStart=x\nReplicas=4000\n[process b]\nExecStart=x\nReplicas=4000\n[process c]\nExecStart=x %i\nReplicas=4000\n");
	ck_assert_uint_eq(node_at("c@4000")->after.n, 4000);
	ck_assert_uint_eq(node_at("b@17")->before.n, 4000);
	ck_assert_uint_lt(config_size(config), 12000 * 500);
	config = config_free(config);
}

TEST(each_allocation_may_fail)
{
	static const char text[] =
		"[tree]\nFinally=/bin/x\nLogTarget=/x\n[process g/p]\nExecStart=a \"b c\" %n ; x\nType=oneshot\nReplicas=2\n"
		"Environment=A=1 B=2\nEnvironmentFile=-/x\nLimitCPU=1\nMemoryMax=1M\nLoadCredential=a\nSupplementaryGroups=x y\n"
		"StandardOutput=file:/x\nWorkingDirectory=/\n[process q]\nExecStart=x\\\ny\nRequires=g/p@1\nDescription=q\n"
		"[process r]\nExecStart=%i\nAfter=nobody\nUser=a b\n";
	size_t good = strstr(text, "[process r]") - text;

	for (int bad = 0; bad < 2; bad++)
		for (unsigned i = 1;; i++) {
			size_t live = harness_live();
			int r;

			harness_fail_alloc(i);
			r = config_parse(&config, "t", text, bad ? sizeof text - 1 : good, &config_defaults);
			if (!harness_alloc_failed()) {
				ck_assert_int_eq(r, bad ? -EINVAL : 0);
				config = config_free(config);
				break;
			}
			ck_assert_msg(r == -ENOMEM, "allocation %u: %d", i, r);
			ck_assert_ptr_null(config);
			ck_assert_msg(harness_live() == live, "allocation %u leaks", i);
		}
	harness_fail_alloc(0);
}
