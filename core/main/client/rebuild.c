/* SPDX-License-Identifier: Apache-2.0 */
/* tally rebuild: asks for it, then looks how far it is until it is over. Ended early, the client ends; the daemon goes on. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "main/client/client.h"
#include "text/tree.h"

#define LOOK_NS 200000000

static const char usage_words[] =
	"which rollup? tally rebuild NAME [--line LINE] [--from TIME] [--to TIME] [--detach], or tally rebuild --status";

static const char *text_at(const struct tree_node *doc, const char *name)
{
	static char words[600];
	const struct tree_node *t = tree_get(doc, str_of(name));
	snprintf(words, sizeof words, "%.*s", t ? (int)t->text.len : 0, t ? t->text.ptr : "");
	return words;
}

static void show(const struct tree_node *doc)
{
	const struct tree_node *percent = tree_get(doc, STR("percent")), *events = tree_get(doc, STR("events"));
	if (!isatty(STDERR_FILENO) || !percent || !events)
		return;
	fprintf(stderr, "\r%s: %.*s %%, %.*s events ", text_at(doc, "phase"), (int)percent->text.len, percent->text.ptr,
		(int)events->text.len, events->text.ptr);
}

/* The exit code once it is over, -1 while it runs. */
static int judge(struct client *c, struct tally_str body)
{
	const struct tree_node *doc;
	struct arena a;
	int code = EXIT_REFUSED;
	arena_init(&a, 0);
	if (tree_parse(&a, body, 8, &doc, NULL) == 0) {
		const struct tree_node *state = tree_get(doc, STR("state"));
		show(doc);
		code = tree_is(state, STR("running")) ? -1 : tree_is(state, STR("done")) ? EXIT_OK : EXIT_REFUSED;
		if (code >= 0 && isatty(STDERR_FILENO))
			fprintf(stderr, "\n");
		if (code == EXIT_OK)
			print_answer(c, body);
		if (code == EXIT_REFUSED)
			fprintf(stderr, "tally: %s\n", text_at(doc, "detail"));
	}
	arena_free(&a);
	return code;
}

static int unreachable(struct call *call)
{
	fprintf(stderr, "tally: no answer: %s; is tallyd running? (-s SOCKET says where)\n", call_error(call));
	return EXIT_UNREACHABLE;
}

static int follow(struct client *c, struct call *call)
{
	struct call_answer an;
	int code = -1;
	while (code < 0) {
		nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
		if (call_send(call, "/admin/rebuild", NULL, "application/json", &an))
			return unreachable(call);
		code = judge(c, an.body);
	}
	return code;
}

static int begin(struct client *c, const char *path, bool detach)
{
	struct call *call = call_open(c);
	struct call_answer an;
	int code;
	if (call_send(call, path, &STR(""), "application/json", &an)) {
		code = unreachable(call);
	} else if (an.status >= 400) {
		print_problem(&an);
		code = EXIT_REFUSED;
	} else if (detach) {
		print_answer(c, an.body);
		code = EXIT_OK;
	} else {
		code = follow(c, call);
	}
	call_close(call);
	return code;
}

int cmd_rebuild(struct client *c)
{
	static const char *const params[] = { "line", "from", "to" };
	const char *name = NULL, *path = "";
	bool detach = false;
	for (int i = 1; i < c->argc; i++) {
		const char *v = NULL;
		if (option_flag(c, i, "--status"))
			return call_print(c, "/admin/rebuild", NULL);
		if (option_flag(c, i, "--detach")) {
			detach = true;
			continue;
		}
		for (size_t p = 0; !v && p < sizeof params / sizeof *params; p++)
			if ((v = option_value(c, &i, arena_printf(&c->arena, "--%s", params[p]))))
				path = arena_printf(&c->arena, "%s&%s=%s", path, params[p], url_escape(&c->arena, v));
		if (v)
			continue;
		if (c->argv[i][0] == '-' || name)
			return usage_error("is not an option of rebuild", c->argv[i]);
		name = c->argv[i];
	}
	if (!name)
		return usage_error(usage_words, "rebuild");
	return begin(
		c, arena_printf(&c->arena, "/admin/rebuild?rollup=%s%s", url_escape(&c->arena, name), path), detach);
}
