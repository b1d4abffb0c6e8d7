/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <sesame/version.h>

#include <err.h>
#include <getopt.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    THREADS_MAX = 256,
    THREADS_DEFAULT_MAX = 16,
    CONFIG_FILE_MAX = 1 << 20,
    HOST_MAX = 256,
    FRESH_DEFAULT_S = 60,
    FRESH_MAX_S = 24 * 60 * 60
};

static const char default_listen[] = "127.0.0.1:8080";

static const char help[] =
    "usage: sesame-demo [options]\n"
    "\n"
    "  --listen ADDR:PORT     where to serve (127.0.0.1:8080); port 0 picks a free one\n"
    "  --provider NAME        where sessions are kept (memory)\n"
    "  --config JSON|@FILE    settings of the session manager (docs/configuration.md); when "
    "neither\n"
    "                         maxSessions nor maxBytes is given, the provider memory keeps 100000\n"
    "                         sessions and 256 MiB; rememberLifetime is 30 days unless it, "
    "preset,\n"
    "                         or enableSetCookie is given\n"
    "  --fresh SECONDS        how long ago a visitor may have logged in at most to change the "
    "e-mail\n"
    "                         address, 1 to 86400 (60)\n"
    "  --policy [PRESET]      tells the policy that the settings make, and how it falls short of "
    "a\n"
    "                         preset (asvs-l1 to asvs-l3, aal1 to aal3), and ends\n"
    "  --threads N            threads that answer, 1 to 256 (one for each processor, at most 16)\n"
    "  -h, --help             this text\n"
    "  --version              the version of the library\n";

/* ---- --listen ---- */

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
    if (*text == '\0' || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
        return false;
    *ret_number = strtoul(text, NULL, 10);
    return *ret_number <= max;
}

/* "127.0.0.1:80" or "[::1]:80"; an IPv6 address without brackets could end in the port or not. */
static bool split_listen(const char *text, char host[HOST_MAX], const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    const bool brackets = *text == '[';
    const char *start = text + brackets, *end = colon - brackets;
    if (end <= start || end - start >= HOST_MAX || (brackets && *end != ']'))
        return false;
    const size_t len = (size_t)(end - start);
    memcpy(host, start, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return brackets || !strchr(host, ':');
}

static bool parse_listen(const char *text, struct options *options)
{
    char host[HOST_MAX];
    const char *port;
    unsigned long number;
    if (!split_listen(text, host, &port)) {
        warnx("--listen %s: expected ADDR:PORT, such as 127.0.0.1:8080 or [::1]:8080", text);
        return false;
    }
    if (!parse_number(port, 65535, &number)) {
        warnx("--listen %s: the port must be a number from 0 to 65535", text);
        return false;
    }

    const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    int r = getaddrinfo(host, port, &hints, &found);
    if (r != 0) {
        warnx("--listen %s: %s", text, gai_strerror(r));
        return false;
    }
    memcpy(&options->address, found->ai_addr, found->ai_addrlen);
    options->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* ---- --config ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        warn("--config @%s", path);
        return NULL;
    }
    char *text = calloc(1, CONFIG_FILE_MAX + 1);
    const size_t len = text ? fread(text, 1, CONFIG_FILE_MAX + 1, file) : 0;
    const bool failed = !text || ferror(file);
    if (failed)
        warn("--config @%s", path);
    (void)fclose(file);
    if (!failed && len <= CONFIG_FILE_MAX && strlen(text) == len)
        return text;
    if (!failed)
        warnx("--config @%s: expected a text of at most %d bytes", path, CONFIG_FILE_MAX);
    free(text);
    return NULL;
}

static bool parse_config(const char *text, struct options *options)
{
    options->config = text;
    if (*text != '@')
        return true;
    free(options->config_file);
    options->config = options->config_file = read_file(text + 1);
    return options->config != NULL;
}

/* ---- the others ---- */

static unsigned default_threads(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1)
        return 1;
    return processors > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (unsigned)processors;
}

