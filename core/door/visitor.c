/* SPDX-License-Identifier: Apache-2.0 */
/* The visitor of an event that names none: a keyed hash of address and user agent under a salt of the UTC day. The salt
 * lies in data_dir/visitor.salt (16 bytes and the day) so that a restart does not split a visitor; the next day's
 * overwrites it in place, and then nobody can link the two. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "door/internal.h"

#define DAY_US (86400 * (int64_t)1000000)
#define SALT_BYTES 16
#define FILE_BYTES (SALT_BYTES + 8)

/* One salt for all lanes; drawn by whoever first sees the new day. */
static struct {
	pthread_mutex_t lock;
	int fd;
	int64_t day;
	uint8_t salt[SALT_BYTES];
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .day = -1 };

int visitor_setup(const char *data_dir, char why[256])
{
	char path[4096];
	uint8_t bytes[FILE_BYTES];
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
	shared.day = -1;
	if (pread(fd, bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes) {
		memcpy(shared.salt, bytes, SALT_BYTES);
		shared.day = (int64_t)get_u64(bytes + SALT_BYTES);
	}
	pthread_mutex_unlock(&shared.lock);
	return 0;
}

static void draw_salt(int64_t day)
{
	uint8_t bytes[FILE_BYTES];
	MUST(getrandom(shared.salt, SALT_BYTES, 0) == SALT_BYTES);
	shared.day = day;
	memcpy(bytes, shared.salt, SALT_BYTES);
	put_u64(bytes + SALT_BYTES, (uint64_t)day);
	if (shared.fd >= 0 && pwrite(shared.fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		log_warn("door", "visitor.salt cannot be written (%s): a restart will count visitors of today anew",
			strerror(errno));
}

static void salt_of_today(uint8_t out[SALT_BYTES])
{
	int64_t day = clock_wall_us() / DAY_US;
	pthread_mutex_lock(&shared.lock);
	if (shared.day != day)
		draw_salt(day);
	memcpy(out, shared.salt, SALT_BYTES);
	pthread_mutex_unlock(&shared.lock);
}

/* 128 bits as 22 characters of base64url. */
static void to_text(const uint8_t hash[16], char out[22])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, acc = 0;
	size_t n = 0;
	for (size_t i = 0; i < 16; i++) {
		acc = acc << 8 | hash[i];
		bits += 8;
		while (bits >= 6) {
			bits -= 6;
			out[n++] = digits[acc >> bits & 63];
		}
	}
	out[n] = digits[acc << (6 - bits) & 63];
}

struct tally_str visitor_of(const struct client *cl)
{
	struct tally_str address = cl->seen.address, ua = cl->seen.agent;
	uint8_t salt[SALT_BYTES], hash[16];
	size_t n = 4 + address.len + ua.len;
	char *bytes = arena_alloc(cl->arena, n), *text = arena_alloc(cl->arena, 22);
	put_u32(bytes, (uint32_t)address.len);
	if (address.len)
		memcpy(bytes + 4, address.ptr, address.len);
	if (ua.len)
		memcpy(bytes + 4 + address.len, ua.ptr, ua.len);
	salt_of_today(salt);
	hash_keyed128(salt, bytes, n, hash);
	to_text(hash, text);
	return str_make(text, 22);
}
