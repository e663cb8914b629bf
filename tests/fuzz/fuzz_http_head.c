/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request head: the first byte says in which pieces the others come. In pieces and at once must give the
 * same, and what comes out must keep what head.h promises. */
#include <stdlib.h>
#include <string.h>

#include "http/chars.h"
#include "http/head.h"

#define MAX_FIELDS 16
#define MAX_BYTES 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct http_field fields[MAX_FIELDS];
	struct http_head head;
	enum head_result result;
	char *buf;
};

static void feed(struct run *r, const uint8_t *data, size_t len, size_t step)
{
	r->buf = malloc(len ? len : 1);
	MUST(r->buf != NULL);
	r->result = HEAD_MORE;
	head_start(&r->head, r->fields, MAX_FIELDS, MAX_BYTES);
	for (size_t at = 0; at < len && r->result == HEAD_MORE;) {
		size_t n = step < len - at ? step : len - at;
		memcpy(r->buf + at, data + at, n);
		at += n;
		r->result = head_feed(&r->head, r->buf, at);
	}
}

static void must_be_equal(const struct run *a, const struct run *b)
{
	MUST(a->result == b->result);
	if (a->result == HEAD_BAD)
		MUST(a->head.fault == b->head.fault);
	if (a->result != HEAD_DONE)
		return;
	MUST(a->head.bytes == b->head.bytes && a->head.nfields == b->head.nfields);
	MUST(str_eq(a->head.method, b->head.method) && str_eq(a->head.path, b->head.path));
	MUST(str_eq(a->head.query, b->head.query) && str_eq(a->head.host, b->head.host));
	MUST(a->head.content_length == b->head.content_length && a->head.chunked == b->head.chunked);
	for (size_t i = 0; i < a->head.nfields; i++)
		MUST(str_eq(a->fields[i].name, b->fields[i].name) && str_eq(a->fields[i].value, b->fields[i].value));
}

static void must_keep_promises(const struct run *r)
{
	const struct http_head *h = &r->head;
	size_t lengths = 0, transfers = 0, hosts = 0;
	if (r->result != HEAD_DONE)
		return;
	MUST(h->bytes <= MAX_BYTES && h->nfields <= MAX_FIELDS && h->method.len <= HEAD_METHOD_MAX);
	MUST(memcmp(r->buf + h->bytes - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i < h->nfields; i++) {
		struct tally_str name = r->fields[i].name;
		for (size_t k = 0; k < name.len; k++)
			MUST(http_token_lower[(unsigned char)name.ptr[k]] == (unsigned char)name.ptr[k]);
		MUST(name.len > 0 && http_all_of(r->fields[i].value.ptr, r->fields[i].value.len, HTTP_VALUE));
		lengths += str_eq(name, STR("content-length"));
		transfers += str_eq(name, STR("transfer-encoding"));
		hosts += str_eq(name, STR("host"));
	}
	MUST(lengths + transfers <= 1 && hosts <= 1);
	MUST(h->has_length == (lengths == 1) && h->chunked == (transfers == 1));
	MUST(h->minor == 1 ? hosts == 1 : transfers == 0);
	for (size_t i = 0; i < h->path.len; i++)
		MUST((unsigned char)h->path.ptr[i] >= 0x20 && h->path.ptr[i] != 0x7f);
}

static void walk_query(struct tally_str query)
{
	struct arena a;
	struct tally_str name, value;
	size_t at = 0, n = 0;
	arena_init(&a, 0);
	while (http_query_next(&a, query, &at, &name, &value))
		n++;
	MUST(at <= query.len && n <= query.len);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, pieces;
	if (size == 0)
		return 0;
	feed(&whole, data + 1, size - 1, size);
	feed(&pieces, data + 1, size - 1, data[0] % 61 + 1u);
	must_be_equal(&whole, &pieces);
	must_keep_promises(&whole);
	if (whole.result == HEAD_DONE)
		walk_query(whole.head.query);
	free(whole.buf);
	free(pieces.buf);
	return 0;
}
