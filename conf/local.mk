# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += conf/quickstart.yaml conf/tally.yaml conf/mariadb.yaml conf/redis.yaml
exampleconfdir = $(docdir)/examples
exampleconf_DATA = conf/quickstart.yaml conf/tally.yaml conf/mariadb.yaml conf/redis.yaml

noinst_PROGRAMS += conf/document
conf_document_SOURCES = conf/document.c
conf_document_LDADD = libtallycore.la

nodist_man_MANS = conf/tally.yaml.5
CLEANFILES += conf/tally.yaml.5 conf/tally.yaml.5.new
conf/tally.yaml.5: conf/document$(EXEEXT)
	$(AM_V_GEN)conf/document man > $@.new && mv $@.new $@

# writes conf/tally.yaml anew after an option has changed; a test says when it is due
.PHONY: update-conf
update-conf: conf/document
	conf/document > $(srcdir)/conf/tally.yaml.new
	mv $(srcdir)/conf/tally.yaml.new $(srcdir)/conf/tally.yaml

# each example in a daemon of its own
dist_check_SCRIPTS += tests/e2e/examples.py
