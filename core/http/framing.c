/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that say where a request ends and whom it is for. Anything ambiguous in them is how requests are smuggled,
 * so there is one way to write each and no second try. */
#include <string.h>

#include "http/chars.h"
#include "http/head.h"

enum { CONNECTION_CLOSE = 1, CONNECTION_KEEP = 2 };

static bool is_word(const char *p, size_t len, const char *lower)
{
	if (len != strlen(lower))
		return false;
	for (size_t i = 0; i < len; i++)
		if (http_token_lower[(unsigned char)p[i]] != (unsigned char)lower[i])
			return false;
	return true;
}

static int note_host(struct http_head *h, struct tally_str v)
{
	if (h->has_host || v.len == 0 || !http_all_of(v.ptr, v.len, HTTP_HOST))
		return head_fail(h, FAULT_HOST);
	h->has_host = true;
	h->host = v;
	return 0;
}

/* 1*DIGIT and nothing else: no sign, no list, no white space inside. */
static int note_length(struct http_head *h, struct tally_str v)
{
	if (h->has_length)
		return head_fail(h, FAULT_LENGTH_TWICE);
	if (v.len == 0)
		return head_fail(h, FAULT_LENGTH);
	uint64_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		unsigned digit = (unsigned)(v.ptr[i] - '0');
		if (digit > 9)
			return head_fail(h, FAULT_LENGTH);
		n = n > (UINT64_MAX - 9) / 10 ? UINT64_MAX : n * 10 + digit;
	}
	h->has_length = true;
	h->content_length = n;
	return 0;
}

static int note_transfer(struct http_head *h, struct tally_str v)
{
	if (h->minor == 0)
		return head_fail(h, FAULT_TE_OLD);
	if (h->chunked || !is_word(v.ptr, v.len, "chunked"))
		return head_fail(h, FAULT_TE);
	h->chunked = true;
	return 0;
}

/* A list; of it only close and keep-alive matter to a server. */
static int note_connection(struct http_head *h, struct tally_str v)
{
	for (size_t at = 0; at < v.len;) {
		size_t start = at;
		while (at < v.len && v.ptr[at] != ',')
			at++;
		size_t end = at++;
		while (start < end && (v.ptr[start] == ' ' || v.ptr[start] == '\t'))
			start++;
		while (end > start && (v.ptr[end - 1] == ' ' || v.ptr[end - 1] == '\t'))
			end--;
		if (is_word(v.ptr + start, end - start, "close"))
			h->connection |= CONNECTION_CLOSE;
		if (is_word(v.ptr + start, end - start, "keep-alive"))
			h->connection |= CONNECTION_KEEP;
	}
	return 0;
}

static int note_expect(struct http_head *h, struct tally_str v)
{
	if (is_word(v.ptr, v.len, "100-continue"))
		h->expect_continue = true;
	else
		h->expect_other = true;
	return 0;
}

/* Two of them are a list, and a list of codings is not taken: body.c answers 415 to what is left here. */
static int note_encoding(struct http_head *h, struct tally_str v)
{
	h->encoding = h->has_encoding ? STR("(several)") : v;
	h->has_encoding = true;
	return 0;
}

/* A TAB around a value is legal, and half of the world's parsers keep it: where a request ends must not hang on it. */
static const struct {
	struct tally_str name;
	int (*note)(struct http_head *h, struct tally_str value);
	bool no_tab;
	enum head_fault_id tab_fault;
} known[] = {
	{ { "host", 4 }, note_host, true, FAULT_HOST },
	{ { "content-length", 14 }, note_length, true, FAULT_LENGTH },
	{ { "transfer-encoding", 17 }, note_transfer, true, FAULT_TE },
	{ { "connection", 10 }, note_connection, false, 0 },
	{ { "expect", 6 }, note_expect, false, 0 },
	{ { "content-encoding", 16 }, note_encoding, false, 0 },
};

int head_note_field(struct http_head *h, const struct http_field *f, struct tally_str raw)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!str_eq(f->name, known[i].name))
			continue;
		if (known[i].no_tab && memchr(raw.ptr, '\t', raw.len))
			return head_fail(h, known[i].tab_fault);
		return known[i].note(h, f->value);
	}
	return 0;
}

static bool same_host(struct tally_str a, struct tally_str b)
{
	for (size_t i = 0; i < a.len && a.len == b.len; i++) {
		unsigned char x = http_token_lower[(unsigned char)a.ptr[i]],
			      y = http_token_lower[(unsigned char)b.ptr[i]];
		if (x != y || (x == 0 && a.ptr[i] != b.ptr[i]))
			return false;
	}
	return a.len == b.len;
}

int head_note_end(struct http_head *h)
{
	if (h->minor == 1 && !h->has_host)
		return head_fail(h, FAULT_HOST);
	if (h->authority.len && !same_host(h->authority, h->host))
		return head_fail(h, FAULT_HOST_OTHER);
	if (h->chunked && h->has_length)
		return head_fail(h, FAULT_TE_LENGTH);
	if (h->connection & CONNECTION_CLOSE)
		h->keep_alive = false;
	else
		h->keep_alive = h->minor == 1 || (h->connection & CONNECTION_KEEP);
	return 0;
}
