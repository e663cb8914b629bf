/* SPDX-License-Identifier: Apache-2.0 */
/* First step of recovery: what files are there, and which of them are segments of this log. A segment is what its head
 * says, whatever its name. Nothing found here stops the start. */
#include "spool/inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"

#define SIZE_MAX_SANE (1ULL << 40)
#define LSN_MAX_SANE (1ULL << 62)

static bool named_as_ours(const char *name)
{
	size_t n = strlen(name);
	return n > 4 && strcmp(name + n - 4, ".seg") == 0;
}

/* True: nothing but zeros, as a spare that was still being made. */
static bool all_zero(const char *path)
{
	uint8_t buf[65536];
	int fd = file_open("spool.open", path, O_RDONLY, 0);
	if (fd < 0)
		return false;
	ssize_t n;
	bool zero = true;
	for (uint64_t at = 0; zero && (n = file_read("spool.read", fd, buf, sizeof buf, at)) > 0; at += (uint64_t)n)
		zero = buf[0] == 0 && memcmp(buf, buf + 1, (size_t)n - 1) == 0;
	file_close(fd);
	return zero;
}

static void without_head(struct spool *sp, const char *name, const char *path)
{
	if (!named_as_ours(name)) {
		if (!sp->look)
			log_warn("spool", "%s is no segment; left alone", path);
		return;
	}
	if (!all_zero(path)) {
		quarantine_file(sp, name, "its head is broken");
		return;
	}
	int rc = sp->look ? 0 : file_unlink("spool.unlink", path);
	if (rc < 0)
		log_warn("spool", "cannot remove the empty %s: %s", path, strerror(-rc));
}

static bool sane(const struct format_segment *h)
{
	return h->size > FORMAT_PAGE && h->size <= SIZE_MAX_SANE && h->first <= LSN_MAX_SANE && h->size % 8 == 0 &&
	       h->first % 8 == 0;
}

static void take_spare(struct spool *sp, struct segment *seg)
{
	struct stat st;
	if (sp->look) {
		sp->look->spares++;
		sp->disk_bytes += seg->head.size;
		segment_free(seg);
		return;
	}
	bool keep = seg->head.size == sp->opt.segment_bytes && sp->nspares < SPARES_KEPT &&
		    segment_open_fd(sp, seg) == 0 && fstat(seg->fd, &st) == 0 && (uint64_t)st.st_size >= seg->head.size;
	sp->disk_bytes += seg->head.size;
	if (keep)
		spare_put(sp, seg);
	else
		segment_remove(sp, seg);
}

/* A later version may lay out anything but the head differently, and knows what we would destroy. So the start is
 * refused, and the file stays as it is. */
static int refuse_newer(struct spool *sp, const char *name, uint32_t version, char why[256])
{
	char words[160];
	snprintf(words, sizeof words,
		"is of format %u and this tally reads up to %d: start the version that wrote it, or newer", version,
		FORMAT_VERSION);
	if (sp->look) {
		look_note(sp, SPOOL_NEWER, name, 0, 0, words);
		return 0;
	}
	snprintf(why, 256, "%.90s/%.30s %.130s", sp->opt.dir, name, words);
	return -EPROTONOSUPPORT;
}

/* A segment that we may not open is no damage but a mistake of rights or limits: the start is refused, before it is taken
 * for missing and the log goes on without it. */
