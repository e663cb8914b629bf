/* SPDX-License-Identifier: Apache-2.0 */
/* A private MariaDB in a folder of its own, and root's connection to it. Without a server installed a program that
 * uses it is skipped. */
#ifndef TESTS_SINK_MARIADB_H
#define TESTS_SINK_MARIADB_H

#include <mysql.h>

#include "sink_store.h"

extern char server_dir[], server_url[256], server_socket[128];
extern MYSQL *server_root;

/* 0, or what main() is to return; then server_end() all the same. */
int server_begin(void);
int server_end(int rc);

/* A command of tests/e2e/lib/servers.sh; its exit code. */
int server_command(const char *command, const char *arguments);
int server_start(void);
void server_connect(void);

void server_sql(const char *text);
void server_sql_in(const char *text); /* in database tally */
/* A column of the first row, -1 if there is none. */
int64_t server_number(const char *text, int column);
void server_wipe(void);

#endif
