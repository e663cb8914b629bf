/* SPDX-License-Identifier: Apache-2.0 */
/* The visitor of an event that names none: a keyed hash of address and user agent under the salt of the day on which it
 * was received. Where the salt comes from and goes to: salt.h. */
#include "base/bytes.h"
#include "base/hash.h"
#include "door/internal.h"
#include "door/salt.h"

/* 128 bits as 22 characters of base64url. */
static void to_text(const uint8_t hash[16], char out[22])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, acc = 0;
	size_t n = 0;
	for (size_t i = 0; i < 16; i++) {
		acc = acc << 8 | hash[i];
		bits += 8;
		while (bits >= 6) {
			bits -= 6;
			out[n++] = digits[acc >> bits & 63];
		}
	}
	out[n] = digits[acc << (6 - bits) & 63];
}

struct tally_str visitor_of(const struct client *cl)
{
	struct tally_str address = cl->seen.address, ua = cl->seen.agent;
	uint8_t salt[SALT_BYTES], hash[16];
	size_t n = 4 + address.len + ua.len;
	char *bytes = arena_alloc(cl->arena, n), *text = arena_alloc(cl->arena, 22);
	put_u32(bytes, (uint32_t)address.len);
	if (address.len)
		memcpy(bytes + 4, address.ptr, address.len);
	if (ua.len)
		memcpy(bytes + 4 + address.len, ua.ptr, ua.len);
	salt_now(salt);
	hash_keyed128(salt, bytes, n, hash);
	to_text(hash, text);
	return str_make(text, 22);
}
