/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "ship/meta.h"
#include "ship/schema.h"
#include "sketch/hll.h"

#define DIMS(...)                        \
	(const struct tally_dimension[]) \
	{                                \
		__VA_ARGS__              \
	}
#define METRICS(...)                  \
	(const struct tally_metric[]) \
	{                             \
		__VA_ARGS__           \
	}

static const struct tally_column *column(const struct schema *s, size_t rollup, const char *name)
{
	const struct tally_table *t = &s->rollups[rollup].table;
	for (uint32_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i].name, name) == 0)
			return &t->columns[i];
	return NULL;
}

static struct tally_rollup pages_rollup(void)
{
	static const struct tally_dimension dims[] = {
		{ .kind = TALLY_DIM_NAME },
		{ .kind = TALLY_DIM_PROP, .key = { "Item-No", 7 } },
	};
	static const struct tally_metric metrics[] = {
		{ .kind = TALLY_EVENTS },
		{ .kind = TALLY_VISITORS },
		{ .kind = TALLY_SUM },
		{ .kind = TALLY_MIN, .is_prop = 1, .field = { "price", 5 } },
		{ .kind = TALLY_QUANTILE, .is_prop = 1, .field = { "price", 5 } },
	};
	return (struct tally_rollup){
		.ndims = 2, .nmetrics = 5, .name = STR("pages"), .dims = dims, .metrics = metrics
	};
}

static void test_keys_come_first_in_every_table(void **state)
{
	struct arena a;
	struct tally_rollup r = pages_rollup();
	(void)state;
	arena_init(&a, 0);
	const struct schema *s = schema_make(&a, &r, 1);
	assert_int_equal(s->ntables, SCHEMA_FIXED + 1);
	for (size_t t = 0; t < s->ntables; t++) {
		bool key = true;
		int nodes = 0;
		for (uint32_t i = 0; i < s->tables[t]->ncolumns; i++) {
			uint32_t merge = s->tables[t]->columns[i].merge;
			bool is_key = merge == TALLY_M_KEY || merge == TALLY_M_NODE;
			assert_true(key || !is_key);
			key = is_key;
			nodes += merge == TALLY_M_NODE;
		}
		assert_true(nodes == 1 || t == SCHEMA_META || t == SCHEMA_SALT); /* these two are shared */
		assert_non_null(s->tables[t]->help);
	}
	arena_free(&a);
}

static void test_event_columns_stand_where_the_enum_says(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 0);
	const struct tally_table *t = &schema_make(&a, NULL, 0)->fixed[SCHEMA_EVENT];
	assert_int_equal(t->ncolumns, EVC_COLUMNS);
	assert_string_equal(t->columns[EVC_NODE].name, "node");
	assert_string_equal(t->columns[EVC_TIME].name, "time");
	assert_string_equal(t->columns[EVC_VALUE].name, "value");
	assert_int_equal(t->columns[EVC_VALUE].nullable, 1);
	assert_string_equal(t->columns[EVC_PROPS].name, "props");
	assert_int_equal(t->insert_only, 1);
	arena_free(&a);
}

static void test_rollup_columns_follow_from_its_declaration(void **state)
{
	struct arena a;
	struct tally_rollup r = pages_rollup();
	(void)state;
	arena_init(&a, 0);
	const struct schema *s = schema_make(&a, &r, 1);
	const struct schema_rollup *made = &s->rollups[0];
	assert_string_equal(made->table.name, "tally_rollup_pages");
	assert_string_equal(made->table.columns[RLC_BUCKET].name, "bucket");
	assert_string_equal(made->table.columns[made->first_dim].name, "event_name");
	assert_string_equal(made->table.columns[made->first_dim + 1].name, "props__49tem_2d_4eo");
	assert_string_equal(made->table.columns[made->metric_column[1]].name, "visitors_hll");
	assert_int_equal(column(s, 0, "visitors_hll")->max_bytes, HLL_ROOM);
	assert_int_equal(column(s, 0, "visitors")->merge, TALLY_M_ESTIMATE);
	assert_string_equal(made->table.columns[made->metric_column[2]].name, "sum_value");
	assert_string_equal(made->table.columns[made->metric_column[2] + 1].name, "count_value");
	assert_string_equal(made->table.columns[made->metric_column[3]].name, "min_props_price");
	assert_int_equal(column(s, 0, "min_props_price")->nullable, 1);
	assert_string_equal(made->table.columns[made->metric_column[4]].name, "quantiles_props_price");
	assert_int_equal(column(s, 0, "quantiles_props_price")->merge, TALLY_M_QUANTILE);
	assert_int_equal(column(s, 0, "p50_props_price")->merge, TALLY_M_ESTIMATE);
	assert_int_equal(column(s, 0, "p50_props_price")->nullable, 1);
	arena_free(&a);
}

