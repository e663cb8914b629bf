/* SPDX-License-Identifier: Apache-2.0 */
/* tallyd: arguments, then open, run, close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "main/daemon.h"
#include "main/show.h"

static int arm_seams(void)
{
	const char *spec = getenv("TALLY_FAULT"), *clock = getenv("TALLY_FAULT_CLOCK");
	if (spec && seam_arm(spec) != 0) {
		fprintf(stderr, "tallyd: TALLY_FAULT cannot be read: %s\n", spec);
		return 2;
	}
	if (clock && clock_arm(clock) != 0) {
		fprintf(stderr, "tallyd: TALLY_FAULT_CLOCK names no file that can be read: %s\n", clock);
		return 2;
	}
	return 0;
}

static int load(struct daemon *d)
{
	struct conf_error err;
	if (conf_load(d->args.config, d->args.data_dir, d->args.plugin_dir, &d->conf, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return 1;
}

int main(int argc, char **argv)
{
	static struct daemon d;
	int rc = args_parse(argc, argv, &d.args);
	if (rc || d.args.help)
		return rc;
	if (d.args.version)
		return show_version();
	if (d.args.vet)
		return show_file(d.args.vet);
	rc = load(&d);
	if (rc)
		return rc;
	if (d.args.dump)
		return show_conf(d.conf);
	if (d.args.list)
		return show_plugins(d.conf);
	if (d.args.check)
		return show_check(d.conf);
	daemon_signals();
	log_setup((enum log_level)d.conf->log.level, (enum log_format)d.conf->log.format);
	rc = arm_seams();
	if (rc || daemon_open(&d))
		return rc ? rc : 1;
	daemon_run(&d);
	daemon_close(&d);
	return 0;
}
