/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as RFC 9457 problem JSON: a code for machines, words for people, where it is, and the names that would do. */
#include "desk/answer.h"

static const char *title(int status)
{
	switch (status) {
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 422:
		return "Unprocessable Content";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	default:
		return "Bad Request";
	}
}

static void put_place(struct text_out *o, const struct query_error *err)
{
	if (err->pointer[0] == '?') {
		out_lit(o, ",\"parameter\":");
		out_json(o, str_of(err->pointer + 1));
	} else if (err->offset >= 0) {
		out_lit(o, ",\"pointer\":");
		out_json(o, str_of(err->pointer));
	}
	if (err->offset >= 0)
		text_printf(o, ",\"offset\":%lld", (long long)err->offset);
}

void answer_problem(struct answer *out, struct arena *a, const struct query_error *err)
{
	struct text_out o;
	out_open(&o, a);
	text_printf(&o, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
		title(err->status), err->status, err->code);
	out_json(&o, str_of(err->detail));
	put_place(&o, err);
	for (size_t i = 0; err->legal && err->legal[i]; i++) {
		out_lit(&o, i ? "," : ",\"legal\":[");
		out_json(&o, str_of(err->legal[i]));
	}
	out_lit(&o, err->legal ? "]" : "");
	if (err->declare) {
		out_lit(&o, ",\"declare\":");
		out_json(&o, str_of(err->declare));
	}
	out_lit(&o, "}\n");
	*out = (struct answer){ .status = err->status,
		.type = "application/problem+json",
		.body = out_text(&o),
		.retry_after_s = err->retry_after_s };
}
