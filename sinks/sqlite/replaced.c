/* SPDX-License-Identifier: Apache-2.0 */
/* The file can be replaced under a running daemon: renamed over, deleted, or written over by cp, which keeps the inode.
 * SQLite cannot see the last of these, and its write-ahead log would then be read on top of a file that it does not
 * belong to. So we know what the file was like when we left it:
 *
 * Only a checkpoint writes to the file itself, and it counts in the wal-index how far it came. A file that changed while
 * that count stood still was changed by somebody else. Then nothing is taken into it from the log any more, the log goes
 * if it is still the one that we wrote, and the position's row in what stands there now says where to begin.
 *
 * Never open and close the file or its -shm beside SQLite: that drops the locks of the whole process (POSIX). */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STABLE_US 1000000
#define PATIENCE_US 3000000
#define LOOK_EVERY_NS 100000000

/* ---- what the file is like ---- */

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* bytes of a -wal: 0 magic, 4 version, 8 page size, 12 sequence, 16 salt 1, 20 salt 2, … The file has no locks. */
static void read_log_head(const char *path, struct sq_sight *out)
{
	unsigned char head[32];
	char *name = sqlite3_mprintf("%s-wal", path);
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	out->log_there = fd >= 0 && read(fd, head, sizeof head) == sizeof head;
	out->salt[0] = out->log_there ? be32(head + 16) : 0;
	out->salt[1] = out->log_there ? be32(head + 20) : 0;
	if (fd >= 0)
		close(fd);
	sqlite3_free(name);
}

/* bytes of the wal-index: 0 and 48 two copies of its head, 96 frames checkpointed, 100 read marks, 120 locks,
 * 128 frames that a checkpoint set out to write */
static void read_checkpoints(sqlite3 *db, struct sq_sight *out)
{
	sqlite3_file *f = NULL;
	void volatile *map = NULL;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods ||
		f->pMethods->iVersion < 2 || f->pMethods->xShmMap(f, 0, 32768, 0, &map) != SQLITE_OK || !map)
		return;
	out->done = *(volatile uint32_t *)((volatile char *)map + 96);
	out->tried = *(volatile uint32_t *)((volatile char *)map + 128);
}

static bool look(const char *path, sqlite3 *db, struct sq_sight *out)
{
	struct stat st;
	*out = (struct sq_sight){ 0 };
	if (stat(path, &st) != 0)
		return false;
	out->file = (struct sq_file){ st.st_dev, st.st_ino };
	out->size = st.st_size;
	out->changed = st.st_mtim;
	read_log_head(path, out);
	if (db)
		read_checkpoints(db, out);
	return true;
}

/* [the writer's thread] Readers look at it too. */
static void keep_sight(struct sq *s, const struct sq_sight *sight)
{
	pthread_mutex_lock(&s->readers_lock);
	s->sight = *sight;
	pthread_mutex_unlock(&s->readers_lock);
}

