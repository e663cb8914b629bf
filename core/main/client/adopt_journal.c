/* SPDX-License-Identifier: Apache-2.0 */
/* What an adoption decided and how far it is, as lines of `key value` in a small file that is replaced whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "main/client/adopt.h"

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{ "from", offsetof(struct adopt, from) },
	{ "from_us", offsetof(struct adopt, from_us) },
	{ "again", offsetof(struct adopt, again) },
	{ "skipped", offsetof(struct adopt, skipped) },
	{ "pending", offsetof(struct adopt, pending) },
	{ "records", offsetof(struct adopt, records) },
	{ "left_out", offsetof(struct adopt, left_out) },
	{ "lost_bytes", offsetof(struct adopt, lost_bytes) },
	{ "end", offsetof(struct adopt, end) },
};

static uint64_t *number_of(struct adopt *ad, size_t i)
{
	return (uint64_t *)(void *)((char *)ad + numbers[i].at);
}

int adopt_journal_write(const struct spool_cmd *cmd, struct adopt *ad, const char *name)
{
	char text[2048];
	int n = snprintf(text, sizeof text, "old %s\nnew %s\nbuilt %d\nkept %s\n", ad->old.text, ad->fresh.text,
		ad->built, ad->kept);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s %llu\n", numbers[i].name,
			(unsigned long long)*number_of(ad, i));
	return node_write_file(cmd->data_dir, name, text);
}

static void journal_line(struct adopt *ad, const char *key, const char *value)
{
	if (strcmp(key, "old") == 0)
		snprintf(ad->old.text, sizeof ad->old.text, "%.36s", value);
	else if (strcmp(key, "new") == 0)
		snprintf(ad->fresh.text, sizeof ad->fresh.text, "%.36s", value);
	else if (strcmp(key, "kept") == 0)
		snprintf(ad->kept, sizeof ad->kept, "%s", value);
	else if (strcmp(key, "built") == 0)
		ad->built = strcmp(value, "1") == 0;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(numbers[i].name, key) == 0)
			*number_of(ad, i) = strtoull(value, NULL, 10);
}

int adopt_journal_read(const struct spool_cmd *cmd, struct adopt *ad, const char *name)
{
	char path[4400], key[32], value[256];
	snprintf(path, sizeof path, "%s/%s", cmd->data_dir, name);
	FILE *f = fopen(path, "re");
	if (!f)
		return -errno;
	*ad = (struct adopt){ 0 };
	while (fscanf(f, "%31s %255s", key, value) == 2)
		journal_line(ad, key, value);
	fclose(f);
	bool whole = uuid_parse(ad->old.text, ad->old.uuid) == 0 && uuid_parse(ad->fresh.text, ad->fresh.uuid) == 0;
	return whole ? 0 : -EINVAL;
}
