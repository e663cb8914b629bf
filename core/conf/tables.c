/* SPDX-License-Identifier: Apache-2.0 */
/* Every option of the configuration, one row each. The order is that of `-T`, of conf/tally.yaml and of the man page.
 * live = a reload changes it; everything else needs a restart, and the reload says so. */
#include "base/log.h"
#include "conf/check.h"
#include "conf/option.h"

#define K 1024ll
#define M (1024 * K)
#define G (1024 * M)
#define MS 1000ll
#define S 1000000ll
#define H (3600 * S)
#define D (24 * H)

static const char *const ends[] = { "left", "right", NULL };
static const char *const acks[] = { "written", "durable", "stored", NULL };
static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const formats[] = { "kv", "json", NULL };
static const char *const salts[] = { "day", NULL };
static const char *const privacies[] = { "ignore", "honor", NULL };
static const char *const source_kinds[] = { "redis", NULL };
static const char *const full[] = { "refuse", "skip", NULL };
static const char *const from[] = { "oldest", NULL };

/* ---- groups of the top ---- */

static const struct conf_row spool_rows[] = {
	{ "max", &conf_kind_size, CONF_AT(struct conf, spool.max), .fallback = "20GiB", .least = 256 * K,
		.most = 1ll << 50, .help = "disk that the spool may take; at it events are refused" },
	{ "keep_free", &conf_kind_share, CONF_AT(struct conf, spool.keep_free), .fallback = "5%",
		.help = "share of the file system that the spool leaves free" },
	{ "retain", &conf_kind_time, CONF_AT(struct conf, spool.retain_us), .fallback = "30m", .most = 30 * D,
		.help = "how long records stay beyond the slowest line; at least the window of dedup" },
	{ "retain_max", &conf_kind_size, CONF_AT(struct conf, spool.retain_max), .fallback = "4GiB", .most = 1ll << 50,
		.help = "how much is kept for retain at most" },
	{ "segment", &conf_kind_size, CONF_AT(struct conf, spool.segment), .fallback = "64MiB", .least = 64 * K,
		.most = G, .help = "size of one file of the spool" },
};
static const struct conf_table spool_table = { CONF_ROWS(spool_rows) };

static const struct conf_row limit_rows[] = {
	{ "body", &conf_kind_size, CONF_AT(struct conf, limits.body), .fallback = "2MiB", .least = K, .most = G,
		.help = "a request's body as received; more is answered 413" },
	{ "inflated", &conf_kind_size, CONF_AT(struct conf, limits.inflated), .fallback = "8MiB", .least = K, .most = G,
		.help = "a body after gzip or zstd" },
	{ "ratio", &conf_kind_count, CONF_AT(struct conf, limits.ratio), .fallback = "100", .least = 1, .most = 100000,
		.help = "inflated size to received size" },
	{ "events", &conf_kind_count, CONF_AT(struct conf, limits.events), .fallback = "10000", .least = 1,
		.most = 1000000, .help = "events in one body" },
	{ "event", &conf_kind_size, CONF_AT(struct conf, limits.event), .fallback = "64KiB", .least = 256,
		.most = 16 * M, .help = "one event's JSON" },
	{ "depth", &conf_kind_count, CONF_AT(struct conf, limits.depth), .fallback = "32", .least = 2, .most = 256,
		.help = "nesting of JSON" },
	{ "connections", &conf_kind_count, CONF_AT(struct conf, limits.connections), .fallback = "auto", .least = 1,
		.most = 1000000, .zero = "auto", .help = "open connections; auto = what the descriptors allow" },
	{ "header_timeout", &conf_kind_time, CONF_AT(struct conf, limits.header_timeout_us), .fallback = "10s",
		.least = 10 * MS, .most = H, .help = "for the head of a request to arrive" },
	{ "idle_timeout", &conf_kind_time, CONF_AT(struct conf, limits.idle_timeout_us), .fallback = "30s",
		.least = 10 * MS, .most = 24 * H, .help = "between requests of one connection" },
	{ "query_rows", &conf_kind_count, CONF_AT(struct conf, limits.query_rows), .fallback = "5000000", .least = 1,
		.most = 1000000000000ll, .help = "raw rows one query may read; more is answered 422" },
	{ "query_timeout", &conf_kind_time, CONF_AT(struct conf, limits.query_timeout_us), .fallback = "10s",
		.least = 10 * MS, .most = H, .help = "for the store to answer one query" },
};
static const struct conf_table limit_table = { CONF_ROWS(limit_rows) };

