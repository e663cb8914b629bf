/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/schema.md from the descriptions that the stores are made of. Run by hand when a table changes:
 *     docs/print_schema > docs/schema.md
 * A test compares. A column without a word about it is an error, so none can be added in silence. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema_examples.h"
#include "ship/schema.h"

static const struct {
	const char *table, *column, *meaning;
} meanings[] = {
	{ "", "node", "number of the node that wrote the row, see `tally_node`" },
	{ "", "line", "name of the sink as configured" },
	{ "", "site", "site or application" },
	{ "tally_event", "lsn", "place of the event's record in its node's ledger" },
	{ "tally_event", "idx", "place within the record" },
	{ "tally_event", "id", "the id it came with or was given; unique within a site" },
	{ "tally_event", "name", "`view`, `click`, …" },
	{ "tally_event", "time", "when it happened, UTC microseconds since 1970" },
	{ "tally_event", "received", "when the ledger took it, UTC microseconds; never decreasing on a node" },
	{ "tally_event", "visitor", "anonymous id; empty = none" },
	{ "tally_event", "user", "known id; empty = none" },
	{ "tally_event", "host", "host of the page; empty = none" },
	{ "tally_event", "page", "path of the page, as sent; empty = none" },
	{ "tally_event", "referrer", "as sent; empty = none" },
	{ "tally_event", "value", "revenue, milliseconds, anything summed; NULL = none" },
	{ "tally_event", "weight", "events this one stands for; 1 unless rows were thinned under load" },
	{ "tally_event", "props",
		"the props as a JSON object; numbers as sent; `$browser` and others that begin with `$` are made by plugins" },
	{ "tally_dead", "lsn", "place of the event's record in its node's ledger" },
	{ "tally_dead", "idx", "place within the record" },
	{ "tally_dead", "time", "when the ledger took the event, UTC microseconds" },
	{ "tally_dead", "code", "the store's own error code, or a plugin's errno" },
	{ "tally_dead", "error", "the words that came with it, plain ASCII" },
	{ "tally_dead", "raw",
		"the event as it was sent, as JSON, before any plugin of the line; `tally dead replay` sends it again" },
	{ "tally_revision", "day", "begin of a UTC day, microseconds" },
	{ "tally_revision", "lsn", "the last batch of this node that touched the day ended here" },
	{ "tally_revision", "generation", "raised when rows of the day were rebuilt" },
	{ "tally_ledger", "stored", "events with a row in `tally_event`" },
	{ "tally_ledger", "dead", "events with a row in `tally_dead`" },
	{ "tally_ledger", "thinned", "events that are in the rollups only" },
	{ "tally_ledger", "lost", "events that this line never got; `tally_gap` says why" },
	{ "tally_ledger", "dropped", "events that a plugin of this line dropped" },
	{ "tally_meta", "name",
		"`schema`, `hash_key`, `rollup/ID`, `began/UUID/ID`, `ended/UUID/ID`, `making/ID`, `made/ID`, `epoch`, `horizon/GRAIN`, `horizon/visits`, `horizon/visit_values`, `zone/N`, `zones/UUID`, `zoned/ID`, `table/NAME`, `tables/HOST:PORT`" },
	{ "tally_meta", "value",
		"schema version; key of the hashes in `key`; definition of the rollup; node, time zone and site of `zone/N`; which tables that MariaDB server has. Never change these by hand" },
	{ "tally_meta", "horizon",
		"event time from which the rollup is whole or visits are, or days of that site are of that zone, or before which rows of "
		"the grain are deleted; the smallest "
		"integer = from the beginning" },
	{ "tally_gap", "reason",
		"`store_too_old`: the store stood behind the oldest record kept; `skipped`: by `when_spool_full: skip`; "
		"`damaged`: bytes of the spool were broken; `before`: taken before this line began, not lost" },
	{ "tally_salt", "day", "UTC days since 1970; the row is deleted when its day is over" },
	{ "tally_salt", "salt",
		"random; the first node that needs it draws it, and all nodes of the store hash anonymous visitors with it" },
	{ "tally_gap", "events", "how many" },
	{ "tally_gap", "last", "time of the record at which the line went on" },
	{ "tally_visit", "lsn", "with `idx` the visit's name: the event by which it was first known" },
	{ "tally_visit", "idx", "place of that event within its record" },
	{ "tally_visit", "time", "when it began: time of its first event, UTC microseconds" },
	{ "tally_visit", "visits", "1; 0 = it turned out to be part of another visit, and adds nothing" },
	{ "tally_visit", "bounces", "1 = it has one event" },
	{ "tally_visit", "duration", "from its first event to its last, microseconds" },
	{ "tally_visit", "views", "its events named `view` or `pageview`" },
	{ "tally_visit", "entry_page", "page of its first event that has one" },
	{ "tally_visit", "exit_page", "page of its last event that has one" },
	{ "tally_visit", "referrer", "referrer of its first event" },
	{ "tally_visit", "source",
		"dimension `visit:source`: prop `$source` of its first event; empty = none. So the others" },
	{ "tally_visit", "channel", "`$channel`" },
	{ "tally_visit", "utm_source", "`utm_source`" },
	{ "tally_visit", "utm_medium", "`utm_medium`" },
	{ "tally_visit", "utm_campaign", "`utm_campaign`" },
	{ "tally_visit", "utm_content", "`utm_content`" },
	{ "tally_visit", "utm_term", "`utm_term`" },
	{ "tally_visit", "device", "`$device`" },
	{ "tally_visit", "browser", "`$browser`" },
	{ "tally_visit", "os", "`$os`" },
	{ "tally_visit", "country", "`$country`" },
	{ "tally_visit_change", "batch", "the batch that changed the visit ended here in its node's ledger" },
	{ "tally_visit_change", "lsn", "with `idx` the visit's name, as in `tally_visit`" },
	{ "tally_visit_change", "idx", "place of that event within its record" },
	{ "tally_visit_change", "now", "0: as it was before the batch; 1: as it was behind it" },
	{ "tally_visit_change", "time", "this and the rest as in `tally_visit`" },
	{ "tally_visit_change", "visits", "" },
	{ "tally_visit_change", "bounces", "" },
	{ "tally_visit_change", "duration", "" },
	{ "tally_visit_change", "views", "" },
	{ "tally_visit_change", "entry_page", "" },
	{ "tally_visit_change", "exit_page", "" },
	{ "tally_visit_change", "referrer", "" },
	{ "tally_visit_change", "source", "" },
	{ "tally_visit_change", "channel", "" },
	{ "tally_visit_change", "utm_source", "" },
	{ "tally_visit_change", "utm_medium", "" },
	{ "tally_visit_change", "utm_campaign", "" },
	{ "tally_visit_change", "utm_content", "" },
	{ "tally_visit_change", "utm_term", "" },
	{ "tally_visit_change", "device", "" },
	{ "tally_visit_change", "browser", "" },
	{ "tally_visit_change", "os", "" },
	{ "tally_visit_change", "country", "" },
	{ "tally_rollup_items", "grain", "0 minute, 1 quarter of an hour, 2 day, 3 month" },
	{ "tally_rollup_items", "bucket",
		"begin of the bucket, UTC microseconds; days and months begin in the site's own time zone" },
	{ "tally_rollup_items", "key", "keyed hash of the dimensions below; the same on every node" },
	{ "tally_rollup_items", "event_name", "dimension `event:name`" },
	{ "tally_rollup_items", "props_item", "dimension `event:props:item`; empty = the event has none" },
	{ "tally_rollup_items", "events", "metric `events`" },
	{ "tally_rollup_items", "visitors_hll",
		"metric `visitors`: a HyperLogLog sketch, mergeable; its bytes are described in core/sketch/hll.h" },
	{ "tally_rollup_items", "visitors",
		"its estimate: exact up to 500, 0.81 % standard error beyond; of this row alone" },
	{ "tally_rollup_items", "sum_value", "metric `sum:value`" },
	{ "tally_rollup_items", "count_value", "how many numbers were summed, for averages" },
	{ "tally_rollup_items", "min_value", "metric `min:value`; NULL = no number seen" },
	{ "tally_rollup_items", "max_value", "metric `max:value`; NULL = no number seen" },
	{ "tally_rollup_items", "quantiles_value",
		"metric `p:value`: a DDSketch for every percentile, mergeable; its bytes are described in "
		"core/sketch/quantile.h" },
	{ "tally_rollup_items", "p50_value", "its median, within 1 %, of this row alone; NULL = no number seen" },
};

