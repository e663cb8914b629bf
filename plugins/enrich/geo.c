/* SPDX-License-Identifier: Apache-2.0 */
/* The file is mapped, so it is to be replaced by a rename (as MaxMind's own updater does), never written into. Once a
 * second at most a job in the worker pool looks whether another file lies at the path; the new one is taken between two
 * events. One that cannot be used is said once, and the old one goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "enrich.h"

#ifdef HAVE_MAXMINDDB
#include <maxminddb.h>

#define LOOK_EVERY_NS INT64_C(1000000000)

struct geo {
	const struct tally_host *host;
	struct tally_instance *in;
	const char *path;
	MMDB_s *db;
	struct stat seen; /* the file looked at last, whether it could be used or not */
	int64_t looked_ns;

	/* of the job under way */
	bool looking;
	MMDB_s *found; /* NULL = nothing new */
	struct stat found_stat;
	int trouble; /* MMDB_…; 0 = none */
};

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static MMDB_s *open_file(const char *path, int *trouble)
{
	MMDB_s *db = malloc(sizeof *db);
	*trouble = db ? MMDB_open(path, MMDB_MODE_MMAP, db) : MMDB_OUT_OF_MEMORY_ERROR;
	if (*trouble == MMDB_SUCCESS)
		return db;
	free(db);
	return NULL;
}

static void drop(MMDB_s *db)
{
	if (!db)
		return;
	MMDB_close(db);
	free(db);
}

int geo_open(const struct tally_host *host, struct tally_instance *in, const char *path, struct geo **out)
{
	int trouble;
	if (path[0] != '/')
		return host->fail(in, "`geo: %s` is no absolute path; write where the database is from / on", path);
	struct geo *g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	*g = (struct geo){ .host = host, .in = in, .path = path, .looked_ns = now_ns() };
	if (stat(path, &g->seen) != 0)
		host->fail(in, "`geo: %s`: %s; put a country database in MaxMind's format (.mmdb) there", path,
			strerror(errno));
	else if ((g->db = open_file(path, &trouble)) == NULL)
		host->fail(in, "`geo: %s`: %s; it must be a country database in MaxMind's format (.mmdb)", path,
			MMDB_strerror(trouble));
	if (!g->db) {
		free(g);
		return -EINVAL;
	}
	*out = g;
	return 0;
}

void geo_close(struct geo *g)
{
	if (!g)
		return;
	drop(g->db);
	free(g);
}

/* ---- is there another file? ---- */

/* [worker] */
static void look(void *arg)
{
	struct geo *g = arg;
	g->found = NULL;
	g->trouble = 0;
	if (stat(g->path, &g->found_stat) != 0 || same_file(&g->found_stat, &g->seen))
		g->found_stat = g->seen; /* away for a moment, or the same */
	else
		g->found = open_file(g->path, &g->trouble);
}

static void take(void *arg)
{
	struct geo *g = arg;
	g->looking = false;
	g->seen = g->found_stat;
	if (g->trouble)
		g->host->log(g->in, TALLY_LOG_WARN, "geo: %s is not taken (%s); the one before goes on", g->path,
			MMDB_strerror(g->trouble));
	if (!g->found)
		return;
	drop(g->db);
	g->db = g->found;
	g->found = NULL;
	g->host->log(g->in, TALLY_LOG_INFO, "geo: %s was replaced and is taken", g->path);
}

static void look_now_and_then(struct geo *g)
{
	int64_t now = now_ns();
	if (g->looking || now - g->looked_ns < LOOK_EVERY_NS)
		return;
	g->looked_ns = now;
	g->looking = g->host->work(g->in, look, take, g) == 0;
}

/* ---- one address ---- */

static bool code_at(MMDB_entry_s *entry, const char *group, char out[2])
{
	MMDB_entry_data_s data;
	if (MMDB_get_value(entry, &data, group, "iso_code", NULL) != MMDB_SUCCESS || !data.has_data)
		return false;
	if (data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
		return false;
	memcpy(out, data.utf8_string, 2);
	return true;
}

bool geo_country(struct geo *g, struct tally_str address, char out[2])
{
	char text[64];
	int gai = 0, trouble = 0;
	if (!g || address.len == 0 || address.len >= sizeof text)
		return false;
	look_now_and_then(g);
	memcpy(text, address.ptr, address.len);
	text[address.len] = 0;
	MMDB_lookup_result_s found = MMDB_lookup_string(g->db, text, &gai, &trouble);
	if (gai || trouble || !found.found_entry)
		return false;
	return code_at(&found.entry, "country", out) || code_at(&found.entry, "registered_country", out);
}

#else

int geo_open(const struct tally_host *host, struct tally_instance *in, const char *path, struct geo **out)
{
	(void)out;
	return host->fail(in, "`geo: %s`: this tally was built without libmaxminddb; install it and build again", path);
}

void geo_close(struct geo *g)
{
	(void)g;
}

bool geo_country(struct geo *g, struct tally_str address, char out[2])
{
	(void)g;
	(void)address;
	(void)out;
	return false;
}

#endif
