/* SPDX-License-Identifier: Apache-2.0 */
/* Whose request this is: the peer, or, where the peer is a trusted proxy, the nearest address in X-Forwarded-For that
 * is not one. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "door/internal.h"

struct address {
	int family;
	uint8_t bytes[16];
};

static bool parse(struct tally_str text, struct address *out)
{
	char s[INET6_ADDRSTRLEN + 1];
	if (text.len == 0 || text.len >= sizeof s)
		return false;
	memcpy(s, text.ptr, text.len);
	s[text.len] = 0;
	out->family = memchr(s, ':', text.len) ? AF_INET6 : AF_INET;
	return inet_pton(out->family, s, out->bytes) == 1;
}

static bool in_range(const struct address *a, const char *cidr)
{
	const char *slash = strchr(cidr, '/');
	size_t len = slash ? (size_t)(slash - cidr) : strlen(cidr);
	struct address net;
	if (!parse(str_make(cidr, len), &net) || net.family != a->family)
		return false;
	unsigned bits = slash ? (unsigned)strtoul(slash + 1, NULL, 10) : a->family == AF_INET ? 32 : 128;
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a->bytes, net.bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] >> (8 - rest)) == (net.bytes[whole] >> (8 - rest));
}

static bool is_trusted(const struct conf *c, struct tally_str text)
{
	struct address a;
	if (!parse(text, &a))
		return false;
	for (const char *const *p = c->trusted_proxies; p && *p; p++)
		if (in_range(&a, *p))
			return true;
	return false;
}

/* The last element of a comma-separated list, trimmed; takes it off the list. */
static struct tally_str take_last(struct tally_str *list)
{
	size_t at = list->len;
	while (at && list->ptr[at - 1] != ',')
		at--;
	struct tally_str one = str_make(list->ptr + at, list->len - at);
	list->len = at ? at - 1 : 0;
	while (one.len && *one.ptr == ' ')
		one = str_make(one.ptr + 1, one.len - 1);
	while (one.len && one.ptr[one.len - 1] == ' ')
		one.len--;
	return one;
}

struct tally_str address_of(const struct conf *c, const struct http_request *rq)
{
	struct tally_str address = rq->peer;
	const struct http_field *f = http_field_get(rq, "x-forwarded-for");
	struct tally_str chain = f ? f->value : STR("");
	while (chain.len && is_trusted(c, address)) {
		struct tally_str nearer = take_last(&chain);
		struct address parsed;
		if (!parse(nearer, &parsed))
			break;
		address = nearer;
	}
	return address;
}