static const char *meaning_of(const char *table, const char *column)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strcmp(meanings[i].column, column) == 0 &&
			(!*meanings[i].table || strcmp(meanings[i].table, table) == 0))
			return meanings[i].meaning;
	fprintf(stderr, "docs/print_schema.c has no word about %s.%s\n", table, column);
	exit(1);
}

static void print_type(const struct tally_column *c)
{
	static const char *const names[] = { "integer", "real", "text", "bytes", "JSON" };
	printf("%s", names[c->type]);
	if (c->type == TALLY_T_TEXT || c->type == TALLY_T_BLOB)
		printf(" ≤ %u", c->max_bytes);
	printf("%s", c->nullable ? ", NULL" : "");
}

static const char *merge_words(const struct tally_table *t, const struct tally_column *c)
{
	static const char *const words[] = { [TALLY_M_KEY] = "key",
		[TALLY_M_NODE] = "key",
		[TALLY_M_SET] = "replaced",
		[TALLY_M_ADD] = "added",
		[TALLY_M_MIN] = "least",
		[TALLY_M_MAX] = "greatest",
		[TALLY_M_HLL] = "united",
		[TALLY_M_QUANTILE] = "united",
		[TALLY_M_ESTIMATE] = "of the union",
		[TALLY_M_FIRST] = "stays" };
	return t->insert_only && c->merge == TALLY_M_SET ? "" : words[c->merge];
}

