/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON. Beyond not crashing: the ways to read a text agree on whether it is JSON, and what the writer makes
 * of a document reads as the same document. */
#include <stdint.h>

#include "text/json.h"
#include "text/tree.h"
#include "text/write.h"

#define DEPTH 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_node(struct text_out *o, const struct tree_node *n)
{
	bool object = n->kind == JSON_OBJECT;
	switch (n->kind) {
	case JSON_STRING:
		text_json_string(o, n->text);
		return;
	case JSON_NUMBER:
		text_json_double(o, n->number);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		text_json_begin(o, object ? '{' : '[');
		for (const struct tree_node *c = n->first; c; c = c->next) {
			if (object)
				text_json_key(o, c->key);
			put_node(o, c);
		}
		text_json_end(o, object ? '}' : ']');
		return;
	default:
		text_json_raw(o, n->text);
	}
}

static struct tally_str written(struct arena *a, const struct tree_node *root)
{
	struct text_out o;
	text_open(&o, a, 64);
	put_node(&o, root);
	return text_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tally_str text = str_make((const char *)data, size);
	struct arena a;
	struct json j;
	struct tree_error err = { .code = NULL };
	const struct tree_node *root;
	arena_init(&a, 0);
	json_open(&j, &a, text, DEPTH);
	bool skipped = json_skip(&j) == 0 && json_end(&j) == 0;
	MUST(skipped == (j.code == NULL) && j.offset <= size);
	bool parsed = tree_parse(&a, text, DEPTH, &root, &err) == 0;
	MUST(parsed ? skipped : err.code != NULL && err.offset <= size);
	MUST(parsed || !skipped || str_eq(str_of(err.code), STR("number_out_of_range")));
	json_open_lenient(&j, text);
	bool passed = json_skip(&j) == 0 && json_end(&j) == 0;
	MUST(passed || !skipped);
	if (parsed) {
		struct tally_str once = written(&a, root), twice;
		MUST(tree_parse(&a, once, DEPTH, &root, NULL) == 0);
		twice = written(&a, root);
		MUST(str_eq(once, twice));
	}
	arena_free(&a);
	return 0;
}
