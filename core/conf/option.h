/* SPDX-License-Identifier: Apache-2.0 */
/* Options as rows of tables. One row says everything about an option: reading, checking, `-T`, conf/tally.yaml, the man
 * page and what a reload may change come from it.
 *
 * A table describes one struct; a row names the member by its offset. What a member's text looks like is its kind: a
 * pair of functions, read and print. Groups, lists and named entries are kinds too, whose rows point at a further
 * table, so the whole file is one recursive walk. */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "conf/tree.h"

struct conf_row;

/* A file being read into a struct conf. */
struct conf_reader {
	struct arena *arena; /* the configuration's own */
	struct conf_error *err;
	const char *path[6]; /* names from the top to the option in hand, for messages */
	unsigned depth;
	bool keep; /* options not given leave what is there, instead of taking their default */
};

/* Text being written: YAML of what is in force. */
struct conf_printer {
	struct arena *arena;
	char *bytes;
	size_t len, cap;
	unsigned indent;
	bool dash; /* the next line begins an element of a list */
	bool mask; /* secrets as "***" */
};

struct conf_kind {
	const char *name; /* for the documents: "size", "time", … */

	/* base: the struct that the row's table describes. 0 or -EINVAL. */
	int (*read)(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base);

	/* Writes what follows "name:". */
	void (*print)(struct conf_printer *p, const struct conf_row *row, const void *base);

	/* Is there anything to print? NULL = always. */
	bool (*there)(const struct conf_row *row, const void *base);
};

struct conf_table {
	const struct conf_row *rows;
	size_t n;
	/* entries of a list or mapping: */
	size_t bytes;    /* of the struct described */
	size_t max;      /* how many there may be */
	size_t place_at; /* const char *place */
	const char
		*inherit; /* the entry that is always there and that the others begin as, or NULL = each for itself */

	/* Whole entries that were read: rules between options, defaults that depend on others. NULL = none. */
	int (*finish)(struct conf_reader *r, const struct conf_node *at, void *base);
};

/* Says why a text is refused, in words that follow "'text' "; NULL = it is fine. */
typedef const char *(*conf_judge)(const char *text);

struct conf_row {
	const char *name; /* NULL: takes what no other row knows (conf_kind_pairs) */
	const struct conf_kind *kind;
	uint16_t at, bytes;   /* of the member */
	uint16_t count_at;    /* lists: the size_t with their length */
	uint16_t name_at;     /* named and tagged entries: const char * in the entry's struct, unless words says all */
	const char *fallback; /* default as written in a file; NULL = none (text NULL, list empty) */
	bool required;        /* must be given */
	bool live;            /* a reload changes it; else a restart does */
	bool secret;          /* printed as *** */
	int64_t least, most;  /* numbers, sizes, times; both 0 = no limits */
	const char *zero;     /* a word for 0 ("auto"), times: the word for endless */
	const char *const *words;
	const struct conf_table *table;
	conf_judge judge;
	const char *help;    /* for the documents; more lines after \n */
	const char *example; /* shown in conf/tally.yaml, commented out, instead of a default */
};

#define CONF_AT(type, member) .at = offsetof(type, member), .bytes = sizeof(((type *)0)->member)
#define CONF_LIST(type, member, count) CONF_AT(type, member), .count_at = offsetof(type, count)
#define CONF_ROWS(array) .rows = array, .n = sizeof(array) / sizeof *(array)

/* scalars (scalar.c) */
extern const struct conf_kind conf_kind_text, conf_kind_texts, conf_kind_count, conf_kind_size, conf_kind_time,
	conf_kind_share, conf_kind_word, conf_kind_later;
/* structures (nested.c) */
extern const struct conf_kind conf_kind_group, conf_kind_named, conf_kind_list, conf_kind_tagged;
/* what a rollup is made of (rollup.c), a plugin's own options (pair.c), a source's renames (source.c) */
extern const struct conf_kind conf_kind_dims, conf_kind_metrics, conf_kind_pairs, conf_kind_map;

/* The tables (tables.c, and the rooms of their kinds). */
extern const struct conf_table conf_top;

/* Reads a mapping by a table; rows not given get their fallback, unless r->keep. A key no row knows is an error, but a
 * row of conf_kind_pairs takes it. */
must_check int conf_read_table(
	struct conf_reader *r, const struct conf_table *t, const struct conf_node *mapping, void *base);

/* The name of what is read until conf_leave(), for messages. */
void conf_enter(struct conf_reader *r, const char *name);
void conf_leave(struct conf_reader *r);

/* "option: message" at that node. */
int conf_refuse(struct conf_reader *r, const struct conf_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a scalar; NULL = it is none, said in err. */
const char *conf_read_text(struct conf_reader *r, const struct conf_node *value);

/* The same, from a place kept as text. */
int conf_refuse_at(struct conf_error *err, const char *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like conf_refuse, for a name that nobody knows: names the nearest, or all of them. */
int conf_unknown(struct conf_reader *r, const struct conf_node *at, const char *what, const char *word,
	const char *const *known, size_t n);

void conf_print(struct conf_printer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf_print_line(struct conf_printer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* indented */
void conf_print_table(struct conf_printer *p, const struct conf_table *t, const void *base);

/* The text as a YAML scalar, quoted if need be, so that it comes back the same. */
const char *conf_quote(struct arena *a, const char *text);

/* "***" instead of what is secret: all of it, or the password in a URL. */
const char *conf_mask(struct arena *a, const char *name, const char *text);

/* Judges. */
const char *conf_judge_name(const char *text);
const char *conf_judge_rollup(const char *text);  /* [A-Za-z_][A-Za-z0-9_]{0,47} */
const char *conf_judge_prefix(const char *text);  /* the same, or empty */
const char *conf_judge_plugin(const char *text);  /* [a-z][a-z0-9_-]* */
const char *conf_judge_zone(const char *text);    /* a name tzdata could have */
const char *conf_judge_origin(const char *text);  /* "*" or scheme://host[:port] */
const char *conf_judge_address(const char *text); /* host:port */
const char *conf_judge_cidr(const char *text);    /* address, or address/bits */
const char *conf_judge_host(const char *text);    /* a host name */
const char *conf_judge_redis(const char *text);   /* redis:// URL */
const char *conf_judge_site(const char *text);    /* 1..128 bytes, no control characters */
const char *conf_judge_not_empty(const char *text);
const char *conf_judge_quota(const char *text);  /* "50%", "4GiB" */
const char *conf_judge_select(const char *text); /* one SELECT that can stand in brackets */
const char *conf_judge_column(const char *text);

/* host:port reaches this machine only. */
bool conf_is_loopback(const char *address);

#endif
