/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP parser beside llhttp (no lenient flags): whatever ours takes, llhttp takes too and cuts at the same bytes, so
 * no request can mean two things to the two of them. The other way round does not hold: ours is stricter by intent.
 * Inputs are the fuzzing corpus and seeded mutations of it, made of the strings smugglers use. */
#include <dirent.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/chunked.h"
#include "http/head.h"
#include "unit.h"

#define MAX_FIELDS 64
#define MAX_BYTES 8192
#define MAX_SEEDS 64
#define MUTATIONS 300000

static struct tally_str seeds[MAX_SEEDS];
static size_t nseeds;

/* ---- what each says of the same bytes ---- */

struct verdict {
	bool taken, whole;
	size_t fields, body_len;
	size_t end; /* of the message */
	bool has_length, chunked, keep_alive;
	uint64_t content_length;
	char body[MAX_BYTES];
	bool in_headers_done;
};

static struct verdict ours, theirs;

static void ask_ours(const char *bytes, size_t len)
{
	struct http_field fields[MAX_FIELDS];
	struct http_head h;
	static char buf[MAX_BYTES];
	struct verdict *v = &ours;
	memset(v, 0, offsetof(struct verdict, body));
	memcpy(buf, bytes, len);
	head_start(&h, fields, MAX_FIELDS, MAX_BYTES);
	if (head_feed(&h, buf, len) != HEAD_DONE)
		return;
	v->taken = true;
	v->fields = h.nfields;
	v->has_length = h.has_length;
	v->content_length = h.content_length;
	v->chunked = h.chunked;
	v->keep_alive = h.keep_alive;
	size_t rest = len - h.bytes;
	if (h.chunked) {
		struct chunked c = { 0 };
		enum chunked_result rc = chunked_feed(&c, bytes + h.bytes, &rest, v->body, &v->body_len);
		v->taken = rc != CHUNKED_BAD;
		v->whole = rc == CHUNKED_DONE;
		v->end = h.bytes + rest;
		return;
	}
	v->body_len = h.content_length < rest ? (size_t)h.content_length : rest;
	v->whole = v->body_len == h.content_length;
	memcpy(v->body, bytes + h.bytes, v->body_len);
	v->end = h.bytes + v->body_len;
}

static int on_value_complete(llhttp_t *p)
{
	(void)p;
	theirs.fields += !theirs.in_headers_done; /* trailers come later */
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	theirs.in_headers_done = true;
	theirs.taken = true;
	theirs.has_length = (p->flags & F_CONTENT_LENGTH) != 0;
	theirs.chunked = (p->flags & F_CHUNKED) != 0;
	theirs.content_length = p->content_length;
	theirs.keep_alive = llhttp_should_keep_alive(p);
	return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
	(void)p;
	memcpy(theirs.body + theirs.body_len, at, len);
	theirs.body_len += len;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	(void)p;
	theirs.whole = true;
	return HPE_PAUSED;
}

static enum llhttp_errno ask_theirs(const char *bytes, size_t len)
{
	static const llhttp_settings_t settings = { .on_header_value_complete = on_value_complete,
		.on_headers_complete = on_headers_complete,
		.on_body = on_body,
		.on_message_complete = on_message_complete };
	llhttp_t p;
	memset(&theirs, 0, offsetof(struct verdict, body));
	theirs.in_headers_done = false;
	llhttp_init(&p, HTTP_REQUEST, &settings);
	enum llhttp_errno rc = llhttp_execute(&p, bytes, len);
	theirs.end = rc == HPE_OK ? len : (size_t)(llhttp_get_error_pos(&p) - bytes);
	if (rc != HPE_OK && rc != HPE_PAUSED)
		theirs.taken = false;
	return rc;
}

/* What llhttp cannot know, or refuses for its own reasons: it reads trailers as if they were header fields. */
static bool is_its_own_reason(enum llhttp_errno rc)
{
	if (rc == HPE_INVALID_METHOD || (rc == HPE_INVALID_CONTENT_LENGTH && ours.content_length == UINT64_MAX))
		return true;
	return theirs.in_headers_done && (rc == HPE_INVALID_TRANSFER_ENCODING || rc == HPE_INVALID_CONTENT_LENGTH ||
						 rc == HPE_UNEXPECTED_CONTENT_LENGTH);
}

static void show(const char *why, const char *bytes, size_t len, enum llhttp_errno rc)
{
	char text[4 * 512 + 1];
	size_t n = 0;
	for (size_t i = 0; i < len && i < 512; i++)
		n += (size_t)sprintf(
			text + n, bytes[i] < ' ' || bytes[i] > '~' ? "\\x%02x" : "%c", (unsigned char)bytes[i]);
	fail_msg("%s (llhttp: %s)\n%s", why, llhttp_errno_name(rc), text);
}