static void print_table(const struct tally_table *t, const char *name)
{
	printf("\n### %s\n\n%c%s.%s\n\n", name, toupper((unsigned char)*t->help), t->help + 1,
		t->insert_only ? " Rows are only ever added." : "");
	printf("| column | type | a new row meets an old one | meaning |\n| --- | --- | --- | --- |\n");
	for (uint32_t i = 0; i < t->ncolumns; i++) {
		const struct tally_column *c = &t->columns[i];
		printf("| `%s` | ", c->name);
		print_type(c);
		printf(" | %s | %s |\n", merge_words(t, c), meaning_of(t->name, c->name));
	}
	if (t->index)
		printf("\nA further index: (%s).\n", t->index);
}

static const char head[] =
	"# What is in a store\n\n"
	"<!-- printed by docs/print_schema; do not edit -->\n\n"
	"tally makes and migrates these tables in every store, MariaDB and SQLite alike, and anyone may read them with SQL.\n"
	"Writing to them behind tally's back makes counts wrong; further indexes and views do no harm. With `prefix: x_` every\n"
	"name begins with `x_`.\n\n"
	"Times are UTC microseconds since 1970 (`time / 1000000` are seconds). Text is UTF-8, compared byte by byte: `'a'`,\n"
	"`'A'` and `'a '` differ. No node writes a row of another node, so sums over `node` are always whole.\n\n"
	"| type here | SQLite (STRICT) | MariaDB (InnoDB) |\n| --- | --- | --- |\n"
	"| integer | INTEGER | BIGINT; `node` INT UNSIGNED |\n"
	"| real | REAL | DOUBLE |\n"
	"| text ≤ n | TEXT | VARCHAR(n) up to 255 or within an index, else TEXT, MEDIUMTEXT; utf8mb4_nopad_bin |\n"
	"| bytes ≤ n | BLOB | VARBINARY(n) up to 255 or within an index, else BLOB, MEDIUMBLOB |\n"
	"| JSON | TEXT | LONGTEXT, utf8mb4_nopad_bin |\n\n"
	"A batch of events is one transaction: rows, rollups and the line's position move together or not at all. Sums that\n"
	"would leave their range stop at its end.\n";

