/* What a program does to the files below a folder, call by call; preloaded by bench/writes.py.
 *
 * WRITES_BELOW: the path they begin with. WRITES_LOG: where each call is written down, in
 * the order in which they happen, with what the program said (fd 1) or sent between them.
 * WRITES_FAULT at the WRITES_AT-th changing call: `kill` right before it, `torn` in the
 * middle of what it or the next one writes, `EIO` for that call alone, `ENOSPC` for every one from
 * there on that needs room, `EROFS` for every one from there on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 65536 };
static char ours[FILES];
static const char *below, *fault;
static int book = -1;
static long at, calls;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct entry { char op; char padding[3]; int32_t fd; int64_t offset, size; };

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("WRITES_LOG"), *when = getenv("WRITES_AT");
    below = getenv("WRITES_BELOW");
    fault = getenv("WRITES_FAULT");
    at = when ? atol(when) : 0;
    if (below && log)
        book = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_ours(int fd) { return fd >= 0 && fd < FILES && ours[fd]; }

static int ends(const char *path, const char *end) {
    size_t size = strlen(path), tail = strlen(end);
    return size >= tail && !strcmp(path + size - tail, end);
}

/* What is made anew after a power cut, and what only says who is there, are no files of use. */
static int is_below(const char *path) {
    return below && path && !strncmp(path, below, strlen(below)) && !ends(path, "-shm")
        && !ends(path, "lock");
}

static void note(char op, int fd, int64_t offset, const void *data, size_t size) {
    if (book < 0)
        return;
    struct entry entry = {.op = op, .fd = fd, .offset = offset, .size = (int64_t)size};
    char *whole = malloc(sizeof entry + size);
    memcpy(whole, &entry, sizeof entry);
    memcpy(whole + sizeof entry, data, size);
    REAL(write)(book, whole, sizeof entry + size);
    free(whole);
}

/* Whether this call is to fail; `errno` says how. *grows*: it needs room on the disk. */
static int fails(int grows) {
    calls++;
    if (!fault || !at || calls < at)
        return 0;
    if (!strcmp(fault, "kill") && calls == at)
        kill(getpid(), SIGKILL);
    if (!strcmp(fault, "EIO") && calls == at)
        return errno = EIO;
    if (!strcmp(fault, "ENOSPC") && grows)
        return errno = ENOSPC;
    if (!strcmp(fault, "EROFS"))
        return errno = EROFS;
    return 0;
}

static int torn(void) { return fault && !strcmp(fault, "torn") && at && calls >= at; }

#define LOCKED(type, work) \
    do { \
        pthread_mutex_lock(&one); \
        type result = -1; \
        work; \
        int kept = errno; \
        pthread_mutex_unlock(&one); \
        errno = kept; \
        return result; \
    } while (0)

static int opened(int folder, const char *path, int flags, mode_t mode) {
    __typeof__(&openat) real = REAL(openat);
    if (!is_below(path)) {
        int fd = real(folder, path, flags, mode);
        if (fd >= 0 && fd < FILES)
            ours[fd] = 0;
        return fd;
    }
    int changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    LOCKED(int, {
        struct stat there;
        int new = changes && stat(path, &there) != 0;
        if (!changes || !fails(new))
            result = real(folder, path, flags, mode);
        if (result >= 0 && result < FILES) {
            ours[result] = 1;
            note(new ? 'C' : flags & O_TRUNC ? 'T' : changes ? 'O' : 'o', result, 0, path, strlen(path));
        }
    });
}

#define OPENED(...) \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return opened(__VA_ARGS__, path, flags, mode)

int open(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int open64(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int openat(int folder, const char *path, int flags, ...) { OPENED(folder); }
int openat64(int folder, const char *path, int flags, ...) { OPENED(folder); }

int close(int fd) {
    if (fd >= 0 && fd < FILES)
        ours[fd] = 0;
    return REAL(close)(fd);
}

static ssize_t written(int fd, const void *data, size_t size, int64_t offset, int placed) {
    __typeof__(&pwrite) real = REAL(pwrite64);
    LOCKED(ssize_t, {
        if (!fails(1)) {
            if (torn())
                size /= 2;
            if (!placed)
                offset = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
            result = placed ? real(fd, data, size, offset) : REAL(write)(fd, data, size);
            if (result > 0)
                note('W', fd, offset, data, (size_t)result);
            if (torn())
                kill(getpid(), SIGKILL);
        }
    });
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return is_ours(fd) ? written(fd, data, size, offset, 1) : REAL(pwrite64)(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return is_ours(fd) ? written(fd, data, size, offset, 1) : REAL(pwrite)(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (is_ours(fd))
        return written(fd, data, size, 0, 0);
    if (fd != 1 || book < 0)
        return REAL(write)(fd, data, size);
    LOCKED(ssize_t, { /* written down first: whoever hears it finds it in the log */
        note('S', fd, 0, data, size);
        result = REAL(write)(fd, data, size);
    });
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    if (book < 0)
        return REAL(send)(fd, data, size, flags);
    LOCKED(ssize_t, {
        note('S', fd, 0, "", 0);
        result = REAL(send)(fd, data, size, flags);
    });
}

static int synced(int fd, int (*real)(int)) {
    if (!is_ours(fd))
        return real(fd);
    LOCKED(int, {
        if (!fails(0) && (result = real(fd)) == 0)
            note('F', fd, 0, "", 0);
    });
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

static int cut(int fd, int64_t size) {
    __typeof__(&ftruncate64) real = REAL(ftruncate64);
    if (!is_ours(fd))
        return real(fd, size);
    LOCKED(int, {
        if (!fails(0) && (result = real(fd, size)) == 0)
            note('L', fd, size, "", 0);
    });
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

int unlink(const char *path) {
    __typeof__(&unlink) real = REAL(unlink);
    if (!is_below(path))
        return real(path);
    LOCKED(int, {
        if (!fails(0) && (result = real(path)) == 0)
            note('U', -1, 0, path, strlen(path));
    });
}

int mkdir(const char *path, mode_t mode) {
    __typeof__(&mkdir) real = REAL(mkdir);
    if (!is_below(path))
        return real(path, mode);
    LOCKED(int, {
        if (!fails(1) && (result = real(path, mode)) == 0)
            note('M', -1, 0, path, strlen(path));
    });
}

int rename(const char *from, const char *to) {
    __typeof__(&rename) real = REAL(rename);
    if (!is_below(to))
        return real(from, to);
    LOCKED(int, {
        if (!fails(0) && (result = real(from, to)) == 0) {
            size_t size = strlen(from) + 1 + strlen(to);
            char both[size + 1];
            memcpy(both, from, strlen(from) + 1);
            memcpy(both + strlen(from) + 1, to, strlen(to) + 1);
            note('R', -1, 0, both, size);
        }
    });
}