static const struct conf_row log_rows[] = {
	{ "level", &conf_kind_word, CONF_AT(struct conf, log.level), .fallback = "info", .words = levels,
		.help = "least level that is written: debug, info, warn or error" },
	{ "format", &conf_kind_word, CONF_AT(struct conf, log.format), .fallback = "kv", .words = formats,
		.help = "kv or json, one line an event of note, to stderr" },
};
static const struct conf_table log_table = { CONF_ROWS(log_rows) };

static const struct conf_row redirect_rows[] = {
	{ "hosts", &conf_kind_texts, CONF_AT(struct conf, redirects.hosts), .fallback = "[]", .judge = conf_judge_host,
		.help = "where /v1/click may send a visitor without a signature" },
	{ "secret", &conf_kind_text, CONF_AT(struct conf, redirects.secret_text), .judge = conf_judge_not_empty,
		.secret = true, .help = "key of the signature (HMAC) that allows any other target",
		.example = "${TALLY_CLICK_SECRET}" },
	{ "secret_file", &conf_kind_text, CONF_AT(struct conf, redirects.secret_file), .judge = conf_judge_not_empty,
		.help = "or the file that holds it in its first line", .example = "/etc/tally/click" },
};
static const struct conf_table redirect_table = { CONF_ROWS(redirect_rows) };

static const struct conf_row retention_rows[] = {
	{ "events", &conf_kind_time, CONF_AT(struct conf, retention.events_us), .fallback = "forever", .least = H,
		.most = INT64_MAX, .zero = "forever", .help = "raw events" },
	{ "minute", &conf_kind_time, CONF_AT(struct conf, retention.minute_us), .fallback = "2d", .least = H,
		.most = INT64_MAX, .zero = "forever", .help = "rollups by the minute" },
	{ "quarter", &conf_kind_time, CONF_AT(struct conf, retention.quarter_us), .fallback = "forever", .least = D,
		.most = INT64_MAX, .zero = "forever", .help = "rollups by the quarter hour" },
	{ "day", &conf_kind_time, CONF_AT(struct conf, retention.day_us), .fallback = "forever", .least = 7 * D,
		.most = INT64_MAX, .zero = "forever", .help = "rollups by the day" },
	{ "month", &conf_kind_time, CONF_AT(struct conf, retention.month_us), .fallback = "forever", .least = 60 * D,
		.most = INT64_MAX, .zero = "forever", .help = "rollups by the month" },
};
static const struct conf_table retention_table = { CONF_ROWS(retention_rows) };

/* ---- entries of lists ---- */

static const struct conf_row window_rows[] = {
	{ "past", &conf_kind_time, CONF_AT(struct conf_site, past_us), .fallback = "any", .most = INT64_MAX,
		.zero = "any", .help = "how old an event may be" },
	{ "future", &conf_kind_time, CONF_AT(struct conf_site, future_us), .fallback = "10m", .most = INT64_MAX,
		.zero = "any", .help = "how far ahead of our clock" },
};
static const struct conf_table window_table = { CONF_ROWS(window_rows) };

static const struct conf_row site_rows[] = {
	{ "timezone", &conf_kind_text, CONF_AT(struct conf_site, timezone), .fallback = "UTC", .judge = conf_judge_zone,
		.help = "tzdata name; days and months of this site begin in it" },
	{ "origins", &conf_kind_texts, CONF_AT(struct conf_site, origins), .fallback = "[]", .judge = conf_judge_origin,
		.help = "pages that browsers may send events from (CORS); \"*\" = any" },
	{ "visitor_salt", &conf_kind_word, CONF_AT(struct conf_site, visitor_salt), .fallback = "day", .words = salts,
		.help = "how long the secret lives that anonymous visitors are hashed with" },
	{ "time_window", &conf_kind_group, .table = &window_table, .help = "events outside it are rejected" },
	{ "privacy", &conf_kind_word, CONF_AT(struct conf_site, honors_privacy), .fallback = "honor",
		.words = privacies,
		.help = "what a browser's DNT or Sec-GPC does: honor = no visitor is made, nothing finer than country and "
			"class of device is kept; or ignore" },
};
static const struct conf_table site_table = { CONF_ROWS(site_rows), .bytes = sizeof(struct conf_site), .max = 10000,
	.place_at = offsetof(struct conf_site, place), .inherit = "default" };

