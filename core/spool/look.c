/* SPDX-License-Identifier: Apache-2.0 */
/* See look.h. The work is recovery's own; this file keeps what it finds. */
#include "spool/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/inner.h"

#define SEGMENT_NOMINAL (64 << 20) /* of no matter here: sizes come from the heads */

void look_note(
	struct spool *sp, enum spool_finding_kind kind, const char *name, uint64_t from, uint64_t to, const char *words)
{
	struct spool_look *look = sp->look;
	look->findings = realloc(look->findings, (look->nfindings + 1) * sizeof *look->findings);
	MUST(look->findings != NULL);
	struct spool_finding *f = &look->findings[look->nfindings++];
	*f = (struct spool_finding){ .kind = kind, .from = from, .to = to };
	snprintf(f->name, sizeof f->name, "%s", name);
	snprintf(f->words, sizeof f->words, "%s", words);
}

/* What a start would cut: the segments behind the last good record, and the rest of the one that holds it. */
int look_tail(struct spool *sp, size_t keep)
{
	if (keep && sp->segs[keep - 1]->end == sp->end)
		(void)tail_copy_cut(sp, sp->segs[keep - 1], sp->end);
	for (size_t i = keep; i < sp->nsegs; i++)
		(void)tail_copy_cut(sp, sp->segs[i], sp->segs[i]->head.first);
	sp->look->nsegments = keep;
	return 0;
}

static void take_segments(struct spool *sp, struct spool_look *out)
{
	out->segments = calloc(out->nsegments + 1, sizeof *out->segments);
	MUST(out->segments != NULL);
	for (size_t i = 0; i < out->nsegments; i++) {
		const struct segment *seg = sp->segs[i];
		struct spool_look_segment *to = &out->segments[i];
		*to = (struct spool_look_segment){
			.number = seg->head.number,
			.first = seg->head.first,
			.end = seg->end,
			.bytes = seg->head.size,
			.abandoned = seg->head.abandoned,
			.first_us = seg->first_us,
			.last_us = seg->last_us,
		};
		snprintf(to->name, sizeof to->name, "%s", seg->name);
	}
}

int spool_look(
	const char *dir, const uint8_t node[16], spool_recall_fn fn, void *arg, struct spool_look *out, char why[256])
{
	struct spool_options opt = { .dir = dir, .segment_bytes = SEGMENT_NOMINAL };
	*out = (struct spool_look){ 0 };
	why[0] = 0;
	memcpy(opt.node, node, sizeof opt.node);
	struct spool *sp = spool_make(&opt);
	sp->look = out;
	int rc = collect_segments(sp, why);
	if (rc == 0)
		rc = recover_log(sp, fn, arg, why);
	if (rc == 0) {
		take_segments(sp, out);
		out->begin = sp->nsegs ? sp->segs[0]->head.first : sp->end;
		out->end = sp->end;
		out->mark = sp->nsegs ? sp->mark : 0; /* that of an empty log is drawn when it begins */
		out->bytes = sp->disk_bytes;
		out->torn_bytes = sp->cut_bytes;
		out->lost_bytes = sp->lost_bytes;
	}
	spool_close(sp);
	return rc;
}

void spool_look_free(struct spool_look *look)
{
	free(look->segments);
	free(look->findings);
	*look = (struct spool_look){ 0 };
}
