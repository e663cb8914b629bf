/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between options: what one row of a table cannot know. */
#include "conf/check.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "conf/units.h"

#define TABLE_NAME_MAX 64 /* MariaDB's identifiers */

int conf_check_sink(struct conf_reader *r, const struct conf_node *at, void *base)
{
	struct conf_sink *s = base;
	if (s->name)
		return 0;
	s->name = s->plugin;
	return conf_judge_name(s->name) ? conf_refuse(r, at, "needs a name: of letters, digits and _") : 0;
}

/* Where an option of the top or of a group is written; the file's beginning if it is a default. */
static const struct conf_node *node_of(
	struct conf_reader *r, const struct conf_node *root, const struct conf *c, const char *group, const char *name)
{
	const struct conf_node *at = group ? conf_tree_get(root, group) : root;
	const struct conf_node *value = at ? conf_tree_get(at, name) : NULL;
	return value ? value : at ? at : conf_tree_empty(r->arena, c->file);
}

/* ---- who may reach us ---- */

static bool is_address(const char *admin)
{
	const char *colon = strrchr(admin, ':');
	return !strchr(admin, '/') && colon && isdigit((unsigned char)colon[1]);
}

static int check_reach(struct conf_reader *r, const struct conf_node *root, const struct conf *c)
{
	if (!conf_is_loopback(c->listen))
		return conf_refuse(r, node_of(r, root, c, NULL, "listen"),
			"listen: %s can be reached from other machines, where anybody could send and read, as this version has no keys; "
			"listen on 127.0.0.1:8470 and put a proxy that asks for a password before it",
			c->listen);
	if (is_address(c->admin) && (conf_judge_address(c->admin) || !conf_is_loopback(c->admin)))
		return conf_refuse(r, node_of(r, root, c, NULL, "admin"),
			"admin: %s is not on this machine; use a path, or 127.0.0.1:port", c->admin);
	if (!is_address(c->admin) && strlen(c->admin) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return conf_refuse(r, node_of(r, root, c, NULL, "admin"),
			"admin: %s is longer than the %zu bytes a UNIX socket's path may have; name a shorter one",
			c->admin, sizeof((struct sockaddr_un *)0)->sun_path - 1);
	return 0;
}

/* ---- sizes and times that must fit each other ---- */

static const struct conf_pair *dedup_window(const struct conf *c)
{
	for (size_t i = 0; i < c->npipeline; i++)
		for (size_t k = 0; k < c->pipeline[i].noptions; k++)
			if (strcmp(c->pipeline[i].name, "dedup") == 0 &&
				strcmp(c->pipeline[i].options[k].name, "window") == 0)
				return &c->pipeline[i].options[k];
	return NULL;
}

static int check_spool(struct conf_reader *r, const struct conf_node *root, const struct conf *c)
{
	if (c->spool.max / 4 < c->spool.segment)
		return conf_refuse(r, node_of(r, root, c, "spool", "max"),
			"spool.max: %s is less than four segments of %s", conf_print_size(r->arena, c->spool.max),
			conf_print_size(r->arena, c->spool.segment));
	const struct conf_pair *window = dedup_window(c);
	int64_t us;
	if (window && conf_parse_time(window->value, &us) == 0 && us > c->spool.retain_us)
		return conf_refuse_at(r->err, window->place,
			"pipeline.dedup.window: %s is longer than spool.retain (%s), so a restart would forget ids; raise spool.retain",
			window->value, conf_print_time(r->arena, c->spool.retain_us, "forever"));
	return 0;
}

static int check_limits(struct conf_reader *r, const struct conf_node *root, const struct conf *c)
{
	if (c->limits.inflated < c->limits.body)
		return conf_refuse(r, node_of(r, root, c, "limits", "inflated"),
			"limits.inflated: %s is less than limits.body (%s)",
			conf_print_size(r->arena, c->limits.inflated), conf_print_size(r->arena, c->limits.body));
	if (c->limits.event > c->limits.inflated)
		return conf_refuse(r, node_of(r, root, c, "limits", "event"),
			"limits.event: %s is more than limits.inflated (%s)",
			conf_print_size(r->arena, c->limits.event), conf_print_size(r->arena, c->limits.inflated));
	return 0;
}

/* ---- names that must differ ---- */

static int check_pipeline(struct conf_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->npipeline; i++) {
		const struct conf_plugin *p = &c->pipeline[i];
		if (strcmp(p->name, "auto") == 0 && p->noptions)
			return conf_refuse_at(r->err, p->options[0].place,
				"pipeline.auto: takes no options; name the plugin to give it some");
		for (size_t k = 0; k < i; k++)
			if (strcmp(p->name, c->pipeline[k].name) == 0)
				return conf_refuse_at(r->err, p->place, "pipeline: '%s' is named twice, first at %s",
					p->name, c->pipeline[k].place);
	}
	return 0;
}

/* Names of tables do not tell upper from lower case in every store. */
static int check_rollups(struct conf_reader *r, const struct conf *c)
{
	char why[256];
	for (size_t i = 0; i < c->nrollups; i++) {
		if (conf_rollup_pairs(&c->rollups[i], why) != 0)
			return conf_refuse_at(
				r->err, c->rollups[i].place, "rollups: '%s': %s", c->rollups[i].name, why);
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(c->rollups[i].name, c->rollups[k].name) == 0)
				return conf_refuse_at(r->err, c->rollups[i].place,
					"rollups: the name '%s' is taken at %s", c->rollups[i].name,
					c->rollups[k].place);
	}
	return 0;
}

