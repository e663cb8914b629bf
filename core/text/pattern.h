/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions that strangers may choose: POSIX extended syntax on bytes, matched in time (length of the text) x
 * (size of the pattern), in a fixed amount of memory, whatever the pattern is. Nothing is captured.
 *
 *   .  [abc]  [^a-z]  [[:digit:]]  \d \w \s \D \W \S  \. (any punctuation)  ^  $  (…)  (?:…)  a|b
 *   *  +  ?  {n}  {n,}  {n,m}
 *
 * Back references, look-around and word bounds are refused. A pattern is at most PATTERN_STEPS_MAX steps after its
 * counted repetitions have been written out. */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

#define PATTERN_STEPS_MAX 1000
#define PATTERN_COUNT_MAX 255 /* of {n,m} */

struct pattern;

/* Lives in the arena; read-only afterwards, for any number of threads. -EINVAL with why (static words) and at, the byte of
 * the text where it went wrong. folded: the texts to be matched are folded (text/fold.h), and so are the characters of the
 * pattern: [A-Z] then eats a folded letter, [^a] does not eat the a of an A, \W stays what it is. */
must_check int pattern_compile(
	struct arena *a, struct tally_str text, bool folded, const struct pattern **out, const char **why, size_t *at);

/* Is some part of the text (all of it, with ^ and $) what the pattern describes? */
bool pattern_matches(const struct pattern *p, struct tally_str text);

/* What a byte of a text may cost. */
size_t pattern_steps(const struct pattern *p);

#endif
