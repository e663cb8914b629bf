/* SPDX-License-Identifier: Apache-2.0 */
/* The two calls that change anything in Redis. Both are whole: Redis runs a script alone. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/seam.h"
#include "door/redis_inner.h"

/* KEYS lease, acked · ARGV token, node, milliseconds. Answers {1 ours | 0 somebody else's, acked[node] or ""}. */
static const char take_script[] = "local held = redis.call('GET', KEYS[1])\n"
				  "local acked = redis.call('HGET', KEYS[2], ARGV[2]) or ''\n"
				  "if held and string.sub(held, 1, #ARGV[2]) ~= ARGV[2] then return {0, acked} end\n"
				  "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])\n"
				  "return {1, acked}\n";

/* KEYS list, lease, acked, dead · ARGV token, node, milliseconds, batch, n, end, first, last, dead elements …
 * n 0 only extends the lease. Element 1 is the one nearest to the end that is read. */
static const char settle_script[] = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lost' end\n"
				    "redis.call('PEXPIRE', KEYS[2], ARGV[3])\n"
				    "local n = tonumber(ARGV[5])\n"
				    "if n == 0 then return 'ok' end\n"
				    "if redis.call('HGET', KEYS[3], ARGV[2]) == ARGV[4] then return 'ok' end\n"
				    "local right = ARGV[6] == 'right'\n"
				    "local first = redis.call('LINDEX', KEYS[1], right and -1 or 0)\n"
				    "local last = redis.call('LINDEX', KEYS[1], right and -n or n - 1)\n"
				    "if first ~= ARGV[7] or last ~= ARGV[8] then return 'moved' end\n"
				    "if right then redis.call('LTRIM', KEYS[1], 0, -n - 1)\n"
				    "else redis.call('LTRIM', KEYS[1], n, -1) end\n"
				    "for i = 9, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end\n"
				    "redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])\n"
				    "return 'ok'\n";

static void draw_token(struct redis_source *s)
{
	uint64_t number;
	MUST(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
	snprintf(s->token, sizeof s->token, "%.36s/%016llx", s->opt.node_uuid, (unsigned long long)number);
}

static const char *lease_ms(void)
{
	static char text[16];
	snprintf(text, sizeof text, "%d", REDIS_LEASE_MS);
	return text;
}

enum redis_taken redis_take_lease(struct redis_source *s, char acked[REDIS_BATCH_ID])
{
	draw_token(s);
	const char *argv[] = { "EVAL", take_script, "2", s->lease, s->acked, s->token, s->opt.node_uuid, lease_ms() };
	redisReply *r = redis_call(s, 8, argv, NULL);
	acked[0] = 0;
	if (!r)
		return TAKEN_BROKEN;
	bool ours = r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[0]->integer == 1;
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 2)
		snprintf(acked, REDIS_BATCH_ID, "%s", r->element[1]->str);
	freeReplyObject(r);
	pthread_mutex_lock(&s->lock);
	s->view.owner = ours;
	pthread_mutex_unlock(&s->lock);
	return ours ? TAKEN_OURS : TAKEN_OTHERS;
}

static enum redis_settled settled_of(struct redis_source *s, const redisReply *r)
{
	if (r->type == REDIS_REPLY_STRING && strcmp(r->str, "ok") == 0)
		return SETTLED_OK;
	if (r->type == REDIS_REPLY_STRING && strcmp(r->str, "moved") == 0)
		return SETTLED_MOVED;
	pthread_mutex_lock(&s->lock);
	s->view.owner = false;
	pthread_mutex_unlock(&s->lock);
	return SETTLED_LOST;
}

enum redis_settled redis_settle(struct redis_source *s, const struct redis_batch *b)
{
	size_t n = b ? b->n : 0, ndead = b ? b->ndead : 0, argc = 0;
	const char **argv = arena_alloc(&s->arena, (16 + ndead) * sizeof *argv);
	size_t *len = arena_alloc(&s->arena, (16 + ndead) * sizeof *len);
	char count[24];
	snprintf(count, sizeof count, "%zu", n);
	const char *fixed[] = { "EVAL", settle_script, "4", s->opt.source->list, s->lease, s->acked, s->dead, s->token,
		s->opt.node_uuid, lease_ms(), b ? b->id : "", count, s->opt.source->right ? "right" : "left" };
	for (; argc < sizeof fixed / sizeof *fixed; argc++) {
		argv[argc] = fixed[argc];
		len[argc] = strlen(fixed[argc]);
	}
	for (size_t i = 0; n && i < 2; i++, argc++) {
		const redisReply *e = b->elements->element[i ? n - 1 : 0];
		argv[argc] = e->str;
		len[argc] = e->len;
	}
	for (size_t i = 0; i < ndead; i++, argc++) {
		argv[argc] = b->dead[i].ptr;
		len[argc] = b->dead[i].len;
	}
	if (n && seam_pass("redis.before_settle"))
		return SETTLED_BROKEN;
	redisReply *r = redis_call(s, (int)argc, argv, len);
	if (n && seam_pass("redis.after_settle") && r) {
		freeReplyObject(r);
		redis_unlink(s);
		return SETTLED_BROKEN;
	}
	if (!r)
		return SETTLED_BROKEN;
	enum redis_settled out = settled_of(s, r);
	freeReplyObject(r);
	return out;
}