static int look_at(struct spool *sp, const char *name, char why[256])
{
	char path[PATH_MAX];
	struct scan s = { .fd = -1 };
	segment_path(sp, name, path);
	int rc = scan_open(&s, path, 0);
	if (rc == -EINVAL) {
		without_head(sp, name, path);
		return 0;
	}
	if (rc == -EIO) {
		quarantine_file(sp, name, "its head cannot be read");
		return 0;
	}
	if (rc == -ENOENT && sp->look)
		return 0; /* the daemon let go of it just now */
	if (rc < 0) {
		snprintf(why, 256, "cannot open %.180s: %s", path, strerror(-rc));
		return named_as_ours(name) ? rc : 0;
	}
	struct format_segment head = s.head;
	scan_close(&s);
	if (head.version > FORMAT_VERSION)
		return refuse_newer(sp, name, head.version, why);
	if (head.version < 1 || head.kind < FORMAT_LIVE || head.kind > FORMAT_SPARE || !sane(&head)) {
		quarantine_file(sp, name, "its head makes no sense");
		return 0;
	}
	if (memcmp(head.node, sp->opt.node, sizeof head.node) != 0) {
		quarantine_file(sp, name, "belongs to another node");
		return 0;
	}
	struct segment *seg = segment_new(name);
	seg->head = head;
	if (head.kind == FORMAT_SPARE) {
		take_spare(sp, seg);
		return 0;
	}
	if (head.number > sp->number)
		sp->number = head.number;
	sp->disk_bytes += head.size;
	segment_list_push(sp, seg);
	return 0;
}

static int list_dir(struct spool *sp, char why[256])
{
	DIR *d = opendir(sp->opt.dir);
	if (!d) {
		int rc = -errno;
		snprintf(why, 256, "cannot read %.200s: %s", sp->opt.dir, strerror(-rc));
		return rc;
	}
	const struct dirent *e;
	struct stat st;
	char path[PATH_MAX];
	int rc = 0;
	while (rc == 0 && (e = readdir(d)) != NULL) {
		unsigned long long seq;
		if (strcmp(e->d_name, "lock") == 0)
			continue;
		segment_path(sp, e->d_name, path);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (sscanf(e->d_name, "%llu", &seq) == 1 && seq > sp->file_seq && seq < UINT32_MAX)
			sp->file_seq = seq;
		rc = look_at(sp, e->d_name, why);
	}
	closedir(d);
	return rc;
}

/* How far the records of a file go by its own word, to choose between two copies of a segment. */
static uint64_t extent(struct spool *sp, const struct segment *seg)
{
	char path[PATH_MAX];
	struct scan s = { .fd = -1 };
	struct spool_record rec;
	segment_path(sp, seg->name, path);
	if (scan_open(&s, path, RECOVERY_AHEAD) < 0)
		return 0;
	uint64_t at = s.head.first, top = scan_top(&s.head);
	while (scan_record(&s, at, top, &rec) > 0)
		at = rec.end;
	scan_close(&s);
	return at;
}

static int by_number(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;
	if (x->head.number != y->head.number)
		return x->head.number < y->head.number ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void drop_listed(struct spool *sp, size_t i)
{
	struct segment *seg = sp->segs[i];
	segment_list_remove(sp, i);
	sp->disk_bytes -= seg->head.size;
	segment_free(seg);
}

/* Of two files with one number the one with more records stays. */
static void drop_copies(struct spool *sp)
{
	for (size_t i = 0; i + 1 < sp->nsegs;) {
		if (sp->segs[i]->head.number != sp->segs[i + 1]->head.number) {
			i++;
			continue;
		}
		size_t out = extent(sp, sp->segs[i]) >= extent(sp, sp->segs[i + 1]) ? i + 1 : i;
		quarantine_file(sp, sp->segs[out]->name, "is a copy of another segment");
		drop_listed(sp, out);
	}
}

/* A segment that begins at or behind where a later one begins was abandoned as a whole. */
static void drop_void(struct spool *sp)
{
	uint64_t least = UINT64_MAX;
	for (size_t i = sp->nsegs; i-- > 0;) {
		struct segment *seg = sp->segs[i];
		if (seg->head.first < least) {
			least = seg->head.first;
			continue;
		}
		segment_list_remove(sp, i);
		if (sp->look)
			segment_free(seg);
		else
			trim_retire(sp, seg);
	}
}

/* Fills the list: this node's live segments, oldest first, their first lsns rising. Spares go to the spares. */
int collect_segments(struct spool *sp, char why[256])
{
	int rc = list_dir(sp, why);
	if (rc < 0)
		return rc;
	if (sp->nsegs)
		qsort(sp->segs, sp->nsegs, sizeof(struct segment *), by_number);
	drop_copies(sp);
	drop_void(sp);
	return 0;
}
