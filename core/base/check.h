/* SPDX-License-Identifier: Apache-2.0 */
/* Asserts that stay in production, and the must-check mark for results.
 *
 * MUST() states what cannot be false unless the program itself is wrong. Bad input is never a MUST:
 * it gets a refusal. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUST(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

#define must_check __attribute__((warn_unused_result))

/* Prints the condition and its place to stderr and aborts. Never returns. */
_Noreturn void check_failed(const char *cond, const char *file, int line);

#endif
