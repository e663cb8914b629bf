/* SPDX-License-Identifier: Apache-2.0 */
/* tally: the command-line client. Finds the daemon, picks the command from a table. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/seam.h"
#include "main/client/client.h"

#define DEFAULT_URL "http://127.0.0.1:8470"

/* A command is a function of its own, or a path of the admin socket whose answer is printed. */
static const struct command {
	const char *name;
	int (*fn)(struct client *c);
	const char *path;
	bool post;
	const char *help;
} commands[] = {
	{ "send", cmd_send, NULL, false, "send events: NDJSON, JSON or CSV, from files or stdin" },
	{ "query", cmd_query, NULL, false, "ask a statistics query: JSON as argument, from a file (@FILE) or stdin" },
	{ "top", cmd_top, NULL, false, "the top values of a dimension: tally top SITE --by event:page" },
	{ "status", NULL, "/admin/status", false, "what the daemon is doing" },
	{ "flush", NULL, "/admin/flush", true, "wait until what was accepted is committed in every reachable sink" },
	{ "plugins", NULL, "/admin/plugins", false,
		"plugins and sinks: what was found, what runs, what does not and why" },
	{ "reload", NULL, "/admin/reload", true, "read the configuration and the plugin folder again" },
	{ "dead", cmd_dead, NULL, false, "dead letters: tally dead list | show | replay | purge" },
	{ "adopt", cmd_adopt, NULL, false,
		"give a line the tables it wrote under another name: tally adopt LINE --from OLDNAME" },
	{ "spool", cmd_spool, NULL, false, "look at a data_dir: tally spool check | dump | adopt, with -d DATA_DIR" },
	{ "verify", cmd_verify, NULL, false,
		"are rollups, raw rows, positions and ledger one? tally verify [--line NAME]" },
	{ "rebuild", cmd_rebuild, NULL, false,
		"make a rollup anew from raw events: tally rebuild NAME [--from TIME] [--to TIME] [--detach] | --status" },
	{ "backup", cmd_backup, NULL, false, "copy a SQLite store to a new file: tally backup FILE [--line NAME]" },
	{ "restore", cmd_restore, NULL, false,
		"put a copy in the store's place: tally restore FILE [--line NAME], or [--into DATABASE] with no daemon on it" },
	{ "bench", cmd_bench, NULL, false,
		"what the disk and tally can do here: tally bench [--dir DATA_DIR] [--seconds N]; starts a tallyd of its own" },
};

static const char *const not_yet[] = { "tail", "explain", "drain", "key" };

static void usage(FILE *f)
{
	fprintf(f, "usage: tally [-s SOCKET | -u URL] [-k KEY] [--json | --csv] COMMAND ...\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(f, "exit: 0 ok, 1 refused, 2 usage or not implemented, 3 no daemon there\n");
}

int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "tally: %s: %s\n", arg, what);
	usage(stderr);
	return EXIT_USAGE;
}

const char *option_value(struct client *c, int *i, const char *name)
{
	const char *arg = c->argv[*i];
	size_t n = strlen(name);
	if (strncmp(arg, name, n) != 0 || (arg[n] != 0 && arg[n] != '='))
		return NULL;
	if (arg[n] == '=')
		return arg + n + 1;
	if (*i + 1 >= c->argc)
		exit(usage_error("needs a value", name));
	return c->argv[++*i];
}

bool option_flag(const struct client *c, int i, const char *name)
{
	return strcmp(c->argv[i], name) == 0;
}

/* The options before the command. The first word that is none of them is the command. */
static int parse_globals(struct client *c)
{
	int i = 1;
	for (; i < c->argc && c->argv[i][0] == '-'; i++) {
		const char *v;
		if ((v = option_value(c, &i, "-s")))
			c->socket = v;
		else if ((v = option_value(c, &i, "-u")))
			c->url = v;
		else if ((v = option_value(c, &i, "-k")))
			c->key = v;
		else if (option_flag(c, i, "--json"))
			c->format = FORMAT_JSON;
		else if (option_flag(c, i, "--csv"))
			c->format = FORMAT_CSV;
		else if (option_flag(c, i, "-h") || option_flag(c, i, "--help")) {
			usage(stdout);
			exit(EXIT_OK);
		} else
			return usage_error("is not an option", c->argv[i]);
	}
	c->argc -= i;
	c->argv += i;
	return 0;
}

/* -s, -u, $TALLY_SOCKET, $TALLY_URL, the socket where tallyd puts it, the default port: the first that is there. */
static void find_daemon(struct client *c)
{
	if (c->socket || c->url)
		return;
	c->socket = getenv("TALLY_SOCKET");
	c->url = getenv("TALLY_URL");
	if (!c->socket && !c->url && access(TALLY_RUN_DIR "/admin.sock", R_OK | W_OK) == 0)
		c->socket = TALLY_RUN_DIR "/admin.sock";
	if (!c->socket && !c->url)
		c->url = DEFAULT_URL;
}

/* --json and --csv are taken behind the command too. */
static void take_formats(struct client *c)
{
	int n = 0;
	for (int i = 0; i < c->argc; i++) {
		if (i > 0 && option_flag(c, i, "--json"))
			c->format = FORMAT_JSON;
		else if (i > 0 && option_flag(c, i, "--csv"))
			c->format = FORMAT_CSV;
		else
			c->argv[n++] = c->argv[i];
	}
	c->argc = n;
	if (c->format == FORMAT_AUTO)
		c->format = isatty(STDOUT_FILENO) ? FORMAT_TABLE : FORMAT_JSON;
}

static int run(struct client *c)
{
	const char *name = c->argv[0];
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *cmd = &commands[i];
		if (strcmp(cmd->name, name) != 0)
			continue;
		if (cmd->fn)
			return cmd->fn(c);
		return call_print(c, cmd->path, cmd->post ? &STR("") : NULL);
	}
	for (size_t i = 0; i < sizeof not_yet / sizeof *not_yet; i++)
		if (strcmp(not_yet[i], name) == 0) {
			fprintf(stderr, "tally: %s is not implemented in this version (docs/status.md)\n", name);
			return EXIT_USAGE;
		}
	return usage_error("is not a command", name);
}

int main(int argc, char **argv)
{
	struct client c = { .argc = argc, .argv = argv };
	int rc = parse_globals(&c);
	if (rc || seam_arm(getenv("TALLY_FAULT")))
		return EXIT_USAGE;
	if (c.argc == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	arena_init(&c.arena, 0);
	find_daemon(&c);
	take_formats(&c);
	rc = run(&c);
	arena_free(&c.arena);
	curl_global_cleanup();
	return rc;
}
