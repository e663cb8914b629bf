/* SPDX-License-Identifier: Apache-2.0 */
/* The command-line client: what its commands share. One thread unless a function says otherwise. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

/* Exit codes of CONTRACT. */
enum exit_code { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

enum format { FORMAT_AUTO, FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

struct client {
	const char *socket, *url, *key; /* socket NULL = url */
	enum format format;
	long timeout_s; /* of one answer; 0 = two minutes */
	struct arena arena;
	int argc; /* what is left for the command */
	char **argv;
};

/* ---- one HTTP exchange (libcurl); a call belongs to one thread and keeps its connection ---- */

struct call;

struct call *call_open(const struct client *c);
void call_close(struct call *call);

struct call_answer {
	long status;
	struct tally_str body; /* until the next call_send() */
	long retry_after_s;    /* 0 = none */
};

/* 0, or -1: no answer; call_error() has the words. body NULL = GET. */
must_check int call_send(
	struct call *call, const char *path, const struct tally_str *body, const char *accept, struct call_answer *out);
const char *call_error(const struct call *call);

/* GET or POST, prints the answer in the client's format; the exit code. */
int call_print(struct client *c, const char *path, const struct tally_str *body);

/* ---- printing ---- */

/* A JSON answer as a table if it is a list of rows (a statistics answer, or an array of objects), else as JSON. */
void print_answer(const struct client *c, struct tally_str json);
/* The words of a problem document on stderr. */
void print_problem(const struct call_answer *an);

/* ---- commands ---- */

int cmd_send(struct client *c);
int cmd_query(struct client *c);
int cmd_top(struct client *c);
int cmd_dead(struct client *c);
int cmd_adopt(struct client *c);
int cmd_spool(struct client *c);
int cmd_verify(struct client *c);
int cmd_rebuild(struct client *c);
int cmd_backup(struct client *c);
int cmd_restore(struct client *c);
int cmd_bench(struct client *c);

/* Takes `--name value` or `--name=value` at argv[*i]; NULL = it is another one. Exits with usage if the value is missing. */
const char *option_value(struct client *c, int *i, const char *name);
bool option_flag(const struct client *c, int i, const char *name);
int usage_error(const char *what, const char *arg);

/* 64 percent-encoded characters at most matter; the result lives in the arena. */
const char *url_escape(struct arena *a, const char *text);

#endif
