/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a request head. Each function below eats the bytes in the picture above it; p is its first byte and end
 * is behind its last. What the fields mean is framing.c. */
#include "http/head.h"

#include <string.h>

#include "http/chars.h"
#include "http/uri.h"

static const struct http_fault faults[] = {
	[FAULT_METHOD] = { 400, "bad_method", "the method is not a token of 1..32 characters" },
	[FAULT_REQUEST_LINE] = { 400, "bad_request_line", "the request line is not METHOD SP target SP HTTP/1.1" },
	[FAULT_TARGET] = { 400, "bad_target", "the request target has a form or a character that is not allowed" },
	[FAULT_TARGET_LONG] = { 414, "uri_too_long", "the request target is longer than 8192 bytes" },
	[FAULT_ESCAPE] = { 400, "bad_target", "the path has a percent escape that is broken or a control character" },
	[FAULT_VERSION] = { 505, "version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken here" },
	[FAULT_LINE_END] = { 400, "bad_line_end", "a line of the head does not end in CR LF, or has a CR inside" },
	[FAULT_FOLD] = { 400, "bad_header", "a header line begins with white space" },
	[FAULT_FIELD_NAME] = { 400, "bad_header", "a header name is not a token with a colon right behind it" },
	[FAULT_FIELD_VALUE] = { 400, "bad_header", "a header value has a control character" },
	[FAULT_HEAD_LONG] = { 431, "head_too_large", "the request head is too long" },
	[FAULT_FIELDS_MANY] = { 431, "too_many_headers", "the request head has too many fields" },
	[FAULT_HOST] = { 400, "bad_host", "there must be exactly one valid Host field" },
	[FAULT_HOST_OTHER] = { 400, "bad_host", "the host of the request target is not that of the Host field" },
	[FAULT_LENGTH] = { 400, "bad_content_length", "Content-Length is not a plain number" },
	[FAULT_LENGTH_TWICE] = { 400, "bad_content_length", "there is more than one Content-Length" },
	[FAULT_TE] = { 400, "bad_transfer_encoding", "the only Transfer-Encoding taken is one `chunked`" },
	[FAULT_TE_OLD] = { 400, "bad_transfer_encoding", "Transfer-Encoding does not exist in HTTP/1.0" },
	[FAULT_TE_LENGTH] = { 400, "bad_framing", "Transfer-Encoding and Content-Length exclude each other" },
};

int head_fail(struct http_head *h, enum head_fault_id id)
{
	h->fault = &faults[id];
	return -1;
}

void head_start(struct http_head *h, struct http_field *fields, size_t max_fields, size_t max_bytes)
{
	*h = (struct http_head){ .fields = fields, .max_fields = max_fields, .max_bytes = max_bytes };
}

/*  POST /v1/events?key=x HTTP/1.1
 *  ^p  ^     */
static int take_method(struct http_head *h, char *p, char *end, char **behind)
{
	char *q = p;
	while (q < end && http_token_lower[(unsigned char)*q])
		q++;
	if (q - p > HEAD_METHOD_MAX || (q < end && (*q != ' ' || q == p)))
		return head_fail(h, FAULT_METHOD);
	h->method = str_make(p, (size_t)(q - p));
	*behind = q;
	return 0;
}

/*  POST /v1/events?key=x HTTP/1.1
 *  ^p   ^target     ^end   The front of a request line, whole or not: what can never become a request (TLS, garbage, an
 *                          endless target) is refused before its line ends. NULL = the target has not begun. */
static int take_front(struct http_head *h, char *p, char *end, char **target)
{
	*target = NULL;
	if (p == end || *p == '\r')
		return 0;
	char *q;
	if (take_method(h, p, end, &q) < 0)
		return -1;
	if (q == end)
		return 0;
	*target = ++q;
	const char *space = memchr(q, ' ', (size_t)(end - q));
	return (space ? space : end) - q > HEAD_TARGET_MAX ? head_fail(h, FAULT_TARGET_LONG) : 0;
}

/*  http://host:80/path?query
 *         ^p     ^slash     ^end   what is behind the scheme; an empty path is "/" */
static int take_absolute(struct http_head *h, char *p, char *end, char **slash)
{
	static char root[] = "/";
	char *q = p;
	while (q < end && *q != '/' && *q != '?')
		q++;
	h->authority = str_make(p, (size_t)(q - p));
	*slash = q;
	if (q == end)
		h->path = str_make(root, 1);
	return h->authority.len && (q == end || *q == '/') ? 0 : head_fail(h, FAULT_TARGET);
}

