/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/check.h"

/* ---- crc32c ---- */

static uint32_t crc_table[256];
static bool crc_hardware;
static uint8_t process_key[16];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void setup(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		crc_table[i] = c;
	}
#if defined(__x86_64__)
	__builtin_cpu_init();
	crc_hardware = __builtin_cpu_supports("sse4.2");
#endif
	MUST(getrandom(process_key, sizeof process_key, 0) == (ssize_t)sizeof process_key);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc;
	for (; len >= 8; p += 8, len -= 8)
		c = __builtin_ia32_crc32di(c, get_u64(p));
	for (; len; p++, len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p);
	return (uint32_t)c;
}
#else
static uint32_t crc_fast(uint32_t crc, const uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return crc;
}
#endif

static uint32_t crc_slow(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len; p++, len--)
		crc = crc_table[(crc ^ *p) & 0xff] ^ crc >> 8;
	return crc;
}

uint32_t crc32c(uint32_t seed, const void *bytes, size_t len)
{
	pthread_once(&once, setup);
	return ~(crc_hardware ? crc_fast : crc_slow)(~seed, bytes, len);
}

/* ---- SipHash-2-4, and 1-3 for tables ---- */

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = rotl(s->b, 13) ^ s->a;
	s->a = rotl(s->a, 32);
	s->c += s->d;
	s->d = rotl(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotl(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotl(s->b, 17) ^ s->c;
	s->c = rotl(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t m, int rounds)
{
	s->d ^= m;
	for (int i = 0; i < rounds; i++)
		sip_round(s);
	s->a ^= m;
}

static inline uint64_t sip_end(struct sip *s, int rounds)
{
	for (int i = 0; i < rounds; i++)
		sip_round(s);
	return s->a ^ s->b ^ s->c ^ s->d;
}

/* The last 0..7 bytes, the first of them lowest. */
static inline uint64_t sip_rest(const uint8_t *p, size_t len, size_t all)
{
	uint64_t rest = 0;
	if (len && all >= 8)
		return get_u64(p + len - 8) >> (64 - 8 * len);
	for (size_t i = 0; i < len; i++)
		rest |= (uint64_t)p[i] << (8 * i);
	return rest;
}

static inline void sip_eat(struct sip *s, const uint8_t key[16], const void *bytes, size_t len, int rounds)
{
	uint64_t k0 = get_u64(key), k1 = get_u64(key + 8);
	s->a = k0 ^ 0x736f6d6570736575u;
	s->b ^= k1 ^ 0x646f72616e646f6du;
	s->c = k0 ^ 0x6c7967656e657261u;
	s->d = k1 ^ 0x7465646279746573u;

	const uint8_t *p = bytes;
	size_t left = len;
	for (; left >= 8; p += 8, left -= 8)
		sip_word(s, get_u64(p), rounds);
	sip_word(s, (uint64_t)len << 56 | sip_rest(p, left, len), rounds);
}

uint64_t hash_keyed64(const uint8_t key[16], const void *bytes, size_t len)
{
	struct sip s = { 0 };
	sip_eat(&s, key, bytes, len, 2);
	s.c ^= 0xff;
	return sip_end(&s, 4);
}

uint64_t hash_table(const void *bytes, size_t len)
{
	struct sip s = { 0 };
	sip_eat(&s, hash_process_key(), bytes, len, 1);
	s.c ^= 0xff;
	return sip_end(&s, 3);
}

void hash_keyed128(const uint8_t key[16], const void *bytes, size_t len, uint8_t out[16])
{
	struct sip s = { .b = 0xee };
	sip_eat(&s, key, bytes, len, 2);
	s.c ^= 0xee;
	put_u64(out, sip_end(&s, 4));
	s.b ^= 0xdd;
	put_u64(out + 8, sip_end(&s, 4));
}

const uint8_t *hash_process_key(void)
{
	pthread_once(&once, setup);
	return process_key;
}
