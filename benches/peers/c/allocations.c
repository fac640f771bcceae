/* Preloaded, counts a program's allocations and writes their number to the file that ALLOCATIONS names. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own, by their second names. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static atomic_ullong count;

void *malloc(size_t size)
{
    count++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count++;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **new, size_t alignment, size_t size)
{
    count++;
    *new = __libc_memalign(alignment, size);
    return *new ? 0 : ENOMEM;
}

static __attribute__((destructor)) void tell(void)
{
    unsigned long long counted = count;
    FILE *file = fopen(getenv("ALLOCATIONS"), "w");
    if (file) {
        fprintf(file, "allocations: %llu\n", counted);
        fclose(file);
    }
}
