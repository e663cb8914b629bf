/* SPDX-License-Identifier: Apache-2.0 */
/* Which user agents are programs. Four rules, the first that says yes counts:
 *
 *   1. Every browser calls itself Mozilla or Opera. What does not is a program, unless it runs on a phone: then it is an
 *      app.
 *   2. A word that no browser has: "bot", "crawl", an address to complain to, the name of a product that dresses up as
 *      a browser.
 *   3. "compatible;" stood before the names of Internet Explorer and Konqueror only.
 *   4. A browser runs on some system. */
#include "enrich.h"

/* In lower case, anywhere. Each is in a user agent of some robot that the other rules let through. */
static const char *const words[] = { "crawl", "spider", "http:", "https:", "+http", "www.", ".com/", ".com)", ".com;",
	"@", "headless", "preview", "monitor", "scan", "lighthouse", "favicon", "inspector", "synthetics", "selenium",
	"playwright", "puppeteer", "phantomjs", "webdriver", "ptst/", "mediapartners", "google-", "feeder.co",
	/* products by name */
	"abuse.xmco", "acunetix", "appinsights", " code/1", "collapsify", "cookiehub", "dareboost", "datanyze", " dlc/",
	"fluid/", "foregenix", "geedoshop", "gotsite", "gtmetrix", "hardenize", "hotjar", "imageproxy", "ips-agent",
	"linktiger", "manus-user", "marketgoo", "metaiab facebook", "miniature.io", "newsai/", "newsnow/", "nikto",
	"nitro-optim", "cph2557 build/ap3a.", "openvas", "pingdom", "playstore-google", "printfriendly", "pwabuilder",
	"readable/", "rigor)", "scope3", "securityheaders", "silktide", "sindup", "siteimprove", "splash ", "sucuri",
	"testlocally", "thousandeyes", "trae/", "tsm-turingos", "watchtowr", "ylt chrome" };

/* "bot" as a word or the end of one; Cubot makes telephones. */
static bool says_bot(const char *lower)
{
	for (const char *at = lower; (at = strstr(at, "bot")) != NULL; at += 3)
		if (at - lower < 2 || memcmp(at - 2, "cu", 2) != 0)
			return true;
	return false;
}

static bool has_word(const char *lower)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(lower, words[i]))
			return true;
	return false;
}

static bool is_compatible(const char *lower)
{
	static const char word[] = "compatible;";
	for (const char *at = lower; (at = strstr(at, word)) != NULL;) {
		at += sizeof word - 1;
		at += strspn(at, " ");
		if (strncmp(at, "msie ", 5) != 0 && strncmp(at, "konqueror", 9) != 0)
			return true;
	}
	return false;
}

static bool is_app(const char *lower)
{
	static const char *const systems[] = { "android", "iphone", "ipad", " ios", "(ios", "darwin/", "midp",
		"symbian" };
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
		if (strstr(lower, systems[i]))
			return true;
	return false;
}

bool agent_is_bot(const char *lower, const char *os)
{
	bool browser = strncmp(lower, "mozilla/", 8) == 0 || strncmp(lower, "opera/", 6) == 0;
	if (!browser && !is_app(lower))
		return true;
	return says_bot(lower) || has_word(lower) || is_compatible(lower) || (browser && !*os);
}
