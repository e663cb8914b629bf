/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose every hook says that it was called, by host->count(), and does what the event or request asks for by
 * its name. Compiled by tests with -DPROBE_NAME='"…"' and switches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>

struct probe {
	const struct tally_host *host;
	struct tally_instance *in;
	int64_t number;
	uint64_t held;
};

static int is(struct tally_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static void count(struct probe *p, const char *hook)
{
	p->host->count(p->in, hook, 1);
}

#ifndef PROBE_FAILS
#define PROBE_FAILS "nothing"
#endif

static int probe_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	static const char *const stations[] = { "door", "ledger", "line", "desk" };
	struct probe *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->host = host;
	p->in = in;
	*self = p;
	const char *station = stations[host->station(in)];
	if (strcmp(PROBE_FAILS, "silently") == 0 || strcmp(PROBE_FAILS, station) == 0) {
		free(p);
		return strcmp(PROBE_FAILS, "silently") == 0 ? -EACCES : host->fail(in, "no luck at the %s", station);
	}
#ifdef PROBE_OPTIONS
	p->number = host->option_int(in, "number");
	host->count(in, host->option_str(in, "word"), p->number);
	host->count(in, "size", host->option_int(in, "size"));
	host->count(in, "time", host->option_int(in, "time"));
	host->count(in, "yes", host->option_int(in, "yes"));
	host->count(in, "share", (int64_t)(host->option_float(in, "share") * 1000));
#endif
#ifdef PROBE_MISUSE
	p->number = host->option_int(in, PROBE_MISUSE);
#endif
	count(p, "open");
	return 0;
}

static void probe_close(void *self)
{
	count(self, "close");
	free(self);
}

static int verdict(struct probe *p, struct tally_str asked)
{
	p->host->count(p->in, "asked", 1);
	if (is(asked, "drop")) {
		p->host->reason(p->in, "not_wanted", 0);
		return TALLY_DROP;
	}
	if (is(asked, "refuse")) {
		p->host->reason(p->in, "too_much", 7);
		return TALLY_REFUSE;
	}
	return is(asked, "silent") ? TALLY_DROP : is(asked, "twice") ? TALLY_DUPLICATE : is(asked, "odd") ? 77 : 0;
}

static int admit(void *self, uint64_t ticket, const struct tally_event *ev)
{
	struct probe *p = self;
	(void)ticket;
	count(p, "admit");
	/* "drop:NAME" is meant for the plugin of that name; the user field carries the name */
	return ev->user.len == 0 || is(ev->user, PROBE_NAME) ? verdict(p, ev->name) : TALLY_PASS;
}

static void forget(void *self, uint64_t ticket, const struct tally_event *ev)
{
	struct probe *p = self;
	(void)ev;
	p->host->count(p->in, "forget", (int64_t)ticket);
}

static void settle(void *self, uint64_t ticket, int kept)
{
	struct probe *p = self;
	p->host->count(p->in, kept ? "kept" : "void", (int64_t)ticket);
}

static void recall(void *self, const struct tally_event *ev)
{
	(void)ev;
	count(self, "recall");
}

static int change(struct probe *p, struct tally_event *ev)
{
	const struct tally_str key = { "k", 1 }, text = { "12.5", 4 }, bad = { "0x1", 3 };
	if (is(ev->name, "prop")) {
		int rc = p->host->prop_set(p->in, ev, key, text, TALLY_PROP_NUMBER);
		int again = p->host->prop_set(p->in, ev, key, bad, TALLY_PROP_NUMBER);
		p->host->count(p->in, "prop", rc == 0 && again == -EINVAL);
	}
	if (is(ev->name, "touch")) {
		ev->lsn = 1;
		ev->site.len = 0;
		ev->weight = 99;
		ev->page.ptr = "/new";
		ev->page.len = 4;
	}
	if (is(ev->name, "long")) {
		char *page = (char *)p->host->alloc(p->in, 3000);
		memset(page, 'x', 3000);
		ev->page.ptr = page;
		ev->page.len = 3000;
	}
	return 0;
}

static int event(void *self, struct tally_event *ev)
{
	struct probe *p = self;
	count(p, "event");
	change(p, ev);
	if (ev->user.len && !is(ev->user, PROBE_NAME))
		return TALLY_PASS;
	if (is(ev->name, "keep"))
		return TALLY_KEEP;
	return is(ev->name, "dead") ? -EBADMSG : verdict(p, ev->name);
}

static int tick(void *self, int64_t now_us)
{
	struct probe *p = self;
	p->host->count(p->in, "tick", now_us);
	return 0;
}

static int flush(void *self)
{
	struct probe *p = self;
	const struct tally_rollup *r;
	size_t n = p->host->rollups(p->in, &r);
	struct tally_amount amounts[8] = { { 3, 0, 0, 0 } };
	struct tally_str site = { "shop", 4 }, dims[8] = { { 0, 0 } };
	struct tally_row row = { r, TALLY_DAY, 0, 0, site, dims, amounts };
	struct tally_row foreign = { 0, TALLY_DAY, 0, 0, site, dims, amounts };
	count(p, "flush");
	if (n == 0)
		return 0;
	row.bucket_us = p->host->bucket(p->in, TALLY_DAY, site, INT64_C(1700000000000000));
	p->host->count(p->in, "foreign", p->host->emit(p->in, &foreign));
	return p->host->emit(p->in, &row);
}

