# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += conf/quickstart.yaml conf/tally.yaml conf/mariadb.yaml conf/redis.yaml
exampleconfdir = $(docdir)/examples
exampleconf_DATA = conf/quickstart.yaml conf/tally.yaml conf/mariadb.yaml conf/redis.yaml

noinst_PROGRAMS += conf/document
conf_document_SOURCES = conf/document.c
conf_document_LDADD = libtallycore.la

# writes conf/tally.yaml anew after an option has changed; a test says when it is due
.PHONY: update-conf
update-conf: conf/document
	conf/document > $(srcdir)/conf/tally.yaml.new
	mv $(srcdir)/conf/tally.yaml.new $(srcdir)/conf/tally.yaml