static const struct conf_row source_rows[] = {
	{ "url", &conf_kind_text, CONF_AT(struct conf_source, url), .required = true, .judge = conf_judge_redis,
		.help = "redis://[user:password@]host[:port][/database], redis+sentinel://host:port,host:port/master[/database] "
			"or unix:/path",
		.example = "redis://127.0.0.1:6379/0" },
	{ "list", &conf_kind_text, CONF_AT(struct conf_source, list), .required = true, .judge = conf_judge_not_empty,
		.help = "key of the list", .example = "tally:events" },
	{ "end", &conf_kind_word, CONF_AT(struct conf_source, right), .fallback = "left", .words = ends,
		.help = "the end that is read; producers push at the other" },
	{ "site", &conf_kind_text, CONF_AT(struct conf_source, site), .judge = conf_judge_site,
		.help = "site of events that name none", .example = "shop.example" },
	{ "map", &conf_kind_map, CONF_AT(struct conf_source, map), .help = "fields that have other names in this list",
		.example = "{ name: action, visitor: uid, \"props.item\": product_id }" },
};
static const struct conf_table source_table = { CONF_ROWS(source_rows), .bytes = sizeof(struct conf_source), .max = 64,
	.place_at = offsetof(struct conf_source, place) };

static const struct conf_table plugin_table;
static const struct conf_row plugin_rows[] = {
	{ NULL, &conf_kind_pairs, CONF_LIST(struct conf_plugin, options, noptions), .table = &plugin_table },
};
static const struct conf_table plugin_table = { CONF_ROWS(plugin_rows), .bytes = sizeof(struct conf_plugin), .max = 64,
	.place_at = offsetof(struct conf_plugin, place) };

static const struct conf_row rollup_rows[] = {
	{ "name", &conf_kind_text, CONF_AT(struct conf_rollup, name), .required = true, .judge = conf_judge_rollup,
		.help = "its table is tally_rollup_NAME" },
	{ "by", &conf_kind_dims, .fallback = "[]",
		.help = "dimensions: event:name event:page event:hostname visit:referrer event:props:KEY visit:source (channel utm_* device "
			"browser os country) visit:entry_page "
			"visit:exit_page" },
	{ "metrics", &conf_kind_metrics, .required = true,
		.help = "events pageviews visitors sum:F min:F max:F p:F, F = value or props.KEY; sum:F serves avg:F too, p:F every "
			"percentile; of plugin session: visits bounces duration views",
		.example = "[events, visitors]" },
	{ "keys", &conf_kind_count, CONF_AT(struct conf_rollup, keys), .fallback = "100000", .least = 1,
		.most = 4000000, .zero = "unlimited",
		.help = "distinct rows of a site and day at most; what comes later counts as \"(other)\"" },
};
static const struct conf_table rollup_table = { CONF_ROWS(rollup_rows), .bytes = sizeof(struct conf_rollup), .max = 64,
	.place_at = offsetof(struct conf_rollup, place) };

static const struct conf_table sink_table;
static const struct conf_row sink_rows[] = {
	{ "name", &conf_kind_text, CONF_AT(struct conf_sink, name), .judge = conf_judge_name,
		.help = "the line's name, which its position is kept under; default: the sink's" },
	{ "prefix", &conf_kind_text, CONF_AT(struct conf_sink, prefix), .fallback = "", .judge = conf_judge_prefix,
		.help = "of its tables; two lines in one database need one" },
	{ "batch", &conf_kind_count, CONF_AT(struct conf_sink, batch), .fallback = "5000", .least = 1, .most = 1000000,
		.help = "events in one transaction at most" },
	{ "flush", &conf_kind_time, CONF_AT(struct conf_sink, flush_us), .fallback = "500ms", .least = MS, .most = H,
		.help = "a smaller batch is committed after this" },
	{ "from", &conf_kind_word, CONF_AT(struct conf_sink, from), .fallback = "oldest", .words = from,
		.help = "where a new line begins: the oldest record kept" },
	{ "when_spool_full", &conf_kind_word, CONF_AT(struct conf_sink, when_spool_full), .fallback = "refuse",
		.words = full,
		.help = "a line past spool_max: refuse = new events get 503; skip = it loses the oldest, counted" },
	{ "spool_max", &conf_kind_text, CONF_AT(struct conf_sink, spool_max), .fallback = "100%",
		.judge = conf_judge_quota,
		.help = "how much of the spool may wait for this line: a size, or a share of spool.max" },
	{ "snapshot", &conf_kind_time, CONF_AT(struct conf_sink, snapshot_us), .fallback = "10s", .least = MS,
		.most = H, .help = "how often plugins' state is written down; a start replays what came since" },
	{ NULL, &conf_kind_pairs, CONF_LIST(struct conf_sink, options, noptions), .table = &sink_table },
};
static const struct conf_table sink_table = { CONF_ROWS(sink_rows), .bytes = sizeof(struct conf_sink), .max = 32,
	.place_at = offsetof(struct conf_sink, place), .finish = conf_check_sink };

