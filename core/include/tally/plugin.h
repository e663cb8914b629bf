/* SPDX-License-Identifier: Apache-2.0 */
/* tally/plugin.h: everything a plugin may see of tally.
 *
 * A plugin is a shared object that exports one constant:
 *
 *     const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, "name", "1.0", "one line of what it does", ... };
 *
 * Hooks left NULL are hooks it does not take part in. One instance is opened for each station that runs one of its
 * hooks; an instance is only ever called from that station's thread, so it needs no locks. Hooks never block: work
 * that must wait goes through host->work().
 *
 * Memory: nothing allocated on one side is freed on the other. Bytes lent to a hook (events, requests, slices) die
 * when the hook returns unless its description says otherwise. Bytes a hook hands over are copied before the call
 * returns.
 *
 * Both structs are append-only: `size` tells how much of it the other side knows. The header compiles as C99, C11
 * and C++17.
 *
 * Units: times are UTC microseconds since 1970 (`_us`), sizes are bytes.
 * Errors: 0 or a negative errno unless a hook says otherwise.
 */
#ifndef TALLY_PLUGIN_H
#define TALLY_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_ABI 1u

/* ---- values ---- */

/* A slice: not NUL-terminated, not owned. ptr may be NULL when len is 0. */
struct tally_str {
	const char *ptr;
	size_t len;
};

enum tally_prop_type { TALLY_PROP_STRING = 0, TALLY_PROP_NUMBER = 1, TALLY_PROP_BOOL = 2 };

struct tally_prop {
	struct tally_str key;
	struct tally_str text; /* string: its bytes; number: its text as sent; bool: "true" or "false" */
	double number;         /* number: its value; bool: 0 or 1; string: 0 */
	uint32_t type;         /* enum tally_prop_type */
	uint32_t reserved;
};

/* One event. The host makes it; a plugin reads it, and at the line may change it (see `event`).
 * Empty strings are absent fields; name and site are never empty. */
struct tally_event {
	uint64_t lsn; /* place in the ledger; with idx the event's identity on its node. 0 before `admit` */
	uint32_t idx;
	uint32_t has_value;          /* 1 = value and value_text are set */
	int64_t time_us;             /* when it happened */
	int64_t received_us;         /* when the ledger took it; never decreasing */
	struct tally_str name;       /* 1..128 bytes */
	struct tally_str site;       /* 1..128 */
	struct tally_str id;         /* 1..128, unique per site */
	struct tally_str visitor;    /* ..128 */
	struct tally_str user;       /* ..128 */
	struct tally_str host;       /* ..2048 */
	struct tally_str page;       /* ..2048 */
	struct tally_str referrer;   /* ..2048 */
	struct tally_str value_text; /* as sent */
	double value;
	const struct tally_prop *props; /* change through host->prop_set() only */
	uint32_t nprops;
	uint32_t weight; /* raw rows this one stands for; 1 unless thinned */
};

/* ---- options: what `pipeline: - NAME: { … }` may say ---- */

enum tally_option_type {
	TALLY_OPT_STRING = 0,
	TALLY_OPT_INT = 1,
	TALLY_OPT_FLOAT = 2,
	TALLY_OPT_BOOL = 3,
	TALLY_OPT_SIZE = 4, /* "64MiB" in the file, bytes here */
	TALLY_OPT_TIME = 5  /* "10m" in the file, microseconds here */
};

struct tally_option {
	const char *name; /* NULL ends the table */
	uint32_t type;
	uint32_t reserved;
	const char *value; /* default, written as in the file; NULL = must be given */
	const char *help;  /* one line for -T, the man page and conf/tally.yaml */
};

/* ---- rollups, as declared under `rollups:` ---- */

enum tally_grain { TALLY_MINUTE = 0, TALLY_QUARTER = 1, TALLY_DAY = 2, TALLY_MONTH = 3, TALLY_GRAINS = 4 };

enum tally_metric_kind {
	TALLY_EVENTS = 0,    /* count */
	TALLY_PAGEVIEWS = 1, /* count of name view or pageview */
	TALLY_VISITORS = 2,  /* HyperLogLog of visitor */
	TALLY_SUM = 3,       /* sum of a number; the host stores the count of numbers beside it */
	TALLY_MIN = 4,
	TALLY_MAX = 5,
	TALLY_VISITS = 6, /* session metrics and quantiles: declared by sessions and sketches to come */
	TALLY_BOUNCES = 7,
	TALLY_DURATION = 8,
	TALLY_QUANTILE = 9
};

