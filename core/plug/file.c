/* SPDX-License-Identifier: Apache-2.0 */
/* Is this file one to be loaded? Loading runs its code, so all that can be known before is looked at before: whose it
 * is, who could change it, and whether it is a whole ELF object (the loader dies of a file that was cut short). */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "plug/inner.h"

int plug_refuse(char why[PLUG_WHY], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, PLUG_WHY, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

int plug_dir_vet(const char *dir, char why[PLUG_WHY])
{
	struct stat st;
	if (stat(dir, &st) != 0)
		return plug_refuse(why, "folder %s cannot be read: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return plug_refuse(why, "%s is not a folder", dir);
	if (!trusted_owner(&st))
		return plug_refuse(why,
			"folder %s belongs to uid %u, who could put any code there; chown it to root or to uid %u", dir,
			(unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return plug_refuse(
			why, "folder %s is world-writable: anybody could put code there; chmod o-w %s", dir, dir);
	return 0;
}

static int vet_stat(const struct stat *st, char why[PLUG_WHY])
{
	if (!S_ISREG(st->st_mode))
		return plug_refuse(why, "not a regular file; put the shared object itself there");
	if (!trusted_owner(st))
		return plug_refuse(why, "belongs to uid %u; chown it to root or to uid %u, who runs tallyd",
			(unsigned)st->st_uid, (unsigned)geteuid());
	if (st->st_mode & S_IWOTH)
		return plug_refuse(why, "is world-writable: anybody could change its code; chmod o-w it");
	return 0;
}

/* Every loaded segment must lie within the file: beyond its end the loader gets SIGBUS. */
static int vet_segments(int fd, const ElfW(Ehdr) * eh, uint64_t size, char why[PLUG_WHY])
{
	if (eh->e_phentsize != sizeof(ElfW(Phdr)) || eh->e_phnum == 0 || eh->e_phnum > 128)
		return plug_refuse(why, "its ELF header makes no sense; build it again");
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		ElfW(Phdr) ph;
		off_t at = (off_t)(eh->e_phoff + i * sizeof ph);
		bool whole = at >= 0 && pread(fd, &ph, sizeof ph, at) == (ssize_t)sizeof ph;
		if (!whole || ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
			return plug_refuse(
				why, "is cut short (%llu bytes); copy or build it again", (unsigned long long)size);
	}
	return 0;
}

static int vet_elf(int fd, const struct stat *st, char why[PLUG_WHY])
{
	ElfW(Ehdr) eh;
	ssize_t n = pread(fd, &eh, sizeof eh, 0);
	if (n < SELFMAG || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return plug_refuse(why, "is no shared object but some other kind of file; build it with "
					"`cc -shared -fPIC -o NAME.so NAME.c`");
	if (n != (ssize_t)sizeof eh)
		return plug_refuse(why, "is cut short (%zd bytes); copy or build it again", n);
	if (eh.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) || eh.e_type != ET_DYN)
		return plug_refuse(why, "is no shared object for this machine; build it here with `cc -shared -fPIC`");
	return vet_segments(fd, &eh, (uint64_t)st->st_size, why);
}

int plug_file_vet(const char *path, struct stat *st, char why[PLUG_WHY])
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ELOOP)
		return plug_refuse(why, "is a symbolic link; put the shared object itself there");
	if (fd < 0)
		return plug_refuse(why, "cannot be read: %s", strerror(errno));
	int rc = fstat(fd, st) == 0 ? vet_stat(st, why) : plug_refuse(why, "cannot be read: %s", strerror(errno));
	if (rc == 0)
		rc = vet_elf(fd, st, why);
	close(fd);
	return rc;
}
