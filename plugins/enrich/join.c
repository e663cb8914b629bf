/* SPDX-License-Identifier: Apache-2.0 */
/* Props from reference data: `join: [ "props.category = products.category by props.item" ]`, one line for each.
 *
 * They are made where an event comes in and are part of it from then on, so all stores and every replay have the same. A
 * prop that the sender has set is left alone; where nothing is found there is none. */
#include <errno.h>
#include <stdlib.h>

#include "enrich.h"

#define JOINS_MAX 32

enum by { BY_PROP, BY_NAME, BY_SITE, BY_VISITOR, BY_USER, BY_HOST, BY_PAGE, BY_REFERRER, BYS };

static const char *const by_words[BYS] = { [BY_NAME] = "name",
	[BY_SITE] = "site",
	[BY_VISITOR] = "visitor",
	[BY_USER] = "user",
	[BY_HOST] = "host",
	[BY_PAGE] = "page",
	[BY_REFERRER] = "referrer" };

struct join {
	struct tally_str prop, lookup, column; /* slices of the option's text, which the host keeps */
	enum by by;
	struct tally_str by_prop;
	bool said; /* that there is no such column */
};

struct joins {
	const struct tally_host *host;
	struct tally_instance *in;
	size_t n;
	struct join all[JOINS_MAX];
};

/* ---- reading the option ---- */

static struct tally_str trim(struct tally_str s)
{
	while (s.len && s.ptr[0] == ' ') {
		s.ptr++;
		s.len--;
	}
	while (s.len && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

/* Cuts `s` at the first `mark` there is: what stands before it is given, what stands behind it is left. Empty = no mark. */
static struct tally_str cut(struct tally_str *s, const char *mark)
{
	size_t n = strlen(mark);
	struct tally_str before = { s->ptr, 0 };
	for (size_t i = 0; i + n <= s->len; i++) {
		if (memcmp(s->ptr + i, mark, n) != 0)
			continue;
		before.len = i;
		s->ptr += i + n;
		s->len -= i + n;
		return trim(before);
	}
	return before;
}

/* "props.KEY"; empty = it is none. */
static struct tally_str prop_name(struct tally_str s)
{
	struct tally_str none = { NULL, 0 };
	if (s.len < 7 || s.len > 6 + 64 || memcmp(s.ptr, "props.", 6) != 0)
		return none;
	return (struct tally_str){ s.ptr + 6, s.len - 6 };
}

static bool read_by(struct join *j, struct tally_str by)
{
	j->by_prop = prop_name(by);
	j->by = BY_PROP;
	if (j->by_prop.len)
		return true;
	for (j->by = BY_NAME; j->by < BYS; j->by++)
		if (same_text(by, text_of(by_words[j->by])))
			return true;
	return false;
}

static int refuse(struct joins *js, struct tally_str line, const char *why)
{
	return js->host->fail(js->in,
		"join: '%.*s' %s; write \"props.NAME = LOOKUP.COLUMN by FIELD\", as in "
		"\"props.category = products.category by props.item\"",
		(int)(line.len < 120 ? line.len : 120), line.ptr, why);
}

static int read_line(struct joins *js, struct tally_str line)
{
	struct join j = { 0 };
	struct tally_str rest = line, nothing = { NULL, 0 }, text;
	uint32_t type;
	j.prop = prop_name(cut(&rest, "="));
	j.lookup = cut(&rest, ".");
	j.column = cut(&rest, " by ");
	if (!j.prop.len)
		return refuse(js, line, "does not begin with the prop to make");
	if (!j.lookup.len || !j.column.len)
		return refuse(js, line, "names no lookup and column");
	if (!read_by(&j, trim(rest)))
		return refuse(js, line,
			"does not end in a field to look up by (props.NAME, name, site, visitor, user, host, page, referrer)");
	if (js->host->lookup(js->in, j.lookup, nothing, nothing, &text, &type) != 0)
		return js->host->fail(js->in,
			"join: no lookup '%.*s' is declared; declare it under lookups:", (int)j.lookup.len,
			j.lookup.ptr);
	if (js->n == JOINS_MAX)
		return js->host->fail(js->in, "join: more than %d lines", JOINS_MAX);
	js->all[js->n++] = j;
	return 0;
}

int joins_open(const struct tally_host *host, struct tally_instance *in, const char *option, struct joins **out)
{
	if (!TALLY_HAS(host, lookup))
		return host->fail(in, "join: this tally has no lookups; use a newer one");
	struct joins *js = calloc(1, sizeof *js);
	if (!js)
		return -ENOMEM;
	js->host = host;
	js->in = in;
	for (const char *at = option; *at;) {
		const char *end = strchrnul(at, '\n');
		struct tally_str line = trim((struct tally_str){ at, (size_t)(end - at) });
		int rc = line.len ? read_line(js, line) : 0;
		if (rc != 0) {
			free(js);
			return rc;
		}
		at = *end ? end + 1 : end;
	}
	*out = js;
	return 0;
}

void joins_close(struct joins *js)
{
	free(js);
}

/* ---- one event ---- */

static struct tally_str key_of(const struct join *j, const struct tally_event *ev)
{
	struct tally_str none = { NULL, 0 };
	switch (j->by) {
	case BY_PROP: /* of any type: numbers are their text as sent */
		for (uint32_t i = 0; i < ev->nprops; i++)
			if (same_text(ev->props[i].key, j->by_prop))
				return ev->props[i].text;
		return none;
	case BY_NAME:
		return ev->name;
	case BY_SITE:
		return ev->site;
	case BY_VISITOR:
		return ev->visitor;
	case BY_USER:
		return ev->user;
	case BY_HOST:
		return ev->host;
	case BY_PAGE:
		return ev->page;
	case BY_REFERRER:
		return ev->referrer;
	case BYS:
		break;
	}
	return none;
}

static bool is_set(const struct tally_event *ev, struct tally_str key)
{
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (same_text(ev->props[i].key, key))
			return true;
	return false;
}

static void join_one(struct joins *js, struct join *j, struct tally_event *ev)
{
	struct tally_str key = key_of(j, ev), text;
	uint32_t type;
	if (!key.len || is_set(ev, j->prop))
		return;
	int rc = js->host->lookup(js->in, j->lookup, key, j->column, &text, &type);
	if (rc == 1) {
		if (text.len && js->host->prop_set(js->in, ev, j->prop, text, type) == -E2BIG)
			js->host->count(js->in, "no_room", 1);
	} else if (rc == -ENOENT && !j->said) {
		j->said = true;
		js->host->log(js->in, TALLY_LOG_WARN, "join: lookup %.*s has no column '%.*s': its events go without",
			(int)j->lookup.len, j->lookup.ptr, (int)j->column.len, j->column.ptr);
	}
}

void joins_make(struct joins *js, struct tally_event *ev)
{
	for (size_t i = 0; i < js->n; i++)
		join_one(js, &js->all[i], ev);
}
