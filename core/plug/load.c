/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a vetted file and checking what it says of itself.
 *
 * The descriptor is copied into a zeroed one of our own size: an older plugin has zeros in what it does not know, a
 * newer one may not use what we do not know. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "plug/inner.h"

#define SIZE_ABSURD 65536

/* Both descriptors begin alike. */
struct head {
	uint32_t size, abi;
	const char *name, *version, *summary;
	const struct tally_option *options;
};
#define SAME_HEAD(type, member) (offsetof(struct type, member) == offsetof(struct head, member))
_Static_assert(SAME_HEAD(tally_plugin, abi) && SAME_HEAD(tally_sink, abi), "abi moved");
_Static_assert(SAME_HEAD(tally_plugin, name) && SAME_HEAD(tally_sink, name), "name moved");
_Static_assert(SAME_HEAD(tally_plugin, version) && SAME_HEAD(tally_sink, version), "version moved");
_Static_assert(SAME_HEAD(tally_plugin, summary) && SAME_HEAD(tally_sink, summary), "summary moved");
_Static_assert(SAME_HEAD(tally_plugin, options) && SAME_HEAD(tally_sink, options), "options moved");

struct form { /* what we know of one kind of descriptor */
	const char *what, *header;
	uint32_t abi;
	size_t ours, least; /* bytes: all we know, the least that makes sense */
};

static const struct form plugin_form = { "plugin", "tally/plugin.h", TALLY_ABI, sizeof(struct tally_plugin),
	offsetof(struct tally_plugin, mount) };
static const struct form sink_form = { "sink", "tally/sink.h", TALLY_SINK_ABI, sizeof(struct tally_sink),
	offsetof(struct tally_sink, reader_open) };

/* Bytes the object has at this symbol by its own symbol table; 0 = not known. */
static size_t symbol_bytes(const void *symbol)
{
	Dl_info info;
	void *extra = NULL;
	if (dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) == 0 || !extra)
		return 0;
	return (size_t)((const ElfW(Sym) *)extra)->st_size;
}

static int vet_size(const struct form *f, const struct head *h, char why[PLUG_WHY])
{
	size_t there = symbol_bytes(h);
	if (there && there < sizeof h->size + sizeof h->abi)
		return plug_refuse(why, "its tally_%s is no descriptor; see docs/plugin-guide.md", f->what);
	if (h->abi != f->abi)
		return plug_refuse(why,
			"is made for %s ABI %u and this tally speaks %u; build it against this tally's %s", f->what,
			h->abi, f->abi, f->header);
	if (h->size < f->least || h->size > SIZE_ABSURD || (there && h->size > there))
		return plug_refuse(why,
			"says its descriptor has %u bytes, which cannot be; begin it with TALLY_%s_HEAD", h->size,
			f == &plugin_form ? "PLUGIN" : "SINK");
	for (size_t i = f->ours; i < h->size; i++)
		if (((const unsigned char *)h)[i] != 0)
			return plug_refuse(why,
				"uses what came with a newer %s (byte %zu of its descriptor); update tally, or build "
				"it without",
				f->header, i);
	return 0;
}

static bool printable(const char *text, size_t most)
{
	size_t n = text ? strnlen(text, most + 1) : 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return n > 0 && n <= most;
}

static bool good_name(const char *name)
{
	size_t n = name ? strnlen(name, PLUG_NAME_MAX) : 0;
	return n > 0 && n < PLUG_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n && strcmp(name, "auto") != 0;
}

static int vet_head(const struct form *f, const struct head *h, char name[PLUG_NAME_MAX], char why[PLUG_WHY])
{
	if (vet_size(f, h, why) != 0)
		return -EINVAL;
	if (!good_name(h->name))
		return plug_refuse(why, "its name is not of the form [a-z][a-z0-9_-]*, at most %d, and not `auto`",
			PLUG_NAME_MAX - 1);
	memcpy(name, h->name, strlen(h->name) + 1);
	if (!printable(h->version, 31) || !printable(h->summary, 200))
		return plug_refuse(why, "has no version (1 to 31 printable bytes) or no summary (1 to 200)");
	return conf_options_vet(h->options, why);
}

static int vet_plugin(const struct tally_plugin *p, char why[PLUG_WHY])
{
	if (p->decode || p->mount)
		return plug_refuse(why, "needs `decode`, which this version does not run yet; use a newer tally");
	if (!p->save != !p->load)
		return plug_refuse(why, "has `%s` and not `%s`; state that outlives a batch needs both",
			p->save ? "save" : "load", p->save ? "load" : "save");
	bool ledger = p->admit || p->forget || p->settle || p->recall;
	bool line = p->event || p->tick || p->flush || p->reset || p->save || p->visit;
	if (!ledger && !line && !p->request && !p->answered && !p->arrive && !p->enter)
		return plug_refuse(why, "has no hook at all, so it would never run; set at least one");
	return 0;
}

static int vet_sink(const struct tally_sink *s, char why[PLUG_WHY])
{
	const char *missing = !s->open ? "open" : !s->close ? "close" : !s->position ? "position" : NULL;
	if (!missing && !s->write)
		missing = "write";
	if (!missing && s->is_store &&
		!(s->reader_open && s->read_begin && s->read && s->read_end && s->reader_error && s->reader_close))
		missing = "reader_…";
	return missing ? plug_refuse(why, "lacks `%s`, which every such sink needs", missing) : 0;
}

