/* SPDX-License-Identifier: Apache-2.0 */
/* The head of one request: a pure parser over bytes in a buffer; it knows no connection and allocates nothing.
 *
 * It is strict: whatever two servers in a row could read differently (RFC 9112 §11.2) is refused, never repaired.
 * Lines are taken as they become whole, so a head that trickles in is not parsed again and again. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/http.h"

#define HEAD_METHOD_MAX 32
#define HEAD_TARGET_MAX 8192

/* Why a request is refused: a row of the tables in head.c and body.c. */
struct http_fault {
	int status;
	const char *code, *detail;
};

struct http_head {
	struct tally_str method, path, query; /* path percent-decoded once the head is done */
	struct tally_str host;                /* as in the Host field */
	struct tally_str encoding;            /* Content-Encoding; empty = none */
	uint64_t content_length;              /* saturates: a number that does not fit is UINT64_MAX */
	unsigned minor;                       /* HTTP/1.minor: 0 or 1 */
	bool has_length, chunked, keep_alive, expect_continue;
	bool expect_other; /* an expectation nobody knows: 417 */
	size_t bytes;      /* of the whole head, once it is done */
	struct http_field *fields;
	size_t nfields;
	const struct http_fault *fault; /* after HEAD_BAD */

	/* the parser's own */
	size_t line, scanned; /* start of the line in work; no LF in [line, scanned) */
	size_t max_bytes, max_fields;
	struct tally_str authority; /* of an absolute-form target */
	unsigned connection;        /* bits: what Connection said */
	bool empty_line_eaten, has_request_line, has_host, has_encoding;
};

enum head_result { HEAD_MORE, HEAD_DONE, HEAD_BAD };

/* fields: room for max_fields of them; it and the buffer outlive the head. */
void head_start(struct http_head *h, struct http_field *fields, size_t max_fields, size_t max_bytes);

/* buf[0, len): what came so far, from the first byte of the request. Writes into buf (names in lower case, the decoded
 * path).
 * Assumes: buf has not moved since head_start(); if it has, head_start() again. */
must_check enum head_result head_feed(struct http_head *h, char *buf, size_t len);

/* framing.c: what a field means for the message it heads; raw: its value with the white space around it. 0, or -1 with
 * h->fault set. */
must_check int head_note_field(struct http_head *h, const struct http_field *f, struct tally_str raw);
/* framing.c: what only the whole head shows (a missing Host, two lengths). 0, or -1 with h->fault set. */
must_check int head_note_end(struct http_head *h);

enum head_fault_id {
	FAULT_METHOD,
	FAULT_REQUEST_LINE,
	FAULT_TARGET,
	FAULT_TARGET_LONG,
	FAULT_ESCAPE,
	FAULT_VERSION,
	FAULT_LINE_END,
	FAULT_FOLD,
	FAULT_FIELD_NAME,
	FAULT_FIELD_VALUE,
	FAULT_HEAD_LONG,
	FAULT_FIELDS_MANY,
	FAULT_HOST,
	FAULT_HOST_OTHER,
	FAULT_LENGTH,
	FAULT_LENGTH_TWICE,
	FAULT_TE,
	FAULT_TE_OLD,
	FAULT_TE_LENGTH,
};

/* Sets h->fault; always -1. */
int head_fail(struct http_head *h, enum head_fault_id id);

#endif
