/* SPDX-License-Identifier: Apache-2.0 */
/* jansson as the oracle: random documents, half of them with a few bytes changed, must be accepted by both or refused
 * by both, and mean the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_oracle.h"
#include "text/tree.h"
#include "text/write.h"
#include "unit.h"

#define DOCUMENTS 20000
#define DEPTH 40

static struct arena arena;
static uint64_t seed;

static uint64_t chance(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static const char *pick(const char *const *list, size_t n)
{
	return list[chance(n)];
}

#define PICK(list) pick(list, sizeof(list) / sizeof(list)[0])

static void put_space(struct text_out *o)
{
	static const char *const spaces[] = { "", "", "", " ", "\n", "\t", "\r\n", "  \n ", "\f", "\xc2\xa0" };
	text_put(o, str_of(chance(40) ? spaces[chance(8)] : PICK(spaces)));
}

static void put_string(struct text_out *o)
{
	static const char *const parts[] = { "a", "key", "plain text of more than sixteen bytes", "\\n", "\\\"", "\\\\",
		"\\/", "\\u0041", "\\u00e4", "\\ud83d\\ude00", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\\b\\f\\r\\t", " ", "\x7f", "\\u2028" };
	static const char *const bad[] = { "\\u0000", "\\ud800", "\\udc00", "\\x", "\\u12", "\xff", "\xc0\x80",
		"\xed\xa0\x80", "\n", "\x01", "\\ud800\\u0041", "\xf4\x90\x80\x80", "\"" };
	text_put_char(o, '"');
	for (uint64_t n = chance(5); n; n--)
		text_put(o, str_of(chance(150) ? PICK(parts) : PICK(bad)));
	text_put_char(o, '"');
}

static void put_number(struct text_out *o)
{
	static const char *const numbers[] = { "0", "-0", "1", "-17", "3.25", "1e5", "1E-7", "0.1",
		"123456789012345678", "9007199254740993", "1.7976931348623157e308", "2.2250738585072011e-308",
		"1e-400" };
	static const char *const bad[] = { "01", "+1", ".5", "1.", "1e", "-", "1e999", "NaN", "0x1", "1.e1", "--1" };
	text_put(o, str_of(chance(100) ? PICK(numbers) : PICK(bad)));
}

static void put_value(struct text_out *o, int depth);

static void put_container(struct text_out *o, int depth, bool object)
{
	text_put_char(o, object ? '{' : '[');
	put_space(o);
	for (uint64_t i = 0, n = chance(4); i < n; i++) {
		if (i)
			text_put(o, chance(200) ? STR(",") : STR(",,"));
		put_space(o);
		if (object) {
			put_string(o);
			put_space(o);
			text_put_char(o, ':');
			put_space(o);
		}
		put_value(o, depth + 1);
		put_space(o);
	}
	text_put_char(o, object ? '}' : ']');
}

static void put_value(struct text_out *o, int depth)
{
	static const char *const words[] = { "true", "false", "null" };
	switch (chance(depth > 6 ? 6 : 10)) {
	case 0:
		text_put(o, str_of(PICK(words)));
		return;
	case 1:
	case 2:
		put_number(o);
		return;
	case 3:
	case 4:
	case 5:
		put_string(o);
		return;
	case 6:
	case 7:
		put_container(o, depth, false);
		return;
	default:
		put_container(o, depth, true);
	}
}

static struct tally_str make_document(void)
{
	static const char marks[] = "{}[]\",:\\u0e-.+tfn \n\x80\xff";
	struct text_out o;
	text_open(&o, &arena, 64);
	put_space(&o);
	put_value(&o, 0);
	put_space(&o);
	if (chance(2) || o.len == 0)
		return text_done(&o);
	for (uint64_t n = 1 + chance(2); n; n--)
		o.ptr[chance(o.len)] = chance(3) ? marks[chance(sizeof marks - 1)] : (char)chance(256);
	return text_done(&o);
}

static bool same(const struct tree_node *n, const struct oracle *j);

static bool same_elements(const struct tree_node *n, const struct oracle *j)
{
	size_t i = 0;
	if (oracle_count(j) != n->count)
		return false;
	for (const struct tree_node *e = n->first; e; e = e->next)
		if (!same(e, oracle_at(j, i++)))
			return false;
	return true;
}

/* Of a repeated key the last counts, for both. */
static bool same_members(const struct tree_node *n, const struct oracle *j)
{
	size_t distinct = 0;
	for (const struct tree_node *m = n->first; m; m = m->next) {
		const struct oracle *theirs = oracle_get(j, arena_copy(&arena, m->key.ptr, m->key.len));
		if (tree_get(n, m->key) != m)
			continue;
		distinct++;
		if (!theirs || !same(m, theirs))
			return false;
	}
	return distinct == oracle_count(j);
}

static bool same(const struct tree_node *n, const struct oracle *j)
{
	static const char kinds[] = { 'n', 'f', 't', '#', '"', '[', '{' };
	struct tally_str text;
	if (oracle_kind(j) != kinds[n->kind])
		return false;
	switch (n->kind) {
	case JSON_NUMBER:
		return oracle_number(j) == n->number;
	case JSON_STRING:
		text.ptr = oracle_text(j, &text.len);
		return str_eq(text, n->text);
	case JSON_ARRAY:
		return same_elements(n, j);
	case JSON_OBJECT:
		return same_members(n, j);
	default:
		return true;
	}
}

static void random_documents_mean_the_same(void **state)
{
	(void)state;
	unsigned accepted = 0;
	seed = 20260101;
	for (unsigned i = 0; i < DOCUMENTS; i++) {
		const struct tree_node *root = NULL;
		const char *why;
		struct tally_str text = make_document();
		struct oracle *j = oracle_parse(text.ptr, text.len, &why);
		bool ours = tree_parse(&arena, text, DEPTH, &root, NULL) == 0;
		if ((j || why) && (ours != (j != NULL) || (ours && !same(root, j))))
			fail_msg("document %u: %.*s: %s", i, (int)text.len, text.ptr, j ? "jansson accepts" : why);
		accepted += ours;
		oracle_free(j);
		arena_reset(&arena);
	}
	assert_true(accepted > DOCUMENTS / 4 && accepted < DOCUMENTS * 3 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_documents_mean_the_same) };
	arena_init(&arena, 0);
	int failed = RUN_TESTS("json_oracle", tests);
	arena_free(&arena);
	return failed;
}
