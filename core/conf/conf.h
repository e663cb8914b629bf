/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: YAML into one struct, by tables. Read-only once loaded; a reload makes a new one.
 * Strings live in the configuration's arena. [any thread may read] */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

enum conf_ack { CONF_ACK_WRITTEN, CONF_ACK_DURABLE, CONF_ACK_STORED };

struct conf_pair {                /* name: value of a plugin's or sink's options, as written */
	const char *name, *value; /* scalars; a list is its elements joined by '\n' */
	const char *place;        /* "file:line:column" for errors */
};

struct conf_plugin {      /* one entry of `pipeline:` */
	const char *name; /* "auto" = every .so not named elsewhere */
	const struct conf_pair *options;
	size_t noptions;
	const char *place;
};

struct conf_site {
	const char *name; /* "default" for the one that unnamed sites get */
	const char *timezone;
	const char *const *origins; /* NULL-terminated; "*" = any */
	int64_t past_us, future_us; /* INT64_MAX = any */
	const char *visitor_salt;   /* "day" */
	bool honors_privacy;        /* privacy: honor */
	const char *place;
};

struct conf_map {
	const char *field, *key;
};

struct conf_source { /* a Redis list */
	const char *url, *list;
	bool right;       /* end: right */
	const char *site; /* or NULL */
	const struct conf_map *map;
	size_t nmap;
	const char *place;
};

struct conf_metric {
	uint32_t kind;
	uint32_t is_prop;
	const char *field;
}; /* as struct tally_metric */
struct conf_dimension {
	uint32_t kind;
	const char *key;
}; /* as struct tally_dimension */

struct conf_rollup {
	const char *name;
	const struct conf_dimension *dims;
	size_t ndims;
	const struct conf_metric *metrics;
	size_t nmetrics;
	uint32_t keys; /* 0 = any number */
	const char *place;
};

struct conf_sink {
	const char *plugin;              /* "sqlite", "mariadb", … */
	const char *name;                /* the line's name; default: the plugin's */
	const char *prefix;              /* of its tables, "" */
	uint64_t batch;                  /* events per transaction, 5000 */
	int64_t flush_us;                /* 500 ms */
	const char *when_spool_full;     /* "refuse", "skip" */
	const char *spool_max;           /* as written: size, or share of spool.max */
	uint64_t spool_bytes;            /* what it comes to; UINT64_MAX = no limit of its own */
	bool skips;                      /* when_spool_full: skip */
	const char *from;                /* "oldest" */
	int64_t snapshot_us;             /* between two snapshots of plugins' state, 10 s */
	const struct conf_pair *options; /* the rest: the sink's own */
	size_t noptions;
	const char *place;
};

struct conf_lookup { /* reference data: rows of a SELECT, found by a key */
	const char *name, *sql;
	const char *key, *version; /* columns; version NULL = every reading is a whole one */
	const char *store;         /* a sink's name, NULL = the first store */
	int64_t ttl_us;
	uint64_t max_rows, memory;
	const char *place;
};

struct conf_redirects {           /* /v1/click */
	const char *const *hosts; /* allowed without a signature */
	const char *secret;       /* HMAC key, or NULL: from secret_text or secret_file */
	const char *secret_text, *secret_file;
};

struct conf {
	struct arena arena;
	const char *file; /* as given, for messages */

	const char *listen, *admin, *data_dir, *plugin_dir;
	uint32_t lanes;
	enum conf_ack ack;
	int64_t ack_timeout_us;
	struct {
		uint64_t max, retain_max, segment;
		double keep_free;
		int64_t retain_us;
	} spool;
	struct {
		uint64_t body, inflated, ratio, events, event, depth, connections; /* connections 0 = auto */
		int64_t header_timeout_us, idle_timeout_us;
		uint64_t query_rows; /* raw rows one query may read */
		int64_t query_timeout_us;
	} limits;
	struct {
		int level, format;
	} log;                              /* enum log_level, enum log_format */
	const char *const *trusted_proxies; /* CIDR, NULL-terminated */
	const char *keys_file;              /* or NULL */
	struct conf_redirects redirects;

	const struct conf_site *sites; /* "default" first, the others by name; conf_site() finds one */
	size_t nsites;
	const struct conf_source *sources;
	size_t nsources;
	const struct conf_plugin *pipeline; /* the default list if absent in the file */
	size_t npipeline;
	bool pipeline_given;
	const struct conf_rollup *rollups; /* the default ones if absent */
	size_t nrollups;
	const struct conf_lookup *lookups;
	size_t nlookups;
	const struct conf_sink *sinks; /* sqlite at tally.db if absent */
	size_t nsinks;
	struct {
		int64_t minute_us, quarter_us, day_us, month_us, events_us;
	} retention; /* INT64_MAX = forever */
};

struct conf_error {
	char text[512];
}; /* file:line:column: message */

/* 0 or -EINVAL (err says what, where and the nearest known name), -ENOENT. path NULL = all defaults.
 * data_dir, plugin_dir: from the command line, NULL = as in the file. [one thread at a time: reads the environment] */
must_check int conf_load(
	const char *path, const char *data_dir, const char *plugin_dir, struct conf **out, struct conf_error *err);
void conf_free(struct conf *c);

/* The effective configuration as YAML, secrets (passwords in urls, …secret, …password) as "***". */
struct tally_str conf_dump(const struct conf *c, struct arena *a);

/* Every option with type, default and help, as a commented YAML file (conf/tally.yaml) and as man page section. */
struct tally_str conf_document(struct arena *a);
struct tally_str conf_manual(struct arena *a);

/* The site by name, or "default". Never NULL. */
const struct conf_site *conf_site(const struct conf *c, struct tally_str name);

/* NULL = none is declared under that name. */
const struct conf_lookup *conf_lookup(const struct conf *c, struct tally_str name);

/* "visit:browser" and the like are props of the event that began the visit: the key of the prop, or NULL; and the other
 * way round; and which enum tally_visit_value has that key, -1 = none. */
const char *conf_visit_key(struct tally_str name);
const char *conf_visit_name(struct tally_str key);
int conf_visit_value(struct tally_str key);

/* Which top-level options differ between two configurations and need a restart: names, comma-separated, or "". */
struct tally_str conf_restart_needed(const struct conf *before, const struct conf *after, struct arena *a);

/* "64MiB", "10m", "5%": whole string or -EINVAL. "forever" and "any" are INT64_MAX for times. */
must_check int conf_parse_size(const char *text, uint64_t *out);
must_check int conf_parse_time(const char *text, int64_t *out_us);

/* The candidate nearest to word by edit distance, NULL if none is near. */
const char *conf_nearest(const char *word, const char *const *candidates, size_t n);

#endif
