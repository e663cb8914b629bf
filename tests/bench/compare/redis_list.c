/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis list through bare hiredis.
 *
 *     redis_list PORT fill LIST EVENTS [RUN 1]     RPUSH, a hundred elements a command
 *     redis_list PORT pop LIST                     LPOP COUNT 1000 until it is empty, two commands in flight */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "shape.h"

#define AT_ONCE 100

static redisContext *redis;

static redisReply *next_reply(void)
{
	redisReply *r = NULL;
	if (redisGetReply(redis, (void **)&r) != REDIS_OK || r->type == REDIS_REPLY_ERROR) {
		fprintf(stderr, "redis_list: %s\n", r ? r->str : redis->errstr);
		exit(1);
	}
	return r;
}

static uint64_t fill(const char *list, uint64_t events, uint32_t run)
{
	const struct shape s = { run, 100000, 5000 };
	static char text[AT_ONCE][SHAPE_BYTES];
	const char *args[AT_ONCE + 2] = { "RPUSH", list };
	size_t lens[AT_ONCE + 2] = { 5, strlen(list) };
	for (int i = 0; i < AT_ONCE; i++) {
		shape_make(text[i], &s);
		args[i + 2] = text[i];
		lens[i + 2] = SHAPE_BYTES;
	}
	for (uint64_t n = 0; n < events;) {
		int k = 0;
		for (; k < AT_ONCE && n < events; k++)
			shape_number(text[k], &s, n++);
		redisAppendCommandArgv(redis, k + 2, args, lens);
		freeReplyObject(next_reply());
	}
	return events;
}

static uint64_t pop(const char *list)
{
	uint64_t events = 0;
	int in_flight = 2;
	bool empty = false;
	for (int i = 0; i < in_flight; i++)
		redisAppendCommand(redis, "LPOP %s 1000", list);
	while (in_flight) {
		redisReply *r = next_reply();
		empty = empty || r->type != REDIS_REPLY_ARRAY;
		for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
			MUST(r->element[i]->len == SHAPE_BYTES);
		events += r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
		freeReplyObject(r);
		if (empty)
			in_flight--;
		else
			redisAppendCommand(redis, "LPOP %s 1000", list);
	}
	return events;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	shape_check();
	redis = redisConnect("127.0.0.1", atoi(argv[1]));
	if (!redis || redis->err) {
		fprintf(stderr, "redis_list: %s\n", redis ? redis->errstr : "no memory");
		return 1;
	}
	int64_t began_us = clock_mono_us();
	uint64_t events = strcmp(argv[2], "pop") == 0 ? pop(argv[3])
						      : fill(argv[3], argc > 4 ? strtoull(argv[4], NULL, 10) : 0,
								argc > 5 ? (uint32_t)atol(argv[5]) : 1);
	double took_us = (double)(clock_mono_us() - began_us);
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("{\"events\":%llu,\"per_second\":%.1f,\"cpu_us\":%lld}\n", (unsigned long long)events,
		(double)events * 1e6 / took_us,
		(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	redisFree(redis);
	return 0;
}
