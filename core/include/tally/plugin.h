/* SPDX-License-Identifier: Apache-2.0 */
/* tally/plugin.h: everything a plugin may see of tally.
 *
 * A plugin is a shared object that exports one constant:
 *
 *     const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, "name", "1.0", "one line of what it does", ... };
 *
 * Hooks left NULL are hooks it does not take part in. One instance is opened for each station that runs one of its
 * hooks; an instance is only ever called from that station's thread, so it needs no locks. Hooks never block: work
 * that must wait goes through host->work(). docs/plugin-guide.md shows all of it.
 *
 * Tags say where a function may be called: [open] [admit] … inside that hook; [ledger] [line] [desk] anywhere on that
 * station; [any thread] also inside a job given to host->work().
 *
 * Memory: nothing allocated on one side is freed on the other. Bytes lent to a hook (events, requests, slices) die
 * when the hook returns unless its description says otherwise. Bytes a hook hands over are copied before the call
 * returns; emit() is the one exception.
 *
 * Growth: struct tally_plugin and struct tally_host only ever grow at their end, and `size` says how much of one the
 * other side knows: what a plugin does not know of is zero in its descriptor, and what a host does not have is found
 * out with TALLY_HAS(). Structs that the host makes and lends by pointer (tally_event, tally_request, tally_decode) may
 * grow at their end: a plugin reads them in place and never copies or makes one. All the others never change.
 * Enumerations gain values, never lose one; no function takes or returns an enum type, whose width is the compiler's
 * choice.
 *
 * The header compiles as C99, C11 and C++17.
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

/* Lets the compiler check a format against its arguments. */
#if defined(__GNUC__)
#define TALLY_PRINTF(fmt_arg, first_arg) __attribute__((__format__(__printf__, fmt_arg, first_arg)))
#else
#define TALLY_PRINTF(fmt_arg, first_arg)
#endif

/* ---- values ---- */

/* A slice: not NUL-terminated, not owned. ptr may be NULL when len is 0. Text is valid UTF-8. */
struct tally_str {
	const char *ptr;
	size_t len;
};

enum tally_prop_type { TALLY_PROP_STRING = 0, TALLY_PROP_NUMBER = 1, TALLY_PROP_BOOL = 2 };

struct tally_prop {
	struct tally_str key;
	struct tally_str text; /* string: its bytes; number: its text as sent; bool: "true" or "false" */
	double number;         /* number: its value, finite; bool: 0 or 1; string: 0 */
	uint32_t type;         /* enum tally_prop_type */
	uint32_t reserved;
};

/* One event. The host makes it; a plugin reads it, and at the line may change it (see `event`).
 * Empty strings are absent fields; name and site are never empty. */
struct tally_event {
	uint64_t lsn; /* place in the ledger; with idx the event's identity on its node. Both 0 in `admit`, `forget` */
	uint32_t idx;
	uint32_t has_value;             /* 1 = value and value_text are set */
	int64_t time_us;                /* when it happened */
	int64_t received_us;            /* when the ledger took it, also in `admit`; never decreasing */
	struct tally_str name;          /* 1..128 bytes */
	struct tally_str site;          /* 1..128 */
	struct tally_str id;            /* 1..128, unique per site */
	struct tally_str visitor;       /* ..128 */
	struct tally_str user;          /* ..128 */
	struct tally_str host;          /* ..2048 */
	struct tally_str page;          /* ..2048 */
	struct tally_str referrer;      /* ..2048 */
	struct tally_str value_text;    /* as sent */
	double value;                   /* finite */
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
	TALLY_OPT_TIME = 5  /* "10m" in the file, microseconds here; "forever" is INT64_MAX */
};

struct tally_option {
	const char *name; /* [a-z][a-z0-9_]*; NULL ends the table */
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
	TALLY_VISITS = 6, /* this and the next two: sums over visits, see struct tally_visit */
	TALLY_BOUNCES = 7,
	TALLY_DURATION = 8, /* microseconds */
	TALLY_QUANTILE = 9, /* sketch of a number, for percentiles */
	TALLY_VIEWS = 10    /* sum over visits: their pageviews */
};

