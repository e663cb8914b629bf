/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes first: CMocka and the headers it wants before itself. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka last: it redefines what the others declare */
#include <cmocka.h>

#define RUN_TESTS(name, tests) \
	(cmocka_set_message_output(CM_OUTPUT_STDOUT), cmocka_run_group_tests_name(name, tests, NULL, NULL))

#endif
