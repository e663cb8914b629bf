/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about whole stores: verify, backup, restore. The daemon does the work; only a restore under a daemon that
 * does not run (--into) is done here. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "main/client/client.h"
#include "text/tree.h"

#define HOURS_S 14400

static const char *line_query(struct client *c, const char *path, char mark, const char *line)
{
	return line ? arena_printf(&c->arena, "%s%cline=%s", path, mark, url_escape(&c->arena, line)) : path;
}

/* ---- verify ---- */

static int judge(struct client *c, struct tally_str body)
{
	const struct tree_node *doc;
	print_answer(c, body);
	if (tree_parse(&c->arena, body, 8, &doc, NULL) != 0)
		return EXIT_REFUSED;
	const struct tree_node *ok = tree_get(doc, STR("ok"));
	return ok && ok->kind == JSON_TRUE ? EXIT_OK : EXIT_REFUSED;
}

/* tally verify [--line NAME]: 0 = one whole, 1 = not (the first differences are printed), 3 = no daemon */
int cmd_verify(struct client *c)
{
	const char *line = NULL, *v;
	for (int i = 1; i < c->argc; i++) {
		if (strncmp(c->argv[i], "--against", 9) == 0) {
			fprintf(stderr,
				"tally: verify --against is not implemented in this version (docs/status.md)\n");
			return EXIT_USAGE;
		}
		if (!(v = option_value(c, &i, "--line")))
			return usage_error("is not an option of verify", c->argv[i]);
		line = v;
	}
	c->timeout_s = HOURS_S;
	struct call *call = call_open(c);
	struct call_answer an;
	int code = EXIT_UNREACHABLE;
	if (call_send(call, line_query(c, "/admin/verify", '?', line), NULL, "application/json", &an)) {
		fprintf(stderr, "tally: no answer: %s; is tallyd running? (-s SOCKET says where)\n", call_error(call));
	} else if (an.status >= 400) {
		print_problem(&an);
		code = EXIT_REFUSED;
	} else {
		code = judge(c, an.body);
	}
	call_close(call);
	return code;
}

/* ---- backup and restore through the daemon ---- */

static const char *absolute(struct client *c, const char *path)
{
	char here[4096];
	if (*path == '/' || !getcwd(here, sizeof here))
		return path;
	return arena_printf(&c->arena, "%s/%s", here, path);
}

static int ask_daemon(struct client *c, const char *what, const char *file, const char *line)
{
	const char *path = arena_printf(&c->arena, "/admin/%s?file=%s", what, url_escape(&c->arena, absolute(c, file)));
	c->timeout_s = HOURS_S;
	return call_print(c, line_query(c, path, '&', line), &STR(""));
}

/* ---- restore without a daemon ---- */

static int say(const char *path, const char *what)
{
	fprintf(stderr, "tally: %s: %s\n", path, what);
	return EXIT_REFUSED;
}

static int first_text(void *arg, int n, char **values, char **names)
{
	(void)names;
	snprintf(arg, 64, "%s", n > 0 && values[0] ? values[0] : "");
	return 1;
}

/* Leaving the write-ahead log needs the file alone, and takes the log away. What is damaged or absent has no user. */
static int take_alone(const char *path)
{
	sqlite3 *db = NULL;
	char mode[64] = "";
	if (access(path, F_OK) != 0)
		return 0;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", first_text, mode, NULL);
	if (code == SQLITE_ABORT)
		code = SQLITE_OK; /* first_text() had what it wanted */
	sqlite3_close(db);
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED || (code == SQLITE_OK && strcmp(mode, "delete") != 0))
		return say(path, "is in use: stop the daemon, or let it do this (without --into, with -s SOCKET)");
	return 0;
}

static int copy_database(const char *from, const char *to)
{
	sqlite3 *src = NULL, *dst = NULL;
	char check[64] = "";
	int code = EXIT_OK;
	if (sqlite3_open_v2(from, &src, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		code = say(from, sqlite3_errmsg(src));
	if (code == EXIT_OK)
		sqlite3_exec(src, "PRAGMA quick_check(1)", first_text, check, NULL);
	if (code == EXIT_OK && strcmp(check, "ok") != 0)
		code = say(from, *check ? check : sqlite3_errmsg(src));
	if (code == EXIT_OK &&
		sqlite3_exec(src, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tally_position'", first_text,
			check, NULL) == SQLITE_ABORT &&
		strcmp(check, "0") == 0)
		code = say(from, "is no store of tally");
	if (code == EXIT_OK && sqlite3_open(to, &dst) != SQLITE_OK)
		code = say(to, sqlite3_errmsg(dst));
	sqlite3_backup *b = code == EXIT_OK ? sqlite3_backup_init(dst, "main", src, "main") : NULL;
	if (code == EXIT_OK && (!b || sqlite3_backup_step(b, -1) != SQLITE_DONE))
		code = say(to, sqlite3_errmsg(dst));
	sqlite3_backup_finish(b);
	sqlite3_close(dst);
	sqlite3_close(src);
	return code;
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -1;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int restore_into(struct client *c, const char *from, const char *to)
{
	const char *fresh = arena_printf(&c->arena, "%s.new", to), *slash = strrchr(to, '/');
	const char *folder = slash ? arena_printf(&c->arena, "%.*s", (int)(slash - to + 1), to) : ".";
	unlink(fresh);
	int code = copy_database(from, fresh);
	if (code == EXIT_OK)
		code = take_alone(to);
	if (code == EXIT_OK) {
		unlink(arena_printf(&c->arena, "%s-wal", to));
		unlink(arena_printf(&c->arena, "%s-shm", to));
	}
	if (code == EXIT_OK && (sync_path(fresh) != 0 || rename(fresh, to) != 0 || sync_path(folder) != 0))
		code = say(to, strerror(errno));
	if (code != EXIT_OK)
		unlink(fresh);
	return code;
}

static int parse(struct client *c, const char **file, const char **line, const char **into)
{
	for (int i = 1; i < c->argc; i++) {
		const char *v;
		if ((v = option_value(c, &i, "--line")))
			*line = v;
		else if (into && (v = option_value(c, &i, "--into")))
			*into = v;
		else if (c->argv[i][0] == '-' || *file)
			return usage_error("is not an option of this command", c->argv[i]);
		else
			*file = c->argv[i];
	}
	return *file ? EXIT_OK : usage_error("which file?", c->argv[0]);
}

int cmd_backup(struct client *c)
{
	const char *file = NULL, *line = NULL;
	int code = parse(c, &file, &line, NULL);
	return code == EXIT_OK ? ask_daemon(c, "backup", file, line) : code;
}

int cmd_restore(struct client *c)
{
	const char *file = NULL, *line = NULL, *into = NULL;
	int code = parse(c, &file, &line, &into);
	if (code != EXIT_OK)
		return code;
	return into ? restore_into(c, file, into) : ask_daemon(c, "restore", file, line);
}
