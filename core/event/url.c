/* SPDX-License-Identifier: Apache-2.0 */
/* A page's URL as browsers send it:
 *
 *     https://user@Shop.Example:8443/buy/now?utm_source=news&x=1#top
 *                  host              path    query
 *
 * Text that only resembles a URL is no error: what cannot be told apart is the path. */
#include "event/event_inner.h"
#include "text/utf8.h"

#define UTM STR("utm_")

static struct tally_str cut_at(struct tally_str *s, const char *stops)
{
	size_t i = 0;
	while (i < s->len && !(s->ptr[i] && strchr(stops, s->ptr[i])))
		i++;
	struct tally_str head = str_make(s->ptr, i);
	*s = str_make(s->ptr + i, s->len - i);
	return head;
}

static struct tally_str lower(struct arena *a, struct tally_str s)
{
	char *copy = NULL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < 'A' || s.ptr[i] > 'Z')
			continue;
		if (!copy)
			copy = arena_copy(a, s.ptr, s.len);
		copy[i] = (char)(s.ptr[i] | 0x20);
	}
	return copy ? str_make(copy, s.len) : s;
}

/*  [user[:password]@] host | [ip6]  [:port]  */
static struct tally_str host_of(struct tally_str authority)
{
	for (size_t i = authority.len; i > 0; i--)
		if (authority.ptr[i - 1] == '@') {
			authority = str_make(authority.ptr + i, authority.len - i);
			break;
		}
	if (authority.len && authority.ptr[0] == '[') {
		const char *close = memchr(authority.ptr, ']', authority.len);
		return close ? str_make(authority.ptr, (size_t)(close + 1 - authority.ptr)) : authority;
	}
	return cut_at(&authority, ":");
}

/* Length of "scheme://" or "//" at the beginning, 0 if neither. */
static size_t scheme_length(struct tally_str url)
{
	size_t i = 0;
	while (i < url.len && (unsigned char)url.ptr[i] > ' ' && !strchr(":/?#", url.ptr[i]))
		i++;
	if (i > 0 && i < url.len && url.ptr[i] == ':')
		i++;
	else if (i > 0)
		return 0;
	return url.len - i >= 2 && memcmp(url.ptr + i, "//", 2) == 0 ? i + 2 : 0;
}

void url_split(struct arena *a, struct tally_str url, struct url_parts *out)
{
	size_t scheme = scheme_length(url);
	*out = (struct url_parts){ .host = STR("") };
	if (scheme) {
		url = str_make(url.ptr + scheme, url.len - scheme);
		out->host = lower(a, host_of(cut_at(&url, "/?#")));
	}
	out->path = cut_at(&url, "?#");
	if (out->path.len == 0)
		out->path = STR("/");
	if (url.len && url.ptr[0] == '?') {
		url = str_make(url.ptr + 1, url.len - 1);
		out->query = cut_at(&url, "#");
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct tally_str url_decode(struct arena *a, struct tally_str s, bool form)
{
	char *out, *to;
	if (s.len == 0 || (!memchr(s.ptr, '%', s.len) && !(form && memchr(s.ptr, '+', s.len))))
		return s;
	out = to = arena_alloc(a, s.len);
	for (size_t i = 0; i < s.len; i++) {
		int high = -1, low = -1;
		if (s.ptr[i] == '%' && s.len - i > 2) {
			high = hex_digit(s.ptr[i + 1]);
			low = hex_digit(s.ptr[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			*to++ = (char)(high << 4 | low);
			i += 2;
		} else {
			*to++ = (char)(form && s.ptr[i] == '+' ? ' ' : s.ptr[i]);
		}
	}
	struct tally_str decoded = str_make(out, (size_t)(to - out));
	return utf8_valid(decoded) ? decoded : s;
}

void url_offer_utm(struct arena *a, struct tally_str query, struct prop_list *l)
{
	while (query.len) {
		struct tally_str value = cut_at(&query, "&"), key = cut_at(&value, "=");
		if (query.len)
			query = str_make(query.ptr + 1, query.len - 1);
		if (!str_starts(key, UTM) || value.len < 2)
			continue;
		key = url_decode(a, key, true);
		if (key.len <= EVENT_PROP_KEY_MAX)
			prop_offer(l, key, url_decode(a, str_make(value.ptr + 1, value.len - 1), true));
	}
}