/* True if both took it. */
static bool compare(const char *bytes, size_t len)
{
	ask_ours(bytes, len);
	if (!ours.taken)
		return false;
	enum llhttp_errno rc = ask_theirs(bytes, len);
	if (is_its_own_reason(rc))
		return false;
	if (!theirs.taken)
		show("only ours takes it", bytes, len, rc);
	if (ours.whole != theirs.whole || (ours.whole && ours.end != theirs.end))
		show("another end", bytes, len, rc);
	if (ours.chunked != theirs.chunked ||
		(ours.has_length && ours.content_length != theirs.content_length + ours.body_len &&
			ours.content_length != theirs.content_length))
		show("another framing", bytes, len, rc);
	if (ours.fields != theirs.fields)
		show("another number of fields", bytes, len, rc);
	if (ours.body_len != theirs.body_len || memcmp(ours.body, theirs.body, ours.body_len) != 0)
		show("another body", bytes, len, rc);
	if (ours.keep_alive && !theirs.keep_alive)
		show("only ours keeps the connection", bytes, len, rc);
	return true;
}

/* ---- inputs ---- */

static void read_seeds(const char *corpus, const char *front)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", getenv("srcdir") ? getenv("srcdir") : ".", corpus);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL && nseeds < MAX_SEEDS;) {
		char *bytes = calloc(1, MAX_BYTES), name[2048];
		if (e->d_name[0] == '.') {
			free(bytes);
			continue;
		}
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		FILE *f = fopen(name, "rb");
		assert_non_null(f);
		size_t n = strlen(front);
		memcpy(bytes, front, n);
		fgetc(f); /* the fuzzers' first byte is not part of the message */
		n += fread(bytes + n, 1, MAX_BYTES - n, f);
		fclose(f);
		seeds[nseeds++] = str_make(bytes, n);
	}
	closedir(dir);
}

static uint64_t dice = 88172645463325252u;

static size_t roll(size_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)(dice % below);
}

static const struct tally_str pieces[] = { { "\r\n", 2 }, { "\n", 1 }, { "\r", 1 }, { " ", 1 }, { "\t", 1 },
	{ "\0", 1 }, { ":", 1 }, { ",", 1 }, { ";", 1 }, { "\x0b", 1 }, { "\x7f", 1 }, { "\xff", 1 }, { "0", 1 },
	{ "5", 1 }, { "a", 1 }, { "\r\n\r\n", 4 }, { "0\r\n\r\n", 5 }, { "5\r\nhello\r\n", 10 },
	{ "Content-Length: 5\r\n", 19 }, { "Content-Length: 0\r\n", 19 }, { "Transfer-Encoding: chunked\r\n", 28 },
	{ "Transfer-Encoding: x\r\n", 22 }, { "chunked", 7 }, { "chunked, ", 9 }, { "Connection: close\r\n", 19 },
	{ "Connection: keep-alive, close\r\n", 31 }, { "Upgrade: h2c\r\n", 14 }, { "HTTP/1.0", 8 }, { "HTTP/1.1", 8 },
	{ "POST ", 5 }, { "http://a", 8 }, { "%41", 3 }, { "?", 1 }, { "X: y\r\n", 6 }, { " z\r\n", 4 },
	{ "identity", 8 }, { "+", 1 }, { "-", 1 }, { "0x", 2 } };

static size_t mutate(char *bytes, size_t len)
{
	size_t at = roll(len + 1);
	struct tally_str piece = pieces[roll(sizeof pieces / sizeof *pieces)];
	size_t cut = roll(3) == 0 ? roll(8) : 0;
	if (cut > len - at)
		cut = len - at;
	if (len - cut + piece.len > MAX_BYTES / 2)
		return len;
	memmove(bytes + at + piece.len, bytes + at + cut, len - at - cut);
	memcpy(bytes + at, piece.ptr, piece.len);
	return len - cut + piece.len;
}

static void what_ours_takes_means_the_same_to_llhttp(void **state)
{
	(void)state;
	static char bytes[MAX_BYTES];
	size_t both = 0;
	for (size_t i = 0; i < nseeds; i++)
		compare(seeds[i].ptr, seeds[i].len);
	for (int i = 0; i < MUTATIONS; i++) {
		struct tally_str seed = seeds[roll(nseeds)];
		size_t len = seed.len;
		memcpy(bytes, seed.ptr, len);
		for (size_t n = roll(3) + 1; n; n--)
			len = mutate(bytes, len);
		both += compare(bytes, len);
	}
	print_message("llhttp %d.%d.%d: %zu seeds, %d mutations, %zu taken by both\n", LLHTTP_VERSION_MAJOR,
		LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH, nseeds, MUTATIONS, both);
	assert_true(both > MUTATIONS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_ours_takes_means_the_same_to_llhttp) };
	read_seeds("http_head", "");
	read_seeds("http_chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	int failed = RUN_TESTS("http llhttp", tests);
	for (size_t i = 0; i < nseeds; i++)
		free((char *)seeds[i].ptr);
	return failed;
}
