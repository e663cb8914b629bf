/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: the file as a tree, the tree through the tables, then paths, secrets and the rules between options. */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "conf/option.h"

#define SECRET_MAX 4096

static const char *under(struct arena *a, const char *dir, const char *path)
{
	return *path == '/' ? path : arena_printf(a, "%s/%s", dir, path);
}

static bool is_path(const char *admin)
{
	return strchr(admin, '/') || conf_judge_address(admin) != NULL;
}

static bool is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void settle_admin(struct conf *c)
{
	if (!c->admin)
		c->admin = is_dir(TALLY_RUN_DIR) ? TALLY_RUN_DIR "/admin.sock" : "admin.sock";
	if (is_path(c->admin))
		c->admin = under(&c->arena, c->data_dir, c->admin);
}

/* The first line of the file. 0 or -errno. */
static int read_secret(struct arena *a, const char *path, const char **out)
{
	char *text = arena_alloc(a, SECRET_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, SECRET_MAX);
	int rc = n < 0 ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	text[n] = 0;
	text[strcspn(text, "\r\n")] = 0;
	*out = text;
	return *text ? 0 : -ENODATA;
}

static int settle_secret(struct conf_reader *r, const struct conf_node *root, struct conf *c)
{
	struct conf_redirects *re = &c->redirects;
	re->secret = re->secret_text;
	if (!re->secret_file)
		return 0;
	const struct conf_node *at = conf_tree_get(conf_tree_get(root, "redirects"), "secret_file");
	if (re->secret_text)
		return conf_refuse(r, at, "redirects: secret and secret_file are both given; remove one");
	int rc = read_secret(&c->arena, under(&c->arena, c->data_dir, re->secret_file), &re->secret);
	if (rc == -ENODATA)
		return conf_refuse(r, at, "redirects.secret_file: the first line of %s is empty", re->secret_file);
	if (rc)
		return conf_refuse(r, at, "redirects.secret_file: cannot read %s: %s", re->secret_file, strerror(-rc));
	return 0;
}

/* ---- sites ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct conf_site *)a)->name, ((const struct conf_site *)b)->name);
}

static int is_site(const void *name, const void *site)
{
	return str_cmp(*(const struct tally_str *)name, str_of(((const struct conf_site *)site)->name));
}

const struct conf_site *conf_site(const struct conf *c, struct tally_str name)
{
	const struct conf_site *found = bsearch(&name, c->sites + 1, c->nsites - 1, sizeof *c->sites, is_site);
	return found ? found : c->sites;
}

const struct conf_lookup *conf_lookup(const struct conf *c, struct tally_str name)
{
	for (size_t i = 0; i < c->nlookups; i++)
		if (str_eq(str_of(c->lookups[i].name), name))
			return &c->lookups[i];
	return NULL;
}

/* ---- loading ---- */

static int settle(struct conf_reader *r, const struct conf_node *root, struct conf *c, const char *data_dir,
	const char *plugin_dir)
{
	const struct conf_node *pipeline = conf_tree_get(root, "pipeline");
	c->pipeline_given = pipeline && pipeline->shape != CONF_NOTHING;
	if (data_dir)
		c->data_dir = arena_copy(&c->arena, data_dir, strlen(data_dir));
	if (plugin_dir)
		c->plugin_dir = arena_copy(&c->arena, plugin_dir, strlen(plugin_dir));
	settle_admin(c);
	qsort((struct conf_site *)c->sites + 1, c->nsites - 1, sizeof *c->sites, by_name);
	int rc = settle_secret(r, root, c);
	return rc ? rc : conf_check(r, root, c);
}

static int read_root(struct conf *c, const char *path, struct conf_node **root, struct conf_error *err)
{
	if (path)
		return conf_tree_read(&c->arena, path, root, err);
	*root = conf_tree_empty(&c->arena, c->file);
	return 0;
}

int conf_load(const char *path, const char *data_dir, const char *plugin_dir, struct conf **out, struct conf_error *err)
{
	struct conf_node *root;
	struct conf *c = calloc(1, sizeof *c);
	MUST(c != NULL);
	arena_init(&c->arena, 0);
	c->file = path ? arena_copy(&c->arena, path, strlen(path)) : "defaults";
	struct conf_reader r = { .arena = &c->arena, .err = err };

	int rc = read_root(c, path, &root, err);
	if (rc == 0)
		rc = conf_read_table(&r, &conf_top, root, c);
	if (rc == 0)
		rc = settle(&r, root, c, data_dir, plugin_dir);
	if (rc)
		conf_free(c);
	else
		*out = c;
	return rc;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	arena_free(&c->arena);
	free(c);
}

/* ---- printing ---- */

static const char *row_text(const struct conf_row *row, const struct conf *c, struct arena *a, bool mask)
{
	struct conf_printer p = { .arena = a, .mask = mask };
	if (row->kind->there && !row->kind->there(row, c))
		return NULL;
	row->kind->print(&p, row, c);
	return p.bytes;
}

static void print_comment(struct conf_printer *p, const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");
		conf_print(p, "#%.*s\n", (int)n, lines);
		lines += n + (lines[n] != 0);
	}
}

/* A pipeline that was not given is a wish ("as far as installed"); printed as one given it would be a demand. */
struct tally_str conf_dump(const struct conf *c, struct arena *a)
{
	struct conf_printer p = { .arena = a };
	conf_print(&p, "# what is in force\n");
	for (size_t i = 0; i < conf_top.n; i++) {
		const struct conf_row *row = &conf_top.rows[i];
		const char *text = row_text(row, c, a, true);
		if (!text)
			continue;
		if (!c->pipeline_given && row->at == offsetof(struct conf, pipeline))
			print_comment(&p, arena_printf(a, "%s: # not given; as far as installed:%s", row->name, text));
		else
			conf_print(&p, "%s:%s", row->name, text);
	}
	return str_make(p.bytes, p.len);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct tally_str conf_restart_needed(const struct conf *before, const struct conf *after, struct arena *a)
{
	const char *names = "";
	for (size_t i = 0; i < conf_top.n; i++) {
		const struct conf_row *row = &conf_top.rows[i];
		if (!row->live && !same(row_text(row, before, a, false), row_text(row, after, a, false)))
			names = arena_printf(a, "%s%s%s", names, *names ? ", " : "", row->name);
	}
	return str_of(names);
}
