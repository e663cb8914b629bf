/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of tally_ledger and of tally_gap, kept in memory and written with the position: what became of the events of
 * each site. A sum at its end stays there. */
#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fs_counts_free(struct fs_counts *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->rows[i].site);
	free(c->rows);
	*c = (struct fs_counts){ 0 };
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* Where the site stands, or would. */
static size_t place_of(const struct fs_counts *c, const char *site, size_t len, bool *there)
{
	size_t low = 0, high = c->n;
	*there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare(c->rows[mid].site, c->rows[mid].site_len, site, len);
		if (order == 0) {
			*there = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct fs_count *count_of(struct fs_counts *c, const char *site, size_t len)
{
	bool there;
	size_t at = place_of(c, site, len, &there);
	if (there)
		return &c->rows[at];
	struct fs_count *grown = c->n % 64 ? c->rows : realloc(c->rows, (c->n + 64) * sizeof *grown);
	char *copy = malloc(len + 1);
	if (grown)
		c->rows = grown;
	if (!grown || !copy) {
		free(copy);
		return NULL;
	}
	memmove(&grown[at + 1], &grown[at], (c->n - at) * sizeof *grown);
	memcpy(copy, site, len);
	grown[at] = (struct fs_count){ .site = copy, .site_len = len };
	c->n++;
	return &grown[at];
}

static void add(int64_t *to, int64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = n > 0 ? INT64_MAX : INT64_MIN;
}

bool fs_counts_are_of(const struct tally_table *t)
{
	return strcmp(t->name, "tally_ledger") == 0;
}

/* The columns of the table by what they are: one is called site, those that add are counted in their order. */
int fs_counts_add(struct fs_counts *c, const struct tally_rows *rows)
{
	const struct tally_table *t = rows->table;
	for (size_t r = 0; r < rows->n; r++) {
		const struct tally_cell *cells = rows->cells + r * t->ncolumns;
		struct fs_count *count = NULL;
		for (uint32_t i = 0; i < t->ncolumns; i++)
			if (strcmp(t->columns[i].name, "site") == 0)
				count = count_of(c, cells[i].v.ptr, cells[i].len);
		if (!count)
			return -ENOMEM;
		for (uint32_t i = 0, at = 0; i < t->ncolumns; i++)
			if (t->columns[i].merge == TALLY_M_ADD && at < FS_COUNTS)
				add(&count->n[at++], cells[i].v.i);
	}
	return 0;
}

int fs_counts_give(const struct fs_counts *c, const struct tally_table *t, const char *line, tally_row_fn fn, void *arg)
{
	struct tally_cell *cells = calloc(t->ncolumns, sizeof *cells);
	int rc = cells ? 0 : -ENOMEM;
	for (size_t r = 0; r < c->n && rc == 0; r++) {
		for (uint32_t i = 0, at = 0; i < t->ncolumns; i++) {
			const struct fs_count *count = &c->rows[r];
			if (t->columns[i].merge == TALLY_M_ADD)
				cells[i] = (struct tally_cell){ .v.i = at < FS_COUNTS ? count->n[at] : 0 }, at++;
			else if (strcmp(t->columns[i].name, "site") == 0)
				cells[i] =
					(struct tally_cell){ .v.ptr = count->site, .len = (uint32_t)count->site_len };
			else if (strcmp(t->columns[i].name, "line") == 0)
				cells[i] = (struct tally_cell){ .v.ptr = line, .len = (uint32_t)strlen(line) };
		}
		rc = fn(arg, cells);
	}
	free(cells);
	return rc;
}

/* ---- gaps: the same table, by reason and site ---- */

bool fs_gaps_are_of(const struct tally_table *t)
{
	return strcmp(t->name, "tally_gap") == 0;
}

static uint32_t column(const struct tally_table *t, const char *name)
{
	uint32_t i = 0;
	while (i < t->ncolumns && strcmp(t->columns[i].name, name) != 0)
		i++;
	return i;
}

static int gap_add(struct fs_counts *c, const struct tally_table *t, const struct tally_cell *cells)
{
	const struct tally_cell *site = &cells[column(t, "site")], *reason = &cells[column(t, "reason")];
	int64_t last = cells[column(t, "last")].v.i;
	size_t len = (size_t)reason->len + 1 + site->len;
	char *key = malloc(len);
	if (!key)
		return -ENOMEM;
	memcpy(key, reason->v.ptr, reason->len);
	key[reason->len] = '\n';
	memcpy(key + reason->len + 1, site->v.ptr, site->len);
	struct fs_count *count = count_of(c, key, len);
	free(key);
	if (!count)
		return -ENOMEM;
	add(&count->n[0], cells[column(t, "events")].v.i);
	count->n[1] = last > count->n[1] ? last : count->n[1];
	return 0;
}

int fs_gaps_add(struct fs_counts *c, const struct tally_rows *rows)
{
	int rc = 0;
	for (size_t r = 0; r < rows->n && rc == 0; r++)
		rc = gap_add(c, rows->table, rows->cells + r * rows->table->ncolumns);
	return rc;
}

static struct tally_cell cell_text(const char *p, size_t len)
{
	return (struct tally_cell){ .v.ptr = p, .len = (uint32_t)len };
}

int fs_gaps_give(const struct fs_counts *c, const struct tally_table *t, const char *line, tally_row_fn fn, void *arg)
{
	struct tally_cell *cells = calloc(t->ncolumns, sizeof *cells);
	int rc = cells ? 0 : -ENOMEM;
	for (size_t r = 0; r < c->n && rc == 0; r++) {
		const struct fs_count *count = &c->rows[r];
		const char *end = memchr(count->site, '\n', count->site_len);
		if (!end)
			continue;
		size_t reason_len = (size_t)(end - count->site);
		cells[column(t, "line")] = cell_text(line, strlen(line));
		cells[column(t, "reason")] = cell_text(count->site, reason_len);
		cells[column(t, "site")] = cell_text(end + 1, count->site_len - reason_len - 1);
		cells[column(t, "events")] = (struct tally_cell){ .v.i = count->n[0] };
		cells[column(t, "last")] = (struct tally_cell){ .v.i = count->n[1] };
		rc = fn(arg, cells);
	}
	free(cells);
	return rc;
}

/* ---- as text: the sums, then the site with everything but plain letters as %XX ---- */

static bool is_plain(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '%';
}

void fs_counts_write(const struct fs_counts *c, struct fs_text *out)
{
	char buf[32];
	for (size_t r = 0; r < c->n; r++) {
		const struct fs_count *count = &c->rows[r];
		for (int i = 0; i < FS_COUNTS; i++) {
			int n = snprintf(buf, sizeof buf, "%" PRId64 " ", count->n[i]);
			fs_add(out, buf, (size_t)n);
		}
		for (size_t i = 0; i < count->site_len; i++) {
			unsigned char b = (unsigned char)count->site[i];
			int n = snprintf(buf, sizeof buf, is_plain(b) ? "%c" : "%%%02x", b);
			fs_add(out, buf, (size_t)n);
		}
		fs_add(out, "\n", 1);
	}
}

/* Decodes in place. */
static int decode_site(char *text, size_t *len)
{
	char *to = text;
	unsigned byte = 0;
	for (const char *p = text; *p; p++) {
		if (*p == '%' && (sscanf(p + 1, "%2x", &byte) != 1 || !p[1] || !p[2]))
			return -EBADMSG;
		bool coded = *p == '%';
		*to++ = coded ? (char)byte : *p;
		p += coded ? 2 : 0;
	}
	*len = (size_t)(to - text);
	return 0;
}

int fs_counts_read(struct fs_counts *c, char *line)
{
	int64_t n[FS_COUNTS];
	char *p = line;
	size_t len;
	for (int i = 0; i < FS_COUNTS; i++) {
		char *end;
		n[i] = strtoll(p, &end, 10);
		if (end == p || *end != ' ')
			return -EBADMSG;
		p = end + 1;
	}
	if (decode_site(p, &len) != 0)
		return -EBADMSG;
	struct fs_count *count = count_of(c, p, len);
	if (!count)
		return -ENOMEM;
	memcpy(count->n, n, sizeof n);
	return 0;
}
