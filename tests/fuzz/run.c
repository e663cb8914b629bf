/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzing compiler, so that `make check` covers it: every corpus file as it is, then seeded
 * mutations of them. The target is LLVMFuzzerTestOneInput() of the other source; with clang, leave this file out and
 * link with -fsanitize=fuzzer instead.
 *
 *   fuzz_NAME [FILE or DIR]...   default: $srcdir/tests/fuzz/corpus/NAME
 *   TALLY_FUZZ_RUNS (20000), TALLY_FUZZ_SECONDS (3), TALLY_FUZZ_SEED (1)
 *
 * An input that kills the target is left in ./crash-NAME. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 4096
#define INPUT_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t len;
};

static struct input files[FILES_MAX];
static size_t nfiles;
static char crash_name[128];
static struct input running; /* what the target has in hand, for the crash file */
static uint64_t state;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static void keep_crash(void)
{
	int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || write(fd, running.bytes, running.len) < 0)
		return;
	close(fd);
	static const char say[] = "the input is in crash-NAME\n";
	ssize_t ignored = write(STDERR_FILENO, say, sizeof say - 1);
	(void)ignored;
}

static void on_signal(int sig)
{
	keep_crash();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- corpus ---- */

static void load(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	if (nfiles == FILES_MAX) {
		fclose(f);
		return;
	}
	uint8_t *bytes = malloc(INPUT_MAX);
	if (!bytes)
		abort();
	files[nfiles++] = (struct input){ bytes, fread(bytes, 1, INPUT_MAX, f) };
	fclose(f);
}

static int seen(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* In the order of names, so that a seed means the same everywhere. */
static void load_dir(const char *dir)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, seen, alphasort);
	for (int i = 0; i < n; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
		load(path);
		free(list[i]);
	}
	free(list);
}

static void load_any(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		load_dir(path);
	else
		load(path);
}

/* ---- mutations ---- */

/* Makes room for, or removes, n bytes at `at`. */
static void resize_at(struct input *in, size_t at, size_t n, int grow)
{
	if (grow) {
		memmove(in->bytes + at + n, in->bytes + at, in->len - at);
		in->len += n;
	} else {
		memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
		in->len -= n;
	}
}

static void insert(struct input *in)
{
	const struct input *from = &files[chance(nfiles)];
	size_t at = chance(in->len + 1), n = 1 + chance(chance(4) ? 8 : 128);
	if (in->len + n > INPUT_MAX)
		return;
	size_t start = chance(from->len);
	resize_at(in, at, n, 1);
	for (size_t i = 0; i < n; i++)
		in->bytes[at + i] = start + i < from->len ? from->bytes[start + i] : (uint8_t)chance(256);
}

static void overwrite_number(struct input *in)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff };
	uint64_t v = edges[chance(sizeof edges / sizeof edges[0])] + chance(3) - 1;
	size_t width = (size_t)1 << chance(4);
	if (in->len < width)
		return;
	if (chance(2))
		v = __builtin_bswap64(v) >> (64 - 8 * width);
	memcpy(in->bytes + chance(in->len - width + 1), &v, width);
}

static void mutate(struct input *in)
{
	if (in->len == 0 || chance(6) == 0) {
		insert(in);
		return;
	}
	size_t at = chance(in->len);
	switch (chance(5)) {
	case 0:
		in->bytes[at] ^= (uint8_t)(1u << chance(8));
		break;
	case 1:
		in->bytes[at] = (uint8_t)chance(256);
		break;
	case 2:
		resize_at(in, at, 1 + chance(in->len - at), 0);
		break;
	case 3:
		in->len = at;
		break;
	default:
		overwrite_number(in);
	}
}

/* In a block of its exact size, so that a sanitizer sees one byte too many. */
static void run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (!copy)
		abort();
	if (len)
		memcpy(copy, bytes, len);
	running = (struct input){ copy, len };
	LLVMFuzzerTestOneInput(copy, len);
	running = (struct input){ NULL, 0 };
	free(copy);
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static unsigned long run_mutations(unsigned long runs, double until)
{
	static uint8_t room[INPUT_MAX];
	unsigned long done = 0;
	for (; done < runs && now() < until; done++) {
		const struct input *from = &files[chance(nfiles)];
		struct input in = { room, from->len };
		if (from->len)
			memcpy(room, from->bytes, from->len);
		for (uint64_t n = 1 + chance(4); n; n--)
			mutate(&in);
		run(in.bytes, in.len);
	}
	return done;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *name = strstr(base, "fuzz_") ? strstr(base, "fuzz_") + 5 : base;
	snprintf(crash_name, sizeof crash_name, "crash-%s", name);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_crash);
	signal(SIGABRT, on_signal);
	signal(SIGSEGV, on_signal);

	char dir[4096];
	snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", getenv("srcdir") ? getenv("srcdir") : ".", name);
	for (int i = 1; i < argc; i++)
		load_any(argv[i]);
	if (argc < 2)
		load_dir(dir);

	double start = now();
	unsigned long seed = setting("TALLY_FUZZ_SEED", 1), runs = setting("TALLY_FUZZ_RUNS", 20000);
	state = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < nfiles; i++)
		run(files[i].bytes, files[i].len);
	size_t corpus = nfiles;
	if (nfiles == 0)
		load("/dev/null");
	unsigned long done = run_mutations(runs, start + (double)setting("TALLY_FUZZ_SECONDS", 3));
	printf("fuzz_%s: %zu corpus files, %lu mutations, seed %lu, %.1f s\n", name, corpus, done, seed, now() - start);
	if (corpus == 0)
		fprintf(stderr, "fuzz_%s: no corpus in %s\n", name, dir);
	for (size_t i = 0; i < nfiles; i++)
		free(files[i].bytes);
	return corpus == 0;
}