struct tally_metric {
	uint32_t kind;          /* enum tally_metric_kind; one not known here: leave its amount zero */
	uint32_t is_prop;       /* SUM MIN MAX QUANTILE: 1 = of the prop `field`, 0 = of the event's value */
	struct tally_str field; /* the prop's key; empty if not is_prop */
};

enum tally_dimension_kind {
	TALLY_DIM_NAME = 0,
	TALLY_DIM_PAGE = 1,
	TALLY_DIM_HOST = 2,
	TALLY_DIM_REFERRER = 3,
	TALLY_DIM_PROP = 4,
	TALLY_DIM_ENTRY_PAGE = 5, /* of a visit; the metrics beside it are all sums over visits */
	TALLY_DIM_EXIT_PAGE = 6
};

struct tally_dimension {
	uint32_t kind; /* enum tally_dimension_kind */
	uint32_t reserved;
	struct tally_str key; /* TALLY_DIM_PROP: the prop's key */
};

struct tally_rollup {
	uint32_t id; /* index among the declared ones */
	uint32_t ndims, nmetrics;
	uint32_t keys; /* distinct dims of a site and UTC day at most, the others fold into "(other)"; 0 = any number */
	struct tally_str name;
	const struct tally_dimension *dims;
	const struct tally_metric *metrics;
};

/* What one metric of one row adds to the store; members its kind does not use are zero. */
struct tally_amount {
	int64_t count; /* EVENTS, PAGEVIEWS, VISITS … VIEWS (may be less than 0); SUM MIN MAX: how many numbers were
	                     * seen, 0 = number means nothing */
	double number; /* SUM, MIN, MAX; finite */
	const void *sketch; /* VISITORS, QUANTILE: bytes as made by host->sketch_*(); len 0 = nobody, no number */
	size_t sketch_len;
};

struct tally_row {
	const struct tally_rollup *rollup;
	uint32_t grain; /* enum tally_grain */
	uint32_t reserved;
	int64_t bucket_us; /* start of the bucket */
	struct tally_str site;
	const struct tally_str *dims;       /* rollup->ndims values, empty for an absent one */
	const struct tally_amount *amounts; /* rollup->nmetrics */
};

/* ---- visits ---- */

/* One visit as of now, and what it adds to the sums of the bucket in which it began. */
struct tally_visit {
	uint64_t lsn; /* with idx the visit's name on its node: the event by which it was first known */
	uint32_t idx;
	uint32_t reserved;
	struct tally_str site;
	int64_t begin_us;            /* time of its first event */
	int64_t visits;              /* 1; 0 = it was joined to another, and adds nothing any more */
	int64_t bounces;             /* 1 = it has one event */
	int64_t duration_us;         /* from its first event to its last */
	int64_t views;               /* events named view or pageview */
	struct tally_str entry_page; /* of the first event that has one */
	struct tally_str exit_page;  /* of the last */
	struct tally_str referrer;   /* of the first event */

	/* What its first event came with, by enum tally_visit_value; what is not there is empty. Lent as the rest is. A plugin
	 * that gives visits without TALLY_GIVES_VALUES has a struct that ends before this; what it lends on has none. */
	const struct tally_str *values; /* each at most 4096 bytes */
	uint32_t nvalues;               /* of this list, TALLY_VISIT_VALUES or fewer */
	uint32_t reserved2;
};

/* Props of the event that began a visit; as dimensions they are called visit:source, visit:channel, … New ones come at
 * the end. */
