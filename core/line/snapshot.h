/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: files that hold the state of one plugin on one line as of a place of the log.
 *
 * data_dir/snapshots/LINE.PLUGIN.LSN (16 hex digits), little-endian:
 *
 *      0   8  "TALLYSNP"
 *      8  u32 form, 1
 *     12  u32 crc32c of the data
 *     16  u64 bytes of data
 *     24  u64 lsn: all records that end at or before it have had their say
 *     32  u64 mark of the chain there
 *     40  i64 time of the log's clock there
 *     48  40  UUID of the node, zeros behind it (as behind all texts)
 *     88  72  name of the line
 *    160  32  name of the plugin
 *    192  32  version of the plugin
 *    224  28  0
 *    252  u32 crc32c of bytes 0..251
 *    256      data: the plugin's own
 *
 * A file under such a name is whole: it is written under another one, synced, and renamed. Seams: snapshot.open
 * snapshot.write snapshot.sync snapshot.rename snapshot.dirsync snapshot.unlink snapshot.read. [any thread] */
#ifndef LINE_SNAPSHOT_H
#define LINE_SNAPSHOT_H

#include <tally/sink.h>

#include "base/check.h"
#include "plug/plug.h"

#define SNAPSHOT_HEAD 256

/* Whose state. Texts outlive every call. */
struct snapshot_of {
	const char *data_dir, *node, *line;
	struct plug_state plugin;
};

/* bytes: SNAPSHOT_HEAD bytes of room, then the data; the head is made here. 0 or -errno with words. */
must_check int snapshot_write(const struct snapshot_of *of, struct tally_position at, int64_t time_us,
	struct plug_bytes *bytes, char words[256]);

/* The lsns of which there are files, highest first; *out is malloc'ed. How many. */
size_t snapshot_list(const struct snapshot_of *of, uint64_t **out);

/* Reads and checks one. out holds head and data, malloc'ed; the data begins at SNAPSHOT_HEAD. 0, or -errno with words that
 * say what is wrong with it: damaged, of another node, line or plugin, of a later version. */
must_check int snapshot_read(
	const struct snapshot_of *of, uint64_t lsn, struct plug_bytes *out, struct tally_position *at, char words[256]);

void snapshot_drop(const struct snapshot_of *of, uint64_t lsn);

/* A line was renamed: what there is under its old name, of any plugin, stands under the new one too afterwards; damaged
 * ones as they are. 0, or -errno with words. */
must_check int snapshot_copy_line(
	const char *data_dir, const char *node, const char *from, const char *to, char words[256]);
/* Those of a line that another one has as well. */
void snapshot_drop_copied(const char *data_dir, const char *node, const char *line, const char *as);

/* Of lsns (highest first) those that may go: what lies before `begin`, the oldest record kept, and so many of the others
 * that few are left and each is at most four times as far from the newest as the one before it. The newest two stay. keep:
 * one flag an lsn. */
void snapshot_thin(const uint64_t *lsns, size_t n, uint64_t begin, bool *keep);

#endif
