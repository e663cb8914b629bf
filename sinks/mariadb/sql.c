/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that follow from a table's description. Every name is quoted, every value a parameter or escaped here. */
#include "mariadb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_COLLATION "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"

/* ---- text ---- */

static bool room_for(struct md_text *t, size_t more)
{
	if (t->failed)
		return false;
	if (t->len + more + 1 <= t->cap)
		return true;
	size_t cap = (t->cap ? t->cap : 512);
	while (cap < t->len + more + 1)
		cap *= 2;
	char *grown = realloc(t->ptr, cap);
	if (!grown) {
		md_text_free(t);
		t->failed = true;
		return false;
	}
	t->ptr = grown;
	t->cap = cap;
	return true;
}

void md_text_free(struct md_text *t)
{
	free(t->ptr);
	*t = (struct md_text){ 0 };
}

static void add_bytes(struct md_text *t, const char *bytes, size_t len)
{
	if (!room_for(t, len))
		return;
	if (len)
		memcpy(t->ptr + t->len, bytes, len);
	t->len += len;
	t->ptr[t->len] = 0;
}

void md_add(struct md_text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !room_for(t, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(t->ptr + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void md_add_name(struct md_text *t, const char *prefix, const char *name)
{
	const char *const parts[] = { prefix, name };
	md_add(t, "`");
	for (size_t i = 0; i < 2; i++)
		for (const char *c = parts[i]; *c; c++)
			add_bytes(t, *c == '`' ? "``" : c, *c == '`' ? 2 : 1);
	md_add(t, "`");
}

/* The session has no NO_BACKSLASH_ESCAPES; in UTF-8 no byte of a character looks like a quote or a backslash. */
void md_add_string(struct md_text *t, const char *bytes, size_t len)
{
	if (!room_for(t, 2 * len + 2))
		return;
	add_bytes(t, "'", 1);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == 0)
			add_bytes(t, "\\0", 2);
		else if (bytes[i] == '\'' || bytes[i] == '\\')
			add_bytes(t, (const char[]){ '\\', bytes[i] }, 2);
		else
			add_bytes(t, &bytes[i], 1);
	}
	add_bytes(t, "'", 1);
}

void md_add_binary(struct md_text *t, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	if (!room_for(t, 2 * len + 3))
		return;
	add_bytes(t, "x'", 2);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];
		add_bytes(t, (const char[]){ digits[c >> 4], digits[c & 15] }, 2);
	}
	add_bytes(t, "'", 1);
}

/* ---- columns ---- */

bool md_is_key(const struct tally_column *c)
{
	return c->merge == TALLY_M_KEY || c->merge == TALLY_M_NODE;
}

