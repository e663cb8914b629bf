/* SPDX-License-Identifier: Apache-2.0 */
/* tally spool adopt: what its two files share. */
#ifndef CLIENT_ADOPT_H
#define CLIENT_ADOPT_H

#include "main/client/spool_cmd.h"

/* One adoption, from its decision to its report; all of it stands in the journal, so that the next run can go on. */
struct adopt {
	struct node old, fresh;
	uint64_t from; /* lsn of the START record, in the old log */
	int64_t from_us;
	uint64_t again;    /* events that will be stored under the new node */
	uint64_t skipped;  /* events of the old log before it: they belong to the old node */
	uint64_t pending;  /* Redis batches whose fate was not known, under --force: left to be void */
	uint64_t records;  /* copied */
	uint64_t left_out; /* records that name something before it */
	uint64_t lost_bytes;
	uint64_t end;   /* lsn behind the new log, as long as no daemon has run on it */
	char kept[300]; /* where the old log lies, a name in data_dir */
	bool built;     /* the new log is whole and durable */
};

/* The journal, and the report that is kept, are files of data_dir. */
must_check int adopt_journal_write(const struct spool_cmd *cmd, struct adopt *ad, const char *name);
/* 0, -ENOENT or -EINVAL. */
must_check int adopt_journal_read(const struct spool_cmd *cmd, struct adopt *ad, const char *name);

/* The log at to_dir (empty or absent) from what follows ad->from in from_dir. Durable when it returns 0. */
must_check int adopt_copy(
	struct adopt *ad, const char *from_dir, const struct spool_look *seen, const char *to_dir, char why[256]);

#endif
