/* SPDX-License-Identifier: Apache-2.0 */
/* tally spool: options, and the words that its commands share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "main/client/spool_cmd.h"
#include "text/iso8601.h"

static const struct {
	const char *name;
	int (*fn)(struct spool_cmd *cmd);
} verbs[] = {
	{ "check", spool_check },
	{ "dump", spool_dump },
	{ "adopt", spool_adopt },
};

#define USAGE                                                                                                              \
	"tally spool check [-d DATA_DIR] | dump [-d DATA_DIR] [--from LSN] [--to LSN] | adopt --as-new-node [--from LSN] " \
	"[--force] [-d DATA_DIR]"

int spool_refuse(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("tally: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return EXIT_REFUSED;
}

const char *spool_type_name(uint32_t type)
{
	static const char *const names[] = { "unknown", "START", "EVENTS", "REDIS", "RELEASE", "VOID", "DEAD", "TIME",
		"CHECKPOINT", "LETTERS" };
	return names[type < sizeof names / sizeof *names ? type : 0];
}

void spool_put_uint(struct text_out *o, const char *key, uint64_t n)
{
	text_json_key(o, str_of(key));
	text_json_uint(o, n);
}

void spool_put_hex(struct text_out *o, const char *key, uint64_t n)
{
	char hex[17];
	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)n);
	text_json_member_string(o, key, str_of(hex));
}

void spool_put_time(struct text_out *o, const char *key, int64_t us)
{
	char text[ISO8601_TEXT];
	if (us && us >= ISO8601_MIN_US && us <= ISO8601_MAX_US)
		text_json_member_string(o, key, str_make(text, iso8601_format(us, text)));
}

/* 12: FLOCK  ADVISORY  WRITE 4711 08:01:131075 0 EOF. The device is not compared: what a file system shows there is not
 * always what stat() says. */
pid_t spool_holder(const char *dir)
{
	char path[4200], line[256];
	struct stat st;
	pid_t holder = 0;
	snprintf(path, sizeof path, "%s/lock", dir);
	FILE *f = stat(path, &st) == 0 ? fopen("/proc/locks", "re") : NULL;
	while (f && !holder && fgets(line, sizeof line, f)) {
		int pid;
		unsigned long inode;
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %*x:%*x:%lu", &pid, &inode) == 2 && inode == st.st_ino)
			holder = pid > 0 ? pid : -1;
	}
	if (f)
		fclose(f);
	return holder;
}

static bool take_lsn(struct client *c, int *i, const char *name, uint64_t *out)
{
	char *end;
	const char *v = option_value(c, i, name);
	if (!v)
		return false;
	errno = 0;
	*out = strtoull(v, &end, 10);
	if (errno || *end || !*v)
		exit(usage_error("is not an lsn", v));
	return true;
}

static int take_option(struct spool_cmd *cmd, int *i)
{
	struct client *c = cmd->c;
	const char *v;
	if ((v = option_value(c, i, "-d")))
		cmd->data_dir = v;
	else if (option_flag(c, *i, "--as-new-node"))
		cmd->as_new_node = true;
	else if (option_flag(c, *i, "--force"))
		cmd->force = true;
	else if (!take_lsn(c, i, "--from", &cmd->from) && !take_lsn(c, i, "--to", &cmd->to))
		return usage_error(USAGE, c->argv[*i]);
	return 0;
}

int cmd_spool(struct client *c)
{
	static struct spool_cmd cmd;
	cmd = (struct spool_cmd){ .c = c, .data_dir = TALLY_STATE_DIR, .to = UINT64_MAX };
	for (int i = 2; i < c->argc; i++)
		if (take_option(&cmd, &i))
			return EXIT_USAGE;
	snprintf(cmd.dir, sizeof cmd.dir, "%.4000s/spool", cmd.data_dir);
	for (size_t i = 0; c->argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(c->argv[1], verbs[i].name) == 0)
			return verbs[i].fn(&cmd);
	return usage_error(USAGE, "spool");
}
