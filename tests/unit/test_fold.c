/* SPDX-License-Identifier: Apache-2.0 */
/* Case folding by examples, and every character against Python's Unicode data (fold_oracle.py), where there is a python3. */
#include <stdio.h>
#include <stdlib.h>

#include "text/fold.h"
#include "text/utf8.h"
#include "unit.h"

static void becomes(const char *text, const char *want)
{
	char out[256];
	size_t n = fold_text(str_of(text), out);
	if (!str_eq(str_make(out, n), str_of(want)))
		fail_msg("%s becomes %.*s, not %s", text, (int)n, out, want);
	assert_int_equal(fold_text(str_make(out, n), out + 128), n); /* what is folded stays */
	assert_memory_equal(out, out + 128, n);
}

static void letters_of_all_scripts_lose_their_case(void **state)
{
	(void)state;
	becomes("", "");
	becomes("/Buy?A=1&b_[Z]@`{", "/buy?a=1&b_[z]@`{");
	becomes("\u00c9T\u00c9 na\u00cfve", "\u00e9t\u00e9 na\u00efve");
	becomes("\u03a3\u0391\u03a3 \u03c3\u03b1\u03c2", "\u03c3\u03b1\u03c3 \u03c3\u03b1\u03c3");
	becomes("\u041c\u041e\u0421\u041a\u0412\u0410", "\u043c\u043e\u0441\u043a\u0432\u0430");
	becomes("STRA\u1e9eE stra\u00dfe STRASSE", "stra\u00dfe stra\u00dfe strasse");
	becomes("\u0130I\u0131i", "\u0130i\u0131i");
	becomes("\u212a\u017f", "ks");                   /* three bytes become one */
	becomes("\u023a\u2c62", "\u2c65\u026b");         /* two become three */
	becomes("\U00010400\u65e5", "\U00010428\u65e5"); /* Deseret */
	becomes("e\u0301 E\u0301", "e\u0301 e\u0301");
}

static void what_is_no_utf8_stays(void **state)
{
	(void)state;
	becomes("A\xc3", "a\xc3");
	becomes("\xff\xc9Z\xe2\x82", "\xff\xc9z\xe2\x82");
}

static void no_text_outgrows_its_room(void **state)
{
	(void)state;
	for (uint32_t cp = 1; cp < 0x110000; cp++) {
		char in[4], out[4];
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		unsigned n = utf8_put(cp, in);
		assert_true(fold_step(in, n, out) * 2 <= n * 3);
		assert_int_equal(fold_char(fold_char(cp)), fold_char(cp));
	}
}

static void every_character_is_as_python_has_it(void **state)
{
	(void)state;
	char command[4096];
	const char *srcdir = getenv("srcdir");
	if (system("python3 -c 'import unicodedata' >/dev/null 2>&1") != 0) {
		printf("skipped fold_oracle: no python3\n");
		return;
	}
	snprintf(command, sizeof command, "python3 '%s/tests/unit/fold_oracle.py'", srcdir ? srcdir : ".");
	fflush(stdout);
	FILE *p = popen(command, "w");
	assert_non_null(p);
	for (uint32_t cp = 0x80; cp < 0x110000; cp++)
		if (fold_char(cp) != cp)
			fprintf(p, "%x %x\n", (unsigned)cp, (unsigned)fold_char(cp));
	assert_int_equal(pclose(p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_of_all_scripts_lose_their_case),
		cmocka_unit_test(what_is_no_utf8_stays),
		cmocka_unit_test(no_text_outgrows_its_room),
		cmocka_unit_test(every_character_is_as_python_has_it),
	};
	return RUN_TESTS("fold", tests);
}