/* Two props that come to one name, and a prop too long for a column name. */
static void test_column_names_stay_apart_and_short(void **state)
{
	char longest[65];
	struct arena a;
	(void)state;
	memset(longest, 'X', 64);
	longest[64] = 0;
	const struct tally_dimension dims[] = {
		{ .kind = TALLY_DIM_PROP, .key = STR("A") },
		{ .kind = TALLY_DIM_PROP, .key = STR("_41") },
		{ .kind = TALLY_DIM_PROP, .key = str_of(longest) },
		{ .kind = TALLY_DIM_PROP, .key = STR("$browser") },
		{ .kind = TALLY_DIM_PROP, .key = STR("utm_term") },
		{ .kind = TALLY_DIM_PROP, .key = STR("$x") },
	};
	const struct tally_rollup r = { .ndims = 6, .name = STR("odd"), .dims = dims };
	arena_init(&a, 0);
	const struct schema *s = schema_make(&a, &r, 1);
	const struct tally_column *c = &s->rollups[0].table.columns[RLC_FIXED];
	assert_string_equal(c[0].name, "props__41");
	assert_string_equal(c[1].name, "props__41_2");
	assert_in_range(strlen(c[2].name), 20, 60);
	assert_string_equal(c[3].name, "visit_browser");
	assert_string_equal(c[4].name, "props_utm_term");
	assert_string_equal(c[5].name, "props__24x");
	arena_free(&a);
}

static void test_rollup_key_tells_values_apart(void **state)
{
	const uint8_t k1[16] = { 1 }, k2[16] = { 2 };
	uint8_t a[16], b[16];
	(void)state;
	schema_rollup_key(k1, (struct tally_str[]){ STR("ab"), STR("c") }, 2, a);
	schema_rollup_key(k1, (struct tally_str[]){ STR("a"), STR("bc") }, 2, b);
	assert_memory_not_equal(a, b, 16);
	schema_rollup_key(k1, (struct tally_str[]){ STR("ab"), STR("c") }, 2, b);
	assert_memory_equal(a, b, 16);
	schema_rollup_key(k2, (struct tally_str[]){ STR("ab"), STR("c") }, 2, b);
	assert_memory_not_equal(a, b, 16);
	schema_rollup_key(k1, (struct tally_str[]){ STR("ab"), STR("c"), STR("") }, 3, b);
	assert_memory_not_equal(a, b, 16);
}

static void test_rollup_key_of_long_values(void **state)
{
	const uint8_t key[16] = { 7 };
	char big[4096];
	uint8_t a[16], b[16];
	(void)state;
	memset(big, 'p', sizeof big);
	schema_rollup_key(key, (struct tally_str[]){ str_make(big, sizeof big) }, 1, a);
	big[4095] = 'q';
	schema_rollup_key(key, (struct tally_str[]){ str_make(big, sizeof big) }, 1, b);
	assert_memory_not_equal(a, b, 16);
}

static void test_definition_ignores_the_order_of_metrics(void **state)
{
	struct arena a;
	struct tally_rollup r = pages_rollup(), turned = r;
	(void)state;
	arena_init(&a, 0);
	turned.metrics = METRICS(r.metrics[4], r.metrics[3], r.metrics[2], r.metrics[1], r.metrics[0]);
	assert_string_equal(meta_definition(&r, &a), meta_definition(&turned, &a));
	assert_string_equal(meta_definition(&r, &a),
		"by [event:name, event:props:Item-No] metrics [events, min:props.price, p:props.price, sum:value, visitors]");
	turned.dims = DIMS(r.dims[1], r.dims[0]);
	assert_string_not_equal(meta_definition(&r, &a), meta_definition(&turned, &a));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_come_first_in_every_table),
		cmocka_unit_test(test_event_columns_stand_where_the_enum_says),
		cmocka_unit_test(test_rollup_columns_follow_from_its_declaration),
		cmocka_unit_test(test_column_names_stay_apart_and_short),
		cmocka_unit_test(test_rollup_key_tells_values_apart),
		cmocka_unit_test(test_rollup_key_of_long_values),
		cmocka_unit_test(test_definition_ignores_the_order_of_metrics),
	};
	return RUN_TESTS("schema", tests);
}
