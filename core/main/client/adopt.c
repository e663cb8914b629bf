/* SPDX-License-Identifier: Apache-2.0 */
/* tally spool adopt --as-new-node: for a data_dir whose store has parted (a clone, a disk put back). What follows the
 * START record after which that was found goes on under a new node; what came before is the old node's and stays out.
 *
 * The steps, each durable before the next:
 *   decide   data_dir/adopting names old and new node and the START record
 *   copy     data_dir/spool.adopt is the new node's log
 *   built    the journal says so
 *   aside    data_dir/spool is renamed to spool.OLD-UUID and kept
 *   in place spool.adopt is renamed to spool
 *   node     data_dir/node names the new node
 *   done     data_dir/adopted tells what was done; the notes and the journal go
 * A run that finds the journal goes on behind the last of them that was reached. No daemon starts in between. */
#include "main/client/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/seam.h"
#include "spool/payload.h"

struct start {
	uint64_t lsn, events_before;
	int64_t time_us;
};

/* What the old log holds. */
struct survey {
	struct spool_look look;
	struct start *starts;
	size_t nstarts;
	uint64_t events;
	uint64_t *pending; /* lsns of REDIS records without a fate */
	size_t npending;
};

static bool exists(const struct spool_cmd *cmd, const char *name)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", cmd->data_dir, name);
	return access(path, F_OK) == 0;
}

/* ---- looking at the old log ---- */

static void note_start(struct survey *sv, const struct spool_record *rec)
{
	sv->starts = realloc(sv->starts, (sv->nstarts + 1) * sizeof *sv->starts);
	MUST(sv->starts != NULL);
	sv->starts[sv->nstarts++] = (struct start){ rec->lsn, sv->events, rec->time_us };
}

static void note_pending(struct survey *sv, uint64_t lsn)
{
	sv->pending = realloc(sv->pending, (sv->npending + 1) * sizeof *sv->pending);
	MUST(sv->pending != NULL);
	sv->pending[sv->npending++] = lsn;
}

static void note_fate(struct survey *sv, uint32_t type, struct tally_str p)
{
	struct tally_str terms;
	uint64_t lsn;
	if (!payload_take_sized(&p, &terms) || !payload_take_u64(&p, &lsn))
		return;
	for (size_t i = 0; i < sv->npending; i++)
		if (sv->pending[i] == lsn) {
			sv->events += type == SPOOL_RELEASE ? payload_count_taken(p) : 0;
			sv->pending[i] = sv->pending[--sv->npending];
			return;
		}
}

static int survey_record(void *arg, const struct spool_record *rec)
{
	struct survey *sv = arg;
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint32_t n;
	if (rec->type == SPOOL_START)
		note_start(sv, rec);
	else if (rec->type == SPOOL_EVENTS && payload_take_sized(&p, &terms) && payload_take_u32(&p, &n))
		sv->events += n;
	else if (rec->type == SPOOL_REDIS)
		note_pending(sv, rec->lsn);
	else if (rec->type == SPOOL_RELEASE || rec->type == SPOOL_VOID)
		note_fate(sv, rec->type, p);
	return 0;
}

static void survey_free(struct survey *sv)
{
	spool_look_free(&sv->look);
	free(sv->starts);
	free(sv->pending);
}

