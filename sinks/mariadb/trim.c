/* SPDX-License-Identifier: Apache-2.0 */
/* Retention inside a batch's transaction: site by site along the key or index that begins with the site, a few
 * thousand rows a statement; what one second does not delete is left for the next trim. */
#include "mariadb.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_ROWS 5000
#define TRIM_US 1000000

static int64_t mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool has_column(const struct tally_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return true;
	return false;
}

static void add_delete(struct md_text *sql, struct md *s, const struct tally_trim *t, const char *site, size_t len)
{
	md_add(sql, "DELETE FROM ");
	md_add_name(sql, s->host->prefix(s->in), t->table->name);
	md_add(sql, " WHERE ");
	if (site) {
		md_add(sql, "`site` = ");
		md_add_string(sql, site, len);
		md_add(sql, " AND ");
	}
	if (has_column(t->table, "grain"))
		md_add(sql, "`grain` = %lld AND `bucket` < %lld", (long long)t->grain, (long long)t->before_us);
	else
		md_add(sql, "`time` < %lld", (long long)t->before_us);
	md_add(sql, " LIMIT %d", SLICE_ROWS);
}

static int delete_slices(struct md *s, const struct tally_trim *t, const char *site, size_t len, int64_t until_us)
{
	int rc;
	do {
		struct md_text sql = { 0 };
		add_delete(&sql, s, t, site, len);
		rc = md_run(s, "trimming", &sql);
	} while (rc == TALLY_SINK_OK && mysql_affected_rows(s->db) == SLICE_ROWS && mono_us() < until_us);
	return rc;
}

static int list_sites(struct md *s, const struct tally_trim *t, MYSQL_RES **out)
{
	struct md_text sql = { 0 };
	*out = NULL;
	md_add(&sql, "SELECT DISTINCT `site` FROM ");
	md_add_name(&sql, s->host->prefix(s->in), t->table->name);
	int rc = md_run(s, "listing sites", &sql);
	if (rc == TALLY_SINK_OK && !(*out = mysql_store_result(s->db)))
		rc = md_fail(s, "listing sites");
	return rc;
}

int md_trim(struct md *s, const struct tally_trim *t)
{
	int64_t until_us = mono_us() + TRIM_US;
	bool by_site = has_column(t->table, "site") && (has_column(t->table, "grain") || t->table->index);
	if (!by_site)
		return delete_slices(s, t, NULL, 0, until_us);
	MYSQL_RES *sites;
	MYSQL_ROW row;
	int rc = list_sites(s, t, &sites);
	while (rc == TALLY_SINK_OK && (row = mysql_fetch_row(sites)) != NULL && mono_us() < until_us)
		rc = delete_slices(s, t, row[0], mysql_fetch_lengths(sites)[0], until_us);
	mysql_free_result(sites);
	return rc;
}
