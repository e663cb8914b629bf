/* SPDX-License-Identifier: Apache-2.0 */
/* From the files found to what runs: the pipeline in its order, and the declared rollups as plugins see them. */
#include <errno.h>
#include <string.h>

#include "plug/inner.h"

/* ---- finding one by name ---- */

static struct plug_file *find_named(const struct plug_set *s, bool sink, const char *name)
{
	for (size_t i = 0; i < s->nfiles; i++)
		if (s->libs[i] && s->libs[i]->is_sink == sink && strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
	return NULL;
}

/* A refused file that says it has this name, or has it as file name. */
static const struct plug_file *find_refused(const struct plug_set *s, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < s->nfiles; i++) {
		const struct plug_file *f = &s->files[i];
		const char *base = plug_base_name(f->path);
		bool by_file = strncmp(base, name, n) == 0 && strcmp(base + n, ".so") == 0;
		if (f->refusal && (by_file || (f->name && strcmp(f->name, name) == 0)))
			return f;
	}
	return NULL;
}

static const char *nearest(const struct plug_set *s, bool sink, const char *name)
{
	const char *names[256];
	size_t n = 0;
	for (size_t i = 0; i < s->nfiles && n < 256; i++)
		if (s->libs[i] && s->libs[i]->is_sink == sink)
			names[n++] = s->files[i].name;
	return conf_nearest(name, names, n);
}

void plug_set_why_not(const struct plug_set *s, bool sink, const char *name, char why[512])
{
	const struct plug_file *f = find_refused(s, name);
	const char *near = nearest(s, sink, name);
	const char *what = sink ? "sink" : "plugin";
	if (f)
		plug_refuse(why, "%s `%s`: %s refused: %s", what, name, f->path, f->refusal);
	else if (near)
		plug_refuse(why, "%s `%s` is not in %s; did you mean `%s`?", what, name, s->dir, near);
	else
		plug_refuse(why, "%s `%s` is not in %s; `tallyd -l` lists what is", what, name, s->dir);
}

const struct tally_sink *plug_set_sink(const struct plug_set *s, const char *name)
{
	const struct plug_file *f = find_named(s, true, name);
	return f ? f->sink : NULL;
}

/* ---- the pipeline ---- */

static bool named_in(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->npipeline; i++)
		if (strcmp(c->pipeline[i].name, name) == 0)
			return true;
	return false;
}

static int add_stage(struct plug_set *s, struct plug_file *f, const struct conf_plugin *cp, char why[PLUG_WHY])
{
	struct plug_stage *st = &s->stages[s->nstages];
	char who[PLUG_NAME_MAX + 8];
	snprintf(who, sizeof who, "plugin %s", f->name);
	bool by_auto = strcmp(cp->name, "auto") == 0;
	int rc = conf_options_parse(f->plugin->options, by_auto ? NULL : cp->options, by_auto ? 0 : cp->noptions, who,
		cp->place ? cp->place : "pipeline", &s->arena, &st->values, &st->nvalues, why);
	if (rc != 0)
		return rc;
	st->name = f->name;
	st->plugin = f->plugin;
	st->file = (size_t)(f - s->files);
	st->by_auto = by_auto;
	f->running = true;
	s->nstages++;
	return 0;
}

/* Everything not named runs here with its defaults; one that cannot is left out and says why. */
static void add_auto(struct plug_set *s, const struct conf *c, const struct conf_plugin *cp)
{
	char why[PLUG_WHY];
	for (size_t i = 0; i < s->nfiles; i++) {
		struct plug_file *f = &s->files[i];
		if (!f->plugin || named_in(c, f->name) || add_stage(s, f, cp, why) == 0)
			continue;
		f->refusal = arena_printf(&s->arena, "%s; name it in `pipeline:`", why);
		log_warn("plug", "%s refused: %s", f->path, f->refusal);
	}
}

static int add_named(struct plug_set *s, const struct conf *c, const struct conf_plugin *cp, char why[PLUG_WHY])
{
	struct plug_file *f = find_named(s, false, cp->name);
	char text[PLUG_WHY];
	if (!f && !c->pipeline_given)
		return 0; /* the default pipeline is taken as far as installed */
	if (!f) {
		plug_set_why_not(s, false, cp->name, text);
		return plug_refuse(why, "%s: %.480s", cp->place ? cp->place : "pipeline", text);
	}
	if (f->running)
		return plug_refuse(why, "%s: plugin `%s` stands twice in the pipeline; remove one",
			cp->place ? cp->place : "pipeline", cp->name);
	return add_stage(s, f, cp, why);
}

int plug_pipeline_make(struct plug_set *s, const struct conf *c, char why[PLUG_WHY])
{
	bool auto_seen = false;
	s->stages = arena_zalloc(&s->arena, (s->nfiles + 1) * sizeof *s->stages);
	for (size_t i = 0; i < c->npipeline; i++) {
		const struct conf_plugin *cp = &c->pipeline[i];
		if (strcmp(cp->name, "auto") == 0) {
			if (!auto_seen)
				add_auto(s, c, cp);
			auto_seen = true;
		} else if (add_named(s, c, cp, why) != 0) {
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < c->nsinks; i++) {
		struct plug_file *f = find_named(s, true, c->sinks[i].plugin);
		if (f)
			f->running = true;
	}
	return 0;
}

/* ---- the rollups in their public form ---- */

static struct tally_str text_of(struct plug_set *s, const char *text)
{
	return text ? arena_str(&s->arena, str_of(text)) : (struct tally_str){ 0 };
}

static void make_rollup(struct plug_set *s, const struct conf_rollup *cr, struct tally_rollup *r)
{
	struct tally_dimension *dims = arena_zalloc(&s->arena, (cr->ndims + 1) * sizeof *dims);
	struct tally_metric *metrics = arena_zalloc(&s->arena, (cr->nmetrics + 1) * sizeof *metrics);
	for (size_t i = 0; i < cr->ndims; i++) {
		dims[i].kind = cr->dims[i].kind;
		dims[i].key = text_of(s, cr->dims[i].key);
	}
	for (size_t i = 0; i < cr->nmetrics; i++) {
		metrics[i].kind = cr->metrics[i].kind;
		metrics[i].is_prop = cr->metrics[i].is_prop;
		if (cr->metrics[i].is_prop)
			metrics[i].field = text_of(s, cr->metrics[i].field);
	}
	r->ndims = (uint32_t)cr->ndims;
	r->nmetrics = (uint32_t)cr->nmetrics;
	r->keys = cr->keys;
	r->name = text_of(s, cr->name);
	r->dims = dims;
	r->metrics = metrics;
}

void plug_rollups_make(struct plug_set *s, const struct conf *c)
{
	s->rollups = arena_zalloc(&s->arena, (c->nrollups + 1) * sizeof *s->rollups);
	for (size_t i = 0; i < c->nrollups; i++) {
		make_rollup(s, &c->rollups[i], &s->rollups[i]);
		s->rollups[i].id = (uint32_t)i;
	}
	s->nrollups = c->nrollups;
}

size_t plug_set_rollups(const struct plug_set *s, const struct tally_rollup **first)
{
	*first = s->rollups;
	return s->nrollups;
}