/* The lowest START that a line noted, as far as it is still in the log; UINT64_MAX if none. */
static uint64_t noted_start(const struct spool_cmd *cmd, const struct survey *sv)
{
	uint64_t lowest = UINT64_MAX;
	const struct dirent *e;
	DIR *d = opendir(cmd->data_dir);
	while (d && (e = readdir(d)) != NULL) {
		char path[4400];
		unsigned long long lsn;
		if (strncmp(e->d_name, "parted-", 7) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", cmd->data_dir, e->d_name);
		FILE *f = fopen(path, "re");
		bool read = f && fscanf(f, "%llu", &lsn) == 1;
		if (f)
			fclose(f);
		if (!read) /* cut off while it was written: the last START must do */
			lsn = sv->starts[sv->nstarts - 1].lsn;
		lowest = lsn < lowest ? lsn : lowest;
	}
	if (d)
		closedir(d);
	return lowest;
}

static const struct start *find_start(const struct survey *sv, uint64_t lsn)
{
	for (size_t i = 0; i < sv->nstarts; i++)
		if (sv->starts[i].lsn == lsn)
			return &sv->starts[i];
	return NULL;
}

static void list_starts(const struct survey *sv)
{
	for (size_t i = 0; i < sv->nstarts; i++)
		fprintf(stderr, "  START at lsn %llu, %llu events behind it\n", (unsigned long long)sv->starts[i].lsn,
			(unsigned long long)(sv->events - sv->starts[i].events_before));
}

/* From which START on: the operator's, the noted one, or under --force the last. NULL: said why not. */
static const struct start *choose_start(const struct spool_cmd *cmd, const struct survey *sv)
{
	uint64_t noted = noted_start(cmd, sv);
	const struct start *st = NULL;
	if (cmd->from) {
		st = find_start(sv, cmd->from);
		if (!st) {
			spool_refuse("at lsn %llu there is no START record; there are:", (unsigned long long)cmd->from);
			list_starts(sv);
		}
		return st;
	}
	if (noted != UINT64_MAX)
		st = find_start(sv, noted);
	if (!st && (cmd->force || noted != UINT64_MAX))
		st = &sv->starts[sv->nstarts - 1];
	if (!st) {
		spool_refuse(
			"no line of this data_dir has found its store parted, so there is nothing to adopt. If you know "
			"better, name the START record with --from LSN, or take the last with --force:");
		list_starts(sv);
	}
	return st;
}

/* ---- deciding ---- */

/* A pending batch whose fate Redis knows under the old node's name would be lost under another. */
static int refuse_pending(const struct spool_cmd *cmd, struct adopt *ad, const struct survey *sv)
{
	for (size_t i = 0; i < sv->npending; i++)
		ad->pending += sv->pending[i] >= ad->from;
	if (!ad->pending || cmd->force)
		return 0;
	return spool_refuse(
		"%llu Redis batches are pending: only Redis knows whether they were taken, and only for this "
		"node. Start tallyd once with its Redis reachable, stop it, and adopt then; or --force, which "
		"leaves them to be void",
		(unsigned long long)ad->pending);
}

static void choose_kept(const struct spool_cmd *cmd, struct adopt *ad)
{
	snprintf(ad->kept, sizeof ad->kept, "spool.%s", ad->old.text);
	for (int i = 1; exists(cmd, ad->kept) && i < 1000; i++)
		snprintf(ad->kept, sizeof ad->kept, "spool.%s.%d", ad->old.text, i);
}

static int decide(const struct spool_cmd *cmd, struct adopt *ad, const struct survey *sv)
{
	const struct start *st;
	for (size_t i = 0; i < sv->look.nfindings; i++)
		if (sv->look.findings[i].kind == SPOOL_NEWER)
			return spool_refuse(
				"%s/%s %s", cmd->dir, sv->look.findings[i].name, sv->look.findings[i].words);
	if (!sv->nstarts)
		return spool_refuse("%s holds no START record: nothing was accepted here", cmd->dir);
	st = choose_start(cmd, sv);
	if (!st)
		return EXIT_REFUSED;
	*ad = (struct adopt){ .old = cmd->node, .from = st->lsn, .from_us = st->time_us, .skipped = st->events_before };
	ad->lost_bytes = sv->look.lost_bytes;
	int code = refuse_pending(cmd, ad, sv);
	if (code)
		return code;
	node_draw(&ad->fresh);
	choose_kept(cmd, ad);
	int rc = adopt_journal_write(cmd, ad, NODE_ADOPTING);
	return rc ? spool_refuse("cannot write %s/" NODE_ADOPTING ": %s", cmd->data_dir, strerror(-rc)) : 0;
}

/* ---- the steps behind the decision ---- */

static int empty_folder(const char *dir)
{
	char path[4800];
	const struct dirent *e;
	int rc = 0;
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (rc == 0 && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path))
			rc = -errno;
	}
	closedir(d);
	return rc;
}

static int build(const struct spool_cmd *cmd, struct adopt *ad, char why[256])
{
	char fresh[4200];
	struct survey sv = { 0 };
	snprintf(fresh, sizeof fresh, "%s.adopt", cmd->dir);
	int rc = spool_look(cmd->dir, ad->old.uuid, survey_record, &sv, &sv.look, why);
	if (rc == 0)
		rc = empty_folder(fresh); /* of a run that was cut off */
	if (rc == 0)
		rc = adopt_copy(ad, cmd->dir, &sv.look, fresh, why);
	survey_free(&sv);
	if (rc == 0)
		rc = seam_pass("adopt.copied_all");
	if (rc == 0) {
		ad->built = true;
		rc = adopt_journal_write(cmd, ad, NODE_ADOPTING);
	}
	return rc < 0 ? rc : seam_pass("adopt.built");
}

static int move(const struct spool_cmd *cmd, const char *from, const char *to)
{
	char a[4400], b[4400];
	snprintf(a, sizeof a, "%s/%s", cmd->data_dir, from);
	snprintf(b, sizeof b, "%s/%s", cmd->data_dir, to);
	int rc = file_rename("adopt.rename", a, b);
	return rc ? rc : file_sync_dir("adopt.sync", cmd->data_dir);
}

/* The new log is where it belongs unless spool.adopt is still there. */
static int put_in_place(const struct spool_cmd *cmd, struct adopt *ad)
{
	int rc = 0;
	if (!exists(cmd, "spool.adopt"))
		return 0;
	if (exists(cmd, "spool"))
		rc = move(cmd, "spool", ad->kept);
	if (rc == 0)
		rc = seam_pass("adopt.aside");
	if (rc == 0)
		rc = move(cmd, "spool.adopt", "spool");
	return rc < 0 ? rc : seam_pass("adopt.in_place");
}

