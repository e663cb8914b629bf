/* SPDX-License-Identifier: Apache-2.0 */
/* What a text must look like. A judge answers NULL, or why not, in words that follow the text in quotes. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/option.h"
#include "conf/units.h"
#include "conf/redis_url.h"

static bool only(const char *text, const char *marks)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(marks, *text))
			return false;
	return true;
}

const char *conf_judge_name(const char *text)
{
	if (isdigit((unsigned char)*text) || !*text || strlen(text) > 48 || !only(text, "_"))
		return "is not a name: 1 to 48 letters, digits and _, not beginning with a digit";
	return NULL;
}

/* NAME__2 is the table of NAME's second definition. */
const char *conf_judge_rollup(const char *text)
{
	size_t digits = strlen(text);
	while (digits && isdigit((unsigned char)text[digits - 1]))
		digits--;
	if (text[digits] && digits > 2 && text[digits - 1] == '_' && text[digits - 2] == '_')
		return "ends in __ and digits, which tally adds for later definitions; choose another";
	return conf_judge_name(text);
}

const char *conf_judge_prefix(const char *text)
{
	return *text ? conf_judge_name(text) : NULL;
}

const char *conf_judge_plugin(const char *text)
{
	bool good = islower((unsigned char)*text) && strlen(text) <= 48 && only(text, "_-");
	for (const char *t = text; *t; t++)
		good = good && !isupper((unsigned char)*t);
	return good ? NULL : "is not a plugin's name: a-z, 0-9, _ and -, beginning with a letter";
}

const char *conf_judge_zone(const char *text)
{
	if (!*text || *text == '/' || strlen(text) > 64 || strstr(text, "..") || !only(text, "/_+-"))
		return "is not a time zone; write a tzdata name such as Europe/Berlin or UTC";
	return NULL;
}

/* Length of a host name or address at the beginning; brackets around IPv6. 0 = none. */
static size_t host_length(const char *text)
{
	char v6[64];
	struct in6_addr a6;
	if (*text != '[') {
		size_t n = 0;
		while (isalnum((unsigned char)text[n]) || (text[n] && strchr(".-_", text[n])))
			n++;
		return n <= 253 ? n : 0;
	}
	const char *close = strchr(text, ']');
	if (!close || close - text > 48)
		return 0;
	snprintf(v6, sizeof v6, "%.*s", (int)(close - text - 1), text + 1);
	return inet_pton(AF_INET6, v6, &a6) == 1 ? (size_t)(close + 1 - text) : 0;
}

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");
	return n > 0 && n <= 5 && text[n] == 0 && atoi(text) <= 65535;
}

const char *conf_judge_address(const char *text)
{
	size_t n = host_length(text);
	if (n == 0 || text[n] != ':' || !is_port(text + n + 1))
		return "is not an address; write host:port, as in 127.0.0.1:8470 or [::1]:8470";
	return NULL;
}

bool conf_is_loopback(const char *address)
{
	struct in_addr v4;
	char host[64];
	snprintf(host, sizeof host, "%.*s", (int)(strrchr(address, ':') - address), address);
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	struct in6_addr v6;
	size_t n = strlen(host);
	if (n < 3 || host[0] != '[')
		return strcasecmp(host, "localhost") == 0;
	host[n - 1] = 0;
	return inet_pton(AF_INET6, host + 1, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* scheme://host[:port], nothing behind: what a browser sends as Origin. */
const char *conf_judge_origin(const char *text)
{
	if (strcmp(text, "*") == 0)
		return NULL;
	const char *host = strstr(text, "://");
	size_t n = host ? host_length(host + 3) : 0;
	const char *rest = host ? host + 3 + n : "";
	if (n == 0 || host == text || (*rest && !(*rest == ':' && is_port(rest + 1))))
		return "is not an origin; write scheme://host or scheme://host:port without a path, or \"*\" for any";
	return NULL;
}

const char *conf_judge_cidr(const char *text)
{
	static const char why[] = "is not an address range; write it as in 10.0.0.0/8 or fd00::/8";
	char host[64];
	struct in6_addr any;
	size_t n = strcspn(text, "/");
	if (n == 0 || n >= sizeof host)
		return why;
	snprintf(host, sizeof host, "%.*s", (int)n, text);
	int most = inet_pton(AF_INET, host, &any) == 1 ? 32 : inet_pton(AF_INET6, host, &any) == 1 ? 128 : -1;
	if (most < 0)
		return why;
	if (!text[n])
		return NULL;
	const char *bits = text + n + 1;
	size_t digits = strspn(bits, "0123456789");
	return digits == 0 || digits > 3 || bits[digits] || atoi(bits) > most ? why : NULL;
}

const char *conf_judge_host(const char *text)
{
	return *text && host_length(text) == strlen(text) ? NULL : "is not a host name; no scheme, port or path";
}

const char *conf_judge_redis(const char *text)
{
	struct redis_url parts;
	return redis_url_read(text, &parts);
}

const char *conf_judge_site(const char *text)
{
	bool good = *text && strlen(text) <= 128;
	for (const char *t = text; *t; t++)
		good = good && (unsigned char)*t >= 0x20 && *t != 0x7f;
	return good ? NULL : "is not a site's name: 1 to 128 bytes, no control characters";
}

const char *conf_judge_not_empty(const char *text)
{
	return *text ? NULL : "must not be empty";
}

const char *conf_judge_quota(const char *text)
{
	uint64_t size;
	double share;
	bool good = conf_parse_share(text, &share) == 0 ? share > 0 : conf_parse_size(text, &size) == 0 && size > 0;
	return good ? NULL : "is neither a size nor a share; write 4GiB or 50%";
}
