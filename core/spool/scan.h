/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the records of one segment file through a window of read-ahead. Recovery and the readers share it; it knows
 * nothing of the spool around it. A scan belongs to one thread. */
#ifndef SPOOL_SCAN_H
#define SPOOL_SCAN_H

#include "spool/format.h"
#include "spool/spool.h"

struct scan {
	int fd; /* -1 = closed */
	struct format_segment head;
	size_t ahead; /* read at least so much at once */
	uint8_t *buf; /* window: file bytes of the lsns [from, from + have) */
	size_t cap;
	uint64_t from;
	size_t have;
	uint32_t crc;    /* of the payload of the last record */
	bool unreadable; /* the device refused some of it */
};

/* A zeroed scan with fd -1 is closed. Reads the head; 0, -EINVAL (no whole head), -EIO (unreadable) or another -errno of
 * opening it. */
must_check int scan_open(struct scan *s, const char *path, size_t ahead);
void scan_close(struct scan *s);

/* Forgets the window but keeps the file. */
void scan_forget(struct scan *s);

/* The lsn behind the last byte that the file may hold by its head. */
uint64_t scan_top(const struct format_segment *head);

/* The record that begins at lsn and ends at or before limit. 1: rec is filled (its payload lives in the window until
 * the next call); 0: no whole record is there; -EIO: the file cannot be read there. */
must_check int scan_record(struct scan *s, uint64_t lsn, uint64_t limit, struct spool_record *rec);

/* Only the head of it, the payload unseen. 1 or 0. */
must_check int scan_head(struct scan *s, uint64_t lsn, uint64_t limit, struct format_record *r);

/* The first place at or behind lsn where a record head stands, or limit. */
must_check uint64_t scan_resync(struct scan *s, uint64_t lsn, uint64_t limit);

/* Goes over the record heads of [lsn, limit), whole records or not, until one names a synced lsn above enough. Raises
 * *synced to the highest named. Gives the lsn behind the last such record, or lsn if there is none. */
uint64_t scan_heads(struct scan *s, uint64_t lsn, uint64_t limit, uint64_t enough, uint64_t *synced);

/* How many of the bytes [lsn, lsn + len) are readable from their start, and where they are. */
must_check size_t scan_bytes(struct scan *s, uint64_t lsn, size_t len, const uint8_t **out);

#endif
