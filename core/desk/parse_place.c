/* SPDX-License-Identifier: Apache-2.0 */
/* Pointing at a part of the body, by RFC 6901 pointer and by byte. */
#include <errno.h>
#include <stdio.h>

#include "desk/parse.h"

/* '~' and '/' within a name are ~0 and ~1. */
static size_t put_key(char *out, size_t n, size_t cap, struct tally_str key)
{
	size_t most = key.len < 64 ? key.len : 64;
	out[n++] = '/';
	for (size_t i = 0; i < most && n + 3 < cap; i++) {
		bool escaped = key.ptr[i] == '~' || key.ptr[i] == '/';
		out[n++] = escaped ? '~' : key.ptr[i];
		if (escaped)
			out[n++] = key.ptr[i] == '~' ? '0' : '1';
	}
	out[n] = 0;
	return n;
}

static size_t put_step(char *out, size_t cap, const struct parse_place *p)
{
	size_t n = p->up ? put_step(out, cap, p->up) : 0;
	int more = 0;
	if (!p->up)
		return 0;
	if (p->key.ptr)
		return put_key(out, n, cap, p->key);
	more = snprintf(out + n, cap - n, "/%zu", p->index);
	return n + (size_t)more < cap ? n + (size_t)more : cap - 1;
}

int parse_at(const struct parse_place *p, int rc, struct query_error *err)
{
	if (rc && err->offset < 0) {
		put_step(err->pointer, sizeof err->pointer, p);
		err->offset = (int64_t)p->node->offset;
	}
	return rc;
}

int parse_at_element(const struct parse_place *p, int rc, struct query_error *err)
{
	const struct tree_node *t = rc && err->index >= 0 ? p->node->first : NULL;
	for (int i = 0; t && i < err->index; i++)
		t = t->next;
	if (!t)
		return parse_at(p, rc, err);
	struct parse_place here = parse_step(p, t, (size_t)err->index);
	return parse_at(&here, rc, err);
}

int parse_expect(const struct parse_place *p, enum json_kind kind, struct query_error *err)
{
	if (p->node->kind == kind)
		return 0;
	query_fail(err, 400, "bad_type", "%s was expected here, not %s", json_kind_name(kind),
		json_kind_name(p->node->kind));
	return parse_at(p, -EINVAL, err);
}

int parse_bool(const struct parse_place *p, bool *out, struct query_error *err)
{
	*out = p->node->kind == JSON_TRUE;
	return *out || p->node->kind == JSON_FALSE ? 0 : parse_expect(p, JSON_TRUE, err);
}

struct parse_place parse_step(const struct parse_place *up, const struct tree_node *node, size_t index)
{
	return (struct parse_place){ .up = up, .node = node, .index = index };
}

struct parse_place parse_member(const struct parse_place *up, const struct tree_node *node)
{
	return (struct parse_place){ .up = up, .node = node, .key = node->key };
}
