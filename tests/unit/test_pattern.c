/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: what is known and what is refused, against the C library's regexec() over random patterns and texts, and how
 * long the nastiest take. */
#include "text/pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "unit.h"

static struct arena arena;
static bool folded; /* how made() compiles */

static const struct pattern *made(const char *text)
{
	const struct pattern *p = NULL;
	const char *why = "";
	size_t at = 0;
	if (pattern_compile(&arena, str_of(text), folded, &p, &why, &at))
		fail_msg("%s: %s at %zu", text, why, at);
	return p;
}

static void test_what_it_knows(void **state)
{
	static const struct {
		const char *pattern, *yes, *no;
	} rows[] = {
		{ "b", "abc", "ac" },
		{ "^/(buy|item/[0-9]+)$", "/item/12", "/item/" },
		{ "^$", "", "a" },
		{ "", "anything", NULL },
		{ "a{2,3}$", "xaaa", "ba" },
		{ "^a{2}$", "aa", "aaa" },
		{ "^(ab){2,}$", "ababab", "ab" },
		{ "^a{0}b$", "b", "ab" },
		{ "^[^a-z]+$", "A1", "Aa" },
		{ "^[]x-]+$", "]-x", "y" },
		{ "^[[:digit:][:upper:]]+$", "A7", "a7" },
		{ "^\\d+\\.\\d\\s\\w$", "12.5 _", "12x5 _" },
		{ "^\\D\\W\\S$", "a-b", "1-b" },
		{ "^(?:a|b)*c$", "abac", "abad" },
		{ "^.$", "\xc3", "\xc3\xa9" }, /* bytes */
		{ "\xc3\xa9t\xc3\xa9", "l'\xc3\xa9t\xc3\xa9", "ete" },
		{ "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
			"0123abcd-0123-4567-89ab-0123456789ab", "0123abcd-0123-4567-89ab-0123456789aX" },
		{ "a|", "b", NULL },
		{ "(a*)*b", "aaab", "aaa" },
		{ "(^a|b$)", "xb", "xax" },
		{ "\\^\\$\\{\\}", "^${}", "^$" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!pattern_matches(made(rows[i].pattern), str_of(rows[i].yes)))
			fail_msg("%s does not match %s", rows[i].pattern, rows[i].yes);
		if (rows[i].no && pattern_matches(made(rows[i].pattern), str_of(rows[i].no)))
			fail_msg("%s matches %s", rows[i].pattern, rows[i].no);
	}
}

/* The texts are folded already, as whoever matches has them. */
static void test_without_regard_to_case(void **state)
{
	static const struct {
		const char *pattern, *yes, *no;
	} rows[] = {
		{ "^/Buy$", "/buy", "/buys" },
		{ "^[A-Z]+$", "abz", "a1" },
		{ "^[^A]$", "b", "a" },
		{ "^[Z-a]$", "z", "y" },
		{ "^[[:upper:]]$", "q", "1" },
		{ "^\\W$", "-", "w" },
		{ "^\\D\\S$", "ab", "1b" },
		{ "^\u00c9T\u00c9$", "\u00e9t\u00e9", "ete" },
		{ "^\u00c9{2}$", "\u00e9\u00e9", "\u00e9" },
		{ "^(\u03a3|X)\u0391?$", "\u03c3\u03b1", "\u03c2" },
		{ "^\\\u00c9$", "\u00e9", "\u00c9" },
		{ "^[\u00c9x]+$", "\u00e9", "\u00c9" },
		{ "\u212a", "ok", "\u212a" },
	};
	(void)state;
	folded = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!pattern_matches(made(rows[i].pattern), str_of(rows[i].yes)))
			fail_msg("%s does not match %s", rows[i].pattern, rows[i].yes);
		if (pattern_matches(made(rows[i].pattern), str_of(rows[i].no)))
			fail_msg("%s matches %s", rows[i].pattern, rows[i].no);
	}
	folded = false;
}

