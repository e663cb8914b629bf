/* SPDX-License-Identifier: Apache-2.0 */
/* Files, and the files they include.
 *
 * What is included comes first, in the order named; the including file is laid over it: mappings merge, lists follow
 * one another (included elements first), a scalar of the including file wins. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/tree.h"

/* The files being read, innermost first. */
struct nest {
	const struct nest *outer;
	const char *real; /* as realpath() gives it */
};

struct reading {
	struct arena *arena;
	struct conf_error *err;
	unsigned files;
};

static int read_file(
	struct reading *r, const struct conf_node *at, const char *path, struct nest *nest, struct conf_node **out);

/* ---- laying one tree over another ---- */

static struct conf_node *overlay(struct arena *a, struct conf_node *under, struct conf_node *over);

static struct conf_node *join(struct arena *a, const struct conf_node *under, struct conf_node *over)
{
	struct conf_node **items = arena_alloc(a, (under->n + over->n + 1) * sizeof *items);
	for (size_t i = 0; i < under->n; i++)
		items[i] = under->items[i];
	for (size_t i = 0; i < over->n; i++)
		items[under->n + i] = over->items[i];
	over->items = items;
	over->n += under->n;
	return over;
}

static size_t index_of(struct conf_node *const *keys, size_t n, const char *key)
{
	size_t i = 0;
	while (i < n && strcmp(keys[i]->text, key) != 0)
		i++;
	return i;
}

static struct conf_node *merge(struct arena *a, const struct conf_node *under, struct conf_node *over)
{
	size_t room = under->n + over->n + 1, n = under->n;
	struct conf_node **items = arena_alloc(a, room * sizeof *items);
	struct conf_node **keys = arena_alloc(a, room * sizeof *keys);
	for (size_t i = 0; i < n; i++) {
		items[i] = under->items[i];
		keys[i] = under->keys[i];
	}
	for (size_t i = 0; i < over->n; i++) {
		size_t at = index_of(keys, under->n, over->keys[i]->text);
		if (at == under->n)
			at = n++;
		items[at] = at < under->n ? overlay(a, items[at], over->items[i]) : over->items[i];
		keys[at] = over->keys[i];
	}
	over->items = items;
	over->keys = keys;
	over->n = n;
	return over;
}

/* Both are used up. */
static struct conf_node *overlay(struct arena *a, struct conf_node *under, struct conf_node *over)
{
	if (over->shape == CONF_NOTHING)
		return under;
	if (under->shape == CONF_MAPPING && over->shape == CONF_MAPPING)
		return merge(a, under, over);
	if (under->shape == CONF_SEQUENCE && over->shape == CONF_SEQUENCE)
		return join(a, under, over);
	return over;
}

/* ---- include: ---- */

static const char *beside(struct arena *a, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	if (*path == '/' || !slash)
		return path;
	return arena_printf(a, "%.*s%s", (int)(slash + 1 - file), file, path);
}

static int include_one(struct reading *r, const struct conf_node *name, struct nest *nest, struct conf_node **under)
{
	struct conf_node *root;
	if (name->shape != CONF_SCALAR || *name->text == 0)
		return conf_fail(r->err, name, "include: a file name or a list of file names is expected");
	int rc = read_file(r, name, beside(r->arena, name->file, name->text), nest, &root);
	if (rc == 0)
		*under = overlay(r->arena, *under, root);
	return rc;
}

/* Takes `include` out of the mapping. NULL = not there. */
static struct conf_node *take_include(struct conf_node *root)
{
	size_t at = index_of(root->keys, root->n, "include");
	if (at == root->n)
		return NULL;
	struct conf_node *value = root->items[at], **keys = (struct conf_node **)root->keys;
	root->n--;
	memmove(root->items + at, root->items + at + 1, (root->n - at) * sizeof *root->items);
	memmove(keys + at, keys + at + 1, (root->n - at) * sizeof *keys);
	return value;
}

static int include_all(struct reading *r, struct nest *nest, struct conf_node **root)
{
	struct conf_node *names = take_include(*root);
	if (!names)
		return 0;
	struct conf_node *under = conf_tree_empty(r->arena, (*root)->file);
	size_t n = names->shape == CONF_SEQUENCE ? names->n : 1;
	for (size_t i = 0; i < n; i++) {
		int rc = include_one(r, names->shape == CONF_SEQUENCE ? names->items[i] : names, nest, &under);
		if (rc)
			return rc;
	}
	*root = overlay(r->arena, under, *root);
	return 0;
}

/* ---- one file ---- */

/* The whole file into the arena. 0 or -errno. */
static int slurp(struct arena *a, const char *path, char **bytes, size_t *len)
{
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (st.st_size > CONF_FILE_MAX)
		rc = -EFBIG;
	if (rc)
		goto out;
	*bytes = arena_alloc(a, (size_t)st.st_size + 1);
	*len = 0;
	ssize_t got = 1;
	while (got > 0 && *len < (size_t)st.st_size) {
		got = read(fd, *bytes + *len, (size_t)st.st_size - *len);
		*len += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		rc = -errno;
out:
	close(fd);
	return rc;
}

static int enter(struct reading *r, const struct conf_node *at, const char *path, struct nest *nest)
{
	char *real = realpath(path, NULL);
	if (!real)
		return 0; /* opening says why */
	nest->real = arena_copy(r->arena, real, strlen(real));
	free(real);
	for (const struct nest *n = nest->outer; n; n = n->outer)
		if (n->real && strcmp(n->real, nest->real) == 0)
			return conf_fail(r->err, at, "include: %s includes itself by way of this line", path);
	if (at && ++r->files > CONF_INCLUDES_MAX)
		return conf_fail(r->err, at, "include: more than %d files in all", CONF_INCLUDES_MAX);
	return 0;
}

static int cannot_read(struct reading *r, const struct conf_node *at, const char *path, int rc)
{
	if (at) {
		conf_fail(r->err, at, "include: cannot read %s: %s", path, strerror(-rc));
		return -EINVAL;
	}
	struct conf_node top = { .file = path, .line = 1, .column = 1 };
	conf_fail(r->err, &top, "cannot read this file: %s", strerror(-rc));
	return rc == -ENOENT ? -ENOENT : -EINVAL;
}

/* at: the line that includes it, NULL for the first file. */
static int read_file(
	struct reading *r, const struct conf_node *at, const char *path, struct nest *outer, struct conf_node **out)
{
	struct nest nest = { .outer = outer };
	char *bytes = NULL;
	size_t len = 0;
	int rc = enter(r, at, path, &nest);
	if (rc)
		return rc;
	rc = slurp(r->arena, path, &bytes, &len);
	if (rc)
		return cannot_read(r, at, path, rc);
	rc = conf_tree_parse(r->arena, path, bytes, len, out, r->err);
	if (rc)
		return rc;
	if ((*out)->shape == CONF_NOTHING)
		*out = conf_tree_empty(r->arena, path);
	if ((*out)->shape != CONF_MAPPING)
		return conf_fail(r->err, *out, "a mapping (option: value) is expected");
	return include_all(r, &nest, out);
}

int conf_tree_read(struct arena *a, const char *path, struct conf_node **out, struct conf_error *err)
{
	struct reading r = { .arena = a, .err = err };
	return read_file(&r, NULL, arena_copy(a, path, strlen(path)), NULL, out);
}
