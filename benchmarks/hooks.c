/* Preloaded by real_time.py: counts every allocation and every lock that this process asks the C library for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>

long allocations, locks;

/* glibc's own names, for dlsym may allocate. */
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

#define COUNTED(COUNTER, CALL) (__atomic_add_fetch(&COUNTER, 1, __ATOMIC_RELAXED), CALL)

void *malloc(size_t n) { return COUNTED(allocations, __libc_malloc(n)); }
void *calloc(size_t n, size_t size) { return COUNTED(allocations, __libc_calloc(n, size)); }
void *realloc(void *p, size_t n) { return COUNTED(allocations, __libc_realloc(p, n)); }
void *memalign(size_t at, size_t n) { return COUNTED(allocations, __libc_memalign(at, n)); }
void *aligned_alloc(size_t at, size_t n) { return COUNTED(allocations, __libc_memalign(at, n)); }
int posix_memalign(void **p, size_t at, size_t n)
{
    *p = COUNTED(allocations, __libc_memalign(at, n));
    return *p ? 0 : 12;
}

#define LOCK(NAME, PARAMETERS, ARGUMENTS)                                                                              \
    int NAME PARAMETERS                                                                                                \
    {                                                                                                                  \
        static int(*own) PARAMETERS;                                                                                   \
        if (!own)                                                                                                      \
            own = (int(*) PARAMETERS)dlsym(RTLD_NEXT, #NAME);                                                          \
        return COUNTED(locks, own ARGUMENTS);                                                                          \
    }
LOCK(pthread_mutex_lock, (pthread_mutex_t *m), (m))
LOCK(pthread_mutex_trylock, (pthread_mutex_t *m), (m))
LOCK(pthread_rwlock_rdlock, (pthread_rwlock_t *l), (l))
LOCK(pthread_rwlock_wrlock, (pthread_rwlock_t *l), (l))
LOCK(pthread_spin_lock, (pthread_spinlock_t *l), (l))
LOCK(sem_wait, (sem_t *s), (s))
LOCK(sem_trywait, (sem_t *s), (s))
LOCK(sem_timedwait, (sem_t *s, const struct timespec *t), (s, t))
LOCK(sem_clockwait, (sem_t *s, clockid_t c, const struct timespec *t), (s, c, t))
