/* SPDX-License-Identifier: Apache-2.0 */
/* Zones by name, from the files of tzdata (or those under $TZDIR). Loaded once, kept for ever. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "zone/spans.h"

#define FILE_MAX (256 * 1024)
#define NAME_MAX_BYTES 96
#define DEFAULT_DIR "/usr/share/zoneinfo"

static struct table zones;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Words of letters, digits, '_', '+' and '-', with '/' between them. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_MAX_BYTES || name[0] == '/' || name[len - 1] == '/')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

/* False: no such file, or larger than any zone is. */
static bool read_file(const char *name, uint8_t *bytes, size_t *len)
{
	const char *dir = getenv("TZDIR");
	char path[4096];
	size_t dir_len = strlen(dir && *dir ? dir : DEFAULT_DIR);
	if (dir_len + 1 + strlen(name) >= sizeof path)
		return false;
	memcpy(path, dir && *dir ? dir : DEFAULT_DIR, dir_len);
	path[dir_len] = '/';
	strcpy(path + dir_len + 1, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t n;
	*len = 0;
	while ((n = read(fd, bytes + *len, FILE_MAX - *len)) > 0)
		*len += (size_t)n;
	close(fd);
	return n == 0 && *len < FILE_MAX;
}

static struct zone *load(const char *name)
{
	uint8_t *bytes = malloc(FILE_MAX);
	size_t len;
	MUST(bytes != NULL);
	struct zone *z = read_file(name, bytes, &len) ? zone_of_tzif(name, bytes, len) : NULL;
	free(bytes);
	return z;
}

const struct zone *zone_get(const char *name)
{
	struct tally_str key = str_of(name);
	if (str_eq(key, STR("UTC")))
		return zone_utc();
	if (!is_name(name))
		return NULL;
	pthread_mutex_lock(&lock);
	struct zone *z = table_get(&zones, key);
	if (!z && (z = load(name)) != NULL)
		*table_place(&zones, key) = z;
	pthread_mutex_unlock(&lock);
	return z;
}

const struct zone *zone_utc(void)
{
	static int64_t never[] = { ZONE_NEVER };
	static int32_t zero[] = { 0 };
	static char name[] = "UTC";
	static const struct zone utc = { name, 1, never, never, zero, INT64_MAX };
	return &utc;
}
