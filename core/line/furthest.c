/* SPDX-License-Identifier: Apache-2.0 */
/* How far the store of a line that skips was: data_dir/seen-LINE. A store that stands behind the oldest record kept was
 * skipped if it never was further, and has gone back if it was; without the note a restart could not tell. It names the
 * right segment, which is all that counts, since the oldest record is always the first of one. A note that is missing,
 * damaged or another node's counts for nothing. [line] */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/seam.h"
#include "line/internal.h"

#define SEAM "line.seen"
#define PATH_BYTES 4200

static void note_path(const struct line *l, const char *end, char out[PATH_BYTES])
{
	int at = snprintf(out, PATH_BYTES, "%s/seen-", l->opt.conf->data_dir);
	snprintf(out + at, PATH_BYTES - (size_t)at, "%.100s%s", l->opt.sink->name, end);
	for (char *p = out + at; *p; p++)
		if (*p == '/')
			*p = '_';
}

void furthest_load(struct line *l)
{
	char path[PATH_BYTES], text[128] = "", node[64];
	uint64_t lsn;
	if (!l->entry.skips || MUTANT("furthest_forgotten"))
		return;
	note_path(l, "", path);
	int fd = file_open(SEAM, path, O_RDONLY, 0);
	if (fd < 0)
		return;
	ssize_t n = file_read(SEAM, fd, text, sizeof text - 1, 0);
	file_close(fd);
	if (n <= 0 || sscanf(text, "%63s %" SCNu64, node, &lsn) != 2 || strcmp(node, l->opt.node_uuid) != 0)
		return;
	if (lsn <= spool_durable(ledger_spool(l->opt.ledger)))
		l->furthest = l->noted = lsn;
}

static int replace(const struct line *l, const char *text)
{
	char path[PATH_BYTES], fresh[PATH_BYTES];
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	note_path(l, "", path);
	note_path(l, ".new", fresh);
	int fd = file_open(SEAM, fresh, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	int rc = fd < 0 ? fd : file_write(SEAM, fd, &iov, 1, 0);
	if (rc == 0)
		rc = file_sync(SEAM, fd);
	if (fd >= 0)
		file_close(fd);
	return rc == 0 ? file_rename(SEAM, fresh, path) : rc;
}

/* The position has passed the beginning of a segment since. */
static bool is_due(struct line *l)
{
	struct spool *sp = ledger_spool(l->opt.ledger);
	struct spool_stats st;
	spool_stats(sp, &st);
	if (l->position.lsn <= l->noted || l->position.lsn < st.begin)
		return false;
	return l->noted < st.begin || spool_held(sp, l->noted) > spool_held(sp, l->position.lsn);
}

void furthest_note(struct line *l)
{
	char text[128];
	if (!l->entry.skips || l->state != LINE_READING || !is_due(l))
		return;
	l->noted = l->position.lsn;
	snprintf(text, sizeof text, "%s %" PRIu64 "\n", l->opt.node_uuid, l->noted);
	int rc = replace(l, text);
	if (rc)
		log_warn("line",
			"%s: how far its store is cannot be noted in data_dir: %s; were it put back to an old copy while "
			"tallyd is stopped, the loss would be called skipped",
			l->opt.sink->name, strerror(-rc));
}
