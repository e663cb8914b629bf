/* SPDX-License-Identifier: Apache-2.0 */
/* Every member of every struct that crosses between tally and a plugin or sink, with its place, and the value of every
 * enumerator. Compiled by test_abi against each released header and against today's; what is in the older table must
 * stand in the newer one with the same numbers. Members that a later header adds are added here under #ifdef of a macro
 * that came with them. */
#include <tally/sink.h>

struct member {
	const char *name;
	unsigned long offset, size;
};

#define M(s, m)                                                              \
	{                                                                    \
#s "." #m, offsetof(struct s, m), sizeof(((struct s *)0)->m) \
	}
#define S(s)                                      \
	{                                         \
		"sizeof " #s, 0, sizeof(struct s) \
	}
#define E(e)                              \
	{                                 \
#e, (unsigned long)(e), 0 \
	}

__attribute__((visibility("default"))) extern const struct member members[];

const struct member members[] = {
	/* plugin.h */
	S(tally_str), M(tally_str, ptr), M(tally_str, len), S(tally_prop), M(tally_prop, key), M(tally_prop, text),
	M(tally_prop, number), M(tally_prop, type), M(tally_event, lsn), M(tally_event, idx), M(tally_event, has_value),
	M(tally_event, time_us), M(tally_event, received_us), M(tally_event, name), M(tally_event, site),
	M(tally_event, id), M(tally_event, visitor), M(tally_event, user), M(tally_event, host), M(tally_event, page),
	M(tally_event, referrer), M(tally_event, value_text), M(tally_event, value), M(tally_event, props),
	M(tally_event, nprops), M(tally_event, weight), S(tally_option), M(tally_option, name), M(tally_option, type),
	M(tally_option, value), M(tally_option, help), S(tally_metric), M(tally_metric, kind), M(tally_metric, is_prop),
	M(tally_metric, field), S(tally_dimension), M(tally_dimension, kind), M(tally_dimension, key), S(tally_rollup),
	M(tally_rollup, id), M(tally_rollup, ndims), M(tally_rollup, nmetrics), M(tally_rollup, name),
	M(tally_rollup, dims), M(tally_rollup, metrics), S(tally_amount), M(tally_amount, count),
	M(tally_amount, number), M(tally_amount, sketch), M(tally_amount, sketch_len), S(tally_row),
	M(tally_row, rollup), M(tally_row, grain), M(tally_row, bucket_us), M(tally_row, site), M(tally_row, dims),
	M(tally_row, amounts), M(tally_request, id), M(tally_request, method), M(tally_request, path),
	M(tally_request, query), M(tally_request, accept), M(tally_request, body), M(tally_request, key),
	M(tally_request, cost), M(tally_request, is_query), M(tally_request, received_us), S(tally_answer),
	M(tally_answer, status), M(tally_answer, fresh), M(tally_answer, type), M(tally_answer, body),
	M(tally_answer, version), M(tally_answer, etag), M(tally_decode, method), M(tally_decode, path),
	M(tally_decode, query), M(tally_decode, type), M(tally_decode, body), M(tally_decode, sink),
	M(tally_decode, emit), M(tally_host, size), M(tally_host, abi), M(tally_host, station),
	M(tally_host, option_int), M(tally_host, option_float), M(tally_host, option_str), M(tally_host, log),
	M(tally_host, fail), M(tally_host, reason), M(tally_host, level), M(tally_host, signal),
	M(tally_host, spool_retain_us), M(tally_host, hash), M(tally_host, hash_keyed), M(tally_host, hash_keyed128),
	M(tally_host, alloc), M(tally_host, prop_set), M(tally_host, rollups), M(tally_host, bucket),
	M(tally_host, horizon), M(tally_host, emit), M(tally_host, sketch_room), M(tally_host, sketch_add),
	M(tally_host, sketch_merge), M(tally_host, sketch_estimate), M(tally_host, answer), M(tally_host, resume),
	M(tally_host, request_version), M(tally_host, work), M(tally_host, count), M(tally_plugin, size),
	M(tally_plugin, abi), M(tally_plugin, name), M(tally_plugin, version), M(tally_plugin, summary),
	M(tally_plugin, options), M(tally_plugin, open), M(tally_plugin, close), M(tally_plugin, mount),
	M(tally_plugin, decode), M(tally_plugin, admit), M(tally_plugin, forget), M(tally_plugin, settle),
	M(tally_plugin, recall), M(tally_plugin, event), M(tally_plugin, tick), M(tally_plugin, flush),
	M(tally_plugin, reset), M(tally_plugin, save), M(tally_plugin, load), M(tally_plugin, request),
	M(tally_plugin, answered), E(TALLY_ABI), E(TALLY_PROP_STRING), E(TALLY_PROP_NUMBER), E(TALLY_PROP_BOOL),
	E(TALLY_OPT_STRING), E(TALLY_OPT_INT), E(TALLY_OPT_FLOAT), E(TALLY_OPT_BOOL), E(TALLY_OPT_SIZE),
	E(TALLY_OPT_TIME), E(TALLY_MINUTE), E(TALLY_QUARTER), E(TALLY_DAY), E(TALLY_MONTH), E(TALLY_EVENTS),
	E(TALLY_PAGEVIEWS), E(TALLY_VISITORS), E(TALLY_SUM), E(TALLY_MIN), E(TALLY_MAX), E(TALLY_VISITS),
	E(TALLY_BOUNCES), E(TALLY_DURATION), E(TALLY_QUANTILE), E(TALLY_DIM_NAME), E(TALLY_DIM_PAGE), E(TALLY_DIM_HOST),
	E(TALLY_DIM_REFERRER), E(TALLY_DIM_PROP), E(TALLY_PASS), E(TALLY_DROP), E(TALLY_DUPLICATE), E(TALLY_REFUSE),
	E(TALLY_KEEP), E(TALLY_ANSWERED), E(TALLY_HOLD), E(TALLY_DOOR), E(TALLY_LEDGER), E(TALLY_LINE), E(TALLY_DESK),
	E(TALLY_SIGNAL_SPOOL), E(TALLY_SIGNAL_DISK), E(TALLY_SIGNAL_MEMORY), E(TALLY_SIGNAL_QUEUE),
	E(TALLY_SIGNAL_SYNC), E(TALLY_LOG_DEBUG), E(TALLY_LOG_INFO), E(TALLY_LOG_WARN), E(TALLY_LOG_ERROR),
	E(TALLY_SKETCH_HLL), E(TALLY_SKETCH_QUANTILE),
#ifdef TALLY_GIVES_VISITS
	M(tally_visit, lsn), M(tally_visit, idx), M(tally_visit, site), M(tally_visit, begin_us),
	M(tally_visit, visits), M(tally_visit, bounces), M(tally_visit, duration_us), M(tally_visit, views),
	M(tally_visit, entry_page), M(tally_visit, exit_page), M(tally_visit, referrer), M(tally_host, replaying),
	M(tally_host, visit), M(tally_plugin, visit), M(tally_plugin, gives), E(TALLY_VIEWS), E(TALLY_DIM_ENTRY_PAGE),
	E(TALLY_DIM_EXIT_PAGE),
#endif
#ifdef TALLY_GIVES_VALUES
	M(tally_visit, values), M(tally_visit, nvalues), E(TALLY_VISIT_SOURCE), E(TALLY_VISIT_CHANNEL),
	E(TALLY_VISIT_UTM_SOURCE), E(TALLY_VISIT_UTM_MEDIUM), E(TALLY_VISIT_UTM_CAMPAIGN), E(TALLY_VISIT_UTM_CONTENT),
	E(TALLY_VISIT_UTM_TERM), E(TALLY_VISIT_DEVICE), E(TALLY_VISIT_BROWSER), E(TALLY_VISIT_OS),
	E(TALLY_VISIT_COUNTRY), E(TALLY_GIVES_VALUES),
#endif
#ifdef TALLY_HOST_HEAVY
	M(tally_host, heavy_room), M(tally_host, heavy_add),
#endif
#ifdef TALLY_SINK_SINCE
	M(tally_sink_host, since), E(TALLY_SINCE_FIRST), E(TALLY_SINCE_LATER), E(TALLY_SINCE_HAD),
#endif
	/* sink.h */
	S(tally_column), M(tally_column, name), M(tally_column, type), M(tally_column, merge),
	M(tally_column, max_bytes), M(tally_column, nullable), S(tally_table), M(tally_table, name),
	M(tally_table, columns), M(tally_table, ncolumns), M(tally_table, insert_only), M(tally_table, index),
	M(tally_table, help), S(tally_cell), M(tally_cell, v), M(tally_cell, len), M(tally_cell, null), S(tally_rows),
	M(tally_rows, table), M(tally_rows, n), M(tally_rows, cells), S(tally_position), M(tally_position, lsn),
	M(tally_position, mark), M(tally_batch, from), M(tally_batch, to), M(tally_batch, rows), M(tally_batch, nrows),
	M(tally_batch, trim), M(tally_batch, ntrim), S(tally_trim), M(tally_trim, table), M(tally_trim, grain),
	M(tally_trim, before_us), M(tally_sink_host, size), M(tally_sink_host, abi), M(tally_sink_host, option_int),
	M(tally_sink_host, option_float), M(tally_sink_host, option_str), M(tally_sink_host, log),
	M(tally_sink_host, fail), M(tally_sink_host, bad_row), M(tally_sink_host, node), M(tally_sink_host, line),
	M(tally_sink_host, prefix), M(tally_sink_host, data_dir), M(tally_sink_host, tables),
	M(tally_sink_host, sketch_room), M(tally_sink_host, sketch_merge), M(tally_sink_host, sketch_estimate),
	M(tally_sink_host, seam), M(tally_statement, sql), M(tally_statement, params), M(tally_statement, param_types),
	M(tally_statement, nparams), M(tally_statement, column_types), M(tally_statement, ncolumns),
	M(tally_statement, timeout_us), M(tally_sink, size), M(tally_sink, abi), M(tally_sink, name),
	M(tally_sink, version), M(tally_sink, summary), M(tally_sink, options), M(tally_sink, is_store),
	M(tally_sink, transactional), M(tally_sink, open), M(tally_sink, close), M(tally_sink, position),
	M(tally_sink, write), M(tally_sink, reader_open), M(tally_sink, read_begin), M(tally_sink, read),
	M(tally_sink, read_end), M(tally_sink, reader_error), M(tally_sink, reader_close), E(TALLY_SINK_ABI),
	E(TALLY_T_INT), E(TALLY_T_REAL), E(TALLY_T_TEXT), E(TALLY_T_BLOB), E(TALLY_T_JSON), E(TALLY_M_KEY),
	E(TALLY_M_NODE), E(TALLY_M_SET), E(TALLY_M_ADD), E(TALLY_M_MIN), E(TALLY_M_MAX), E(TALLY_M_HLL),
	E(TALLY_M_ESTIMATE), E(TALLY_M_FIRST), E(TALLY_SINK_OK), E(TALLY_SINK_RETRY), E(TALLY_SINK_RECONNECT),
	E(TALLY_SINK_BAD_ROW), E(TALLY_SINK_STOP), E(TALLY_SINK_FULL), E(TALLY_SINK_MOVED),
#ifdef TALLY_BATCH_GONE
	M(tally_batch, gone), M(tally_batch, ngone), M(tally_sink, deletes), M(tally_sink, adopt),
#endif
#ifdef TALLY_PLUGIN_ARRIVE
	M(tally_plugin, arrive), M(tally_client, address), M(tally_client, agent), M(tally_client, is_private),
#endif
#ifdef TALLY_SINK_BACKUP
	M(tally_sink_host, state), M(tally_sink, backup), M(tally_sink, restore),
#endif
#ifdef TALLY_HOST_NUMBERS
	M(tally_host, sketch_add_numbers),
#endif
#ifdef TALLY_HOST_MOMENT
	M(tally_host, store_moment),
#endif
#ifdef TALLY_MERGE_QUANTILE
	E(TALLY_M_QUANTILE), M(tally_sink, merges),
#endif
#ifdef TALLY_BATCH_GUARD
	M(tally_batch, guard), M(tally_batch, fenced), M(tally_batch, fenced_arg), S(tally_guard),
	M(tally_guard, table), M(tally_guard, key), M(tally_guard, column), M(tally_guard, value),
	M(tally_guard, alone), M(tally_sink, guards), M(tally_sink, drop),
#endif
#ifdef TALLY_PLUGIN_ENTER
	M(tally_plugin, enter), M(tally_host, lookup),
#endif
#ifdef TALLY_SINK_SELECT
	S(tally_found), M(tally_found, ncolumns), M(tally_found, names), M(tally_found, types), M(tally_found, cells),
	M(tally_sink, select),
#endif
#ifdef TALLY_SINK_REPLICAS
	M(tally_sink, reader_cancel), M(tally_sink, replicas), M(tally_sink, replica_name), M(tally_sink, replica_open),
	M(tally_sink, query_timeout),
#endif
	{ NULL, 0, 0 }
};
