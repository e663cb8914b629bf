/* SPDX-License-Identifier: Apache-2.0 */
#include "main/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/log.h"

static int fail(char why[256], const char *path, int rc)
{
	snprintf(why, 256, "%.180s: %s", path, strerror(-rc));
	return rc;
}

/* Makes every folder of the path that is missing. */
static int make_folders(const char *dir)
{
	char path[4096];
	snprintf(path, sizeof path, "%s", dir);
	for (char *p = path + 1;; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;
		*p = 0;
		if (mkdir(path, 0750) && errno != EEXIST)
			return -errno;
		if (!c)
			return 0;
		*p = c;
	}
}

static int write_synced(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), rc = 0;
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd))
		rc = errno ? -errno : -EIO;
	close(fd);
	return rc;
}

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

int node_write_file(const char *dir, const char *name, const char *text)
{
	char path[4200], fresh[4210];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int rc = write_synced(fresh, text, strlen(text));
	if (!rc && rename(fresh, path))
		rc = -errno;
	return rc ? rc : sync_folder(dir);
}

void node_draw(struct node *out)
{
	uuid_generate_random(out->uuid);
	uuid_unparse_lower(out->uuid, out->text);
}

int node_write(const char *dir, const struct node *n)
{
	char line[38];
	snprintf(line, sizeof line, "%s\n", n->text);
	return node_write_file(dir, "node", line);
}

int node_read(const char *dir, struct node *out, char why[256])
{
	char path[4096];
	snprintf(path, sizeof path, "%s/node", dir);
	FILE *f = fopen(path, "re");
	if (!f)
		return fail(why, path, -errno);
	bool read = fscanf(f, "%36s", out->text) == 1 && uuid_parse(out->text, out->uuid) == 0;
	fclose(f);
	if (read)
		return 0;
	snprintf(why, 256, "%.150s: not a UUID; put the file back, or remove it to become a new node", path);
	return -EINVAL;
}

/* An adoption that was cut off leaves the folder between two identities: only its next run knows how to go on. */
static int refuse_half_adopted(const char *dir, char why[256])
{
	char path[4096];
	snprintf(path, sizeof path, "%s/" NODE_ADOPTING, dir);
	if (access(path, F_OK))
		return 0;
	snprintf(why, 256,
		"%.60s: an adoption was begun and not ended; run `tally spool adopt --as-new-node -d %.60s` again",
		path, dir);
	return -EBUSY;
}

int node_open(const char *dir, struct node *out, char why[256])
{
	int rc = make_folders(dir);
	if (rc)
		return fail(why, dir, rc);
	rc = refuse_half_adopted(dir, why);
	if (rc)
		return rc;
	rc = node_read(dir, out, why);
	if (rc != -ENOENT)
		return rc;
	node_draw(out);
	rc = node_write(dir, out);
	if (rc)
		return fail(why, dir, rc);
	log_info("node", "this node is %s (new, in %s/node)", out->text, dir);
	return 0;
}
