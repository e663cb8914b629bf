/* SPDX-License-Identifier: Apache-2.0 */
/* Search engines, social networks and others that most visitors come from. A table to be read, not a list of the web:
 * what is not in it is named by its host. */
#include "enrich.h"

struct row {
	const char *host; /* and all hosts under it; "google.*" = under any top-level domain */
	const char *name;
	enum site_kind kind;
};

/* The first that fits counts: a part of a site stands before the site. */
static const struct row rows[] = {
	{ "mail.google.com", "Gmail", SITE_EMAIL },
	{ "com.google.android.gm", "Gmail", SITE_EMAIL },
	{ "mail.yahoo.com", "Yahoo! Mail", SITE_EMAIL },
	{ "outlook.live.com", "Outlook", SITE_EMAIL },
	{ "outlook.office.com", "Outlook", SITE_EMAIL },
	{ "outlook.office365.com", "Outlook", SITE_EMAIL },
	{ "mail.proton.me", "Proton Mail", SITE_EMAIL },
	{ "mail.ru", "Mail.ru", SITE_EMAIL },
	{ "gmx.net", "GMX", SITE_EMAIL },
	{ "web.de", "WEB.DE", SITE_EMAIL },
	{ "gemini.google.com", "Gemini", SITE_OTHER },
	{ "copilot.microsoft.com", "Copilot", SITE_OTHER },
	{ "chatgpt.com", "ChatGPT", SITE_OTHER },
	{ "chat.openai.com", "ChatGPT", SITE_OTHER },
	{ "claude.ai", "Claude", SITE_OTHER },
	{ "perplexity.ai", "Perplexity", SITE_OTHER },
	{ "com.google.android.googlequicksearchbox", "Google", SITE_SEARCH },
	{ "news.google.com", "Google News", SITE_OTHER },
	{ "play.google.com", "Google Play", SITE_OTHER },
	{ "shopping.google.com", "Google Shopping", SITE_SHOPPING },
	{ "google.*", "Google", SITE_SEARCH },
	{ "bing.com", "Bing", SITE_SEARCH },
	{ "duckduckgo.com", "DuckDuckGo", SITE_SEARCH },
	{ "yahoo.*", "Yahoo!", SITE_SEARCH },
	{ "yandex.*", "Yandex", SITE_SEARCH },
	{ "ya.ru", "Yandex", SITE_SEARCH },
	{ "baidu.com", "Baidu", SITE_SEARCH },
	{ "ecosia.org", "Ecosia", SITE_SEARCH },
	{ "qwant.com", "Qwant", SITE_SEARCH },
	{ "startpage.com", "Startpage", SITE_SEARCH },
	{ "search.brave.com", "Brave", SITE_SEARCH },
	{ "kagi.com", "Kagi", SITE_SEARCH },
	{ "naver.com", "Naver", SITE_SEARCH },
	{ "seznam.cz", "Seznam", SITE_SEARCH },
	{ "sogou.com", "Sogou", SITE_SEARCH },
	{ "so.com", "360 Search", SITE_SEARCH },
	{ "ask.com", "Ask", SITE_SEARCH },
	{ "aol.com", "AOL", SITE_SEARCH },
	{ "mojeek.com", "Mojeek", SITE_SEARCH },
	{ "coccoc.com", "Coc Coc", SITE_SEARCH },
	{ "facebook.com", "Facebook", SITE_SOCIAL },
	{ "fb.com", "Facebook", SITE_SOCIAL },
	{ "fb.me", "Facebook", SITE_SOCIAL },
	{ "messenger.com", "Messenger", SITE_SOCIAL },
	{ "instagram.com", "Instagram", SITE_SOCIAL },
	{ "threads.net", "Threads", SITE_SOCIAL },
	{ "threads.com", "Threads", SITE_SOCIAL },
	{ "twitter.com", "X", SITE_SOCIAL },
	{ "x.com", "X", SITE_SOCIAL },
	{ "t.co", "X", SITE_SOCIAL },
	{ "linkedin.com", "LinkedIn", SITE_SOCIAL },
	{ "lnkd.in", "LinkedIn", SITE_SOCIAL },
	{ "com.linkedin.android", "LinkedIn", SITE_SOCIAL },
	{ "reddit.com", "Reddit", SITE_SOCIAL },
	{ "com.reddit.frontpage", "Reddit", SITE_SOCIAL },
	{ "pinterest.*", "Pinterest", SITE_SOCIAL },
	{ "pin.it", "Pinterest", SITE_SOCIAL },
	{ "tiktok.com", "TikTok", SITE_SOCIAL },
	{ "snapchat.com", "Snapchat", SITE_SOCIAL },
	{ "whatsapp.com", "WhatsApp", SITE_SOCIAL },
	{ "wa.me", "WhatsApp", SITE_SOCIAL },
	{ "telegram.org", "Telegram", SITE_SOCIAL },
	{ "t.me", "Telegram", SITE_SOCIAL },
	{ "org.telegram.messenger", "Telegram", SITE_SOCIAL },
	{ "discord.com", "Discord", SITE_SOCIAL },
	{ "bsky.app", "Bluesky", SITE_SOCIAL },
	{ "mastodon.social", "Mastodon", SITE_SOCIAL },
	{ "tumblr.com", "Tumblr", SITE_SOCIAL },
	{ "vk.com", "VK", SITE_SOCIAL },
	{ "ok.ru", "Odnoklassniki", SITE_SOCIAL },
	{ "weibo.com", "Weibo", SITE_SOCIAL },
	{ "xing.com", "XING", SITE_SOCIAL },
	{ "quora.com", "Quora", SITE_SOCIAL },
	{ "news.ycombinator.com", "Hacker News", SITE_SOCIAL },
	{ "line.me", "Line", SITE_SOCIAL },
	{ "youtube.com", "YouTube", SITE_VIDEO },
	{ "youtu.be", "YouTube", SITE_VIDEO },
	{ "vimeo.com", "Vimeo", SITE_VIDEO },
	{ "dailymotion.com", "Dailymotion", SITE_VIDEO },
	{ "twitch.tv", "Twitch", SITE_VIDEO },
	{ "bilibili.com", "Bilibili", SITE_VIDEO },
	{ "amazon.*", "Amazon", SITE_SHOPPING },
	{ "ebay.*", "eBay", SITE_SHOPPING },
	{ "etsy.com", "Etsy", SITE_SHOPPING },
	{ "aliexpress.com", "AliExpress", SITE_SHOPPING },
	{ "idealo.de", "idealo", SITE_SHOPPING },
	{ "walmart.com", "Walmart", SITE_SHOPPING },
	{ "github.com", "GitHub", SITE_OTHER },
	{ "wikipedia.org", "Wikipedia", SITE_OTHER },
};