enum tally_visit_value {
	TALLY_VISIT_SOURCE = 0,
	TALLY_VISIT_CHANNEL = 1,
	TALLY_VISIT_UTM_SOURCE = 2,
	TALLY_VISIT_UTM_MEDIUM = 3,
	TALLY_VISIT_UTM_CAMPAIGN = 4,
	TALLY_VISIT_UTM_CONTENT = 5,
	TALLY_VISIT_UTM_TERM = 6,
	TALLY_VISIT_DEVICE = 7,
	TALLY_VISIT_BROWSER = 8,
	TALLY_VISIT_OS = 9,
	TALLY_VISIT_COUNTRY = 10
};
#define TALLY_VISIT_VALUES 11
/* The keys of these props, in that order: initializes an array of TALLY_VISIT_VALUES texts. */
#define TALLY_VISIT_KEYS                                                                                      \
	{                                                                                                     \
		"$source", "$channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", \
			"$device", "$browser", "$os", "$country"                                              \
	}

/* ---- requests at the desk ---- */

struct tally_request {
	uint64_t id;             /* never used twice */
	struct tally_str method; /* "GET", "POST" */
	struct tally_str path;   /* without the query string */
	struct tally_str query;  /* behind the '?', undecoded */
	struct tally_str accept; /* format asked for: "json", "csv" or "ndjson" */
	struct tally_str body;
	struct tally_str
		key;       /* of a statistics query: its normal form, the same for questions that get the same answer;
			       * empty for anything else, and for one that wants no remembered answer */
	int32_t cost;      /* the planner's guess: 0 rollup, 1 raw scan, 2 raw scan near its limit; -1 unknown */
	uint32_t is_query; /* 1 = key and cost are set, host->request_version() works */
	int64_t received_us;
};

struct tally_answer {
	int32_t status;        /* HTTP */
	uint32_t fresh;        /* 1 = made by the planner just now, 0 = given by a plugin */
	struct tally_str type; /* content type */
	struct tally_str body; /* of a fresh JSON answer to a query: holds "cache":"miss" once, within meta */
	uint64_t version;      /* of the data it was made from; 0 = not a statistics answer */
	struct tally_str etag; /* with its quotes, or empty */
};

/* ---- verdicts ---- */

enum tally_verdict {
	TALLY_PASS = 0,      /* admit: accept · event: to the next stage · request: not mine, ask the next */
	TALLY_DROP = 1,      /* admit, event: not wanted; counted under the reason given with host->reason() */
	TALLY_DUPLICATE = 2, /* admit: taken before under this id; answered when all records begun before are safe */
	TALLY_REFUSE = 3,    /* admit: not taken, the sender is to come back · request: 503 with the reason as code */
	TALLY_KEEP = 4,      /* event: the plugin took it in; it goes no further and makes no raw row */
	TALLY_ANSWERED = 5,  /* request: host->answer() was called */
	TALLY_HOLD = 6       /* request: waits until this instance calls host->answer() or host->resume() */
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

/* ---- what the host lends ---- */

struct tally_host {
	uint32_t size; /* of this struct as the host knows it: see TALLY_HAS */
	uint32_t abi;

	/* [any thread] enum tally_station where this instance stands. */
	uint32_t (*station)(const struct tally_instance *in);

	/* [open] options by name, in base units. Asking for a name that is not in the table, or under another type, is the
	 * plugin's mistake: it gets 0 or "", and the instance is refused however open() ends. */
	int64_t (*option_int)(struct tally_instance *in, const char *name); /* INT, BOOL, SIZE, TIME */
	double (*option_float)(struct tally_instance *in, const char *name);
	const char *(*option_str)(struct tally_instance *in, const char *name); /* lives as long as the instance */

	/* [any thread] a line in the log under the plugin's name; level: enum tally_log_level. */
	void (*log)(const struct tally_instance *in, uint32_t level, const char *fmt, ...) TALLY_PRINTF(3, 4);

	/* [open, load] Says in the plugin's own words why it cannot run, and what to do; returns -EINVAL for `return`. */
	int (*fail)(struct tally_instance *in, const char *fmt, ...) TALLY_PRINTF(2, 3);

