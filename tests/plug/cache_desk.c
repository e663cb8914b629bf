/* SPDX-License-Identifier: Apache-2.0 */
#include "cache_desk.h"

#include <stdio.h>
#include <string.h>

#define MARK "\"cache\":\""

struct desk d;

void tell(uint64_t id, const struct tally_answer *an)
{
	d.status[id] = an->status;
	const char *mark = an->body.len ? memmem(an->body.ptr, an->body.len, MARK, strlen(MARK)) : NULL;
	d.cache[id][0] = 0;
	if (mark)
		sscanf(mark + strlen(MARK), "%7[a-z]", d.cache[id]);
	d.f.plugin->answered(d.f.self, &d.rq[id], an);
}

void planner_answers(uint64_t id)
{
	struct tally_answer an = { .status = d.planner_status,
		.fresh = 1,
		.type = STR("application/json"),
		.body = str_of(d.body),
		.version = d.planner_status == 200 || d.planner_status == 304 ? d.version : d.error_version,
		.etag = STR("W/\"1\"") };
	if (d.planner_status == 304)
		an.body = STR("");
	d.planner_has = 0;
	tell(id, &an);
}

static void plan(uint64_t id)
{
	d.planned++;
	d.planner_has = id;
	if (!d.planner_waits)
		planner_answers(id);
}

static int ask_version(uint64_t request, uint64_t *version)
{
	(void)request;
	d.versions_asked++;
	*version = d.version;
	return d.version_rc;
}

static void on_answer(void *arg, uint64_t request, const struct tally_answer *an)
{
	(void)arg;
	tell(request, an);
}

static void on_resume(void *arg, uint64_t request)
{
	(void)arg;
	plan(request);
}

int ask(uint64_t id, const char *key, const char *accept, int64_t now_us)
{
	d.rq[id] = (struct tally_request){
		.id = id, .key = str_of(key), .accept = str_of(accept), .is_query = 1, .received_us = now_us
	};
	d.status[id] = 0;
	d.verdict[id] = d.f.plugin->request(d.f.self, &d.rq[id]);
	if (d.verdict[id] == TALLY_PASS)
		plan(id);
	return d.verdict[id];
}

static struct cache_options more;

void cache_options(struct cache_options opt)
{
	more = opt;
}

int cache_try(int64_t memory, int64_t fresh_us)
{
	static struct fake_option options[10];
	const struct fake_option all[] = { { .name = "memory", .i = memory }, { .name = "fresh", .i = fresh_us },
		{ .name = "unasked", .i = more.unasked_us }, { .name = "stale", .i = more.stale_us },
		{ .name = "negative", .i = more.negative_us }, { .name = "redis", .s = more.redis ? more.redis : "" },
		{ .name = "redis_timeout", .i = more.timeout_us ? more.timeout_us : 50000 },
		{ .name = "redis_ttl", .i = 3600 * SECOND }, { .name = "redis_prefix", .s = "t:" } };
	memcpy(options, all, sizeof all);
	memset(&d, 0, sizeof d);
	fake_load(&d.f, "cache");
	d.f.options = options;
	d.f.station = TALLY_DESK;
	d.f.version = ask_version;
	d.f.on_answer = on_answer;
	d.f.on_resume = on_resume;
	d.version = 7;
	d.planner_status = 200;
	d.body = BODY;
	return fake_open(&d.f);
}

void open_cache(int64_t memory, int64_t fresh_us)
{
	assert_int_equal(cache_try(memory, fresh_us), 0);
}
