/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a lookup on disk, so that a start with the store away joins as before: data_dir/lookups/NAME, little-endian.
 *
 *      0   8  "TALLYLKP"
 *      8  u32 form, 1
 *     12  u32 crc32c of all that follows
 *     16  u64 bytes of what follows
 *     24  u64 definition they were read by
 *     32  i64 wall time of the reading, UTC us
 *     40 128  version, zeros behind it
 *    168  u32 columns, u32 the key's, then their names, then the rows: each text as u32 length and bytes, each value with
 *         a u32 of its type before it
 *
 * A file under its name is whole: written beside it, synced, renamed. Seams: lookup.open lookup.write lookup.sync
 * lookup.rename lookup.dirsync lookup.unlink lookup.read. [one thread at a time] */
#ifndef LOOKUP_FILE_H
#define LOOKUP_FILE_H

#include "lookup/rows.h"

/* 0 or -errno; nothing of the file that was there is lost then. */
must_check int lookup_file_write(const char *data_dir, const char *name, const struct lookup_rows *r);

/* -ENOENT: there is none, or it was read by another definition. -EBADMSG: it is damaged or of a later form. -E2BIG: more
 * than memory. */
must_check int lookup_file_read(
	const char *data_dir, const char *name, uint64_t definition, uint64_t memory, struct lookup_rows **out);

/* Removes the files whose names `keep` does not want. */
void lookup_file_tidy(const char *data_dir, bool (*keep)(void *arg, const char *name), void *arg);

#endif