	/* [admit, event, request] why DROP or REFUSE: a short constant of [a-z_]; it labels the counter and is the code in
	 * the answer. Retry-After (REFUSE) in seconds, 0 = the host's jittered default. */
	void (*reason)(struct tally_instance *in, const char *reason, uint32_t retry_after_s);

	/* [any thread] degradation level 0..6, and the signals behind it (enum tally_signal). */
	int (*level)(void);
	double (*signal)(uint32_t which);

	/* [open, ledger] how long an event stays in the spool after it was taken (spool.retain), microseconds. Less only
	 * when the spool has run into spool.retain_max. */
	int64_t (*spool_retain_us)(void);

	/* [any thread] XXH3-64 under a fixed seed, the same on every node and release: for values that are stored, such as
	 * a visitor's in a sketch. */
	uint64_t (*hash)(const void *bytes, size_t len);
	/* [any thread] SipHash-2-4 under a key of this process, 64 and 128 bits: for tables in memory whose keys strangers
	 * choose. Never store one. */
	uint64_t (*hash_keyed)(const void *bytes, size_t len);
	void (*hash_keyed128)(const void *bytes, size_t len, uint64_t *two_words);

	/* [event, flush] memory that lives until the batch is committed or thrown away, aligned to 16 bytes, not zeroed,
	 * never NULL there; NULL anywhere else. Nothing frees it earlier. */
	void *(*alloc)(struct tally_instance *in, size_t bytes);

	/* [event, arrive, enter] sets or adds a prop; texts are copied. -E2BIG past the limits of an event (64 props, key 64, text 4096
	 * bytes), -EINVAL: an empty key, no UTF-8, an unknown type, or a text that is no number or bool of that type. */
	int (*prop_set)(struct tally_instance *in, struct tally_event *ev, struct tally_str key, struct tally_str text,
		uint32_t type);

	/* [any thread] the rollups declared, in the order of their ids; the pointers live as long as the instance. */
	size_t (*rollups)(const struct tally_instance *in, const struct tally_rollup **first);

	/* [line] start of the bucket of a time: minutes and quarter hours are UTC ones for every site, days and months are
	 * in the site's zone. grain: enum tally_grain. */
	int64_t (*bucket)(struct tally_instance *in, uint32_t grain, struct tally_str site, int64_t time_us);

	/* [line] first bucket of this rollup, grain and site that is kept; rows before it must not be emitted.
	 * INT64_MIN = all are kept, INT64_MAX = none. It does not change within a batch. */
	int64_t (*horizon)(
		struct tally_instance *in, const struct tally_rollup *rollup, uint32_t grain, struct tally_str site);

	/* [flush] a rollup row to add to what the store has; at most one row of a key in a batch, sorted by rollup id,
	 * site, grain, bucket, dims (texts by bytes). The row and the arrays dims and amounts are copied; the bytes of
	 * site, dim values and sketches are not: take them from alloc(), for they live on in the batch.
	 * -EINVAL: not a row (said in the log). */
	int (*emit)(struct tally_instance *in, const struct tally_row *row);

	/* [any thread] sketches are opaque, versioned bytes; kind: enum tally_sketch_kind. `add` changes one in place: buf
	 * holds *len of at most cap bytes (*len 0 = the empty sketch). -ENOSPC = needs a larger buffer, sketch_room() bytes
	 * are always enough; -EBADMSG = these bytes are no sketch of that kind; -EOPNOTSUPP = a kind this version does
	 * not make (sketch_room() is 0 then). HLL (Flajolet et al. 2007, Ertl 2017) takes the hash; QUANTILE (DDSketch, Masson
	 * et al. 2019; within 1 %) the number, -EINVAL if it is not finite. The estimate of QUANTILE is the median, 0 of none.
	 * A quantile sketch of real data has 1 or 2 KiB of the 48 KiB of its room: begin with a small buffer. */
	size_t (*sketch_room)(uint32_t kind);
	int (*sketch_add)(uint32_t kind, void *buf, size_t *len, size_t cap, uint64_t hash, double number);
	int (*sketch_merge)(uint32_t kind, void *buf, size_t *len, size_t cap, const void *other, size_t other_len);
	double (*sketch_estimate)(uint32_t kind, const void *buf, size_t len);