static const struct conf_row lookup_rows[] = {
	{ "sql", &conf_kind_text, CONF_AT(struct conf_lookup, sql), .required = true, .judge = conf_judge_select,
		.help = "one SELECT in the store's own SQL; its columns are what is looked up",
		.example = "\"SELECT id, category, version FROM products\"" },
	{ "key", &conf_kind_text, CONF_AT(struct conf_lookup, key), .required = true, .judge = conf_judge_column,
		.help = "the column that rows are found by, unique", .example = "id" },
	{ "ttl", &conf_kind_time, CONF_AT(struct conf_lookup, ttl_us), .fallback = "5m", .least = 100 * MS,
		.most = 30 * D, .help = "how often the store is asked whether anything has changed" },
	{ "version", &conf_kind_text, CONF_AT(struct conf_lookup, version), .judge = conf_judge_column,
		.help = "a column that grows whenever a row is changed: rows are read anew only if their number or its "
			"maximum has changed",
		.example = "version" },
	{ "store", &conf_kind_text, CONF_AT(struct conf_lookup, store), .judge = conf_judge_name,
		.help = "name of the sink whose database is asked; default: the first that is a store",
		.example = "main" },
	{ "max_rows", &conf_kind_count, CONF_AT(struct conf_lookup, max_rows), .fallback = "100000", .least = 1,
		.most = 50000000, .help = "more rows are not taken; those read before stay" },
	{ "memory", &conf_kind_size, CONF_AT(struct conf_lookup, memory), .fallback = "64MiB", .least = 64 * K,
		.most = 64 * G, .help = "most memory for its rows, and as much again while they are read anew" },
};
static const struct conf_table lookup_table = { CONF_ROWS(lookup_rows), .bytes = sizeof(struct conf_lookup), .max = 64,
	.place_at = offsetof(struct conf_lookup, place) };

/* ---- the top ---- */

