/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

char server_dir[] = "/tmp/tally-mariadb-XXXXXX";
char server_url[256], server_socket[128];
MYSQL *server_root;

int server_command(const char *command, const char *arguments)
{
	char line[512];
	snprintf(line, sizeof line, "%s/e2e/lib/servers.sh %s %s/db %s >%s/vars", TESTS_DIR, command, server_dir,
		arguments, server_dir);
	int status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int server_start(void)
{
	return server_command("start_mariadb", "--max-allowed-packet=4M");
}

void server_connect(void)
{
	if (server_root)
		mysql_close(server_root);
	server_root = mysql_init(NULL);
	if (!mysql_real_connect(server_root, NULL, "root", NULL, NULL, 0, server_socket, 0))
		fail_msg("root: %s", mysql_error(server_root));
}

static void read_vars(void)
{
	char path[128], line[300];
	snprintf(path, sizeof path, "%s/vars", server_dir);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "MARIADB_URL=", 12) == 0)
			snprintf(server_url, sizeof server_url, "%.250s", line + 12);
		if (strncmp(line, "MARIADB_SOCKET=", 15) == 0)
			snprintf(server_socket, sizeof server_socket, "%.100s", line + 15);
	}
	if (f)
		fclose(f);
}

void server_sql(const char *text)
{
	if (mysql_query(server_root, text) != 0)
		fail_msg("%s: %s", text, mysql_error(server_root));
	mysql_free_result(mysql_store_result(server_root));
}

void server_sql_in(const char *text)
{
	server_sql("USE tally");
	server_sql(text);
}

int64_t server_number(const char *text, int column)
{
	int64_t n = -1;
	if (mysql_query(server_root, text) != 0)
		fail_msg("%s: %s", text, mysql_error(server_root));
	MYSQL_RES *res = mysql_store_result(server_root);
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	if (row && row[column])
		n = strtoll(row[column], NULL, 10);
	mysql_free_result(res);
	return n;
}

void server_wipe(void)
{
	server_sql("DROP DATABASE IF EXISTS tally");
	server_sql("CREATE DATABASE tally");
}

struct place place = {
	.module = "mariadb",
	.data_dir = server_dir,
	.options = { { "url", server_url, "test:1:1" }, { "connect_timeout", "2s", "test:1:2" } },
	.noptions = 2,
	.wipe = server_wipe,
	.sql = server_sql_in,
};

int server_begin(void)
{
	if (!mkdtemp(server_dir))
		return 1;
	int rc = server_start();
	if (rc != 0)
		return rc;
	read_vars();
	server_connect();
	return 0;
}

int server_end(int rc)
{
	char command[128];
	if (server_root)
		mysql_close(server_root);
	server_command("kill_server", "");
	snprintf(command, sizeof command, "rm -rf %s", server_dir);
	return system(command) != 0 ? 1 : rc;
}
