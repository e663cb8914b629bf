/* SPDX-License-Identifier: Apache-2.0 */
/* data_dir/visitor.salt keeps the salts over a restart, so that it splits no visitor:
 *
 *      0  i64  day         days since 1970; twice: today's, then tomorrow's (0 = none)
 *      8  u64  flags       bit 0: it is the store's
 *     16  16   salt
 *
 * Written in place, so that the old salt is overwritten and not left in some free block. A file of 24 bytes (salt, day)
 * is of an older version; its salt was the node's own. */
#include "door/salt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

#define DAY_US (86400 * (int64_t)1000000)
#define SLOT_BYTES 32
#define FILE_BYTES (2 * SLOT_BYTES)
#define OLD_FILE_BYTES 24
#define OF_STORE 1

struct salt {
	int64_t day; /* 0 = none */
	bool of_store;
	uint8_t bytes[SALT_BYTES];
};

static struct {
	pthread_mutex_t lock;
	int fd;
	struct salt now, next;
	bool unsynced;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static int64_t wall_day(void)
{
	return clock_wall_us() / DAY_US;
}

/* ---- the file ---- */

static void put_slot(uint8_t *p, const struct salt *s)
{
	put_u64(p, (uint64_t)s->day);
	put_u64(p + 8, s->of_store ? OF_STORE : 0);
	memcpy(p + 16, s->bytes, SALT_BYTES);
}

static void get_slot(const uint8_t *p, struct salt *s)
{
	s->day = (int64_t)get_u64(p);
	s->of_store = get_u64(p + 8) & OF_STORE;
	memcpy(s->bytes, p + 16, SALT_BYTES);
}

/* [lock held] */
static void save(void)
{
	uint8_t bytes[FILE_BYTES];
	put_slot(bytes, &shared.now);
	put_slot(bytes + SLOT_BYTES, &shared.next);
	if (shared.fd >= 0 && pwrite(shared.fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		log_warn("door", "visitor.salt cannot be written (%s): a restart may count visitors of today anew",
			strerror(errno));
	shared.unsynced = true;
}

static void load(void)
{
	uint8_t bytes[FILE_BYTES];
	ssize_t n = pread(shared.fd, bytes, sizeof bytes, 0);
	shared.now = shared.next = (struct salt){ 0 };
	if (n == FILE_BYTES) {
		get_slot(bytes, &shared.now);
		get_slot(bytes + SLOT_BYTES, &shared.next);
	} else if (n == OLD_FILE_BYTES) {
		shared.now.day = (int64_t)get_u64(bytes + SALT_BYTES);
		memcpy(shared.now.bytes, bytes, SALT_BYTES);
	}
}

/* ---- days ---- */

static void draw(struct salt *s, int64_t day)
{
	MUST(getrandom(s->bytes, SALT_BYTES, 0) == SALT_BYTES);
	s->day = day;
	s->of_store = false;
}

/* [lock held] Ensures: shared.now is the salt in use. */
static void turn(void)
{
	int64_t today = wall_day();
	if (shared.now.day == today || shared.now.day == today + 1)
		return;
	if (shared.next.day == today)
		shared.now = shared.next;
	else
		draw(&shared.now, today);
	shared.next = (struct salt){ 0 };
	save();
}

/* [lock held] NULL: a day that is neither today nor tomorrow. */
static struct salt *slot_of(int64_t day)
{
	turn();
	if (day == shared.now.day)
		return &shared.now;
	return day == shared.now.day + 1 ? &shared.next : NULL;
}

int64_t salt_day_now(void)
{
	pthread_mutex_lock(&shared.lock);
	turn();
	int64_t day = shared.now.day;
	pthread_mutex_unlock(&shared.lock);
	return day;
}

void salt_now(uint8_t out[SALT_BYTES])
{
	pthread_mutex_lock(&shared.lock);
	turn();
	memcpy(out, shared.now.bytes, SALT_BYTES);
	pthread_mutex_unlock(&shared.lock);
}

int salt_propose(int64_t day, uint8_t out[SALT_BYTES])
{
	int rc = -EINVAL;
	pthread_mutex_lock(&shared.lock);
	struct salt *s = slot_of(day);
	if (s && s->day != day) {
		draw(s, day);
		save();
	}
	if (s) {
		memcpy(out, s->bytes, SALT_BYTES);
		rc = s->of_store;
	}
	pthread_mutex_unlock(&shared.lock);
	return rc;
}

void salt_adopt(int64_t day, const uint8_t salt[SALT_BYTES])
{
	pthread_mutex_lock(&shared.lock);
	struct salt *s = slot_of(day);
	if (s && (s->day != day || !s->of_store || memcmp(s->bytes, salt, SALT_BYTES) != 0)) {
		bool other = s == &shared.now && memcmp(s->bytes, salt, SALT_BYTES) != 0;
		*s = (struct salt){ .day = day, .of_store = true };
		memcpy(s->bytes, salt, SALT_BYTES);
		save();
		if (other)
			log_info("door",
				"visitors are hashed with the salt of the store from now on; those that this node "
				"saw today before it could be read count once more");
	}
	pthread_mutex_unlock(&shared.lock);
}

void salt_tidy(void)
{
	pthread_mutex_lock(&shared.lock);
	turn();
	bool sync = shared.unsynced && shared.fd >= 0;
	int fd = shared.fd;
	shared.unsynced = false;
	pthread_mutex_unlock(&shared.lock);
	if (sync && fdatasync(fd) != 0)
		log_warn("door", "visitor.salt cannot be synced: %s", strerror(errno));
}

int salt_open(const char *data_dir, char why[256])
{
	char path[4096];
	snprintf(path, sizeof path, "%s/visitor.salt", data_dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		int rc = -errno;
		snprintf(why, 256, "%.180s: %s", path, strerror(-rc));
		return rc;
	}
	pthread_mutex_lock(&shared.lock);
	if (shared.fd >= 0)
		close(shared.fd);
	shared.fd = fd;
	load();
	pthread_mutex_unlock(&shared.lock);
	salt_tidy();
	return 0;
}
