/* SPDX-License-Identifier: Apache-2.0 */
/* Browser, system and device from a user agent. Names without versions: those split visitors finely and statistics
 * little. Everything is a search for words in a lower-case copy; the first row of a table that is found counts, so what
 * pretends to be another stands before it. */
#include "enrich.h"

#define LOOKED_AT 512

struct row {
	const char *word, *name;
};

/* All say Chrome or Safari as well, so these two stand at the end. */
static const struct row browsers[] = {
	{ "edg/", "Edge" },
	{ "edga/", "Edge" },
	{ "edgios/", "Edge" },
	{ "edge/", "Edge" },
	{ "opr/", "Opera" },
	{ "opios/", "Opera" },
	{ "opt/", "Opera" },
	{ "opx/", "Opera" },
	{ "opera", "Opera" },
	{ "samsungbrowser/", "Samsung Internet" },
	{ "yabrowser/", "Yandex Browser" },
	{ "vivaldi/", "Vivaldi" },
	{ "brave/", "Brave" },
	{ "duckduckgo/", "DuckDuckGo" },
	{ "ddg/", "DuckDuckGo" },
	{ "ucbrowser/", "UC Browser" },
	{ "ubrowser/", "UC Browser" },
	{ "micromessenger/", "WeChat" },
	{ "mqqbrowser/", "QQ Browser" },
	{ "qqbrowser/", "QQ Browser" },
	{ "miuibrowser/", "MIUI Browser" },
	{ "huaweibrowser/", "Huawei Browser" },
	{ "heytapbrowser/", "HeyTap Browser" },
	{ "vivobrowser/", "Vivo Browser" },
	{ "whale/", "Whale" },
	{ "silk/", "Silk" },
	{ "ecosia", "Ecosia" },
	{ "instagram ", "Instagram" },
	{ "fban/", "Facebook" },
	{ "fbav/", "Facebook" },
	{ "fb_iab", "Facebook" },
	{ "linkedinapp", "LinkedIn" },
	{ "musical_ly", "TikTok" },
	{ "bytedancewebview", "TikTok" },
	{ "snapchat/", "Snapchat" },
	{ "pinterest/", "Pinterest" },
	{ " line/", "Line" },
	{ "gsa/", "Google App" },
	{ "seamonkey/", "SeaMonkey" },
	{ "fxios/", "Firefox" },
	{ "focus/", "Firefox" },
	{ "klar/", "Firefox" },
	{ "firefox/", "Firefox" },
	{ "trident/", "Internet Explorer" },
	{ "msie ", "Internet Explorer" },
	{ "konqueror", "Konqueror" },
	{ "; wv)", "Android WebView" },
	{ "crios/", "Chrome" },
	{ "chromium/", "Chrome" },
	{ "chrome/", "Chrome" },
	{ "version/", "Safari" },
	{ "safari/", "Safari" },
	{ "applewebkit/", "Safari" },
};

static const struct row systems[] = {
	{ "windows phone", "Windows Phone" },
	{ "xbox", "Xbox" },
	{ "playstation", "PlayStation" },
	{ "nintendo", "Nintendo" },
	{ "windows", "Windows" },
	{ "kaios", "KaiOS" },
	{ "tizen", "Tizen" },
	{ "web0s", "webOS" },
	{ "webos", "webOS" },
	{ "android", "Android" },
	{ "iphone", "iOS" },
	{ "ipad", "iOS" },
	{ "ipod", "iOS" },
	{ " ios", "iOS" },
	{ "(ios", "iOS" },
	{ "cros ", "ChromeOS" },
	{ "openharmony", "HarmonyOS" },
	{ "mac os x", "macOS" },
	{ "macintosh", "macOS" },
	{ "darwin/", "iOS" },
	{ "blackberry", "BlackBerry" },
	{ "bb10", "BlackBerry" },
	{ "symbian", "Symbian" },
	{ "series60", "Symbian" },
	{ "freebsd", "BSD" },
	{ "openbsd", "BSD" },
	{ "netbsd", "BSD" },
	{ "linux", "Linux" },
	{ "x11", "Linux" },
};

/* Before anything else is known of the device. */
static const struct row devices[] = {
	{ "xbox", "console" },
	{ "playstation", "console" },
	{ "nintendo", "console" },
	{ "smart-tv", "tv" },
	{ "smarttv", "tv" },
	{ "googletv", "tv" },
	{ "google tv", "tv" },
	{ "appletv", "tv" },
	{ "hbbtv", "tv" },
	{ "bravia", "tv" },
	{ "android tv", "tv" },
	{ "; aft", "tv" }, /* Fire TV */
	{ "web0s", "tv" },
	{ "roku", "tv" },
	{ "crkey/", "tv" },
	{ "ipad", "tablet" },
	{ "tablet", "tablet" },
	{ "kindle", "tablet" },
	{ "playbook", "tablet" },
	{ "iphone", "mobile" },
	{ "ipod", "mobile" },
	{ "mobile", "mobile" },
	{ "windows phone", "mobile" },
	{ "midp", "mobile" },
	{ "opera mini", "mobile" },
	{ "android", "tablet" }, /* those that are telephones say "mobile" */
	{ "darwin/", "mobile" },
	{ "symbian", "mobile" },
	{ "blackberry", "mobile" },
	{ "kaios", "mobile" },
};

#define FIND(table, text) find(table, sizeof(table) / sizeof *(table), text)

static const char *find(const struct row *rows, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, rows[i].word))
			return rows[i].name;
	return "";
}

static void put_lower(struct tally_str s, char out[LOOKED_AT + 1])
{
	size_t n = s.len < LOOKED_AT ? s.len : LOOKED_AT;
	for (size_t i = 0; i < n; i++)
		out[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] | 0x20) : s.ptr[i] ? s.ptr[i] : ' ';
	out[n] = 0;
}

/* Outside browsers: "MyApp/3.1 (iPhone; iOS 17.4)". Android there does not say what it runs on. */
static bool is_browser(const char *lower)
{
	return strncmp(lower, "mozilla/", 8) == 0 || strncmp(lower, "opera/", 6) == 0;
}

struct agent agent_class(struct tally_str user_agent)
{
	char lower[LOOKED_AT + 1];
	struct agent a = { "", "", "" };
	if (user_agent.len == 0)
		return a;
	put_lower(user_agent, lower);
	a.os = FIND(systems, lower);
	if (agent_is_bot(lower, a.os)) {
		a.device = "bot";
		a.os = "";
		return a;
	}
	a.device = FIND(devices, lower);
	if (is_browser(lower))
		a.browser = FIND(browsers, lower);
	else if (strcmp(a.os, "Android") == 0)
		a.device = "mobile";
	if (!*a.device)
		a.device = "desktop";
	return a;
}