static void test_what_it_refuses(void **state)
{
	static const struct {
		const char *pattern, *words;
	} rows[] = {
		{ "(a)\\1", "back references" },
		{ "(a", "never closed" },
		{ "[a", "never closed" },
		{ "[[:alpga:]]", "class" },
		{ "[z-a]", "ends before" },
		{ "*a", "nothing before" },
		{ "a|*b", "nothing before" },
		{ "a{3,2}", "ends before" },
		{ "a{256}", "255" },
		{ "a{x}", "{n}" },
		{ "a{99999999999999999999}", "255" },
		{ "(a{255}){255}", "too large" },
		{ "\\bword", "backslash" },
		{ "a\\", "backslash" },
		{ "(?=a)", "(?:" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct pattern *p;
		const char *why = "";
		size_t at = 0;
		assert_int_equal(pattern_compile(&arena, str_of(rows[i].pattern), i % 2, &p, &why, &at), -EINVAL);
		if (!strstr(why, rows[i].words))
			fail_msg("%s: %s", rows[i].pattern, why);
		assert_true(at <= strlen(rows[i].pattern));
	}
}

/* ---- against the C library ---- */

static uint64_t chances;

static unsigned chance(unsigned below)
{
	chances ^= chances << 13;
	chances ^= chances >> 7;
	chances ^= chances << 17;
	return (unsigned)((chances >> 11) % below);
}

static void random_choice(char *out, int depth);

static void random_piece(char *out, int depth)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "\\.", "^", "$" };
	static const char *const counts[] = { "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}" };
	/* anchors stand outside of all brackets: glibc 2.36 finds a($$.|[ab]){2} in "aa." */
	unsigned kind = depth == 0 ? chance(12) : depth > 2 ? chance(7) : 2 + chance(10);
	if (depth && (kind == 7 || kind == 8))
		kind = 0;
	if (kind >= 9) {
		strcat(out, "(");
		random_choice(out, depth + 1);
		strcat(out, ")");
	} else {
		strcat(out, atoms[kind]);
	}
	/* what a repeated anchor means is nobody's to say */
	if (kind != 7 && kind != 8 && chance(3) == 0)
		strcat(out, counts[chance(7)]);
}

static void random_choice(char *out, int depth)
{
	for (unsigned n = 1 + chance(3), i = 0; i < n; i++)
		random_piece(out, depth);
	if (chance(4) == 0) {
		strcat(out, "|");
		random_piece(out, depth);
	}
}

static void test_as_the_c_library_does(void **state)
{
	unsigned matched = 0, all = 0;
	(void)state;
	chances = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		char text[4096] = "", sample[12];
		regex_t want;
		random_choice(text, 0);
		arena_reset(&arena);
		const struct pattern *p = made(text);
		assert_int_equal(regcomp(&want, text, REG_EXTENDED | REG_NOSUB), 0);
		for (int j = 0; j < 20; j++) {
			size_t n = chance(9);
			for (size_t k = 0; k < n; k++)
				sample[k] = "abc."[chance(4)];
			sample[n] = 0;
			bool is = regexec(&want, sample, 0, NULL, 0) == 0;
			if (pattern_matches(p, str_of(sample)) != is)
				fail_msg("%s on \"%s\": %d expected", text, sample, is);
			matched += is;
			all++;
		}
		regfree(&want);
	}
	assert_true(matched > all / 10 && matched < all - all / 10); /* both answers were tried */
}

/* Each of them keeps some usual matcher busy for minutes, or eats its memory. */
static void test_the_nasty_ones_are_quick(void **state)
{
	static const char *const nasty[] = { "(a*)*c", "(a|a)*c", "(a|b)*a(a|b){200}c", "(.{1,240}){1,2}c",
		"(a?){250}c", "((a|b)*a(a|b){100})*c", "(.*)(.*)(.*)(.*)(.*)c", "((a{1,9}){1,9}){1,6}c" };
	static char text[4097];
	(void)state;
	chances = 7;
	for (size_t i = 0; i < 4096; i++)
		text[i] = "ab"[chance(2)];
	for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
		struct timespec from, to;
		const struct pattern *p = made(nasty[i]);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		assert_false(pattern_matches(p, str_of(text)));
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
		double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
		print_message("%-24s %4zu steps %7.2f ms for 4096 bytes\n", nasty[i], pattern_steps(p), ms);
		assert_true(ms < 2000); /* some milliseconds; a sanitizer takes its share */
	}
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_it_knows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_regard_to_case, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_it_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_the_c_library_does, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_nasty_ones_are_quick, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