bool md_is_indexed(const struct tally_table *t, const struct tally_column *c)
{
	size_t len = strlen(c->name);
	const char *at = t->index;
	while (at && (at = strstr(at, c->name)) != NULL) {
		bool begins = at == t->index || at[-1] == ' ' || at[-1] == ',';
		if (begins && (at[len] == 0 || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

/* Text within a key is VARCHAR: its limit in characters is never below the host's limit in bytes. */
const char *md_type(const struct tally_table *t, const struct tally_column *c, char buf[64])
{
	bool small = md_is_key(c) || md_is_indexed(t, c) || c->max_bytes <= 255;
	const char *size = c->max_bytes <= 65535 ? "" : c->max_bytes < 1u << 24 ? "MEDIUM" : "LONG";
	switch (c->type) {
	case TALLY_T_INT:
		return c->merge == TALLY_M_NODE ? "INT UNSIGNED" : "BIGINT";
	case TALLY_T_REAL:
		return "DOUBLE";
	case TALLY_T_JSON:
		return "LONGTEXT " TEXT_COLLATION;
	case TALLY_T_TEXT:
		if (small)
			snprintf(buf, 64, "VARCHAR(%u) " TEXT_COLLATION, c->max_bytes);
		else
			snprintf(buf, 64, "%sTEXT " TEXT_COLLATION, size);
		return buf;
	default:
		if (small)
			snprintf(buf, 64, "VARBINARY(%u)", c->max_bytes);
		else
			snprintf(buf, 64, "%sBLOB", size);
		return buf;
	}
}

static void add_columns(struct md_text *out, const struct tally_table *t, bool keys_only)
{
	bool first = true;
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		if (keys_only && !md_is_key(&t->columns[i]))
			continue;
		md_add(out, "%s", first ? "" : ", ");
		md_add_name(out, "", t->columns[i].name);
		first = false;
	}
}

/* What rows of before, and nodes of before, have in a column that came later. */
static const char *default_sql(const struct tally_column *c)
{
	if (c->nullable)
		return "";
	return c->type == TALLY_T_INT || c->type == TALLY_T_REAL ? " DEFAULT 0" : " DEFAULT ''";
}

void md_sql_column(struct md_text *out, const struct tally_table *t, uint32_t i, bool later)
{
	const struct tally_column *c = &t->columns[i];
	char buf[64];
	md_add_name(out, "", c->name);
	md_add(out, " %s %s%s", md_type(t, c, buf), c->nullable ? "NULL" : "NOT NULL", later ? default_sql(c) : "");
}

void md_sql_create(struct md_text *out, const char *prefix, const struct tally_table *t, uint32_t first)
{
	md_add(out, "CREATE TABLE IF NOT EXISTS ");
	md_add_name(out, prefix, t->name);
	md_add(out, " (");
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		md_sql_column(out, t, i, i >= first);
		md_add(out, ", ");
	}
	md_add(out, "PRIMARY KEY (");
	add_columns(out, t, true);
	md_add(out, ")");
	if (t->index)
		md_add(out, ", KEY `tally_index` (%s)", t->index);
	md_add(out, ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT %s", TEXT_COLLATION);
}

/* ---- the statement that writes rows ---- */

/* Written for a column called c; every c is replaced by the quoted name, v by VALUES(name). A branch of CASE that is
 * not taken is not computed, so nothing here can leave its range. */
static const char add_int[] = "c = CASE WHEN v > 0 AND c > 9223372036854775807 - v THEN 9223372036854775807"
			      " WHEN v < 0 AND c < -9223372036854775807 - 1 - v THEN -9223372036854775807 - 1"
			      " ELSE c + v END";
static const char add_real[] = "c = CASE WHEN v > 0 AND c > 1.7976931348623157e308 - v THEN 1.7976931348623157e308"
			       " WHEN v < 0 AND c < -1.7976931348623157e308 - v THEN -1.7976931348623157e308"
			       " ELSE c + v END";
static const char set_min[] = "c = CASE WHEN c IS NULL OR v < c THEN v ELSE c END";
static const char set_max[] = "c = CASE WHEN c IS NULL OR v > c THEN v ELSE c END";
static const char set_new[] = "c = v";

static const char *set_template(const struct tally_column *c)
{
	switch (c->merge) {
	case TALLY_M_SET:
	case TALLY_M_HLL: /* united before they are sent */
	case TALLY_M_QUANTILE:
	case TALLY_M_ESTIMATE:
		return set_new;
	case TALLY_M_ADD:
		return c->type == TALLY_T_REAL ? add_real : add_int;
	case TALLY_M_MIN:
		return set_min;
	case TALLY_M_MAX:
		return set_max;
	default:
		return NULL; /* keys and FIRST stay */
	}
}

/* In the templates c and v stand between blanks; "e308" and words are no match. */
static void add_template(struct md_text *out, const char *template, const char *column)
{
	for (const char *p = template; *p; p++) {
		bool alone = (p == template || p[-1] == ' ') && (p[1] == ' ' || p[1] == 0);
		if (alone && *p == 'c') {
			md_add_name(out, "", column);
		} else if (alone && *p == 'v') {
			md_add(out, "VALUES(");
			md_add_name(out, "", column);
			md_add(out, ")");
		} else {
			add_bytes(out, p, 1);
		}
	}
}

void md_sql_put(struct md_text *out, const char *prefix, const struct tally_table *t)
{
	const char *separator = " ON DUPLICATE KEY UPDATE ";
	md_add(out, "INSERT INTO ");
	md_add_name(out, prefix, t->name);
	md_add(out, " (");
	add_columns(out, t, false);
	md_add(out, ") VALUES (");
	for (uint32_t i = 0; i < t->ncolumns; i++)
		md_add(out, "%s?", i ? ", " : "");
	md_add(out, ")");
	for (uint32_t i = 0; i < t->ncolumns && !t->insert_only; i++) {
		const char *template = set_template(&t->columns[i]);
		if (!template)
			continue;
		md_add(out, "%s", separator);
		add_template(out, template, t->columns[i].name);
		separator = ", ";
	}
	if (!t->insert_only && *separator == ' ') { /* all FIRST: what is there stays */
		md_add(out, "%s", separator);
		add_template(out, "c = c", t->columns[0].name);
	}
}
