/* The works whose other end is the load generator: the same as in src/net.rs, in words that each library's
 * program says in its own way. It includes this once, behind runner.h, and defines what is declared here. */
#ifndef NET_H
#define NET_H
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

enum { IDLE_S = 60, LIMIT = 8, WORK_NS = 10000, MOST_LOOPS = 2 };

/* A loop belongs to its thread; it is made for so many sources. */
static void open_loop(size_t sources);
/* Watches for reading from now on; the callback calls answer, receive or drown, with its file descriptor or
 * index, as the work says. `i` counts the sources of a loop. */
static void add_connection(size_t i, int fd);
static void add_idle(size_t i, int fd);
static void add_urgent(size_t i, int fd);
static void add_low(size_t i, int fd);
/* Runs until stop_loop. */
static void run_loop(void);
static void stop_loop(void);
/* Turns once, without waiting. */
static void look(void);

static _Thread_local uint64_t done, wanted;
static volatile int stopped;

static void count(uint64_t more)
{
    done += more;
    if (done >= wanted || stopped)
        stop_loop();
}

static uint64_t ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* What has come, if anything has. */
static size_t take(int fd, void *bytes, size_t most)
{
    ssize_t length = recv(fd, bytes, most, 0);
    need(length > 0 || (length < 0 && errno == EAGAIN), "the load generator is gone");
    return length > 0 ? length : 0;
}

/* A payload of `echo` and `loops`: one read, one write. */
static inline void answer(int fd)
{
    char bytes[256];
    size_t length = take(fd, bytes, sizeof bytes);
    if (length == 0)
        return;
    need(send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length, "send");
    count(1);
}

/* The flood. */

static uint64_t runs, *latencies;

/* Pipes with a byte in each. What is read is written again into the same pipe: it is always readable. */
static void make_flood(void)
{
    make_ring();
    for (size_t i = n; i-- > 1;) {
        int before = writers[i - 1];
        writers[i - 1] = writers[i];
        writers[i] = before;
    }
    prime(n);
}

static inline void drown(size_t i)
{
    pass_on(i);
    for (uint64_t begun = ns(CLOCK_MONOTONIC); ns(CLOCK_MONOTONIC) - begun < WORK_NS;)
        ;
    runs++;
}

static inline void receive(int fd)
{
    uint64_t stamps[64], come = 0;
    size_t length;
    do {
        length = take(fd, stamps, sizeof stamps) / sizeof *stamps;
        uint64_t now = ns(CLOCK_MONOTONIC);
        for (size_t i = 0; i < length; i++, come++)
            if (done + come < wanted)
                latencies[done + come] = now - stamps[i];
    } while (length == 64);
    count(come);
}

/* Connections: the file descriptors of each loop. */

static size_t loops = 1, shares[MOST_LOOPS];
static int *connections[MOST_LOOPS];