struct tally_metric {
	uint32_t kind; /* enum tally_metric_kind */
	uint32_t reserved;
	struct tally_str field; /* SUM MIN MAX QUANTILE: the key of a prop, or empty for the event's value */
	uint32_t is_prop;       /* 1 = field names a prop, 0 = the value of the event */
	uint32_t reserved2;
};

enum tally_dimension_kind {
	TALLY_DIM_NAME = 0,
	TALLY_DIM_PAGE = 1,
	TALLY_DIM_HOST = 2,
	TALLY_DIM_REFERRER = 3,
	TALLY_DIM_PROP = 4
};

struct tally_dimension {
	uint32_t kind; /* enum tally_dimension_kind */
	uint32_t reserved;
	struct tally_str key; /* TALLY_DIM_PROP: the prop's key */
};

struct tally_rollup {
	uint32_t id; /* index among the declared ones */
	uint32_t ndims, nmetrics;
	uint32_t reserved;
	struct tally_str name;
	const struct tally_dimension *dims;
	const struct tally_metric *metrics;
};

/* What one metric of one row holds: exactly one of the forms, by kind. */
struct tally_amount {
	int64_t count;      /* EVENTS, PAGEVIEWS; SUM: how many numbers were summed; MIN MAX: 0 = none seen */
	double number;      /* SUM, MIN, MAX */
	const void *sketch; /* VISITORS: bytes as made by host->sketch_*() */
	size_t sketch_len;
};

struct tally_row {
	const struct tally_rollup *rollup;
	uint32_t grain; /* enum tally_grain */
	uint32_t reserved;
	int64_t bucket_us; /* start of the bucket */
	struct tally_str site;
	const struct tally_str *dims;       /* rollup->ndims values, "" for an absent one */
	const struct tally_amount *amounts; /* rollup->nmetrics */
};

/* ---- requests at the desk ---- */

struct tally_request {
	uint64_t id;
	struct tally_str method; /* "GET", "POST" */
	struct tally_str path;   /* without the query string */
	struct tally_str query;  /* behind the '?', undecoded */
	struct tally_str accept; /* format asked for: "json", "csv" or "ndjson" */
	struct tally_str body;
	struct tally_str key; /* for a statistics query: its normal form, the same for equal questions; else empty */
	int32_t cost;         /* the planner's guess: 0 rollup, 1 raw scan, 2 raw scan near its limit; -1 unknown */
	uint32_t is_query;    /* 1 = key and cost are set, host->request_version() works */
	int64_t received_us;
};

struct tally_answer {
	int32_t status;        /* HTTP */
	uint32_t fresh;        /* 1 = made by the planner just now, 0 = given by a plugin */
	struct tally_str type; /* content type */
	struct tally_str body;
	uint64_t version;      /* of the data it was made from; 0 = not a statistics answer */
	struct tally_str etag; /* with its quotes, or empty */
};

/* ---- verdicts ---- */

enum tally_verdict {
	TALLY_PASS = 0,      /* admit: accept · event: to the next stage · request: not mine */
	TALLY_DROP = 1,      /* admit, event: counted under the reason given with host->reason() */
	TALLY_DUPLICATE = 2, /* admit: already taken under this id; as safe as accepted */
	TALLY_REFUSE = 3,    /* admit: not taken, the sender is told to come back · request: answer 503 */
	TALLY_KEEP = 4,      /* event: the plugin took it in; it goes no further and makes no raw row */
	TALLY_ANSWERED = 5,  /* request: host->answer() was called */
	TALLY_HOLD = 6       /* request: goes on when host->resume() is called */
};

enum tally_station { TALLY_DOOR = 0, TALLY_LEDGER = 1, TALLY_LINE = 2, TALLY_DESK = 3 };

/* Signals of load, each 0.0 (idle) to 1.0 (at its limit), sampled every 250 ms. */
enum tally_signal {
	TALLY_SIGNAL_SPOOL = 0,  /* share of spool.max in use */
	TALLY_SIGNAL_DISK = 1,   /* share of the disk in use, 1.0 = keep_free reached */
	TALLY_SIGNAL_MEMORY = 2, /* bytes in flight against their budget */
	TALLY_SIGNAL_QUEUE = 3,  /* depth of the ledger's ring */
	TALLY_SIGNAL_SYNC = 4,   /* sync latency against 1 s */
	TALLY_SIGNALS = 5
};