static bool same_bytes(const struct sq_sight *a, const struct sq_sight *b)
{
	return a->size == b->size && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* A log that is begun again takes the next salt; one that came from elsewhere has any. */
static bool same_log(const struct sq_sight *was, const struct sq_sight *now)
{
	if (!was->log_there)
		return true;
	return now->log_there && now->salt[0] - was->salt[0] < 1000;
}

/* The counts of the wal-index are asked for through db. */
static bool agrees(const struct sq_sight *was, const char *path, sqlite3 *db, struct sq_sight *now)
{
	if (!look(path, db, now) || now->file.dev != was->file.dev || now->file.ino != was->file.ino ||
		!same_log(was, now))
		return false;
	bool checkpointed = now->done != was->done || now->tried != was->tried || now->salt[0] != was->salt[0];
	return !db || same_bytes(was, now) || checkpointed;
}

bool sq_is_ours(struct sq *s)
{
	struct sq_sight now;
	if (!s->db || !agrees(&s->sight, s->path, s->db, &now))
		return false;
	keep_sight(s, &now);
	return true;
}

static struct sq_sight sight_of(struct sq *s)
{
	pthread_mutex_lock(&s->readers_lock);
	struct sq_sight was = s->sight;
	pthread_mutex_unlock(&s->readers_lock);
	return was;
}

/* A log that was emptied by us between the two looks is one look more. */
bool sq_may_read(struct sq *s, sqlite3 *db)
{
	struct sq_sight was = sight_of(s), now;
	while (was.file.ino && !agrees(&was, s->path, db, &now)) {
		struct sq_sight kept = sight_of(s);
		if (kept.log_there == was.log_there && kept.salt[0] == was.salt[0])
			return false;
		was = kept;
	}
	return true;
}

void sq_note_ours(struct sq *s)
{
	struct sq_sight now;
	look(s->path, s->db, &now);
	keep_sight(s, &now);
}

/* The pages are overwritten by `secure_delete`; a checkpoint brings that into the file and empties the log. Under the lock,
 * so that no reader takes the empty log for another's. */
void sq_wipe(struct sq *s)
{
	struct sq_sight now;
	if (!s->unwiped || !s->db)
		return;
	sqlite3_busy_timeout(s->db, 0);
	pthread_mutex_lock(&s->readers_lock);
	s->unwiped = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK;
	if (look(s->path, s->db, &now) && now.file.dev == s->file.dev && now.file.ino == s->file.ino)
		s->sight = now;
	pthread_mutex_unlock(&s->readers_lock);
	sqlite3_busy_timeout(s->db, s->busy_ms);
}

/* ---- letting go of it ---- */

static void remove_beside(const char *path, const char *suffix)
{
	char *name = sqlite3_mprintf("%s%s", path, suffix);
	if (name)
		unlink(name);
	sqlite3_free(name);
}

/* A log with our salts is ours. Assumes: closed. */
static void drop_log(struct sq *s)
{
	struct sq_sight was = s->sight, now;
	look(s->path, NULL, &now);
	read_log_head(s->path, &now);
	if (was.log_there && now.log_there && now.salt[0] == was.salt[0] && now.salt[1] == was.salt[1]) {
		remove_beside(s->path, "-wal");
		remove_beside(s->path, "-shm");
	}
	keep_sight(s, &(struct sq_sight){ 0 });
	s->gone = true;
}

static int wait_for_readers(struct sq *s)
{
	if (sq_readers_leave(s))
		return TALLY_SINK_OK;
	return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0,
		"%s: another file stands there now; waiting for questions that still read the old one", s->path);
}

int sq_let_go(struct sq *s)
{
	int rc = wait_for_readers(s);
	if (rc != TALLY_SINK_OK)
		return rc;
	sq_disconnect(s); /* without a checkpoint: see sq_connect() */
	drop_log(s);
	return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0,
		"%s: another file stands there now (a restore?): going on with that one", s->path);
}

int sq_look_again(struct sq *s)
{
	struct sq_sight was = s->sight, now;
	if (s->db || !was.file.ino)
		return TALLY_SINK_OK;
	bool there = look(s->path, NULL, &now);
	if (there && now.file.ino == was.file.ino && now.file.dev == was.file.dev && same_bytes(&was, &now))
		return TALLY_SINK_OK;
	int rc = wait_for_readers(s);
	if (rc == TALLY_SINK_OK)
		drop_log(s);
	return rc;
}

/* ---- until it is whole ---- */

static int64_t mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* bytes of the file: 16 page size (1 = 65536), 24 change counter, 28 pages, 92 change counter that the size is valid
 * for. A copy under way is shorter than it says. Assumes: no connection of this process has it open. */
static bool is_whole(const char *path, off_t size)
{
	unsigned char head[100];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;
	if (fd >= 0)
		close(fd);
	if (n < (ssize_t)sizeof head || be32(head + 24) != be32(head + 92))
		return true; /* no database: sqlite says so better than we */
	uint32_t page = (uint32_t)head[16] << 8 | head[17];
	return size >= (off_t)be32(head + 28) * (page == 1 ? 65536 : page);
}

int sq_wait_whole(struct sq *s)
{
	int64_t began = mono_us(), since = began;
	struct sq_sight was, now;
	bool there = look(s->path, NULL, &was);
	while (mono_us() - since < STABLE_US || (there && !is_whole(s->path, was.size))) {
		if (mono_us() - began > PATIENCE_US)
			return s->host->fail(s->in, TALLY_SINK_RECONNECT, 0,
				"%s is being written: waiting for the end of it", s->path);
		nanosleep(&(struct timespec){ 0, LOOK_EVERY_NS }, NULL);
		bool still = look(s->path, NULL, &now);
		if (still != there || !same_bytes(&was, &now))
			since = mono_us();
		there = still;
		was = now;
	}
	s->gone = false;
	return TALLY_SINK_OK;
}