	/* [desk] gives the answer to a request that this instance is asked about now (then return ANSWERED) or holds.
	 * -ENOENT: no longer there. answered() may be called for it before this returns. A sender whose If-None-Match names
	 * the etag gets 304 without the body. */
	int (*answer)(struct tally_instance *in, uint64_t request, const struct tally_answer *answer);
	/* [desk] a request that this instance holds goes on to the next plugin and the planner. Not inside the request()
	 * that holds it. Nothing happens if it is no longer there. answered() may be called for it before this returns. */
	void (*resume)(struct tally_instance *in, uint64_t request);

	/* [any thread, while the instance holds the request; may block] version of the data a statistics query would be
	 * answered from; the same as tally_answer.version if nothing it covers has changed. */
	int (*request_version)(struct tally_instance *in, uint64_t request, uint64_t *version);

	/* [ledger, desk, door] runs job(arg) in the worker pool, where it may block with a time-out, then done(arg) on this
	 * station. arg is the plugin's. Non-zero: neither will run (the door of a Redis list has no pool). */
	int (*work)(struct tally_instance *in, void (*job)(void *arg), void (*done)(void *arg), void *arg);

	/* [any thread] adds to the counter tally_plugin_count_total{plugin,name}; name as for reason(). */
	void (*count)(const struct tally_instance *in, const char *name, int64_t by);

	/* [any thread] As sketch_add() with QUANTILE for n numbers, each counted `times` times: much faster than one by
	 * one. All or nothing. */
	int (*sketch_add_numbers)(
		uint32_t kind, void *buf, size_t *len, size_t cap, const double *numbers, size_t n, uint64_t times);
	/* [line] 1 = the event or flush at hand was stored before and only rebuilds state (see `load`). */
	int (*replaying)(const struct tally_instance *in);

	/* [event, flush] a visit has changed: what this instance gave for it last, NULL = nothing yet, and what it is now.
	 * Given to the `visit` hooks of the stages behind this one, in this call, and stored with the batch; at most once a
	 * visit and batch. Everything is copied. Only from a plugin that `gives` visits. */
	int (*visit)(struct tally_instance *in, const struct tally_visit *before, const struct tally_visit *now);

	/* [any thread] Heavy hitters: which keys of a stream are frequent, in bounded memory (Space-Saving; Metwally, Agrawal,
	 * El Abbadi 2005). `keys` (1..16384) are counted at a time, in heavy_room(keys) bytes that are the plugin's, begin
	 * zeroed and are of no use to another release: about 48 bytes a key. heavy_add() counts a key of 16 bytes that look
	 * random (a hash under a key that strangers do not know) and returns what it has at least by now: of N that were
	 * counted, N / keys less than the truth at most. */
	size_t (*heavy_room)(uint32_t keys);
	uint64_t (*heavy_add)(void *buf, uint32_t keys, const void *key, uint64_t times);

	/* [desk] A number that changes, before anybody is told of it, whenever this daemon has changed the store; 0 = there is
	 * none. What was true of the store and this number is still true of them together, but for what other nodes write. */
	uint64_t (*store_moment)(const struct tally_instance *in);