static void drop_notes(const struct spool_cmd *cmd)
{
	char path[4400];
	const struct dirent *e;
	DIR *d = opendir(cmd->data_dir);
	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", cmd->data_dir, e->d_name);
		if (strncmp(e->d_name, "parted-", 7) == 0)
			(void)!unlink(path);
	}
	if (d)
		closedir(d);
}

static int finish(const struct spool_cmd *cmd, struct adopt *ad)
{
	char path[4400];
	int rc = node_write(cmd->data_dir, &ad->fresh);
	if (rc == 0)
		rc = seam_pass("adopt.node");
	if (rc == 0)
		rc = adopt_journal_write(cmd, ad, "adopted");
	if (rc < 0)
		return rc;
	drop_notes(cmd);
	rc = seam_pass("adopt.told");
	snprintf(path, sizeof path, "%s/" NODE_ADOPTING, cmd->data_dir);
	if (rc == 0)
		rc = file_unlink("adopt.unlink", path);
	return rc < 0 ? rc : file_sync_dir("adopt.sync", cmd->data_dir);
}

static int go_on(const struct spool_cmd *cmd, struct adopt *ad)
{
	char why[256] = "";
	int rc = seam_pass("adopt.decided");
	if (rc == 0 && !ad->built)
		rc = build(cmd, ad, why);
	if (rc == 0)
		rc = put_in_place(cmd, ad);
	if (rc == 0)
		rc = finish(cmd, ad);
	if (rc == 0)
		return EXIT_OK;
	return spool_refuse("%s; nothing is lost: free what is in the way and run the same command again to go on",
		why[0] ? why : strerror(-rc));
}

/* ---- the report ---- */

static int report(const struct spool_cmd *cmd, const struct adopt *ad, bool now)
{
	struct text_out o;
	text_open(&o, &cmd->c->arena, 1024);
	text_json_begin(&o, '{');
	text_json_member_string(&o, "did", now ? STR("adopted") : STR("nothing: it was adopted before"));
	text_json_member_string(&o, "old_node", str_of(ad->old.text));
	text_json_member_string(&o, "new_node", str_of(ad->fresh.text));
	spool_put_uint(&o, "from_lsn", ad->from);
	spool_put_time(&o, "from_time", ad->from_us);
	spool_put_uint(&o, "events_stored_again", ad->again);
	spool_put_uint(&o, "events_skipped", ad->skipped);
	spool_put_uint(&o, "records_copied", ad->records);
	spool_put_uint(&o, "records_left_out", ad->left_out);
	spool_put_uint(&o, "pending_void", ad->pending);
	spool_put_uint(&o, "lost_bytes", ad->lost_bytes);
	text_json_member_string(&o, "old_spool", str_of(ad->kept));
	text_json_end(&o, '}');
	print_answer(cmd->c, text_done(&o));
	return EXIT_OK;
}

/* ---- the command ---- */

/* Held until the process ends, also while the folder is renamed: a lock belongs to the file. */
static int lock_spool(const struct spool_cmd *cmd, const char *dir)
{
	char path[4300];
	snprintf(path, sizeof path, "%s/lock", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return spool_refuse("cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return spool_refuse("tallyd (pid %d) runs on %s: stop it first", (int)spool_holder(dir), cmd->data_dir);
}

static int begin(struct spool_cmd *cmd, struct adopt *ad)
{
	char why[256];
	struct survey sv = { 0 };
	if (node_read(cmd->data_dir, &cmd->node, why))
		return spool_refuse("%s: no data_dir of a node (name it with -d)", why);
	if (spool_look(cmd->dir, cmd->node.uuid, survey_record, &sv, &sv.look, why) < 0) {
		survey_free(&sv);
		return spool_refuse("%s", why);
	}
	/* a daemon would have added its START */
	bool fresh = adopt_journal_read(cmd, ad, "adopted") == 0 && strcmp(ad->fresh.text, cmd->node.text) == 0 &&
		     sv.look.end == ad->end;
	bool again = fresh && !cmd->force && !cmd->from;
	int code = again ? report(cmd, ad, false) : decide(cmd, ad, &sv);
	survey_free(&sv);
	if (again || code)
		return code;
	code = go_on(cmd, ad);
	return code ? code : report(cmd, ad, true);
}

int spool_adopt(struct spool_cmd *cmd)
{
	struct adopt ad;
	if (!cmd->as_new_node)
		return usage_error("say --as-new-node: it changes which node this data_dir is", "adopt");
	int code = lock_spool(cmd, cmd->dir), rc = 0;
	if (code)
		return code;
	rc = adopt_journal_read(cmd, &ad, NODE_ADOPTING);
	if (rc == -ENOENT)
		return begin(cmd, &ad);
	if (rc < 0)
		return spool_refuse("%s/" NODE_ADOPTING " cannot be read: %s", cmd->data_dir, strerror(-rc));
	code = go_on(cmd, &ad);
	return code ? code : report(cmd, &ad, true);
}
