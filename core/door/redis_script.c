/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that change anything in Redis. Each is whole, Redis runs a script alone, but a script has no way back: what
 * may fail (a key of another type, a command that this user may not give) is done before the list is trimmed, and where
 * the trim itself fails the note is taken back. Each begins with a change that frees no memory and needs none, so that a
 * Redis at its maxmemory lets the rest pass: the reader of a full Redis is who makes room in it.
 *
 * They are sent whole each time (EVAL): a kilobyte beside a thousand elements, and no script that is missing after a
 * restart or on a new master. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "base/seam.h"
#include "door/redis_inner.h"

/* KEYS lease, acked · ARGV token, node, milliseconds. Answers {1 ours | 0 somebody else's, acked[node] or ""}. */
static const char take_script[] = "local held = redis.call('GET', KEYS[1])\n"
				  "local acked = redis.call('HGET', KEYS[2], ARGV[2]) or ''\n"
				  "if held and string.sub(held, 1, #ARGV[2]) ~= ARGV[2] then return {0, acked} end\n"
				  "redis.call('DEL', KEYS[1])\n"
				  "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])\n"
				  "return {1, acked}\n";

/* KEYS list, lease, acked, dead · ARGV token, node, milliseconds, batch, n, end, hash of the first, of the last,
 * most dead, dead elements …
 * Element 1 is the one nearest to the end that is read. batch "" only extends the lease; n 0 only notes the batch.
 * The hash is a piece of SHA-1, which is what Redis has, behind 16 zeros, which is what libuuid has. */
static const char settle_script[] =
	"if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lost' end\n"
	"redis.call('PEXPIRE', KEYS[2], ARGV[3])\n"
	"local n, right, batch = tonumber(ARGV[5]), ARGV[6] == 'right', ARGV[4]\n"
	"if batch == '' then return 'ok' end\n"
	"local was = redis.call('HGET', KEYS[3], ARGV[2]) or ''\n"
	"if was == batch then return 'ok' end\n"
	"local function hash(at)\n"
	"  local e = redis.call('LINDEX', KEYS[1], at)\n"
	"  if not e then return '' end\n"
	"  local h = redis.sha1hex(string.rep('\\0', 16) .. e)\n"
	"  return string.sub(h, 1, 12) .. string.sub(h, 21, 24)\n"
	"end\n"
	"if n > 0 and (hash(right and -1 or 0) ~= ARGV[7] or hash(right and -n or n - 1) ~= ARGV[8]) then\n"
	"  return 'moved'\n"
	"end\n"
	"for i = 10, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end\n"
	"if #ARGV > 9 then redis.call('LTRIM', KEYS[4], -tonumber(ARGV[9]), -1) end\n"
	"redis.call('HSET', KEYS[3], ARGV[2], batch)\n"
	"if n == 0 then return 'ok' end\n"
	"local r\n"
	"if right then r = redis.pcall('LTRIM', KEYS[1], 0, -n - 1) else r = redis.pcall('LTRIM', KEYS[1], n, -1) end\n"
	"if r['err'] then redis.call('HSET', KEYS[3], ARGV[2], was) return r end\n"
	"return 'ok'\n";

/* KEYS list · ARGV n, bytes, end. Answers up to n elements of at most so many bytes, nearest first; or the size of the
 * nearest, if it alone has more. Sixteen are taken at a time: that many may be copied inside Redis in vain. */
static const char look_script[] = "local n, room, right = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == 'right'\n"
				  "local out, sum, i = {}, 0, 0\n"
				  "while i < n do\n"
				  "  local k = i == 0 and 1 or math.min(16, n - i)\n"
				  "  local from, to = i, i + k - 1\n"
				  "  if right then from, to = -i - k, -i - 1 end\n"
				  "  local part = redis.call('LRANGE', KEYS[1], from, to)\n"
				  "  for j = 1, #part do\n"
				  "    local e = part[right and #part - j + 1 or j]\n"
				  "    sum = sum + #e\n"
				  "    if sum > room then return #out > 0 and out or #e end\n"
				  "    out[#out + 1] = e\n"
				  "  end\n"
				  "  if #part < k then break end\n"
				  "  i = i + k\n"
				  "end\n"
				  "return out\n";

/* KEYS list, lease, dead · ARGV token, milliseconds, bytes, end, note, most dead. The element does not leave Redis. */
static const char aside_script[] = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lost' end\n"
				   "redis.call('PEXPIRE', KEYS[2], ARGV[2])\n"
				   "local e = redis.call('LINDEX', KEYS[1], ARGV[4] == 'right' and -1 or 0)\n"
				   "if not e or #e <= tonumber(ARGV[3]) then return 'moved' end\n"
				   "redis.call('RPUSH', KEYS[3], ARGV[5])\n"
				   "redis.call('LMOVE', KEYS[1], KEYS[3], ARGV[4], 'RIGHT')\n"
				   "redis.call('LTRIM', KEYS[3], -tonumber(ARGV[6]), -1)\n"
				   "return 'ok'\n";

#ifdef TALLY_MUTANTS
/* The script without the effect of its check of the list's head. */
static const char *settle_text(void)
{
	static char text[sizeof settle_script];
	memcpy(text, settle_script, sizeof text);
	if (MUTANT("trim_unchecked"))
		memcpy(strstr(text, "return 'moved'"), "local moved =1", 14);
	return text;
}
#else
static const char *settle_text(void)
{
	return settle_script;
}
#endif

