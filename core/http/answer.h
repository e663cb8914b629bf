/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an answer: a growing buffer and the head written into it. Pure but for the clock. */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "http/http.h"

/* [0, len): to be sent; [len, cap): room. Belongs to a server and is used again and again. */
struct http_out {
	char *bytes;
	size_t len, cap;
};

char *out_reserve(struct http_out *o, size_t more);
void out_put(struct http_out *o, const void *bytes, size_t len);
void out_free(struct http_out *o);

/* The Date line, made anew each second. Zeroed = ready. */
struct http_date {
	int64_t second;
	char line[40]; /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
};

enum answer_framing { ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_CLOSE };

struct answer_head {
	const struct http_answer *answer;
	enum answer_framing framing;
	unsigned minor; /* of the request */
	bool close;
};

/* Appends the status line and all fields, up to and with the empty line. */
void answer_put_head(struct http_out *o, struct http_date *date, const struct answer_head *h);

/* 1xx, 204, 304: never a body. */
bool answer_has_body(int status);

#endif