/* Without the password: a database stays the same whoever opens it. */
static const char *database_of(struct conf_reader *r, const struct conf_sink *s)
{
	for (size_t i = 0; i < s->noptions; i++)
		if (strcmp(s->options[i].name, "path") == 0 || strcmp(s->options[i].name, "url") == 0)
			return conf_mask(r->arena, "url", s->options[i].value);
	return "";
}

static int check_sink_pair(struct conf_reader *r, const struct conf_sink *a, const struct conf_sink *b)
{
	if (strcasecmp(a->name, b->name) == 0)
		return conf_refuse_at(r->err, b->place,
			"sinks: the name '%s' is taken at %s; give this one a name:", b->name, a->place);
	if (strcmp(a->plugin, b->plugin) == 0 && strcasecmp(a->prefix, b->prefix) == 0 && *database_of(r, b) &&
		strcmp(database_of(r, a), database_of(r, b)) == 0)
		return conf_refuse_at(r->err, b->place,
			"sinks: '%s' and '%s' write into the same database; give one of them a prefix:", a->name,
			b->name);
	return 0;
}

/* A line that skips must be skipped before the spool is full, so three segments stay for what comes in. One that
 * refuses at all of the spool needs no limit of its own. */
static int check_quota(struct conf_reader *r, const struct conf *c, struct conf_sink *s)
{
	uint64_t bytes, most = c->spool.max - 3 * c->spool.segment;
	double share;
	if (conf_parse_share(s->spool_max, &share) == 0)
		bytes = (uint64_t)(share * (double)c->spool.max);
	else if (conf_parse_size(s->spool_max, &bytes) != 0)
		return -EINVAL;
	s->skips = strcmp(s->when_spool_full, "skip") == 0;
	if (bytes < 2 * c->spool.segment && bytes < c->spool.max)
		return conf_refuse_at(r->err, s->place, "sinks: spool_max: %s of '%s' is less than two segments of %s",
			s->spool_max, s->name, conf_print_size(r->arena, c->spool.segment));
	if (s->skips)
		s->spool_bytes = bytes < most ? bytes : most;
	else
		s->spool_bytes = bytes < c->spool.max ? bytes : UINT64_MAX;
	return 0;
}

static int check_sinks(struct conf_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->nsinks; i++) {
		struct conf_sink *s = (struct conf_sink *)(uintptr_t)&c->sinks[i];
		if (check_quota(r, c, s) != 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (check_sink_pair(r, &c->sinks[k], s) != 0)
				return -EINVAL;
		for (size_t k = 0; k < c->nrollups; k++)
			if (strlen(s->prefix) + strlen("_tally_rollup_") + strlen(c->rollups[k].name) > TABLE_NAME_MAX)
				return conf_refuse_at(r->err, s->place,
					"sinks: prefix '%s' and rollup '%s' make a table name of more than %d characters; shorten one",
					s->prefix, c->rollups[k].name, TABLE_NAME_MAX);
	}
	return 0;
}

static bool same_list(struct conf_reader *r, const struct conf_source *a, const struct conf_source *b)
{
	return strcmp(a->list, b->list) == 0 &&
	       strcmp(conf_mask(r->arena, "url", a->url), conf_mask(r->arena, "url", b->url)) == 0;
}

static int check_sources(struct conf_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->nsources; i++)
		for (size_t k = 0; k < i; k++)
			if (same_list(r, &c->sources[i], &c->sources[k]))
				return conf_refuse_at(r->err, c->sources[i].place,
					"sources: the list '%s' is read already at %s", c->sources[i].list,
					c->sources[k].place);
	return 0;
}

static int check_lookup_store(struct conf_reader *r, const struct conf *c, const struct conf_lookup *l)
{
	const char **names = arena_alloc(r->arena, (c->nsinks + 1) * sizeof *names);
	for (size_t i = 0; i < c->nsinks; i++) {
		names[i] = c->sinks[i].name;
		if (strcmp(names[i], l->store) == 0)
			return 0;
	}
	const char *near = conf_nearest(l->store, names, c->nsinks);
	return conf_refuse_at(r->err, l->place, "lookups.%s.store: no sink is named '%s'%s%s%s", l->name, l->store,
		near ? "; did you mean '" : "; leave it out, or name one under sinks:", near ? near : "",
		near ? "'?" : "");
}

/* Names of files do not tell upper from lower case everywhere. */
static int check_lookups(struct conf_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->nlookups; i++) {
		const struct conf_lookup *l = &c->lookups[i];
		if (l->store && check_lookup_store(r, c, l) != 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(l->name, c->lookups[k].name) == 0)
				return conf_refuse_at(r->err, l->place, "lookups: the name '%s' is taken at %s",
					l->name, c->lookups[k].place);
	}
	return 0;
}

int conf_check(struct conf_reader *r, const struct conf_node *root, struct conf *c)
{
	int rc = check_reach(r, root, c);
	if (rc == 0)
		rc = check_spool(r, root, c);
	if (rc == 0)
		rc = check_limits(r, root, c);
	if (rc == 0)
		rc = check_pipeline(r, c);
	if (rc == 0)
		rc = check_rollups(r, c);
	if (rc == 0)
		rc = check_sinks(r, c);
	if (rc == 0)
		rc = check_sources(r, c);
	if (rc == 0)
		rc = check_lookups(r, c);
	return rc;
}
