/* SPDX-License-Identifier: Apache-2.0 */
/* What was found in plugin_dir, and the pipeline made of it. A set is made whole or not at all and never changes, so a
 * reload makes a new one beside it and stations change over when it suits them. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plug/inner.h"

const char *plug_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- the files ---- */

struct paths {
	const char **all;
	size_t n, cap;
};

static void add_path(struct paths *p, const char *path)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 32;
		p->all = realloc(p->all, p->cap * sizeof *p->all);
		MUST(p->all != NULL);
	}
	p->all[p->n++] = path;
}

static int list_dir(const char *dir, struct arena *a, struct paths *out)
{
	DIR *d = opendir(dir);
	if (!d)
		return -errno;
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t n = strlen(e->d_name);
		if (e->d_name[0] != '.' && n > 3 && strcmp(e->d_name + n - 3, ".so") == 0)
			add_path(out, arena_printf(a, "%s/%s", dir, e->d_name));
	}
	closedir(d);
	return 0;
}

static int by_base_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int c = strcmp(plug_base_name(x), plug_base_name(y));
	return c ? c : strcmp(x, y);
}

static const struct plug_file *same_name(
	const struct plug_set *s, size_t n, const struct plug_lib *lib, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (s->libs[i] && s->libs[i]->is_sink == lib->is_sink && strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
	return NULL;
}

static void take_file(struct plug_set *s, size_t i, const char *path, const struct plug_set *previous)
{
	struct plug_file *f = &s->files[i];
	char name[PLUG_NAME_MAX], why[PLUG_WHY];
	struct plug_lib *lib = NULL;
	f->path = path;
	int rc =
		plug_lib_open(path, previous ? previous->libs : NULL, previous ? previous->nfiles : 0, &lib, name, why);
	f->name = name[0] ? arena_copy(&s->arena, name, strlen(name)) : NULL;
	if (rc != 0) {
		f->refusal = arena_copy(&s->arena, why, strlen(why));
		return;
	}
	const struct plug_file *other = same_name(s, i, lib, name);
	if (other) {
		f->refusal = arena_printf(&s->arena, "has the same name as %s; remove one of them", other->path);
		plug_lib_unref(lib);
		return;
	}
	s->libs[i] = lib;
	f->plugin = lib->is_plugin ? &lib->plugin : NULL;
	f->sink = lib->is_sink ? &lib->sink : NULL;
	f->version = lib->is_plugin ? lib->plugin.version : lib->sink.version;
	f->summary = lib->is_plugin ? lib->plugin.summary : lib->sink.summary;
}

static int find_files(struct plug_set *s, const struct plug_set *previous, char why[PLUG_WHY])
{
	struct paths paths = { 0 };
	int rc = list_dir(s->dir, &s->arena, &paths);
	if (rc != 0) {
		free(paths.all);
		return plug_refuse(why,
			"plugin_dir %s cannot be read: %s; set plugin_dir in the configuration or give -p", s->dir,
			strerror(-rc));
	}
	rc = list_dir(arena_printf(&s->arena, "%s/.libs", s->dir), &s->arena, &paths);
	(void)rc; /* there only before installation */
	if (paths.n)
		qsort(paths.all, paths.n, sizeof *paths.all, by_base_name);
	s->files = arena_zalloc(&s->arena, (paths.n + 1) * sizeof *s->files);
	s->libs = arena_zalloc(&s->arena, (paths.n + 1) * sizeof(struct plug_lib *));
	for (size_t i = 0; i < paths.n; i++) {
		take_file(s, i, paths.all[i], previous);
		s->nfiles = i + 1;
		if (s->files[i].refusal)
			log_warn("plug", "%s refused: %s", s->files[i].path, s->files[i].refusal);
	}
	free(paths.all);
	return 0;
}

/* ---- the set ---- */

int plug_set_open(const struct conf *c, struct plug_set *previous, struct plug_set **out, char why[512])
{
	struct plug_set *s = calloc(1, sizeof *s);
	MUST(s != NULL);
	atomic_init(&s->refs, 1);
	arena_init(&s->arena, 0);
	s->dir = arena_copy(&s->arena, c->plugin_dir, strlen(c->plugin_dir));
	int rc = find_files(s, previous, why);
	if (rc == 0)
		rc = plug_pipeline_make(s, c, why);
	if (rc != 0) {
		plug_set_unref(s);
		return rc;
	}
	plug_rollups_make(s, c);
	*out = s;
	return 0;
}

void plug_set_ref(struct plug_set *s)
{
	atomic_fetch_add(&s->refs, 1);
}

void plug_set_unref(struct plug_set *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->nfiles; i++)
		plug_lib_unref(s->libs[i]);
	for (size_t i = 0; i < s->nstages; i++)
		free(atomic_load(&s->stages[i].trouble));
	arena_free(&s->arena);
	free(s);
}

void plug_stage_failed(struct plug_stage *st, const char *why)
{
	char *copy = strdup(why), *none = NULL;
	MUST(copy != NULL);
	if (!atomic_compare_exchange_strong(&st->trouble, &none, copy))
		free(copy);
}

const char *plug_set_trouble(const struct plug_set *s, size_t file)
{
	for (size_t i = 0; i < s->nstages; i++)
		if (s->stages[i].file == file)
			return atomic_load(&s->stages[i].trouble);
	return NULL;
}

size_t plug_set_files(const struct plug_set *s, const struct plug_file **first)
{
	*first = s->files;
	return s->nfiles;
}
