/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a pattern to its steps, by descent:
 *
 *     choice   = sequence { '|' sequence }
 *     sequence = { piece }
 *     piece    = atom { '*' | '+' | '?' | '{' n [ ',' [ m ] ] '}' }
 *     atom     = byte | '.' | set | '\' byte | '^' | '$' | '(' choice ')'
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "text/fold.h"
#include "text/pattern_inner.h"
#include "text/utf8.h"

#define ENDLESS (-1)

struct compiler {
	const char *p, *end;
	struct pattern_step *steps;
	struct pattern_set *sets;
	size_t n, nsets;
	int depth;
	bool folded;
	const char *why; /* set once */
};

static void refuse(struct compiler *c, const char *why)
{
	if (!c->why)
		c->why = why;
}

static bool next_is(const struct compiler *c, char want)
{
	return c->p < c->end && *c->p == want;
}

/* ---- steps ---- */

/* Room for n steps at `at`; what stands there moves on. */
static struct pattern_step *make_room(struct compiler *c, size_t at, size_t n)
{
	if (c->n + n > PATTERN_STEPS_MAX) {
		refuse(c, "it is too large once its repetitions are written out");
		return NULL;
	}
	memmove(c->steps + at + n, c->steps + at, (c->n - at) * sizeof *c->steps);
	c->n += n;
	return c->steps + at;
}

static void put(struct compiler *c, size_t at, enum pattern_op op, size_t to, bool backwards)
{
	struct pattern_step *s = make_room(c, at, 1);
	if (s)
		*s = (struct pattern_step){ .op = (uint8_t)op, .to = backwards ? -(int32_t)to : (int32_t)to };
}

static void put_byte(struct compiler *c, unsigned char byte)
{
	struct pattern_step *s = make_room(c, c->n, 1);
	if (s)
		*s = (struct pattern_step){ .op = PAT_BYTE, .byte = byte };
}

static void put_set(struct compiler *c, const struct pattern_set *set)
{
	struct pattern_step *s = make_room(c, c->n, 1);
	if (!s)
		return;
	*s = (struct pattern_step){ .op = PAT_SET, .set = (uint16_t)c->nsets };
	c->sets[c->nsets++] = *set;
}

/* ---- sets of bytes ---- */

static void set_add(struct pattern_set *s, unsigned first, unsigned last)
{
	for (unsigned b = first; b <= last; b++)
		s->bits[b >> 6] |= UINT64_C(1) << (b & 63);
}

static void set_negate(struct pattern_set *s)
{
	for (int i = 0; i < 4; i++)
		s->bits[i] = ~s->bits[i];
}

/* Classes are those of ASCII, whatever the locale. */
static bool set_class(struct pattern_set *s, struct tally_str name)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = { { "alpha", isalpha }, { "digit", isdigit }, { "alnum", isalnum }, { "upper", isupper },
		{ "lower", islower }, { "space", isspace }, { "blank", isblank }, { "punct", ispunct },
		{ "print", isprint }, { "graph", isgraph }, { "cntrl", iscntrl }, { "xdigit", isxdigit } };
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (!str_eq(name, str_of(classes[i].name)))
			continue;
		for (unsigned b = 0; b < 128; b++)
			if (classes[i].is((int)b))
				set_add(s, b, b);
		return true;
	}
	return false;
}

/* \d and the like; false = not one of them. */
static bool set_letter(struct pattern_set *s, char letter)
{
	struct pattern_set made = { { 0 } };
	switch (letter | 0x20) {
	case 'd':
		set_class(&made, STR("digit"));
		break;
	case 's':
		set_class(&made, STR("space"));
		break;
	case 'w':
		set_class(&made, STR("alnum"));
		set_add(&made, '_', '_');
		break;
	default:
		return false;
	}
	if (letter >= 'A' && letter <= 'Z')
		set_negate(&made);
	for (int i = 0; i < 4; i++)
		s->bits[i] |= made.bits[i];
	return true;
}

/* "[:digit:]" within a set; c->p stands behind "[:". */
static void read_class(struct compiler *c, struct pattern_set *s)
{
	const char *name = c->p;
	while (c->p < c->end && isalpha((unsigned char)*c->p))
		c->p++;
	struct tally_str text = str_make(name, (size_t)(c->p - name));
	if (c->end - c->p < 2 || c->p[0] != ':' || c->p[1] != ']' || !set_class(s, text))
		refuse(c, "it names a class of characters that does not exist");
	else
		c->p += 2;
}

