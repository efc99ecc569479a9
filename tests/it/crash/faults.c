/* A disk and a clock that fail as they are told to, for a process that is started with this library in LD_PRELOAD.
 *
 * FAULTS_BELOW   a directory: only files below it are touched
 * FAULTS_ORDERS  a file of 64-bit numbers that whoever tells the story writes, and this process maps (enum order)
 * FAULTS_DISK    a directory for what a disk would hold after a power cut: each file's blocks as they were when they were
 *                last synchronised with success. When a synchronisation fails, its blocks count as written although they
 *                are not, as Linux does it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum order {
    WRITE_ERRNO,   /* writes fail by it; ENOSPC only those that make a file longer */
    SYNC_ERRNO,    /* synchronisations fail by it */
    SYNC_FAILS,    /* so many of them; below 0 all */
    SYNC_DELAY_MS, /* each takes so much longer */
    SYNC_OF,       /* 0: of all files, 1: of logs (-wal), 2: of databases (.db) */
    CLOCK_MS,      /* added to the wall clock */
    TEAR,          /* the next write of a page to a log stops half way, and the process with it */
    WRITES_FAILED, /* told: how many writes failed */
    SYNCS_FAILED,  /* told: how many synchronisations failed */
    SYNCS,         /* told: how many there were */
    ORDERS
};

#define BLOCK 4096
#define BLOCKS (1 << 17) /* of a file of half a GiB at most */
#define FILES 8

static int64_t none[ORDERS];
static volatile int64_t *orders = none;
static const char *below, *disk;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known {
    char path[PATH_MAX];
    int copy;
    unsigned char dirty[BLOCKS / 8];
} *files[FILES];

#define REAL(type, name, ...)                                    \
    static type (*real)(__VA_ARGS__);                            \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t really_write_at(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return real(fd, bytes, count, at);
}

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAULTS_ORDERS");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    below = getenv("FAULTS_BELOW");
    disk = getenv("FAULTS_DISK");
    if (fd < 0 || !below) {
        below = NULL;
        return;
    }
    void *map = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) orders = map;
}