static void reset(void *self)
{
	count(self, "reset");
}

static void job(void *arg)
{
	struct probe *p = arg;
	uint64_t version = 0;
	p->host->request_version(p->in, p->held, &version);
	p->host->count(p->in, "version", (int64_t)version);
}

static void done(void *arg)
{
	struct probe *p = arg;
	count(p, "done");
	p->host->resume(p->in, p->held);
}

static int request(void *self, const struct tally_request *rq)
{
	struct probe *p = self;
	struct tally_answer an = { 200, 0, { "text/plain", 10 }, { "hello", 5 }, 0, { 0, 0 } };
	count(p, "request");
	if (rq->accept.len && !is(rq->accept, PROBE_NAME))
		return TALLY_PASS;
	if (is(rq->path, "/answer"))
		return p->host->answer(p->in, rq->id, &an) == 0 ? TALLY_ANSWERED : TALLY_PASS;
	if (is(rq->path, "/hold")) {
		p->held = rq->id;
		return p->host->work(p->in, job, done, p) == 0 ? TALLY_HOLD : TALLY_PASS;
	}
	if (is(rq->path, "/refuse")) {
		p->host->reason(p->in, "busy", 3);
		return TALLY_REFUSE;
	}
	return is(rq->path, "/odd") ? TALLY_KEEP : TALLY_PASS;
}

static void answered(void *self, const struct tally_request *rq, const struct tally_answer *an)
{
	(void)rq;
	(void)an;
	count(self, "answered");
}

#ifdef TALLY_PLUGIN_ARRIVE
/* "NAME of ADDRESS, AGENT" as a prop; and what it may not do. */
static int arrive(void *self, const struct tally_client *client, struct tally_event *ev)
{
	struct probe *p = self;
	struct tally_str key = { PROBE_NAME, strlen(PROBE_NAME) };
	count(p, "arrive");
	p->host->count(p->in, "private", client->is_private);
	if (is(client->agent, "agent") && p->host->prop_set(p->in, ev, key, client->address, TALLY_PROP_STRING) != 0)
		return -EIO;
	ev->lsn = 1;
	ev->name.len = 0;
	ev->page = key;
	return is(ev->user, PROBE_NAME) ? -EIO : 0;
}
#endif

#ifdef TALLY_PLUGIN_ENTER
/* What the lookup gives for the event's user, as a prop; or the error as a count. */
static int enter(void *self, struct tally_event *ev)
{
	struct probe *p = self;
	struct tally_str key = { "looked", 6 }, lookup = { "people", 6 }, column = { "tier", 4 }, text;
	uint32_t type;
	count(p, "enter");
	ev->name.len = 0;
	if (ev->visitor.len)
		lookup = ev->visitor;
	if (ev->page.len)
		column = ev->page;
	int rc = p->host->lookup(p->in, lookup, ev->user, column, &text, &type);
	if (rc != 1) {
		p->host->count(p->in, "looked", rc);
		return 0;
	}
	return p->host->prop_set(p->in, ev, key, text, type);
}
#endif

#ifdef PROBE_OPTIONS
static const struct tally_option options[] = {
	{ "number", TALLY_OPT_INT, 0, "3", "a number" },
	{ "word", TALLY_OPT_STRING, 0, "word", "a word" },
	{ "size", TALLY_OPT_SIZE, 0, "64KiB", "a size" },
	{ "time", TALLY_OPT_TIME, 0, "10m", "a time" },
	{ "yes", TALLY_OPT_BOOL, 0, "true", "yes or no" },
	{ "share", TALLY_OPT_FLOAT, 0, "0.5", "a share" },
#ifdef PROBE_NEEDS
	{ "needed", TALLY_OPT_INT, 0, NULL, "must be given" },
#endif
	{ NULL, 0, 0, NULL, NULL },
};
#endif

const struct tally_plugin tally_plugin = {
	TALLY_PLUGIN_HEAD,
	PROBE_NAME,
	"1.0",
	"says when it is called",
#ifdef PROBE_OPTIONS
	.options = options,
#endif
	.open = probe_open,
	.close = probe_close,
#ifndef PROBE_DESK_ONLY
	.admit = admit,
	.forget = forget,
	.settle = settle,
	.recall = recall,
	.event = event,
	.tick = tick,
	.flush = flush,
	.reset = reset,
#endif
	.request = request,
	.answered = answered,
#if defined TALLY_PLUGIN_ARRIVE && !defined PROBE_DESK_ONLY
	.arrive = arrive,
#endif
#if defined TALLY_PLUGIN_ENTER && !defined PROBE_DESK_ONLY
	.enter = enter,
#endif
};
