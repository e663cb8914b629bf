/* SPDX-License-Identifier: Apache-2.0 */
/* A line that was renamed finds its store's tables under its old name and stands. This tells it whose they were. */
#include "main/adopt.h"

#include "text/write.h"

#define WAIT_US 60000000

static struct line *find_line(const struct daemon *d, struct tally_str name)
{
	for (size_t i = 0; i < d->nlines; i++)
		if (str_eq(name, str_of(line_name(d->lines[i]))))
			return d->lines[i];
	return NULL;
}

static bool is_refused(struct admin_call *c, struct tally_str name, struct tally_str from, struct line *line)
{
	if (!name.len || !from.len || from.len > 64)
		admin_refuse(c, 400, "invalid_parameter", "line and from are names: tally adopt LINE --from OLDNAME");
	else if (!line)
		admin_refuse(c, 404, "unknown_line", "no sink of that name is configured; `tally status` lists them");
	else if (find_line(c->daemon, from))
		admin_refuse(
			c, 409, "line_in_use", "a sink of the old name is configured and goes on with what is its own");
	else if (!line_sink(line)->adopt)
		admin_refuse(c, 409, "cannot_adopt", "this kind of sink does not know lines by name");
	else
		return false;
	return true;
}

void adopt_command(struct admin_call *c)
{
	struct tally_str name = STR(""), from = STR("");
	struct text_out o;
	char words[512];
	http_query_get(c->http, "line", &name);
	http_query_get(c->http, "from", &from);
	struct line *line = find_line(c->daemon, name);
	if (is_refused(c, name, from, line))
		return;
	if (line_adopt(line, arena_printf(&c->arena, "%.*s", (int)from.len, from.ptr), WAIT_US, words)) {
		admin_refuse(c, 409, "adopt_refused", words);
		return;
	}
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "line", name);
	text_json_member_string(&o, "adopted", from);
	text_json_end(&o, '}');
	c->status = 200;
	c->body = text_done(&o);
}