/* dlerror() in words that say what to do. */
static int refuse_dlopen(char why[PLUG_WHY])
{
	const char *text = dlerror();
	const char *colon = text ? strstr(text, ": ") : NULL;
	const char *what = colon ? colon + 2 : text ? text : "unknown error";
	const char *remedy = "build it again on this machine";
	if (text && strstr(text, "undefined symbol"))
		remedy = "link it with the library that has this symbol, or remove the call: tally lends functions "
			 "only through its host table";
	else if (text && strstr(text, "cannot open shared object file"))
		remedy = "install the library it was linked with";
	return plug_refuse(why, "cannot be loaded: %s; %s", what, remedy);
}

/* A name of this file that the loader has not seen yet. It goes by names first: asked for a path it has loaded before,
 * it gives the old object although another file lies there now. "DIR/./x.so" is another name of "DIR/x.so". A file that
 * is known under every one of its names is itself loaded still (a library may refuse to go), and that is fine. */
#define NAMES 64

static void *load(const char *path)
{
	const char *base = plug_base_name(path);
	const char *dir = base == path ? "./" : path;
	int ndir = base == path ? 2 : (int)(base - path);
	char name[PATH_MAX], dots[2 * NAMES + 1] = "";
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%.*s%s%s", ndir, dir, dots, base);
		void *known = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
		if (!known)
			break;
		dlclose(known);
		strcat(dots, "./");
	}
	dlerror();
	return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

static int describe(struct plug_lib *lib, char name[PLUG_NAME_MAX], char why[PLUG_WHY])
{
	const struct tally_plugin *p = dlsym(lib->handle, "tally_plugin");
	const struct tally_sink *s = dlsym(lib->handle, "tally_sink");
	if (!p && !s)
		return plug_refuse(why, "exports neither tally_plugin nor tally_sink; see docs/plugin-guide.md");
	if (p && s)
		return plug_refuse(why, "exports both tally_plugin and tally_sink; make two files of it");
	const struct form *form = p ? &plugin_form : &sink_form;
	const struct head *head = p ? (const struct head *)p : (const struct head *)s;
	if (vet_head(form, head, name, why) != 0)
		return -EINVAL;
	memcpy(p ? (void *)&lib->plugin : (void *)&lib->sink, head, head->size < form->ours ? head->size : form->ours);
	lib->is_plugin = p != NULL;
	lib->is_sink = s != NULL;
	return p ? vet_plugin(&lib->plugin, why) : vet_sink(&lib->sink, why);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The library that holds this file already: 1 found, 0 none, -EINVAL: it was overwritten in place. */
static int find_loaded(
	const struct stat *st, struct plug_lib *const *loaded, size_t n, struct plug_lib **out, char why[PLUG_WHY])
{
	for (size_t i = 0; i < n; i++) {
		if (!loaded[i] || !same_file(&loaded[i]->st, st))
			continue;
		if (!same_content(&loaded[i]->st, st))
			return plug_refuse(why, "was overwritten while it was loaded; restart tallyd, and next time "
						"install the new file by a rename (`install` or `mv`)");
		*out = loaded[i];
		return 1;
	}
	return 0;
}

static int vet_parent(const char *path, char why[PLUG_WHY])
{
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir ? 1 : 0] = 0;
	return plug_dir_vet(slash ? dir : ".", why);
}

static int open_new(
	const char *path, const struct stat *st, struct plug_lib **out, char name[PLUG_NAME_MAX], char why[PLUG_WHY])
{
	struct stat now;
	struct plug_lib *lib = calloc(1, sizeof *lib);
	MUST(lib != NULL);
	atomic_init(&lib->refs, 1);
	lib->st = *st;
	lib->handle = load(path);
	int rc = lib->handle ? 0 : refuse_dlopen(why);
	if (rc == 0 && (lstat(path, &now) != 0 || !same_file(&now, st)))
		rc = plug_refuse(why, "was replaced while it was being loaded; reload again");
	if (rc == 0)
		rc = describe(lib, name, why);
	if (rc == 0) {
		*out = lib;
		return 0;
	}
	if (lib->handle)
		dlclose(lib->handle); /* so that a mended file copied over it is loaded anew */
	free(lib);
	return rc;
}

int plug_lib_open(const char *path, struct plug_lib *const *loaded, size_t nloaded, struct plug_lib **out,
	char name[PLUG_NAME_MAX], char why[PLUG_WHY])
{
	struct stat st;
	name[0] = 0;
	if (vet_parent(path, why) != 0 || plug_file_vet(path, &st, why) != 0)
		return -EINVAL;
	int found = find_loaded(&st, loaded, nloaded, out, why);
	if (found < 0)
		return found;
	if (found == 0)
		return open_new(path, &st, out, name, why);
	atomic_fetch_add(&(*out)->refs, 1);
	const char *known = (*out)->is_plugin ? (*out)->plugin.name : (*out)->sink.name;
	memcpy(name, known, strlen(known) + 1);
	return 0;
}

void plug_lib_unref(struct plug_lib *lib)
{
	if (!lib || atomic_fetch_sub(&lib->refs, 1) != 1)
		return;
	dlclose(lib->handle);
	free(lib);
}
