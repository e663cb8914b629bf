/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TEST_ENRICH_H
#define TESTS_TEST_ENRICH_H

struct agent_case {
	const char *agent, *device, *browser, *os;
};
extern const struct agent_case agent_cases[]; /* up to one whose agent is NULL */

#endif
