/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin at the desk that does what the path says: for test_desk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>

struct probe {
	const struct tally_host *host;
	struct tally_instance *in;
	unsigned seen, seen_fresh;
};

struct errand {
	struct probe *probe;
	uint64_t request;
	int resume;
	char text[32];
};

static int is(struct tally_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static int answer(struct probe *p, uint64_t request, const char *text)
{
	struct tally_answer an = { .status = 200, .type = { "text/plain", 10 }, .body = { text, strlen(text) } };
	return p->host->answer(p->in, request, &an);
}

static void job(void *arg)
{
	struct errand *e = arg;
	snprintf(e->text, sizeof e->text, "worked");
}

static void done(void *arg)
{
	struct errand *e = arg;
	if (e->resume)
		e->probe->host->resume(e->probe->in, e->request);
	else
		answer(e->probe, e->request, e->text);
	free(e);
}

static int hold(struct probe *p, uint64_t request, int resume)
{
	struct errand *e = calloc(1, sizeof *e);
	*e = (struct errand){ .probe = p, .request = request, .resume = resume };
	if (p->host->work(p->in, job, done, e))
		abort();
	return TALLY_HOLD;
}

static int request(void *self, const struct tally_request *rq)
{
	struct probe *p = self;
	if (is(rq->path, "/probe/answer")) {
		answer(p, rq->id, "here");
		return TALLY_ANSWERED;
	}
	if (is(rq->path, "/probe/refuse")) {
		p->host->reason(p->in, "not_today", 7);
		return TALLY_REFUSE;
	}
	if (is(rq->path, "/probe/seen")) {
		char text[40];
		snprintf(text, sizeof text, "%u %u", p->seen, p->seen_fresh);
		answer(p, rq->id, text);
		return TALLY_ANSWERED;
	}
	if (is(rq->path, "/probe/at-once")) {
		p->host->resume(p->in, rq->id);
		return TALLY_HOLD;
	}
	if (is(rq->path, "/probe/never"))
		return TALLY_HOLD;
	if (is(rq->path, "/probe/hold"))
		return hold(p, rq->id, 0);
	if (is(rq->path, "/probe/resume"))
		return hold(p, rq->id, 1);
	return TALLY_PASS;
}

static void answered(void *self, const struct tally_request *rq, const struct tally_answer *an)
{
	struct probe *p = self;
	(void)rq;
	p->seen++;
	p->seen_fresh += an->fresh;
}

static int probe_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct probe *p = calloc(1, sizeof *p);
	*p = (struct probe){ .host = host, .in = in };
	*self = p;
	return 0;
}

static void probe_close(void *self)
{
	free(self);
}

TALLY_EXPORT const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, "desk_probe", "1.0",
	"does what the path says", .open = probe_open, .close = probe_close, .request = request, .answered = answered };
