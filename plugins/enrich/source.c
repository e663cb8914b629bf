/* SPDX-License-Identifier: Apache-2.0 */
/* Source and channel, after the rules that web statistics share: what a link is tagged with (utm_*) counts more than
 * where the browser says it came from. docs/plugins.md has the table of channels. */
#include "enrich.h"

struct tally_str prop_of(const struct tally_event *ev, const char *key)
{
	struct tally_str name = text_of(key), none = { NULL, 0 };
	for (uint32_t i = 0; i < ev->nprops; i++)
		if (same_text(ev->props[i].key, name))
			return ev->props[i].type == TALLY_PROP_STRING ? ev->props[i].text : none;
	return none;
}

/* ---- hosts ---- */

static struct tally_str without_www(struct tally_str host)
{
	if (host.len > 4 && memcmp(host.ptr, "www.", 4) == 0) {
		host.ptr += 4;
		host.len -= 4;
	}
	return host;
}

/* scheme://[user@]host[:port]/…; empty if there is no such thing. A host is at most 255 bytes. */
static struct tally_str host_of(struct tally_str url, char out[SOURCE_BYTES])
{
	struct tally_str none = { NULL, 0 };
	const char *at = url.len ? memmem(url.ptr, url.len, "://", 3) : NULL;
	if (!at)
		return none;
	const char *end = url.ptr + url.len, *stop;
	at += 3;
	for (stop = at; stop < end && !memchr("/?#", *stop, 3); stop++)
		if (*stop == '@')
			at = stop + 1;
	size_t n = 0;
	while (at + n < stop && at[n] != ':' && n < SOURCE_BYTES - 1) {
		out[n] = at[n] >= 'A' && at[n] <= 'Z' ? (char)(at[n] | 0x20) : at[n];
		n++;
	}
	return without_www((struct tally_str){ out, n });
}

/* ---- channels ---- */

static bool is_one_of(struct tally_str word, const char *const *list)
{
	for (; word.len && *list; list++)
		if (same_word(word, *list))
			return true;
	return false;
}

static bool has(struct tally_str word, const char *part)
{
	size_t n = strlen(part);
	for (size_t i = 0; i + n <= word.len; i++)
		if (same_word((struct tally_str){ word.ptr + i, n }, part))
			return true;
	return false;
}

static bool begins(struct tally_str word, const char *part)
{
	size_t n = strlen(part);
	return word.len >= n && same_word((struct tally_str){ word.ptr, n }, part);
}

static const char *const social[] = { "social", "social-network", "social-media", "social_network", "social_media",
	"social network", "social media", "sm", NULL };
static const char *const email[] = { "email", "e-mail", "e_mail", "e mail", "newsletter", NULL };
static const char *const display[] = { "display", "banner", "expandable", "interstitial", "cpm", NULL };
static const char *const affiliate[] = { "affiliate", "affiliates", NULL };

static const char *paid_channel(struct tally_str medium, enum site_kind kind)
{
	bool paid = begins(medium, "cp") || begins(medium, "paid") ||
		    is_one_of(medium, (const char *const[]){ "ppc", "retargeting", NULL });
	if (paid && kind == SITE_SHOPPING)
		return "Paid Shopping";
	if (paid && kind == SITE_SEARCH)
		return "Paid Search";
	if (paid && kind == SITE_SOCIAL)
		return "Paid Social";
	if (paid && kind == SITE_VIDEO)
		return "Paid Video";
	if (is_one_of(medium, display))
		return "Display";
	return paid ? "Paid Other" : NULL;
}

static const char *channel_of(struct tally_str source, struct tally_str medium, enum site_kind kind)
{
	const char *paid = paid_channel(medium, kind);
	if (paid)
		return paid;
	if (kind == SITE_SHOPPING)
		return "Organic Shopping";
	if (kind == SITE_SOCIAL || is_one_of(medium, social))
		return "Organic Social";
	if (kind == SITE_VIDEO || has(medium, "video"))
		return "Organic Video";
	if (kind == SITE_SEARCH || same_word(medium, "organic"))
		return "Organic Search";
	if (kind == SITE_EMAIL || is_one_of(medium, email) || is_one_of(source, email))
		return "Email";
	if (is_one_of(medium, affiliate))
		return "Affiliates";
	if (same_word(medium, "audio"))
		return "Audio";
	if (same_word(medium, "sms") || same_word(source, "sms"))
		return "SMS";
	if (has(medium, "push") || has(medium, "notification"))
		return "Mobile Push Notifications";
	return source.len || medium.len ? "Referral" : "Direct";
}

/* ---- the two of one event ---- */

static bool is_view(const struct tally_event *ev)
{
	return same_text(ev->name, text_of("view")) || same_text(ev->name, text_of("pageview"));
}

void source_of(const struct tally_event *ev, struct source *out)
{
	struct tally_str tag = prop_of(ev, "utm_source"), medium = prop_of(ev, "utm_medium");
	struct tally_str host = host_of(ev->referrer, out->buffer);
	bool tagged = tag.len || medium.len;
	if (host.len && same_text(host, without_www(ev->host)))
		host.len = 0;
	bool own = ev->referrer.len && !host.len; /* a page of the site itself, or nothing that can be read */
	struct site site = { NULL, SITE_OTHER };
	if (tag.len || host.len)
		site = tag.len ? site_of_tag(tag) : site_of_host(host);
	out->text = site.name ? text_of(site.name) : tag.len ? tag : host;
	out->channel = NULL;
	if (tagged || host.len || (is_view(ev) && !own))
		out->channel = channel_of(out->text, medium, site.kind);
}