static const char own[] =
	"\n### tally_node\n\nThe numbers that this store gave to nodes. 0 is for nodes long gone, folded together.\n\n"
	"| column | type | meaning |\n| --- | --- | --- |\n"
	"| `number` | integer | from 1 |\n| `uuid` | text | the node's identity, as in its `data_dir` |\n"
	"\n### tally_position\n\nHow far the ledger of a node is in this store.\n\n"
	"| column | type | meaning |\n| --- | --- | --- |\n"
	"| `node` | integer, key | |\n| `line` | text ≤ 64, key | name of the sink as configured |\n"
	"| `lsn` | integer of 64 bits | all records of the node that end at or before it are stored |\n"
	"| `mark` | integer of 64 bits | its chained checksum: the same lsn of another history has another mark |\n"
	"| `committed` | integer | wall time of the last batch |\n\n"
	"`lsn` and `mark` are BIGINT UNSIGNED in MariaDB; SQLite has no unsigned integers and shows the same bits as signed\n"
	"ones. A line that gets another name goes on with `tally adopt NEW --from OLD`.\n";

static const char rollups[] =
	"\n## Rollups\n\n"
	"Each rollup that is declared has a table `tally_rollup_NAME`. Its first five columns are always the same; then comes a\n"
	"column for each dimension (`event:name` → `event_name`, `event:page` → `event_page`, `event:hostname` →\n"
	"`event_hostname`, `visit:referrer` → `visit_referrer`, `visit:entry_page` → `visit_entry_page`, `visit:exit_page` →\n"
	"`visit_exit_page`, `visit:browser` → `visit_browser`, `event:props:x` → `props_x`,\n"
	"`visit:utm_x` → `props_utm_x`) and for each metric (`events`, `pageviews`, `visits`, `bounces`,\n"
	"`duration` in microseconds, `views`, `visitors_hll` with `visitors`, `sum_F` with `count_F`, `min_F`, `max_F`,\n"
	"`quantiles_F` with `p50_F`; F is `value` or `props_x`).\n"
	"Letters outside `[a-z0-9_]` become `_` and two hex digits; too long a name ends in 8 digits of a hash.\n\n"
	"Declared otherwise (another dimension or metric) a rollup is a new one, with rows of its own from then on: its ID in\n"
	"`tally_meta` is `NAME/2` and its table `tally_rollup_NAME__2`, and so on. `/v1/schema` says which table is in use. The\n"
	"tables of earlier definitions, and of rollups that are not declared any more, stay as they are and get no new rows: drop\n"
	"one when you like, unless you mean to declare it so again. `began/UUID/ID` and `ended/UUID/ID` say from where to where\n"
	"in its log a node writes a rollup; one that a node does not write is not read.\n\n"
	"Every event is counted in every grain that is kept, so pick one grain: rows of different grains must not be added.\n"
	"As an example the table of\n"
	"`{ name: items, by: [\"event:name\", \"event:props:item\"], metrics: [events, visitors, \"sum:value\", \"min:value\", "
	"\"max:value\",\n\"p:value\"] }`:\n";

static void print_rollup(struct arena *a)
{
	static const struct tally_dimension dims[] = {
		{ .kind = TALLY_DIM_NAME },
		{ .kind = TALLY_DIM_PROP, .key = { "item", 4 } },
	};
	static const struct tally_metric metrics[] = {
		{ .kind = TALLY_EVENTS },
		{ .kind = TALLY_VISITORS },
		{ .kind = TALLY_SUM },
		{ .kind = TALLY_MIN },
		{ .kind = TALLY_MAX },
		{ .kind = TALLY_QUANTILE },
	};
	static const struct tally_rollup items = {
		.ndims = 2, .nmetrics = 6, .name = { "items", 5 }, .dims = dims, .metrics = metrics
	};
	const struct schema *s = schema_make(a, &items, 1);
	print_table(&s->rollups[0].table, "tally_rollup_items");
}

int main(void)
{
	struct arena a;
	arena_init(&a, 0);
	const struct schema *s = schema_make(&a, NULL, 0);
	printf("%s\n## Tables\n", head);
	for (size_t i = 0; i < SCHEMA_FIXED; i++)
		print_table(&s->fixed[i], s->fixed[i].name);
	printf("%s%s", own, rollups);
	print_rollup(&a);
	printf("\n## Questions in SQL\n");
	for (size_t i = 0; i < SCHEMA_EXAMPLES; i++)
		printf("\n%s\n\n```sql\n%s;\n```\n", schema_examples[i].title, schema_examples[i].sql);
	arena_free(&a);
	return 0;
}