static void read_range(struct compiler *c, struct pattern_set *s)
{
	unsigned char first = (unsigned char)*c->p++, last = first;
	if (c->end - c->p >= 2 && c->p[0] == '-' && c->p[1] != ']') {
		last = (unsigned char)c->p[1];
		c->p += 2;
	}
	if (last < first)
		refuse(c, "a range in [] ends before it begins");
	else
		set_add(s, first, last);
}

/* A character of more than one byte, as read_range() would take it byte by byte, but folded. */
static bool read_folded(struct compiler *c, struct pattern_set *s)
{
	char to[4];
	unsigned n = c->folded && (unsigned char)*c->p >= 0x80 ? utf8_step(c->p, c->end) : 0;
	if (n == 0)
		return false;
	unsigned made = fold_step(c->p, n, to);
	for (unsigned i = 0; i < made; i++)
		set_add(s, (unsigned char)to[i], (unsigned char)to[i]);
	c->p += n;
	return true;
}

/* A letter that is there is there in lower case too. */
static void set_fold(struct pattern_set *s)
{
	for (unsigned b = 'A'; b <= 'Z'; b++)
		if (pattern_set_has(s, (unsigned char)b))
			set_add(s, b + 32, b + 32);
}

/* Behind "[". A "]" that comes first stands for itself; so does a backslash, as POSIX has it. */
static void read_set(struct compiler *c)
{
	struct pattern_set s = { { 0 } };
	bool negated = next_is(c, '^');
	c->p += negated;
	const char *first = c->p;
	while (!c->why && c->p < c->end && (c->p == first || *c->p != ']')) {
		bool special = c->end - c->p >= 2 && c->p[0] == '[';
		if (special && c->p[1] == ':') {
			c->p += 2;
			read_class(c, &s);
		} else if (special && (c->p[1] == '.' || c->p[1] == '=')) {
			refuse(c, "[. and [= are not known here");
		} else if (!read_folded(c, &s)) {
			read_range(c, &s);
		}
	}
	if (c->folded)
		set_fold(&s);
	if (!next_is(c, ']'))
		refuse(c, "a [ is never closed");
	else
		c->p++;
	if (negated)
		set_negate(&s);
	put_set(c, &s);
}

/* ---- atoms ---- */

static void read_choice(struct compiler *c);

static void read_group(struct compiler *c)
{
	if (c->end - c->p >= 2 && c->p[0] == '?' && c->p[1] == ':')
		c->p += 2;
	else if (next_is(c, '?'))
		refuse(c, "groups that begin with (? are not known here, but for (?:");
	c->depth++;
	read_choice(c);
	c->depth--;
	if (!next_is(c, ')'))
		refuse(c, "a ( is never closed");
	else
		c->p++;
}

/* A character that stands for itself; c->p stands behind its first byte. */
static void read_literal(struct compiler *c)
{
	char to[4];
	unsigned n = c->folded ? utf8_step(c->p - 1, c->end) : 0, made = n ? fold_step(c->p - 1, n, to) : 0;
	if (n == 0)
		put_byte(c, (unsigned char)c->p[-1]);
	else
		c->p += n - 1;
	for (unsigned i = 0; i < made; i++)
		put_byte(c, (unsigned char)to[i]);
}

static void read_escape(struct compiler *c)
{
	struct pattern_set s = { { 0 } };
	if (c->p == c->end) {
		refuse(c, "it ends with a backslash");
		return;
	}
	char byte = *c->p++;
	if (set_letter(&s, byte))
		put_set(c, &s);
	else if (byte >= '0' && byte <= '9')
		refuse(c, "back references are not taken");
	else if (isalnum((unsigned char)byte))
		refuse(c, "behind a backslash only punctuation and d, w, s, D, W, S are known");
	else
		read_literal(c);
}

static void read_atom(struct compiler *c)
{
	struct pattern_set any = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
	char byte = *c->p++;
	switch (byte) {
	case '(':
		read_group(c);
		break;
	case '[':
		read_set(c);
		break;
	case '\\':
		read_escape(c);
		break;
	case '.':
		put_set(c, &any);
		break;
	case '^':
		put(c, c->n, PAT_BEGIN, 0, false);
		break;
	case '$':
		put(c, c->n, PAT_END, 0, false);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		c->p--;
		refuse(c, "there is nothing before a repetition that it could repeat");
		break;
	default:
		read_literal(c);
	}
}

/* ---- repetitions of what begins at step `from` ---- */