static int ends(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Whether the file is one of those that may fail, and its path. */
static int concerned(int fd, char path[PATH_MAX]) {
    char link[64];
    if (!below) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t start = strlen(below);
    return strncmp(path, below, start) == 0 && path[start] == '/';
}

/* What the disk holds of a database or its log; known from the first time that it is written or synchronised. */
static struct known *held(int fd, const char *path) {
    if (!disk || !(ends(path, ".db") || ends(path, "-wal"))) return NULL;
    for (int i = 0; i < FILES; i++) {
        if (files[i] && strcmp(files[i]->path, path) == 0) return files[i];
        if (files[i]) continue;
        struct known *file = calloc(1, sizeof *file);
        if (!file) return NULL;
        char copy[PATH_MAX * 2];
        snprintf(copy, sizeof copy, "%s%s", disk, strrchr(path, '/'));
        strcpy(file->path, path);
        int is_new = access(copy, F_OK) != 0;
        file->copy = open(copy, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (is_new) {
            char bytes[BLOCK];
            ssize_t count;
            for (off_t at = 0; (count = pread(fd, bytes, BLOCK, at)) > 0; at += count)
                really_write_at(file->copy, bytes, count, at);
        }
        files[i] = file;
        return file;
    }
    return NULL;
}

/* These bytes are about to be written. */
static void mark(int fd, const char *path, off_t from, size_t count) {
    if (!count) return;
    pthread_mutex_lock(&lock);
    struct known *file = held(fd, path);
    for (off_t block = from / BLOCK; file && block <= (from + (off_t)count - 1) / BLOCK && block < BLOCKS; block++)
        file->dirty[block / 8] |= 1 << (block % 8);
    pthread_mutex_unlock(&lock);
}

static void synchronised(int fd, const char *path, int well) {
    struct stat now;
    pthread_mutex_lock(&lock);
    struct known *file = held(fd, path);
    if (file && fstat(fd, &now) == 0) {
        for (off_t block = 0; well && block < BLOCKS; block++) {
            char bytes[BLOCK];
            if (!(file->dirty[block / 8] & (1 << (block % 8)))) continue;
            ssize_t count = pread(fd, bytes, BLOCK, block * BLOCK);
            if (count > 0) really_write_at(file->copy, bytes, count, block * BLOCK);
        }
        memset(file->dirty, 0, sizeof file->dirty);
        if (well && ftruncate(file->copy, now.st_size)) abort();
    }
    pthread_mutex_unlock(&lock);
}

/* -1 with errno when a write of so many bytes fails. */
static int refused(int fd, off_t at, size_t count) {
    int error = orders[WRITE_ERRNO];
    struct stat now;
    if (error == ENOSPC && fstat(fd, &now) == 0 && at + (off_t)count <= now.st_size) return 0;
    if (!error) return 0;
    __sync_fetch_and_add(&orders[WRITES_FAILED], 1);
    errno = error;
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    char path[PATH_MAX];
    int known = concerned(fd, path);
    if (known && refused(fd, at, count)) return -1;
    if (known && orders[TEAR] && count >= BLOCK && ends(path, "-wal")) {
        really_write_at(fd, bytes, count / 2, at);
        kill(getpid(), SIGKILL);
    }
    if (known) mark(fd, path, at, count);
    return really_write_at(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char path[PATH_MAX];
    if (orders[WRITE_ERRNO] && concerned(fd, path)) {
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        off_t at = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
        if (at >= 0 && refused(fd, at, count)) return -1;
    }
    return real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    char path[PATH_MAX];
    if (orders[WRITE_ERRNO] && concerned(fd, path) && refused(fd, LLONG_MAX / 2, 1)) return -1;
    return real(fd, parts, count);
}

int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    char path[PATH_MAX];
    if (orders[WRITE_ERRNO] && concerned(fd, path) && refused(fd, length, 0)) return -1;
    return real(fd, length);
}

int ftruncate64(int fd, off_t length) {
    return ftruncate(fd, length);
}

static int may_open(int fd_of_dir, const char *path, int flags) {
    int error = orders[WRITE_ERRNO];
    if (!below || !error || strncmp(path, below, strlen(below)) != 0) return 0;
    int makes = (flags & O_CREAT) && faccessat(fd_of_dir, path, F_OK, 0) != 0;
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (!makes && !(error == EROFS && writes)) return 0;
    errno = error;
    return -1;
}

#define OPEN(name)                                               \
    int name(const char *path, int flags, ...) {                 \
        REAL(int, #name, const char *, int, ...);                \
        va_list rest;                                            \
        va_start(rest, flags);                                   \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                            \
        if (may_open(AT_FDCWD, path, flags)) return -1;          \
        return real(path, flags, mode);                          \
    }
OPEN(open)
OPEN(open64)

static int sync_as_told(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!concerned(fd, path)) return real(fd);
    __sync_fetch_and_add(&orders[SYNCS], 1);
    int64_t of = orders[SYNC_OF];
    int meant = of == 0 || (of == 1 && ends(path, "-wal")) || (of == 2 && ends(path, ".db"));
    if (meant && orders[SYNC_DELAY_MS] > 0) usleep(orders[SYNC_DELAY_MS] * 1000);
    if (meant && orders[SYNC_ERRNO] && orders[SYNC_FAILS]) {
        if (orders[SYNC_FAILS] > 0) __sync_fetch_and_sub(&orders[SYNC_FAILS], 1);
        synchronised(fd, path, 0);
        __sync_fetch_and_add(&orders[SYNCS_FAILED], 1);
        errno = orders[SYNC_ERRNO];
        return -1;
    }
    int result = real(fd);
    if (result == 0) synchronised(fd, path, 1);
    return result;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return sync_as_told(fd, real);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return sync_as_told(fd, real);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) {
        int64_t ms = orders[CLOCK_MS];
        int64_t ns = now->tv_nsec + ms % 1000 * 1000000;
        now->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
        now->tv_nsec = (ns + 1000000000) % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec wall;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &wall)) return -1;
    now->tv_sec = wall.tv_sec;
    now->tv_usec = wall.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    if (told) *told = wall.tv_sec;
    return wall.tv_sec;
}