/* What links are tagged with besides those names. */
static const struct row tags[] = {
	{ "fb", "Facebook", SITE_SOCIAL },
	{ "ig", "Instagram", SITE_SOCIAL },
	{ "twitter", "X", SITE_SOCIAL },
	{ "adwords", "Google", SITE_SEARCH },
	{ "yahoo", "Yahoo!", SITE_SEARCH },
};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

bool same_word(struct tally_str a, const char *b)
{
	size_t i = 0;
	for (; i < a.len && b[i]; i++) {
		unsigned char c = (unsigned char)a.ptr[i], d = (unsigned char)b[i];
		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (d >= 'A' && d <= 'Z' ? d | 0x20 : d))
			return false;
	}
	return i == a.len && !b[i];
}

static bool ends_with(struct tally_str s, const char *end, size_t n)
{
	return s.len >= n && memcmp(s.ptr + s.len - n, end, n) == 0;
}

/* Behind the name: "com", "de", "co.uk", "com.au". */
static bool is_top_level(struct tally_str s)
{
	const char *dot = s.len ? memchr(s.ptr, '.', s.len) : NULL;
	size_t first = dot ? (size_t)(dot - s.ptr) : s.len;
	if (!dot)
		return s.len >= 2 && s.len <= 3;
	return first >= 2 && first <= 3 && s.len - first - 1 == 2;
}

/* "google.*": that label, and nothing behind it but a top-level domain. */
static bool is_under_any(struct tally_str host, const char *name, size_t n)
{
	for (size_t at = 0; at + n < host.len; at++) {
		struct tally_str rest = { host.ptr + at + n, host.len - at - n };
		if ((at == 0 || host.ptr[at - 1] == '.') && memcmp(host.ptr + at, name, n) == 0 && *rest.ptr == '.') {
			rest.ptr++;
			rest.len--;
			if (is_top_level(rest))
				return true;
		}
	}
	return false;
}

static bool fits(struct tally_str host, const char *pattern)
{
	size_t n = strlen(pattern);
	if (pattern[n - 1] == '*')
		return is_under_any(host, pattern, n - 2);
	return ends_with(host, pattern, n) && (host.len == n || host.ptr[host.len - n - 1] == '.');
}

struct site site_of_host(struct tally_str host)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (fits(host, rows[i].host))
			return (struct site){ rows[i].name, rows[i].kind };
	return (struct site){ NULL, SITE_OTHER };
}

struct site site_of_tag(struct tally_str tag)
{
	for (size_t i = 0; i < COUNT(tags); i++)
		if (same_word(tag, tags[i].host))
			return (struct site){ tags[i].name, tags[i].kind };
	for (size_t i = 0; i < COUNT(rows); i++)
		if (same_word(tag, rows[i].name) || same_word(tag, rows[i].host))
			return (struct site){ rows[i].name, rows[i].kind };
	return (struct site){ NULL, SITE_OTHER };
}