static const struct conf_row top_rows[] = {
	{ "listen", &conf_kind_text, CONF_AT(struct conf, listen), .fallback = "127.0.0.1:8470",
		.judge = conf_judge_address,
		.help = "host:port for events, the tracker and queries.\n"
			"Without keys (not in this version) it must be on this machine." },
	{ "admin", &conf_kind_text, CONF_AT(struct conf, admin), .judge = conf_judge_not_empty,
		.help = "UNIX socket of the administration, or host:port on this machine.\n"
			"Default: admin.sock in the run directory tally was built for, or in data_dir if there is no such directory.",
		.example = "/run/tally/admin.sock" },
	{ "data_dir", &conf_kind_text, CONF_AT(struct conf, data_dir), .fallback = TALLY_STATE_DIR,
		.judge = conf_judge_not_empty,
		.help = "spool, node identity, snapshots, SQLite; relative paths of other options are under it.\n"
			"The default depends on how tally was built; tallyd -T shows it.",
		.example = "/var/lib/tally" },
	{ "plugin_dir", &conf_kind_text, CONF_AT(struct conf, plugin_dir), .fallback = TALLY_PLUGIN_DIR,
		.judge = conf_judge_not_empty,
		.help = "where plugins and sinks (*.so) are found; default as data_dir's",
		.example = "/usr/lib/tally/plugins" },
	{ "lanes", &conf_kind_count, CONF_AT(struct conf, lanes), .fallback = "0", .most = 256,
		.help = "threads that take requests; 0 = one per core" },
	{ "ack", &conf_kind_word, CONF_AT(struct conf, ack), .fallback = "durable", .words = acks, .live = true,
		.help = "what an answer waits for: written (to the file), durable (synced), stored (in every sink)" },
	{ "ack_timeout", &conf_kind_time, CONF_AT(struct conf, ack_timeout_us), .fallback = "10s", .least = MS,
		.most = H, .live = true,
		.help = "how long ack: stored waits before it answers with the level reached" },
	{ "spool", &conf_kind_group, .table = &spool_table, .help = "the log that everything passes through" },
	{ "limits", &conf_kind_group, .table = &limit_table, .help = "what one client may ask for" },
	{ "log", &conf_kind_group, .table = &log_table, .live = true, .help = "the daemon's own log" },
	{ "trusted_proxies", &conf_kind_texts, CONF_AT(struct conf, trusted_proxies), .fallback = "[127.0.0.1/32]",
		.judge = conf_judge_cidr, .live = true,
		.help = "peers whose X-Forwarded-For is believed, as address ranges" },
	{ "redirects", &conf_kind_group, .table = &redirect_table, .live = true,
		.help = "targets of /v1/click; any other is refused" },
	{ "sites", &conf_kind_named, CONF_LIST(struct conf, sites, nsites), .name_at = offsetof(struct conf_site, name),
		.table = &site_table, .judge = conf_judge_site, .live = true,
		.help = "settings of sites by name. A site not named here gets those of `default`,\n"
			"and what a named site leaves out it takes from `default` too.",
		.example = "shop.example: { timezone: Europe/Berlin, origins: [\"https://shop.example\"], "
			   "time_window: { past: 400d } }" },
	{ "keys", &conf_kind_later, .help = "keys of clients: not implemented in this version",
		.example = "remove it; without keys tally listens on 127.0.0.1 only" },
	{ "sources", &conf_kind_tagged, CONF_LIST(struct conf, sources, nsources), .words = source_kinds,
		.table = &source_table, .fallback = "[]", .help = "Redis lists that events are taken from",
		.example = "- redis: { url: \"redis://127.0.0.1:6379/0\", list: \"tally:events\", end: left }" },
	{ "pipeline", &conf_kind_tagged, CONF_LIST(struct conf, pipeline, npipeline),
		.name_at = offsetof(struct conf_plugin, name), .table = &plugin_table, .judge = conf_judge_plugin,
		.fallback = "- degrade\n- dedup\n- enrich\n- auto\n- session\n- rollup\n- cache\n",
		.help = "plugins, in the order in which events pass them; `auto` stands for every plugin found and not named.\n"
			"Absent = this list, as far as installed. `tallyd -l` shows what each one's options are.",
		.example =
			"- degrade: {}\n- dedup: { window: 10m }\n- auto: {}\n- rollup: {}\n- cache: { memory: 64MiB }" },
	{ "rollups", &conf_kind_list, CONF_LIST(struct conf, rollups, nrollups), .table = &rollup_table,
		.fallback =
			"- { name: total, by: [], metrics: [events, pageviews, visitors, \"sum:value\", \"min:value\", \"max:value\"] }\n"
			"- { name: names, by: [\"event:name\"], metrics: [events, visitors, \"sum:value\"] }\n"
			"- { name: pages, by: [\"event:name\", \"event:page\"], metrics: [events, visitors] }\n",
		.help = "what can be asked in milliseconds" },
	{ "lookups", &conf_kind_named, CONF_LIST(struct conf, lookups, nlookups),
		.name_at = offsetof(struct conf_lookup, name), .table = &lookup_table, .judge = conf_judge_name,
		.fallback = "{}", .live = true,
		.help = "tables of a store that events are joined with (option join of enrich) and that /v1/lookup answers from",
		.example =
			"products: { sql: \"SELECT id, category, version FROM products\", key: id, ttl: 5m, version: version }" },
	{ "sinks", &conf_kind_tagged, CONF_LIST(struct conf, sinks, nsinks),
		.name_at = offsetof(struct conf_sink, plugin), .table = &sink_table, .judge = conf_judge_plugin,
		.fallback = "- sqlite: { path: tally.db }\n",
		.help = "where events are stored. Options not listed here are the sink's own: `tallyd -l` shows them." },
	{ "retention", &conf_kind_group, .table = &retention_table, .live = true,
		.help = "how long what is stored is kept" },
};

const struct conf_table conf_top = { CONF_ROWS(top_rows) };
