/* SPDX-License-Identifier: Apache-2.0 */
#include "main/stores.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "keep/verify.h"

static void refuse(struct admin_call *c, int status, const char *code, const char *detail)
{
	struct text_out o;
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "code", str_of(code));
	text_json_member_string(&o, "detail", str_of(detail));
	text_json_end(&o, '}');
	c->status = status;
	c->body = text_done(&o);
}

static bool is_asked(const struct admin_call *c, const char *line)
{
	struct tally_str name;
	return !http_query_get(c->http, "line", &name) || !name.len || str_eq(name, str_of(line));
}

/* ---- verify ---- */

/* The position is where the line says it is, and names a place in this node's log. */
static void check_place(struct admin_call *c, size_t i, struct text_out *o, struct verify_result *r)
{
	struct daemon *d = c->daemon;
	const char *name = line_name(d->lines[i]);
	struct spool_reader *reader = spool_reader_open(ledger_spool(d->ledger));
	spool_reader_hold(reader, 0);
	if (spool_reader_seek(reader, r->position) == -ENOENT)
		verify_say(o, r, name, "position",
			arena_printf(&c->arena,
				"no record in the spool ends at the store's lsn %llu with its mark: store and data_dir have "
				"parted",
				(unsigned long long)r->position.lsn));
	spool_reader_close(reader);
}

static int verify_line(struct admin_call *c, size_t i, struct text_out *o, struct verify_result *r)
{
	struct daemon *d = c->daemon;
	struct verify_options opt = {
		.sink = line_sink(d->lines[i]),
		.self = line_sink_self(d->lines[i]),
		.prefix = d->conf->sinks[i].prefix ? d->conf->sinks[i].prefix : "",
		.line = line_name(d->lines[i]),
		.node_uuid = d->node.text,
		.schema = d->schema,
		.conf = d->conf,
	};
	int rc = verify_store(&opt, o, r);
	if (rc == 0 && r->has_position)
		check_place(c, i, o, r);
	return rc;
}

void verify_command(struct admin_call *c)
{
	struct daemon *d = c->daemon;
	struct text_out o;
	struct verify_result sum = { 0 };
	size_t stores = 0;
	text_open(&o, &c->arena, 1024);
	text_json_begin(&o, '{');
	text_json_key(&o, STR("differences"));
	text_json_begin(&o, '[');
	for (size_t i = 0; i < d->nlines; i++) {
		if (!line_sink(d->lines[i])->is_store || !is_asked(c, line_name(d->lines[i])))
			continue;
		struct verify_result r = { .differences = sum.differences };
		if (verify_line(c, i, &o, &r) != 0) {
			refuse(c, 503, "store_unreachable", r.error);
			return;
		}
		stores++;
		sum.events += r.events;
		sum.rollup_rows += r.rollup_rows;
		sum.differences = r.differences;
	}
	text_json_end(&o, ']');
	text_json_member_bool(&o, "ok", sum.differences == 0 && stores > 0);
	text_json_member_int(&o, "stores", (int64_t)stores);
	text_json_member_int(&o, "events", sum.events);
	text_json_member_int(&o, "buckets", sum.rollup_rows);
	text_json_member_int(&o, "found", sum.differences);
	text_json_end(&o, '}');
	c->status = 200;
	c->body = text_done(&o);
	if (!stores)
		refuse(c, 404, "no_store", "no line of that name writes to a store");
}

/* ---- backup and restore ---- */

typedef int (*store_fn)(void *self, const char *path, char words[256]);

static bool has_hooks(const struct tally_sink *s)
{
	return s->size >= offsetof(struct tally_sink, restore) + sizeof s->restore && s->backup && s->restore;
}

static struct line *find_line(struct admin_call *c)
{
	struct daemon *d = c->daemon;
	for (size_t i = 0; i < d->nlines; i++)
		if (has_hooks(line_sink(d->lines[i])) && is_asked(c, line_name(d->lines[i])))
			return d->lines[i];
	return NULL;
}

static void run(struct admin_call *c, const char *what, bool restore)
{
	struct tally_str file;
	char words[256] = "";
	struct text_out o;
	struct line *line = find_line(c);
	if (!http_query_get(c->http, "file", &file) || !file.len || file.ptr[0] != '/') {
		refuse(c, 400, "invalid_file", "file must be an absolute path where the daemon runs");
		return;
	}
	if (!line) {
		refuse(c, 501, "not_implemented",
			"no such line has a store that tally copies; MariaDB is copied by its own tools: mariadb-dump "
			"--single-transaction, mariadb-backup (docs/healing.md)");
		return;
	}
	const struct tally_sink *sink = line_sink(line);
	const char *path = arena_copy(&c->arena, file.ptr, file.len);
	int rc = (restore ? sink->restore : sink->backup)(line_sink_self(line), path, words);
	if (rc != 0) {
		refuse(c, rc == -EEXIST || rc == -EBADMSG ? 409 : 503, rc == -EBADMSG ? "damaged" : "failed", words);
		return;
	}
	log_info(what, "sink %s: %s %s", line_name(line), restore ? "restored from" : "copied to", path);
	line_flush(line);
	text_open(&o, &c->arena, 256);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "line", str_of(line_name(line)));
	text_json_member_string(&o, "file", file);
	text_json_end(&o, '}');
	c->status = 200;
	c->body = text_done(&o);
}

void backup_command(struct admin_call *c)
{
	run(c, "backup", false);
}

void restore_command(struct admin_call *c)
{
	run(c, "restore", true);
}
