/* SPDX-License-Identifier: Apache-2.0 */
/* The file sink: events as NDJSON, exactly once although a file knows no transactions.
 *
 * A batch is appended and synced; then `.LINE.position` beside the file is replaced (new file, sync, rename, sync of
 * the folder). It says where the ledger stands, in which file, and how long that was then: whatever lies behind that
 * length was never committed, and position() cuts it off. Before the first byte of another file is written, the
 * position is replaced once more to name that file and its length, so there is always exactly one file to cut.
 *
 * The position's file also carries what became of the events of each site (the rows of tally_ledger) and those that
 * this line never got (the rows of tally_gap), so that the account balances after a restart. One written before it did
 * that knows no counts and is kept as it is.
 *
 * lines.c makes JSON of rows; counts.c keeps the counts; mark.c reads and replaces the position; sink.c is the rest. */
#ifndef SINKS_FILE_H
#define SINKS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tally/sink.h>

#define FS_NAME_MAX 256

/* ---- lines.c ---- */

struct fs_text {
	char *ptr;
	size_t len, cap;
	bool failed; /* out of memory */
};

/* Appends one row as a JSON object and a newline; `node` is the UUID, since numbers belong to a store. */
void fs_add_row(struct fs_text *out, const struct tally_table *t, const struct tally_cell *cells, const char *node);
void fs_add(struct fs_text *out, const char *bytes, size_t len);
void fs_text_free(struct fs_text *t);

/* ---- counts.c ---- */

#define FS_COUNTS 5 /* columns of tally_ledger that add: stored, dead, thinned, lost, dropped */

struct fs_count {
	char *site; /* of a row of tally_gap: the reason, a newline, the site; its n[0] is `events`, n[1] `last` */
	size_t site_len;
	int64_t n[FS_COUNTS];
};

struct fs_counts {
	struct fs_count *rows; /* sorted by site */
	size_t n;
};

bool fs_counts_are_of(const struct tally_table *t);
bool fs_gaps_are_of(const struct tally_table *t);
/* 0 or -ENOMEM */
int fs_counts_add(struct fs_counts *c, const struct tally_rows *rows);
int fs_gaps_add(struct fs_counts *c, const struct tally_rows *rows);
/* Each as a row of the table, as tally_sink.kept does. */
int fs_counts_give(
	const struct fs_counts *c, const struct tally_table *t, const char *line, tally_row_fn fn, void *arg);
int fs_gaps_give(const struct fs_counts *c, const struct tally_table *t, const char *line, tally_row_fn fn, void *arg);
void fs_counts_write(const struct fs_counts *c, struct fs_text *out);
/* One line as written, without its end; it is changed. 0, -EBADMSG, -ENOMEM */
int fs_counts_read(struct fs_counts *c, char *line);
void fs_counts_free(struct fs_counts *c);

/* ---- mark.c ---- */

struct fs_mark {
	struct tally_position at;
	uint64_t length;        /* of the file, committed */
	char name[FS_NAME_MAX]; /* of the file in its folder; "" = none yet */
	bool counted;           /* counts are kept from the beginning on */
};

/* Reads it, and counts and gaps into empty tables. 0; 1 = there is none; -EBADMSG = not ours to read; another -errno.
 * owner: node and line, as written. */
int fs_mark_read(
	const char *path, const char *owner, struct fs_mark *out, struct fs_counts *counts, struct fs_counts *gaps);

/* Replaces it durably. 0 or -errno; then the old one or the new one stands, whole. Seams: file.mark when the new one is
 * written, file.commit when it is synced and about to be renamed, file.renamed before the folder is synced. */
int fs_mark_write(const char *path, int folder_fd, const char *owner, const struct fs_mark *m,
	const struct fs_counts *counts, const struct fs_counts *gaps, int (*seam)(const char *name));

#endif