static bool has_scheme(const char *p, const char *end, const char *scheme)
{
	size_t n = strlen(scheme);
	if ((size_t)(end - p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((http_token_lower[(unsigned char)p[i]] ? http_token_lower[(unsigned char)p[i]] : p[i]) != scheme[i])
			return false;
	return true;
}

/*  /v1/events?key=x
 *  ^p        ^     ^end    or absolute-form, or "*" for OPTIONS */
static int take_target(struct http_head *h, char *p, char *end)
{
	if (p == end || !http_all_of(p, (size_t)(end - p), HTTP_TARGET))
		return head_fail(h, FAULT_TARGET);
	char *path = p;
	if (has_scheme(p, end, "http://")) {
		if (take_absolute(h, p + 7, end, &path) < 0)
			return -1;
	} else if (has_scheme(p, end, "https://")) {
		if (take_absolute(h, p + 8, end, &path) < 0)
			return -1;
	} else if (*p != '/' && !(end - p == 1 && *p == '*' && str_eq(h->method, STR("OPTIONS")))) {
		return head_fail(h, FAULT_TARGET);
	}
	if (path == end)
		return 0;
	char *mark = memchr(path, '?', (size_t)(end - path));
	h->path = str_make(path, (size_t)((mark ? mark : end) - path));
	if (mark)
		h->query = str_make(mark + 1, (size_t)(end - mark - 1));
	return 0;
}

/*  HTTP/1.1
 *  ^p      ^end */
static int take_version(struct http_head *h, const char *p, const char *end)
{
	if (end - p != 8 || memcmp(p, "HTTP/", 5) != 0 || p[6] != '.' || p[5] < '0' || p[5] > '9' || p[7] < '0' ||
		p[7] > '9')
		return head_fail(h, FAULT_REQUEST_LINE);
	if (p[5] != '1' || p[7] > '1')
		return head_fail(h, FAULT_VERSION);
	h->minor = (unsigned)(p[7] - '0');
	return 0;
}

/*  /v1/events?key=x HTTP/1.1
 *  ^p              ^        ^end */
static int take_request_line(struct http_head *h, char *p, char *end)
{
	char *space = p ? memchr(p, ' ', (size_t)(end - p)) : NULL;
	if (!space)
		return head_fail(h, FAULT_REQUEST_LINE);
	if (take_version(h, space + 1, end) < 0 || take_target(h, p, space) < 0)
		return -1;
	h->has_request_line = true;
	return 0;
}

/*  Content-Type: text/plain
 *  ^p          ^colon        lower case from here on; NULL = not a name */
static char *take_name(char *p, char *end)
{
	char *q = p;
	unsigned char c;
	while (q < end && (c = http_token_lower[(unsigned char)*q]) != 0)
		*q++ = (char)c;
	return q > p && q < end && *q == ':' ? q : NULL;
}

/*  Content-Type:  text/plain
 *               ^p            ^end   spaces around it do not belong to it */
static struct tally_str trim(char *p, char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return str_make(p, (size_t)(end - p));
}

static int take_field(struct http_head *h, char *p, char *end)
{
	if (*p == ' ' || *p == '\t')
		return head_fail(h, FAULT_FOLD);
	if (h->nfields == h->max_fields)
		return head_fail(h, FAULT_FIELDS_MANY);
	char *colon = take_name(p, end);
	if (!colon)
		return head_fail(h, FAULT_FIELD_NAME);
	if (!http_is_clean(colon + 1, (size_t)(end - colon - 1)))
		return head_fail(h, FAULT_FIELD_VALUE);
	struct http_field *f = &h->fields[h->nfields++];
	f->name = str_make(p, (size_t)(colon - p));
	f->value = trim(colon + 1, end);
	return head_note_field(h, f, str_make(colon + 1, (size_t)(end - colon - 1)));
}

/* The path is the only part that is decoded: nothing is parsed again behind this. */
static int finish(struct http_head *h, char *buf)
{
	if (head_note_end(h) < 0)
		return -1;
	if (!memchr(h->path.ptr, '%', h->path.len))
		return 0;
	char *path = buf + (h->path.ptr - buf);
	if (!uri_decode_path(path, &h->path.len))
		return head_fail(h, FAULT_ESCAPE);
	return 0;
}

/* An empty line ends the head; one in front of the request line is a client's slip that RFC 9112 §2.2 asks to
 * overlook. 1 = the head is complete. */
static int take_empty(struct http_head *h)
{
	if (h->has_request_line)
		return 1;
	if (h->empty_line_eaten)
		return head_fail(h, FAULT_REQUEST_LINE);
	h->empty_line_eaten = true;
	return 0;
}

/*  …line CR LF
 *  ^p       ^lf     as take_empty() */
static int take_line(struct http_head *h, char *p, char *lf)
{
	bool has_cr = lf > p && lf[-1] == '\r';
	char *end = has_cr ? lf - 1 : lf, *target;
	if (!h->has_request_line && take_front(h, p, end, &target) < 0)
		return -1;
	if (!has_cr || memchr(p, '\r', (size_t)(end - p)))
		return head_fail(h, FAULT_LINE_END);
	if (end == p)
		return take_empty(h);
	return h->has_request_line ? take_field(h, p, end) : take_request_line(h, target, end);
}

/* A line that is not whole, or not within the limit: what can be said of it already. */
static enum head_result judge_partial(struct http_head *h, char *buf, size_t len)
{
	char *target;
	size_t end = len < h->max_bytes ? len : h->max_bytes;
	h->scanned = len;
	if (end > h->line && buf[end - 1] == '\r')
		end--; /* it may belong to the line's end */
	if (!h->has_request_line && take_front(h, buf + h->line, buf + end, &target) < 0)
		return HEAD_BAD;
	if (len <= h->max_bytes)
		return HEAD_MORE;
	(void)head_fail(h, FAULT_HEAD_LONG);
	return HEAD_BAD;
}

enum head_result head_feed(struct http_head *h, char *buf, size_t len)
{
	char *lf;
	while ((lf = memchr(buf + h->scanned, '\n', len - h->scanned)) != NULL) {
		size_t next = (size_t)(lf - buf) + 1;
		if (next > h->max_bytes)
			break;
		int rc = take_line(h, buf + h->line, lf);
		if (rc < 0)
			return HEAD_BAD;
		h->line = h->scanned = next;
		if (rc > 0) {
			h->bytes = next;
			return finish(h, buf) < 0 ? HEAD_BAD : HEAD_DONE;
		}
	}
	return judge_partial(h, buf, len);
}