	/* [open, enter] The value in a column of the row with that key, of a lookup declared under `lookups:`. It is read
	 * from memory and never waits. 1 = found: text (UTF-8) lives until the hook returns, type is TALLY_PROP_STRING or
	 * NUMBER; 0 = no row has that key, or the value is null; -ENODATA: nothing of it was read from its store yet;
	 * -ENOENT: it has no such column; -EINVAL: no lookup of that name is declared; -EPERM: not here.
	 * In open() only the name counts, key and column are ignored and the result is 0 or -EINVAL. All lookups inside one
	 * hook are of one moment. */
	int (*lookup)(struct tally_instance *in, struct tally_str name, struct tally_str key, struct tally_str column,
		struct tally_str *text, uint32_t *type);
};
#define TALLY_HOST_HEAVY 1   /* for #ifdef: this header has heavy_room() and heavy_add() */
#define TALLY_HOST_MOMENT 1  /* for #ifdef: this header has store_moment() */
#define TALLY_HOST_NUMBERS 1 /* for #ifdef: this header has sketch_add_numbers() */

/* Whether this host has a function of the table: TALLY_HAS(host, count). Those of the release a plugin was first built
 * for need no asking. */
#define TALLY_HAS(host, member) ((host)->size >= offsetof(struct tally_host, member) + sizeof((host)->member))

/* ---- bytes of a request on a decoder's mount, to events ---- */

struct tally_decode {
	struct tally_str method, path, query, type, body;
	void *sink;                                           /* for emit */
	int (*emit)(void *sink, struct tally_str json_event); /* one event as JSON, checked as any other */
};

/* ---- who sent an event, as the door knows it ---- */

#define TALLY_PLUGIN_ARRIVE 1 /* for #ifdef: this header has tally_client and the hook `arrive` */

/* The address must never be stored, logged or put into an event: what is needed of it is made coarse at once. */
struct tally_client {
	struct tally_str address; /* IPv4 or IPv6 as text; "unix" = the admin socket */
	struct tally_str agent;   /* the header User-Agent as sent, empty = none; any bytes, it need not be UTF-8 */
	uint32_t is_private; /* 1 = wishes not to be tracked, and the site honors it: nothing finer than a country and
	                           * the class of the device may be kept */
	uint32_t reserved;
};

/* ---- the descriptor ---- */

struct tally_plugin {
	uint32_t size;
	uint32_t abi;
	const char *name;    /* [a-z][a-z0-9_-]{0,31}, as in `pipeline:` */
	const char *version; /* 1..31 printable characters */
	const char *summary;
	const struct tally_option *options; /* NULL = none; at most 64 */

	/* Opens an instance for one station; *self (NULL at first) is handed to every hook. Non-zero = refused: say why with
	 * fail(), free what was made; close() is not called then. host and in live until close() returns. Either hook may be
	 * NULL. close() comes after the last done() of the instance's work. */
	int (*open)(const struct tally_host *host, struct tally_instance *in, void **self);
	void (*close)(void *self);

	/* [door] requests under `mount` ("/v1/gelf"): emits events; the status for the sender, or a negative errno.
	 * Not run by this version: a plugin that has it is refused. */
	const char *mount;
	int (*decode)(void *self, struct tally_decode *d);

	/* [ledger] before anything is written: PASS, DROP, DUPLICATE or REFUSE. ticket names the record that the event
	 * will be part of; events of several tickets may be under way at a time. */
	int (*admit)(void *self, uint64_t ticket, const struct tally_event *ev);
	/* [ledger] an event this instance passed was not taken after all: a later plugin dropped, refused or knew it. What
	 * admit() remembered of it is to be forgotten. Called before admit() or settle() is called again. */
	void (*forget)(void *self, uint64_t ticket, const struct tally_event *ev);
	/* [ledger] the fate of a record is known, once for every ticket of which an event was passed: kept = 1 it is
	 * durable (or was answered as written), 0 it never was: nothing of it may be remembered. */
	void (*settle)(void *self, uint64_t ticket, int kept);
	/* [ledger] at start, for every event kept in the spool, oldest first, before a door opens. */
	void (*recall)(void *self, const struct tally_event *ev);

