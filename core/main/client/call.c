/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP through libcurl, over TCP or the admin socket. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "main/client/client.h"

struct call {
	const struct client *client;
	CURL *curl;
	struct curl_slist *headers;
	char *bytes;
	size_t len, cap;
	long retry_after_s;
	char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	size_t len = size * n;
	if (call->len + len > call->cap) {
		call->cap = (call->len + len) * 2;
		call->bytes = realloc(call->bytes, call->cap);
		MUST(call->bytes != NULL);
	}
	memcpy(call->bytes + call->len, p, len);
	call->len += len;
	return len;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	static const char name[] = "retry-after:";
	if (size * n > sizeof name && strncasecmp(p, name, sizeof name - 1) == 0)
		call->retry_after_s = strtol(p + sizeof name - 1, NULL, 10);
	return size * n;
}

static void add_header(struct call *call, const char *line)
{
	call->headers = curl_slist_append(call->headers, line);
	MUST(call->headers != NULL);
}

struct call *call_open(const struct client *c)
{
	struct call *call = calloc(1, sizeof *call);
	MUST(call != NULL);
	call->client = c;
	call->curl = curl_easy_init();
	MUST(call->curl != NULL);
	curl_easy_setopt(call->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(call->curl, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(call->curl, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(call->curl, CURLOPT_TIMEOUT, c->timeout_s ? c->timeout_s : 120L);
	curl_easy_setopt(call->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(call->curl, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(call->curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(call->curl, CURLOPT_HEADERDATA, call);
	if (c->socket)
		curl_easy_setopt(call->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	return call;
}

void call_close(struct call *call)
{
	curl_slist_free_all(call->headers);
	curl_easy_cleanup(call->curl);
	free(call->bytes);
	free(call);
}

static void set_headers(struct call *call, const char *accept)
{
	char line[512];
	curl_slist_free_all(call->headers);
	call->headers = NULL;
	add_header(call, "Content-Type: application/json");
	add_header(call, "Expect:");
	if (accept) {
		snprintf(line, sizeof line, "Accept: %s", accept);
		add_header(call, line);
	}
	if (call->client->key) {
		snprintf(line, sizeof line, "Authorization: Bearer %s", call->client->key);
		add_header(call, line);
	}
	curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers);
}

int call_send(
	struct call *call, const char *path, const struct tally_str *body, const char *accept, struct call_answer *out)
{
	char url[8192];
	snprintf(url, sizeof url, "%s%s", call->client->socket ? "http://tally" : call->client->url, path);
	call->len = 0;
	call->retry_after_s = 0;
	call->error[0] = 0;
	set_headers(call, accept);
	curl_easy_setopt(call->curl, CURLOPT_URL, url);
	if (body) {
		curl_easy_setopt(call->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(call->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
		curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS, body->ptr ? body->ptr : "");
	} else {
		curl_easy_setopt(call->curl, CURLOPT_HTTPGET, 1L);
	}
	CURLcode rc = curl_easy_perform(call->curl);
	if (rc != CURLE_OK) {
		if (!call->error[0])
			snprintf(call->error, sizeof call->error, "%s", curl_easy_strerror(rc));
		return -1;
	}
	*out = (struct call_answer){ .body = { call->bytes, call->len }, .retry_after_s = call->retry_after_s };
	curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &out->status);
	return 0;
}

const char *call_error(const struct call *call)
{
	return call->error;
}

static const char *accept_of(const struct client *c)
{
	return c->format == FORMAT_CSV ? "text/csv" : "application/json";
}

int call_print(struct client *c, const char *path, const struct tally_str *body)
{
	struct call *call = call_open(c);
	struct call_answer an;
	int code = EXIT_OK;
	if (call_send(call, path, body, accept_of(c), &an)) {
		fprintf(stderr, "tally: no answer from %s: %s; is tallyd running? (-s SOCKET or -u URL says where)\n",
			c->socket ? c->socket : c->url, call_error(call));
		code = EXIT_UNREACHABLE;
	} else if (an.status >= 400) {
		print_problem(&an);
		code = an.status == 501 ? EXIT_USAGE : EXIT_REFUSED;
	} else {
		print_answer(c, an.body);
	}
	call_close(call);
	return code;
}

const char *url_escape(struct arena *a, const char *text)
{
	size_t n = strlen(text), at = 0;
	char *out = arena_alloc(a, n * 3 + 1);
	for (const char *p = text; *p; p++) {
		unsigned char ch = (unsigned char)*p;
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
			     strchr("-_.~", ch);
		at += (size_t)snprintf(out + at, n * 3 + 1 - at, plain ? "%c" : "%%%02X", ch);
	}
	out[at] = 0;
	return out;
}