static bool parse_threads(const char *text, struct options *options)
{
    unsigned long number;
    if (!parse_number(text, THREADS_MAX, &number) || number == 0) {
        warnx("--threads %s: expected a number from 1 to %d", text, THREADS_MAX);
        return false;
    }
    options->threads = (unsigned)number;
    return true;
}

static bool parse_fresh(const char *text, struct options *options)
{
    unsigned long number;
    if (!parse_number(text, FRESH_MAX_S, &number) || number == 0) {
        warnx("--fresh %s: expected a number from 1 to %d", text, FRESH_MAX_S);
        return false;
    }
    options->fresh_s = (uint32_t)number;
    return true;
}

/* The preset may be left out, so getopt_long() takes it after a "=" only. */
static bool take_policy(char **argv, struct options *options)
{
    const char *next = argv[optind];
    options->policy = true;
    options->preset = optarg;
    if (!optarg && next && *next != '-') {
        options->preset = next;
        optind++;
    }
    return true;
}

/* A word of the command line, as it was given. */
struct given {
    const char *word;
    int option;       /* as getopt_long() answers */
    const char *name; /* of a long option; NULL: a short one */
};

/* getopt_long() takes abbreviations, which a later option of a like name would break. */
static bool is_exact(const struct given *given)
{
    return !given->name || strcspn(given->word + 2, "=") == strlen(given->name);
}

static enum options_outcome tell(const char *text)
{
    return fputs(text, stdout) < 0 ? OPTIONS_BAD : OPTIONS_TOLD;
}

static enum options_outcome tell_version(void)
{
    return printf("sesame-demo %s\n", ses_version()) < 0 ? OPTIONS_BAD : OPTIONS_TOLD;
}

static bool set(int option, char **argv, struct options *options)
{
    switch (option) {
    case 'f':
        return parse_fresh(optarg, options);
    case 'y':
        return take_policy(argv, options);
    case 'l':
        return parse_listen(optarg, options);
    case 'p':
        options->provider = optarg;
        return true;
    case 'c':
        return parse_config(optarg, options);
    default:
        return parse_threads(optarg, options);
    }
}

static enum options_outcome apply(const struct given *given, char **argv, struct options *options)
{
    if (given->option == ':')
        warnx("%s needs a value", given->word);
    else if (given->option == '?' || !is_exact(given))
        warnx("unknown option %s; --help lists them", given->word);
    else if (given->option == 'h')
        return tell(help);
    else if (given->option == 'v')
        return tell_version();
    else if (set(given->option, argv, options))
        return OPTIONS_RUN;
    return OPTIONS_BAD;
}

enum options_outcome options_parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' },
        { "provider", required_argument, NULL, 'p' },
        { "config", required_argument, NULL, 'c' },
        { "fresh", required_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { "policy", optional_argument, NULL, 'y' },
        { "threads", required_argument, NULL, 't' },
        { "version", no_argument, NULL, 'v' },
        { 0 },
    };
    enum options_outcome outcome = OPTIONS_RUN;
    *options = (struct options){
        .provider = "memory",
        .threads = default_threads(),
        .fresh_s = FRESH_DEFAULT_S,
    };
    if (!parse_listen(default_listen, options))
        return OPTIONS_BAD;

    while (outcome == OPTIONS_RUN) {
        struct given given = { .word = argv[optind] };
        int index = -1;
        /* "+": words stay in their order, so that it is known which one was read. */
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet */
        given.option = getopt_long(argc, argv, "+:h", known, &index);
        if (given.option == -1)
            break;
        given.name = index < 0 ? NULL : known[index].name;
        outcome = apply(&given, argv, options);
    }
    if (outcome == OPTIONS_RUN && optind < argc) {
        warnx("unexpected argument %s; --help lists the options", argv[optind]);
        return OPTIONS_BAD;
    }
    return outcome;
}

void options_free(struct options *options)
{
    free(options->config_file);
}
