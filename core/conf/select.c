/* SPDX-License-Identifier: Apache-2.0 */
/* Is this text one SELECT, and can it stand in brackets? A store reads it as `SELECT … FROM (\nTEXT\n) AS …`, so it must
 * not end there early, and a mistake is to be told before the daemon runs. It is no wall against its author, who may read
 * that database anyway: readers cannot write. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "conf/option.h"

#define SQL_MAX 16384

static bool begins_with(const char *text, const char *word)
{
	size_t n = strlen(word);
	return strncasecmp(text, word, n) == 0 && !isalnum((unsigned char)text[n]) && text[n] != '_';
}

/* 'text', "name" or `name`; a quote inside is written twice. Behind its end, or NULL with why. */
static const char *pass_quoted(const char *p, const char **why)
{
	char quote = *p++;
	for (; *p; p++) {
		if (*p == '\\' && quote != '`') {
			*why = "has a backslash in a text, which stores read differently; write a quote in it twice, or use CHAR()";
			return NULL;
		}
		if (*p != quote)
			continue;
		if (p[1] != quote)
			return p + 1;
		p++;
	}
	*why = "has a quote that is not closed";
	return NULL;
}

/* "-- …" up to the end of the line, or a comment as this one. */
static const char *pass_comment(const char *p, const char **why)
{
	if (*p == '-')
		return p + strcspn(p, "\n");
	const char *end = strstr(p + 2, "*/");
	if (!end)
		*why = "has a comment that is not closed";
	else if (p[2] == '!' || p[2] == 'M')
		*why = "has a comment that some servers run; write it out";
	return *why ? NULL : end + 2;
}

/* NULL = fine. */
static const char *walk(const char *p)
{
	const char *why = NULL;
	int depth = 0;
	while (p && *p) {
		if (strchr("'\"`", *p))
			p = pass_quoted(p, &why);
		else if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'))
			p = pass_comment(p, &why);
		else if (*p == '#')
			return "has a `#`, which only some stores take as a comment; use `--`";
		else if (*p == ';')
			return "has a `;`: it must be one SELECT, without an end mark";
		else if (*p == '?')
			return "has a `?` outside of quotes, but there are no parameters";
		else {
			depth += (*p == '(') - (*p == ')');
			if (depth < 0)
				return "closes a bracket that it did not open";
			p++;
		}
	}
	return why ? why : depth ? "opens a bracket that it does not close" : NULL;
}

const char *conf_judge_select(const char *text)
{
	text += strspn(text, " \t\r\n");
	if (!begins_with(text, "SELECT") && !begins_with(text, "WITH"))
		return "is not a SELECT; write one, as in SELECT id, category FROM products";
	if (strlen(text) > SQL_MAX)
		return "is longer than 16 KiB; make a view of it and select from that";
	return walk(text);
}

const char *conf_judge_column(const char *text)
{
	bool good = *text && strlen(text) <= 64;
	for (const char *t = text; *t; t++)
		good = good && (unsigned char)*t >= 0x20 && *t != 0x7f && *t != '`';
	return good ? NULL : "is not the name of a column: 1 to 64 bytes, without control characters and `";
}
