/* SPDX-License-Identifier: Apache-2.0 */
/* `tallyd -l FILE.so`: what a file is, where it would run and what can be set. */
#include <errno.h>
#include <string.h>

#include "plug/inner.h"

struct text {
	struct arena *a;
	char *ptr;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	char line[PLUG_WHY * 2];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	size_t more = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	char *joined = arena_alloc(t->a, t->len + more + 1);
	if (t->len)
		memcpy(joined, t->ptr, t->len);
	memcpy(joined + t->len, line, more + 1);
	t->ptr = joined;
	t->len += more;
}

static void add_hooks(struct text *t, const struct tally_plugin *p)
{
	const struct {
		const char *name;
		bool there;
	} hooks[] = {
		{ "door: arrive", p->arrive },
		{ "ledger: admit", p->admit },
		{ "ledger: forget", p->forget },
		{ "ledger: settle", p->settle },
		{ "ledger: recall", p->recall },
		{ "line: event", p->event },
		{ "line: tick", p->tick },
		{ "line: flush", p->flush },
		{ "line: reset", p->reset },
		{ "line: save", p->save },
		{ "line: load", p->load },
		{ "line: visit", p->visit },
		{ "desk: request", p->request },
		{ "desk: answered", p->answered },
	};
	add(t, "hooks\n");
	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
		if (hooks[i].there)
			add(t, "  %s\n", hooks[i].name);
}

static void add_options(struct text *t, const struct tally_option *o)
{
	add(t, o && o->name ? "options\n" : "no options\n");
	for (; o && o->name; o++)
		add(t, "  %s: %s%s%s\n      %.400s\n", o->name, conf_option_words(o->type),
			o->value ? ", default " : ", must be given", o->value ? o->value : "", o->help ? o->help : "");
}

int plug_describe(const char *path, struct arena *a, struct tally_str *text)
{
	struct text t = { .a = a };
	char name[PLUG_NAME_MAX], why[PLUG_WHY];
	struct plug_lib *lib;
	int rc = plug_lib_open(path, NULL, 0, &lib, name, why);
	if (rc != 0) {
		add(&t, "%s%s%s refused: %s\n", path, name[0] ? ": " : "", name, why);
	} else if (lib->is_plugin) {
		add(&t, "plugin %s %s\n%s\n", name, lib->plugin.version, lib->plugin.summary);
		add_hooks(&t, &lib->plugin);
		add_options(&t, lib->plugin.options);
	} else {
		add(&t, "sink %s %s\n%s\n%s, %s\n", name, lib->sink.version, lib->sink.summary,
			lib->sink.is_store ? "answers queries" : "write only",
			lib->sink.transactional ? "exactly once by its own transactions" : "keeps its own position");
		add_options(&t, lib->sink.options);
	}
	if (rc == 0)
		plug_lib_unref(lib);
	*text = str_make(t.ptr, t.len);
	return rc;
}
