/* SPDX-License-Identifier: Apache-2.0 */
/* A line owns its tables, so no two may write into the same ones. What the configuration alone cannot see is found here,
 * where the sinks are known: a path that is left out, or written in another way. The last word has the store, which
 * shows a line what is another's. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "main/show.h"

/* As given, else the sink's own default; NULL = the sink has no such option. */
static const char *option_of(const struct conf_sink *cs, const struct tally_sink *sink, const char *name)
{
	for (size_t i = 0; i < cs->noptions; i++)
		if (strcmp(cs->options[i].name, name) == 0)
			return cs->options[i].value;
	for (const struct tally_option *o = sink->options; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o->value;
	return NULL;
}

/* The folder is resolved, the file in it need not be there yet. */
static const char *whole_path(struct arena *a, const struct conf *c, const char *path)
{
	char full[PATH_MAX], folder[PATH_MAX];
	int n = snprintf(full, sizeof full, "%s%s%s", *path == '/' ? "" : c->data_dir, *path == '/' ? "" : "/", path);
	char *slash = n > 0 && (size_t)n < sizeof full ? strrchr(full, '/') : NULL;
	if (!slash)
		return path;
	*slash = 0;
	const char *real = realpath(*full ? full : "/", folder);
	return arena_printf(a, "%s/%s", real ? real : full, slash + 1);
}

/* Without user and password: a database stays the same whoever opens it. */
static const char *place_in_url(const char *url)
{
	const char *host = strstr(url, "://"), *at = strrchr(url, '@');
	return at ? at + 1 : host ? host + 3 : url;
}

static const char *database_of(struct arena *a, const struct conf *c, struct plug_set *set, const struct conf_sink *cs)
{
	const struct tally_sink *sink = plug_set_sink(set, cs->plugin);
	if (!sink)
		return "";
	const char *path = option_of(cs, sink, "path"), *url = option_of(cs, sink, "url");
	return path && *path ? whole_path(a, c, path) : url ? place_in_url(url) : "";
}

int check_stores(const struct conf *c, struct plug_set *set, char why[512])
{
	struct arena a;
	int rc = 0;
	arena_init(&a, 0);
	for (size_t i = 0; rc == 0 && i < c->nsinks; i++)
		for (size_t k = 0; rc == 0 && k < i; k++) {
			const struct conf_sink *x = &c->sinks[k], *y = &c->sinks[i];
			const char *db = database_of(&a, c, set, y);
			if (strcmp(x->plugin, y->plugin) != 0 || strcasecmp(x->prefix, y->prefix) != 0 || !*db ||
				strcmp(database_of(&a, c, set, x), db) != 0)
				continue;
			snprintf(why, 512,
				"%s: sinks: '%s' and '%s' write into the same database; give one of them a prefix:",
				y->place, x->name, y->name);
			rc = -EINVAL;
		}
	arena_free(&a);
	return rc;
}
