/* SPDX-License-Identifier: Apache-2.0 */
/* Where this log parted from a store. `tally spool adopt` gives what follows a START record to a new node, and must know
 * which one: the daemon may have started several times since, each time acknowledging events. So the first START after
 * which a line found its store parted is noted in data_dir/parted-LINE, until that line finds its place again. The note
 * is a hint: without it adopt asks. [line]
 *
 * Behind the START stands the position that the store had. A line that skips does not keep the log for such a store;
 * once the spool has gone past that position it looks like one that is only late, and is not. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ledger/internal.h"

static void note_path(const struct ledger *l, const char *line, char out[4200])
{
	int at = snprintf(out, 4200, "%s/parted-", l->conf->data_dir);
	snprintf(out + at, 4200 - (size_t)at, "%.100s", line);
	for (char *p = out + at; *p; p++)
		if (*p == '/')
			*p = '_';
}

static bool read_note(const struct ledger *l, const char *line, uint64_t *lsn, uint64_t *mark)
{
	char path[4200], text[80] = "";
	note_path(l, line, path);
	int fd = file_open("ledger.parted", path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	bool whole = file_read("ledger.parted", fd, text, sizeof text - 1, 0) > 0 &&
		     sscanf(text, "%*u %" SCNu64 " %" SCNu64, lsn, mark) == 2;
	file_close(fd);
	return whole;
}

bool ledger_has_parted(const struct ledger *l, const char *line, struct tally_position at)
{
	uint64_t lsn, mark;
	return read_note(l, line, &lsn, &mark) && lsn == at.lsn && mark == at.mark;
}

void ledger_note_parted(struct ledger *l, const char *line, struct tally_position at)
{
	char path[4200], text[80];
	uint64_t start = atomic_load(&l->start_lsn);
	if (start == UINT64_MAX)
		return; /* nothing was accepted since */
	note_path(l, line, path);
	int fd = file_open("ledger.parted", path, O_WRONLY | O_CREAT | O_EXCL, 0640);
	if (fd == -EEXIST)
		return; /* parted before: the older note counts */
	int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", start, at.lsn, at.mark);
	struct iovec iov = { text, (size_t)n };
	int rc = fd < 0 ? fd : file_write("ledger.parted", fd, &iov, 1, 0);
	if (rc == 0)
		rc = file_sync("ledger.parted", fd);
	if (fd >= 0)
		file_close(fd);
	if (rc == 0)
		rc = file_sync_dir("ledger.parted", l->conf->data_dir);
	if (rc < 0)
		log_warn("ledger", "cannot note in %s that the store of %s has parted: %s", path, line, strerror(-rc));
}

void ledger_note_found(struct ledger *l, const char *line)
{
	char path[4200];
	note_path(l, line, path);
	int rc = file_unlink("ledger.parted", path);
	if (rc < 0 && rc != -ENOENT)
		log_warn("ledger", "cannot remove %s: %s", path, strerror(-rc));
}
