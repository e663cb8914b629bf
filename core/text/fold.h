/* SPDX-License-Identifier: Apache-2.0 */
/* Simple case folding as the Unicode standard has it (statuses C and S of CaseFolding.txt, version 14): each character
 * becomes one other or itself, without regard to a language. So É is é, ẞ is ß and ΣΑΣ is σας; but ß is not ss, İ is neither i nor
 * ı, and an é of two characters is not an é of one. Pure functions. [any thread] */
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define FOLD_GROWTH 2 /* folded text is at most half as long again; room for len * FOLD_GROWTH bytes is enough */

uint32_t fold_char(uint32_t cp);
/* The folded text in out, which has len * FOLD_GROWTH bytes; its length. Bytes that are no UTF-8 stay as they are. */
size_t fold_text(struct tally_str text, char *out);
/* The sequence of n bytes at p, in out; its length. Assumes: utf8_step(p) == n. */
unsigned fold_step(const char *p, unsigned n, char out[4]);

#endif
