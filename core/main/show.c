/* SPDX-License-Identifier: Apache-2.0 */
#include "main/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lookup/lookup.h"
#include "plug/plug.h"
#include "zone/zone.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

int show_version(void)
{
	printf("tallyd %s (plugin ABI %u, sink ABI %u)\n", PACKAGE_VERSION, TALLY_ABI, TALLY_SINK_ABI);
	return 0;
}

static void print(struct tally_str s)
{
	fwrite(s.ptr, 1, s.len, stdout);
}

int show_conf(const struct conf *c)
{
	struct arena a;
	arena_init(&a, 0);
	print(conf_dump(c, &a));
	arena_free(&a);
	return 0;
}

int show_file(const char *path)
{
	struct arena a;
	struct tally_str text;
	arena_init(&a, 0);
	int rc = plug_describe(path, &a, &text);
	print(text);
	arena_free(&a);
	return rc ? 1 : 0;
}

int show_plugins(const struct conf *c)
{
	struct plug_set *set;
	char why[512];
	const struct plug_file *files;
	int bad = 0;
	if (plug_set_open(c, NULL, &set, why)) {
		fprintf(stderr, "tallyd: %s\n", why);
		return 1;
	}
	size_t n = plug_set_files(set, &files);
	for (size_t i = 0; i < n; i++) {
		struct arena a;
		struct tally_str text;
		arena_init(&a, 0);
		bad |= plug_describe(files[i].path, &a, &text) != 0;
		print(text);
		arena_free(&a);
	}
	plug_set_unref(set);
	if (!n)
		printf("no .so in %s\n", c->plugin_dir);
	return bad;
}

int check_conf(const struct conf *c, char why[512])
{
	for (size_t i = 0; i < c->nsites; i++)
		if (!zone_get(c->sites[i].timezone)) {
			snprintf(why, 512, "%s: there is no time zone \"%s\"; see /usr/share/zoneinfo",
				c->sites[i].place, c->sites[i].timezone);
			return -EINVAL;
		}
	return 0;
}

static bool reads_lookups(const struct conf_sink *cs, const struct plug_set *set)
{
	const struct tally_sink *sink = plug_set_sink(set, cs->plugin);
	return sink && lookup_can_read(sink);
}

int check_lookups(const struct conf *c, const struct plug_set *set, char why[512])
{
	for (size_t i = 0; i < c->nlookups; i++) {
		const struct conf_lookup *l = &c->lookups[i];
		bool found = false;
		for (size_t k = 0; k < c->nsinks; k++)
			found = found || ((!l->store || strcmp(l->store, c->sinks[k].name) == 0) &&
						 reads_lookups(&c->sinks[k], set));
		if (found)
			continue;
		snprintf(why, 512, "%s: lookups.%s: %s%s%s", l->place, l->name,
			l->store ? "the sink " : "no sink of sinks: is a store that can be read; add mariadb or sqlite",
			l->store ? l->store : "",
			l->store ? " is no store that can be read; name a mariadb or sqlite" : "");
		return -EINVAL;
	}
	return 0;
}

/* What plugins say of their options where they need nothing that is not open: joins and databases of enrich. */
static int check_doors(const struct conf *c, struct plug_set *set, char why[512])
{
	struct plug_chain *chain;
	int rc = plug_chain_open(set, c, TALLY_DOOR, NULL, true, &chain, why);
	if (rc == 0)
		plug_chain_close(chain);
	return rc;
}

static int check_parts(const struct conf *c, char why[512])
{
	struct plug_set *set;
	int rc = check_conf(c, why);
	if (rc)
		return rc;
	rc = plug_set_open(c, NULL, &set, why);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < c->nsinks; i++)
		if (!plug_set_sink(set, c->sinks[i].plugin)) {
			plug_set_why_not(set, true, c->sinks[i].plugin, why);
			rc = -EINVAL;
		}
	if (!rc)
		rc = check_stores(c, set, why);
	if (!rc)
		rc = check_lookups(c, set, why);
	if (!rc)
		rc = check_doors(c, set, why);
	plug_set_unref(set);
	return rc;
}

int show_check(const struct conf *c)
{
	char why[512];
	if (check_parts(c, why)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	printf("%s: ok\n", c->file ? c->file : "built-in configuration");
	return 0;
}
