/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL shown in docs/schema.md; the tests of every store run it. */
#ifndef DOCS_SCHEMA_EXAMPLES_H
#define DOCS_SCHEMA_EXAMPLES_H

#include <stddef.h>

static const struct schema_example {
	const char *title, *sql;
	size_t ncolumns;
} schema_examples[] = {
	{ "Events of a site in a span of time. Thinned events stand for `weight` of themselves.",
		"SELECT COUNT(*) AS kept, SUM(weight) AS represented\n"
		"  FROM tally_event\n"
		" WHERE site = 'shop.example' AND time >= 1767225600000000 AND time < 1767312000000000",
		2 },
	{ "By a prop.",
		"SELECT JSON_EXTRACT(props, '$.plan') AS plan, COUNT(*) AS events\n"
		"  FROM tally_event\n"
		" WHERE site = 'shop.example' AND name = 'view'\n"
		" GROUP BY JSON_EXTRACT(props, '$.plan') ORDER BY events DESC",
		2 },
	{ "A series from a rollup: counts and sums of all nodes and dimensions add up.",
		"SELECT bucket, SUM(events) AS events, SUM(sum_value) AS revenue\n"
		"  FROM tally_rollup_items\n"
		" WHERE site = 'shop.example' AND grain = 2 AND bucket >= 1767225600000000\n"
		" GROUP BY bucket ORDER BY bucket",
		3 },
	{ "An average is a sum by its count.",
		"SELECT props_item, SUM(sum_value) / SUM(count_value) AS average\n"
		"  FROM tally_rollup_items\n"
		" WHERE site = 'shop.example' AND grain = 2 AND event_name = 'purchase'\n"
		" GROUP BY props_item HAVING SUM(count_value) > 0",
		2 },
	{ "Visits of a day by entry page: how many, what share of them saw one event, how long they were.",
		"SELECT entry_page, SUM(visits) AS visits, 100.0 * SUM(bounces) / SUM(visits) AS bounce_rate,\n"
		"       SUM(duration) / 1000000.0 / SUM(visits) AS seconds\n"
		"  FROM tally_visit\n"
		" WHERE site = 'shop.example' AND time >= 1767225600000000 AND time < 1767312000000000\n"
		" GROUP BY entry_page HAVING SUM(visits) > 0 ORDER BY visits DESC",
		4 },
	{ "Distinct visitors of one day and item, as one node counted them. Estimates of different rows do not add up:\n"
	  "whoever visits on two days is in both. For longer spans ask `/v1/query`, which unites the sketches.",
		"SELECT props_item, visitors\n"
		"  FROM tally_rollup_items\n"
		" WHERE site = 'shop.example' AND grain = 2 AND bucket = 1767225600000000 AND event_name = 'view'\n"
		" ORDER BY visitors DESC LIMIT 10",
		2 },
	{ "From when a rollup is whole: at or behind its own horizon and that of the grain.",
		"SELECT name, horizon FROM tally_meta\n"
		" WHERE name LIKE 'rollup/%' OR name LIKE 'horizon/%' ORDER BY name",
		2 },
	{ "How far every node's line has come, and when.",
		"SELECT n.uuid, p.line, p.lsn, p.committed\n"
		"  FROM tally_position p JOIN tally_node n ON n.number = p.node",
		4 },
	{ "What became of the events.",
		"SELECT site, SUM(stored) AS stored, SUM(thinned) AS thinned, SUM(dead) AS dead, SUM(lost) AS lost\n"
		"  FROM tally_ledger GROUP BY site",
		5 },
	{ "The latest dead letters.", "SELECT time, code, error, raw FROM tally_dead ORDER BY time DESC LIMIT 20", 4 },
};

#define SCHEMA_EXAMPLES (sizeof schema_examples / sizeof *schema_examples)

#endif