enum tally_log_level { TALLY_LOG_DEBUG = 0, TALLY_LOG_INFO = 1, TALLY_LOG_WARN = 2, TALLY_LOG_ERROR = 3 };

enum tally_sketch_kind { TALLY_SKETCH_HLL = 1, TALLY_SKETCH_QUANTILE = 2 };

struct tally_instance; /* opaque: one open plugin at one station */
struct tally_work;     /* opaque: a job under way */

/* ---- what the host lends ---- */

struct tally_host {
	uint32_t size; /* of this struct as the host knows it */
	uint32_t abi;

	/* [any station] where this instance stands */
	enum tally_station (*station)(const struct tally_instance *in);

	/* [open] options by name, in base units; asking for a name not in the table or under another type aborts. */
	int64_t (*option_int)(const struct tally_instance *in, const char *name); /* INT, BOOL, SIZE, TIME */
	double (*option_float)(const struct tally_instance *in, const char *name);
	const char *(*option_str)(
		const struct tally_instance *in, const char *name); /* lives as long as the instance */

	/* [any station] a line in the log, prefixed with the plugin's name. */
	void (*log)(const struct tally_instance *in, enum tally_log_level level, const char *fmt, ...);

	/* [open, load] Says in the plugin's own words why it cannot run, and what to do; returns -EINVAL for `return`. */
	int (*fail)(struct tally_instance *in, const char *fmt, ...);

	/* [admit, event, request] why DROP or REFUSE: a short constant of [a-z_]; it labels the counter. Retry-After
	 * (REFUSE) in seconds, 0 = the host's jittered default. */
	void (*reason)(struct tally_instance *in, const char *reason, unsigned retry_after_s);

	/* [any thread] degradation level 0..6, and the signals behind it. */
	int (*level)(void);
	double (*signal)(enum tally_signal which);

	/* [ledger, open] how long an event stays in the spool at least after it was taken, microseconds. */
	int64_t (*spool_retain_us)(void);

	/* [any thread] fast seeded 64-bit hash (same on every node and release), and one keyed for this process. */
	uint64_t (*hash)(const void *bytes, size_t len);
	uint64_t (*hash_keyed)(const void *bytes, size_t len);

	/* [line: event, tick, flush] memory until the batch is committed or thrown away. */
	void *(*alloc)(struct tally_instance *in, size_t bytes);

	/* [line: event] sets or adds a prop; texts are copied. -E2BIG past 64 props or the limits of an event. */
	int (*prop_set)(struct tally_instance *in, struct tally_event *ev, struct tally_str key, struct tally_str text,
		uint32_t type);

	/* [line, desk] the rollups declared; the pointers live as long as the instance. */
	size_t (*rollups)(const struct tally_instance *in, const struct tally_rollup **first);

	/* [line] start of the bucket of a time for a site (day and month are in the site's zone). */
	int64_t (*bucket)(
		const struct tally_instance *in, enum tally_grain grain, struct tally_str site, int64_t time_us);

	/* [line] first bucket of this rollup, grain and site that is kept; rows before it must not be emitted.
	 * INT64_MIN = all are kept, INT64_MAX = none. */
	int64_t (*horizon)(const struct tally_instance *in, const struct tally_rollup *rollup, enum tally_grain grain,
		struct tally_str site);

	/* [line: flush] a rollup row to add to what the store has. Rows must come sorted: see docs/plugin-guide.md. */
	int (*emit)(struct tally_instance *in, const struct tally_row *row);

	/* [any thread] sketches are opaque, versioned bytes. `add` changes the sketch in place: buf holds *len of at most
	 * cap bytes (*len 0 = empty sketch); -ENOSPC = needs a larger buffer, sketch_room() bytes are always enough. */
	size_t (*sketch_room)(enum tally_sketch_kind kind);
	int (*sketch_add)(
		enum tally_sketch_kind kind, void *buf, size_t *len, size_t cap, uint64_t hash, double number);
	int (*sketch_merge)(
		enum tally_sketch_kind kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len);
	double (*sketch_estimate)(enum tally_sketch_kind kind, const void *buf, size_t len);

