/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this plugin share. Text here is a tally_str; static text is NUL-terminated. */
#ifndef PLUGIN_ENRICH_H
#define PLUGIN_ENRICH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tally/plugin.h>

static inline struct tally_str text_of(const char *s)
{
	struct tally_str t = { s, strlen(s) };
	return t;
}

static inline bool same_text(struct tally_str a, struct tally_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* a in any case, b in lower case */
bool same_word(struct tally_str a, const char *b);

/* ---- agent.c: what a user agent says of itself ---- */

/* "" = it does not say. Static texts. */
struct agent {
	const char *device;  /* desktop, mobile, tablet, tv, console, bot */
	const char *browser; /* of a bot "" */
	const char *os;
};

/* Only its first 512 bytes are read; what is there may be anything. */
struct agent agent_class(struct tally_str user_agent);

/* bots.c: lower is the user agent in lower case, NUL-terminated. os: what agent.c found, "" = nothing. */
bool agent_is_bot(const char *lower, const char *os);

/* cache.c: the classes of user agents seen lately, in fixed memory. */
struct agent_cache;
struct agent_cache *agent_cache_open(const struct tally_host *host); /* NULL = no memory */
void agent_cache_close(struct agent_cache *c);
struct agent agent_cached(struct agent_cache *c, struct tally_str user_agent);

/* ---- sites.c: where people come from ---- */

enum site_kind { SITE_OTHER, SITE_SEARCH, SITE_SOCIAL, SITE_VIDEO, SITE_SHOPPING, SITE_EMAIL };

struct site {
	const char *name; /* "Google"; NULL = not in the table */
	enum site_kind kind;
};

/* host: in lower case, without www. */
struct site site_of_host(struct tally_str host);
/* What a link is tagged with: a name in the table in any case, or a host in it. */
struct site site_of_tag(struct tally_str tag);

/* ---- source.c: referrer and utm_* to a source and a channel ---- */

#define SOURCE_BYTES 256

struct source {
	struct tally_str text; /* static, of the event, or in the buffer; empty = none */
	const char *channel;   /* NULL = the event goes on with what it was before: neither is known */
	char buffer[SOURCE_BYTES];
};

/* Slices of out->text may point into the event. */
void source_of(const struct tally_event *ev, struct source *out);

/* The value of a text prop; empty if there is none. */
struct tally_str prop_of(const struct tally_event *ev, const char *key);

/* ---- geo.c: the country of an address, by a database in MaxMind's format ---- */

struct geo;

/* 0, or a negative errno, said with host->fail(). */
int geo_open(const struct tally_host *host, struct tally_instance *in, const char *path, struct geo **out);
void geo_close(struct geo *g);
/* ISO 3166-1 alpha-2. False = not known. Now and then looks whether the file was replaced, and takes the new one. */
bool geo_country(struct geo *g, struct tally_str address, char out[2]);

/* ---- join.c: props from reference data ---- */

struct joins;

/* option: lines, "props.NAME = LOOKUP.COLUMN by FIELD". 0, or a negative errno, said with host->fail(). */
int joins_open(const struct tally_host *host, struct tally_instance *in, const char *option, struct joins **out);
void joins_close(struct joins *js);
/* [enter] In the order of the lines, so that one may look up by what another has made. */
void joins_make(struct joins *js, struct tally_event *ev);

#endif