	/* [line] PASS, DROP, KEEP, or a negative errno: to the dead letters. It may replace name, visitor, user, host, page,
	 * referrer and value_text by slices from host->alloc() within their limits, set value and time_us, and change props
	 * through prop_set(); the rest is put back by the host. Called again for the same event after a rewind. */
	int (*event)(void *self, struct tally_event *ev);
	/* [line] the log's clock has reached now_us. */
	int (*tick)(void *self, int64_t now_us);
	/* [line] the batch ends: emit what was kept. Afterwards the instance holds nothing of the batch. Negative = the
	 * batch is thrown away and the line starts again at the store's position. */
	int (*flush)(void *self);
	/* [line] the batch was thrown away: forget everything since the last flush; with save() and load() all state. The
	 * batch's memory from alloc() is gone. */
	void (*reset)(void *self);
	/* [line] state that outlives a batch; a plugin has both or neither. save() is called behind a flush() and gives its
	 * state, in any number of pieces, to put(); what put() returns it returns (non-zero: no snapshot this time). load()
	 * is called on an instance that is as open() or reset() left it, with the bytes that save() of this or an older
	 * version of the plugin gave; non-zero: not usable, and an older snapshot is tried after another reset(). Behind it
	 * come, as event(), tick() and flush(), the events between the snapshot and the store's position, silently: what is
	 * emitted or counted meanwhile goes nowhere, for it was stored before (host->replaying() is 1). So the state must
	 * follow from the sequence of events alone. reset() of such a plugin forgets everything. */
	int (*save)(void *self, int (*put)(void *to, const void *bytes, size_t len), void *to);
	int (*load)(void *self, const void *bytes, size_t len);

	/* [desk] any API request, before the planner: PASS, ANSWERED, REFUSE or HOLD. */
	int (*request)(void *self, const struct tally_request *rq);
	/* [desk] any answer before it leaves: exactly once for every request this instance was asked about, whatever came
	 * of it: also errors, refusals, 304, what it answered itself, and a held one that was given up. It may come for
	 * requests it was not asked about. */
	void (*answered)(void *self, const struct tally_request *rq, const struct tally_answer *an);

	/* [line] a stage before this one says that a visit has changed (host->visit): before = NULL, it is new. Both are
	 * lent. A sum over visits loses what `before` added and gets what `now` adds, each in its own bucket and row. */
	int (*visit)(void *self, const struct tally_visit *before, const struct tally_visit *now);
	uint32_t gives; /* TALLY_GIVES_…: what it lends to the stages behind it and to the store */
	uint32_t reserved;

	/* [door] An event came over HTTP, is read and checked, and nothing of it is written yet. It may set props through
	 * prop_set(); all else is put back. What a sender set counts more than what is guessed: look before. Each door has an
	 * instance of its own. Non-zero: said in the log once; the event goes on as it came. Not called for events from a
	 * Redis list or for dead letters sent again: nobody knows their client. */
	int (*arrive)(void *self, const struct tally_client *client, struct tally_event *ev);

	/* [door] Every event that comes in from outside, over HTTP (behind `arrive` of this plugin) and from Redis lists, is
	 * read and checked, and nothing of it is written yet. It may set props, as in `arrive`; what it sets is part of the
	 * event from then on, in every store and at every replay, so here is the place for what depends on the moment:
	 * host->lookup() works here only. Non-zero: as for `arrive`. Not called for dead letters sent again: they have passed
	 * it. */
	int (*enter)(void *self, struct tally_event *ev);
};
#define TALLY_PLUGIN_ENTER 1 /* for #ifdef: this header has the hook `enter`, and `lookup` in tally_host */
#define TALLY_GIVES_VISITS 1u
#define TALLY_GIVES_VALUES 2u /* beside it: its visits have `values` */

/* The first two members of the descriptor. */
#define TALLY_PLUGIN_HEAD (uint32_t)sizeof(struct tally_plugin), TALLY_ABI

/* The one exported symbol. A file exports either this or tally_sink (sink.h). */
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