	/* [desk: request, or `done` of its work] */
	int (*answer)(struct tally_instance *in, uint64_t request, const struct tally_answer *answer);
	void (*resume)(struct tally_instance *in, uint64_t request); /* a HELD request goes on to the planner */

	/* [desk: `job` of work, may block] version of the data a statistics query would be answered from; the same as
	 * tally_answer.version if nothing it covers has changed. */
	int (*request_version)(struct tally_instance *in, uint64_t request, uint64_t *version);

	/* [desk, ledger] runs job in the worker pool, then done on this station. arg is the plugin's. */
	int (*work)(struct tally_instance *in, void (*job)(void *arg), void (*done)(void *arg), void *arg);

	/* [any station] adds to a counter tally_plugin_NAME_total{plugin}; name as for reason(). */
	void (*count)(struct tally_instance *in, const char *name, int64_t by);
};

/* ---- bytes of a request on a decoder's mount, to events ---- */

struct tally_decode {
	struct tally_str method, path, query, type, body;
	void *sink;                                           /* for emit */
	int (*emit)(void *sink, struct tally_str json_event); /* one event as JSON, checked as any other */
};

/* ---- the descriptor ---- */

struct tally_plugin {
	uint32_t size;
	uint32_t abi;
	const char *name; /* [a-z][a-z0-9_-]*, as in `pipeline:` */
	const char *version;
	const char *summary;
	const struct tally_option *options; /* NULL = none */

	/* Opens an instance for one station; *self is handed to every hook. Non-zero = refused (say why with fail()). */
	int (*open)(const struct tally_host *host, struct tally_instance *in, void **self);
	void (*close)(void *self);

	/* [door] requests under `mount` ("/v1/gelf"): emits events; the status for the sender, or a negative errno. */
	const char *mount;
	int (*decode)(void *self, struct tally_decode *d);

	/* [ledger] before anything is written: PASS, DROP, DUPLICATE or REFUSE. ticket names the record that the event
	 * will be part of; DROP, DUPLICATE and REFUSE by a later plugin reach this one as forget(). */
	int (*admit)(void *self, uint64_t ticket, const struct tally_event *ev);
	/* [ledger] the fate of a record is known: kept = 1 it is durable (or was answered as written), 0 it never was:
	 * nothing of it may be remembered. */
	void (*settle)(void *self, uint64_t ticket, int kept);
	/* [ledger] at start, for every event kept in the spool, oldest first, before a door opens. */
	void (*recall)(void *self, const struct tally_event *ev);

	/* [line] PASS, DROP, KEEP, or a negative errno: to the dead letters. The event's strings may be replaced by slices
	 * from host->alloc(). */
	int (*event)(void *self, struct tally_event *ev);
	/* [line] the log's clock has reached now_us. */
	int (*tick)(void *self, int64_t now_us);
	/* [line] the batch ends: emit what was kept. Afterwards the instance holds nothing of the batch. */
	int (*flush)(void *self);
	/* [line] the batch was thrown away: forget everything since the last flush. */
	void (*reset)(void *self);
	/* [line] state that outlives a batch: save calls put once; load gets those bytes. */
	int (*save)(void *self, int (*put)(void *to, const void *bytes, size_t len), void *to);
	int (*load)(void *self, const void *bytes, size_t len);

	/* [desk] before the planner: PASS, ANSWERED, REFUSE or HOLD; and every answer before it leaves. */
	int (*request)(void *self, const struct tally_request *rq);
	void (*answered)(void *self, const struct tally_request *rq, const struct tally_answer *an);

	/* [ledger] an event this instance passed in record `ticket` was not taken after all: a later plugin dropped,
	 * refused or knew it. What admit() remembered of it is to be forgotten. */
	void (*forget)(void *self, uint64_t ticket, const struct tally_event *ev);
};

/* The first two members of the descriptor. */
#define TALLY_PLUGIN_HEAD (uint32_t)sizeof(struct tally_plugin), TALLY_ABI

/* The one exported symbol. */
#if defined(__GNUC__)
#define TALLY_EXPORT __attribute__((visibility("default")))
#else
#define TALLY_EXPORT
#endif

extern TALLY_EXPORT const struct tally_plugin tally_plugin;

#ifdef __cplusplus
}
#endif

#endif