static void repeat_any(struct compiler *c, size_t from)
{
	size_t n = c->n - from;
	put(c, from, PAT_SPLIT, n + 2, false);
	put(c, c->n, PAT_JUMP, n + 1, true);
}

static void repeat_some(struct compiler *c, size_t from)
{
	put(c, c->n, PAT_SPLIT, c->n - from, true);
}

static void repeat_maybe(struct compiler *c, size_t from)
{
	put(c, from, PAT_SPLIT, c->n - from + 1, false);
}

/* {least,most}: the code is written out least times, and then behind it as an optional one, or as one with a star. */
static void repeat_counted(struct compiler *c, size_t from, int least, int most)
{
	struct pattern_step code[PATTERN_STEPS_MAX];
	size_t n = c->n - from;
	int copies = most == ENDLESS ? least + 1 : most;
	memcpy(code, c->steps + from, n * sizeof *code);
	c->n = from;
	for (int i = 0; i < copies && !c->why; i++) {
		size_t at = c->n;
		struct pattern_step *s = make_room(c, at, n);
		if (!s)
			return;
		memcpy(s, code, n * sizeof *s);
		if (i >= least && most == ENDLESS)
			repeat_any(c, at);
		else if (i >= least)
			repeat_maybe(c, at);
	}
}

static bool read_number(struct compiler *c, int *out)
{
	const char *from = c->p;
	for (*out = 0; c->p < c->end && isdigit((unsigned char)*c->p); c->p++)
		*out = *out * 10 + (*c->p - '0') > PATTERN_COUNT_MAX ? PATTERN_COUNT_MAX + 1
								     : *out * 10 + (*c->p - '0');
	return c->p > from;
}

/* Behind "{". */
static void read_counts(struct compiler *c, size_t from)
{
	int least, most;
	bool ok = read_number(c, &least);
	most = least;
	if (ok && next_is(c, ',')) {
		c->p++;
		if (!read_number(c, &most))
			most = ENDLESS;
	}
	if (!ok || !next_is(c, '}')) {
		refuse(c, "a { is no repetition {n}, {n,} or {n,m}; as itself it is written \\{");
		return;
	}
	c->p++;
	if (least > PATTERN_COUNT_MAX || most > PATTERN_COUNT_MAX)
		refuse(c, "it repeats something more than 255 times");
	else if (most != ENDLESS && most < least)
		refuse(c, "a repetition {n,m} ends before it begins");
	else
		repeat_counted(c, from, least, most);
}

static void read_piece(struct compiler *c)
{
	size_t from = c->n;
	read_atom(c);
	while (!c->why && c->p < c->end && memchr("*+?{", *c->p, 4)) {
		switch (*c->p++) {
		case '*':
			repeat_any(c, from);
			break;
		case '+':
			repeat_some(c, from);
			break;
		case '?':
			repeat_maybe(c, from);
			break;
		default:
			read_counts(c, from);
		}
	}
}

/* ---- the whole ---- */

static void read_choice(struct compiler *c)
{
	size_t from = c->n;
	while (!c->why && c->p < c->end && *c->p != '|' && !(c->depth && *c->p == ')'))
		read_piece(c);
	if (c->why || !next_is(c, '|'))
		return;
	c->p++;
	put(c, from, PAT_SPLIT, c->n - from + 2, false);
	size_t jump = c->n;
	put(c, jump, PAT_JUMP, 0, false);
	read_choice(c);
	if (!c->why)
		c->steps[jump].to = (int32_t)(c->n - jump);
}

int pattern_compile(
	struct arena *a, struct tally_str text, bool folded, const struct pattern **out, const char **why, size_t *at)
{
	struct pattern_step steps[PATTERN_STEPS_MAX + 1];
	struct pattern_set *sets = arena_alloc(a, (text.len + 1) * sizeof *sets);
	struct compiler c = {
		.p = text.ptr, .end = text.ptr + text.len, .folded = folded, .steps = steps, .sets = sets
	};
	if (text.len)
		read_choice(&c);
	if (c.why) {
		*why = c.why;
		*at = (size_t)(c.p - text.ptr);
		return -EINVAL;
	}
	steps[c.n++] = (struct pattern_step){ .op = PAT_DONE };
	struct pattern *p = arena_zalloc(a, sizeof *p);
	p->steps = memcpy(arena_alloc(a, c.n * sizeof *steps), steps, c.n * sizeof *steps);
	p->sets = sets;
	p->n = c.n;
	*out = p;
	return 0;
}

size_t pattern_steps(const struct pattern *p)
{
	return p->n;
}