/* Of several listeners, one gets the connections that arrive on its loop's processor. */
static int listen_on(uint16_t *port, int is_other)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(fd >= 0, "socket");
    need(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0, "SO_REUSEPORT");
    pin(is_other);
    int cpu = sched_getcpu();
    pin(0);
    need(setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, sizeof cpu) == 0, "SO_INCOMING_CPU");
    need(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    need(listen(fd, 4096) == 0, "listen");
    need(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

static void accept_all(size_t all)
{
    struct pollfd listeners[MOST_LOOPS];
    uint16_t port = 0;
    for (size_t i = 0; i < loops; i++) {
        listeners[i] = (struct pollfd){ listen_on(&port, i > 0), POLLIN, 0 };
        connections[i] = calloc(all, sizeof **connections);
    }
    printf("port %d\n", port);
    fflush(stdout);
    for (size_t accepted = 0; accepted < all;) {
        need(poll(listeners, loops, 60000) > 0, "the load generator does not connect");
        for (size_t i = 0; i < loops; i++)
            for (int fd; (fd = accept4(listeners[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
                int yes = 1;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                connections[i][shares[i]++] = fd;
                accepted++;
            }
    }
    for (size_t i = 0; i < loops; i++)
        close(listeners[i].fd);
}

/* Echo. The first loop is the main thread's; it ends the others when its own work is done. */

static pthread_barrier_t begin, ended;
static uint64_t done_by_others;

static void open_share(size_t at)
{
    pin(at > 0);
    open_loop(shares[at]);
    for (size_t i = 0; i < shares[at]; i++)
        add_connection(i, connections[at][i]);
}

static void *other_loop(void *at)
{
    open_share((size_t)at);
    for (;;) {
        pthread_barrier_wait(&begin);
        done = 0, wanted = UINT64_MAX;
        run_loop();
        done_by_others = done;
        pthread_barrier_wait(&ended);
    }
    return NULL;
}

static void run_loops(uint64_t ops)
{
    stopped = 0;
    done = 0, wanted = ops / loops;
    if (loops > 1)
        pthread_barrier_wait(&begin);
    run_loop();
    stopped = 1;
    if (loops > 1) {
        pthread_barrier_wait(&ended);
        done += done_by_others;
    }
}

/* Its last number is printed by `serve`, the others here. */
static double echo(uint64_t ops)
{
    uint64_t cpu = ns(CLOCK_PROCESS_CPUTIME_ID);
    double time = timed(run_loops, ops);
    printf("%f ", time / done);
    return (double)(ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / done;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void run_flood(uint64_t ops)
{
    runs = 0, done = 0, wanted = ops;
    need(send(connections[0][0], &ops, sizeof ops, MSG_NOSIGNAL) == sizeof ops, "send");
    run_loop();
}

static double flood(uint64_t ops)
{
    static const double parts[] = { .5, .99, .999 };
    latencies = realloc(latencies, ops * sizeof *latencies);
    double time = timed(run_flood, ops);
    qsort(latencies, ops, sizeof *latencies, ascending);
    for (size_t i = 0; i < 3; i++)
        printf("%f ", latencies[(size_t)((ops - 1) * parts[i] + .5)] / 1e3);
    return time / 1e3 / (runs ? runs : 1);
}

/* Memory. */

static double allocated_each, resident_each;

static double allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static double resident(void)
{
    char line[128];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld", &kilobytes);
    need(kilobytes >= 0, "VmRSS");
    fclose(file);
    return kilobytes * 1024.;
}

static double memory(uint64_t ops)
{
    (void)ops;
    printf("%f ", allocated_each);
    return resident_each;
}

static void need_files(size_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < count) {
        static char reason[100];
        snprintf(reason, sizeof reason, "it needs %zu open files, and `ulimit -Hn` is %llu", count,
                 (unsigned long long)limit.rlim_cur);
        none(reason);
    }
}

int main(int argc, char **argv)
{
    start(argv, argc);
    need_files(n * (is("flood") ? 2 : 1) + 64);
    if (!pin(0) && is("loops") && active_bytes > 1)
        none("there is one processor only");
    if (is("idle")) {
        accept_all(n);
        double bytes = allocated(), pages = resident();
        open_loop(n);
        for (size_t i = 0; i < n; i++)
            add_idle(i, connections[0][i]);
        look();
        allocated_each = (allocated() - bytes) / n;
        resident_each = (resident() - pages) / n;
        serve(memory);
    } else if (is("flood")) {
        accept_all(1);
        open_loop(n + 1);
        make_flood();
        add_urgent(n, connections[0][0]);
        for (size_t i = 0; i < n; i++)
            add_low(i, readers[i]);
        serve(flood);
    } else {
        loops = is("loops") ? active_bytes : 1;
        need(loops <= MOST_LOOPS, "loops");
        accept_all(n);
        pthread_barrier_init(&begin, NULL, loops);
        pthread_barrier_init(&ended, NULL, loops);
        for (size_t i = 1; i < loops; i++) {
            pthread_t thread;
            need(pthread_create(&thread, NULL, other_loop, (void *)i) == 0, "pthread_create");
        }
        open_share(0);
        serve(echo);
    }
    return 0;
}
#endif