static void draw_token(struct redis_source *s)
{
	uint64_t number;
	MUST(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
	snprintf(s->token, sizeof s->token, "%.36s/%016llx", s->opt.node_uuid, (unsigned long long)number);
}

static void set_owner(struct redis_source *s, bool ours)
{
	pthread_mutex_lock(&s->lock);
	s->view.owner = ours;
	pthread_mutex_unlock(&s->lock);
}

static const char *end_of(const struct redis_source *s)
{
	return s->opt.source->right ? "right" : "left";
}

enum redis_taken redis_take_lease(struct redis_source *s, char acked[REDIS_BATCH_ID])
{
	acked[0] = 0;
	if (redis_seam(s, "redis.take"))
		return TAKEN_BROKEN;
	draw_token(s);
	const char *argv[] = { "EVAL", take_script, "2", s->lease, s->acked, s->token, s->opt.node_uuid,
		REDIS_LEASE_MS };
	redisReply *r = redis_call(s, 8, argv, NULL);
	if (!r)
		return TAKEN_BROKEN;
	bool whole = r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[1]->type == REDIS_REPLY_STRING;
	bool ours = whole && r->element[0]->integer == 1;
	if (whole)
		snprintf(acked, REDIS_BATCH_ID, "%s", r->element[1]->str);
	freeReplyObject(r);
	if (!whole) {
		redis_trouble(s, "the script that takes the lease answers nonsense");
		redis_unlink(s);
	}
	if (redis_seam(s, "redis.taken") || !whole)
		return TAKEN_BROKEN;
	set_owner(s, ours);
	return ours ? TAKEN_OURS : TAKEN_OTHERS;
}

static enum redis_settled settled_of(struct redis_source *s, redisReply *r)
{
	if (!r)
		return SETTLED_BROKEN;
	bool text = r->type == REDIS_REPLY_STRING;
	enum redis_settled out = text && strcmp(r->str, "ok") == 0      ? SETTLED_OK
				 : text && strcmp(r->str, "moved") == 0 ? SETTLED_MOVED
									: SETTLED_LOST;
	freeReplyObject(r);
	if (out == SETTLED_LOST)
		set_owner(s, false);
	return out;
}

/* 8 bytes of SHA-1 as the script has them: the first six and two from behind the bits that a UUID overwrites. */
static void hash_element(const redisReply *e, char out[17])
{
	static const uuid_t zeros;
	uuid_t h;
	uuid_generate_sha1(h, zeros, e->str, e->len);
	for (int i = 0; i < 8; i++)
		snprintf(out + 2 * i, 3, "%02x", h[i < 6 ? i : i + 4]);
}

static redisReply *call_settle(struct redis_source *s, const struct redis_batch *b)
{
	char count[24], first[17] = "", last[17] = "";
	snprintf(count, sizeof count, "%zu", b->n);
	if (b->n) {
		hash_element(b->elements->element[0], first);
		hash_element(b->elements->element[b->n - 1], last);
	}
	const char *fixed[] = { "EVAL", settle_text(), "4", s->opt.source->list, s->lease, s->acked, s->dead, s->token,
		s->opt.node_uuid, REDIS_LEASE_MS, b->id, count, end_of(s), first, last, REDIS_DEAD_MAX };
	size_t argc = sizeof fixed / sizeof *fixed;
	const char **argv = arena_alloc(&s->arena, (argc + b->ndead) * sizeof *argv);
	size_t *len = arena_alloc(&s->arena, (argc + b->ndead) * sizeof *len);
	for (size_t i = 0; i < argc; i++) {
		argv[i] = fixed[i];
		len[i] = strlen(fixed[i]);
	}
	for (size_t i = 0; i < b->ndead; i++, argc++) {
		argv[argc] = b->dead[i].ptr;
		len[argc] = b->dead[i].len;
	}
	return redis_call(s, (int)argc, argv, len);
}

enum redis_settled redis_settle(struct redis_source *s, const struct redis_batch *b)
{
	if (redis_seam(s, "redis.settle"))
		return SETTLED_BROKEN;
	redisReply *r = call_settle(s, b);
	if (r && redis_seam(s, "redis.settled")) {
		freeReplyObject(r);
		return SETTLED_BROKEN;
	}
	return settled_of(s, r);
}

enum redis_settled redis_extend(struct redis_source *s)
{
	return settled_of(s, call_settle(s, &(struct redis_batch){ .n = 0 }));
}

redisReply *redis_look(struct redis_source *s, size_t n)
{
	char count[24];
	snprintf(count, sizeof count, "%zu", n);
	const char *argv[] = { "EVAL", look_script, "1", s->opt.source->list, count, REDIS_PEEK_BYTES, end_of(s) };
	return redis_call(s, 7, argv, NULL);
}

enum redis_settled redis_set_aside(struct redis_source *s, struct tally_str note)
{
	const char *argv[] = { "EVAL", aside_script, "3", s->opt.source->list, s->lease, s->dead, s->token,
		REDIS_LEASE_MS, REDIS_PEEK_BYTES, end_of(s), note.ptr, REDIS_DEAD_MAX };
	size_t len[12];
	for (size_t i = 0; i < 12; i++)
		len[i] = i == 10 ? note.len : strlen(argv[i]);
	return settled_of(s, redis_call(s, 12, argv, len));
}
