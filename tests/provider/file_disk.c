/* SPDX-License-Identifier: MIT */
#include "provider/file_disk.h"

#include "provider/file_disk_model.h"
#include "provider/folder.h"
#include "support/test.h"

#include <limits.h>
#include <unistd.h>

enum { OPS = 512 };

/* ---- noting what happens ---- */

static struct {
    char folder[PATH_MAX];
    struct disk live; /* with all that was noted */
    struct op ops[OPS];
    size_t count;
    int nodes;
} noted;

/* The folder that the last name of the path lies in, -1 if that is not ours to watch; and the
 * name, "" for the top. */
static int find_place(int fd, const char *path, char name[NAME])
{
    char whole[2 * PATH_MAX] = "", link[32];
    if (!path || path[0] != '/') {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        const ssize_t len = readlink(link, whole, PATH_MAX);
        assert_true(len > 0);
        whole[len] = '\0';
    }
    if (path)
        (void)snprintf(whole + strlen(whole), PATH_MAX, "%s%s", path[0] == '/' ? "" : "/", path);
    const size_t top = strlen(noted.folder);
    if (strncmp(whole, noted.folder, top) != 0)
        return -1;
    int folder = ROOT;
    name[0] = '\0';
    char *rest = whole + top;
    for (char *part; (part = strsep(&rest, "/")) != NULL;) {
        if (!*part || strcmp(part, ".") == 0)
            continue;
        if (name[0]) {
            const struct entry *entry = disk_find(&noted.live, folder, name);
            assert_non_null(entry);
            folder = entry->node;
        }
        assert_true(strlen(part) < NAME);
        (void)snprintf(name, NAME, "%s", part);
    }
    return folder;
}

static int node_at(int folder, const char *name)
{
    if (!name[0])
        return ROOT;
    const struct entry *entry = disk_find(&noted.live, folder, name);
    assert_non_null(entry);
    return entry->node;
}

static struct op *add_op(int kind)
{
    assert_true(noted.count < OPS);
    struct op *op = &noted.ops[noted.count++];
    *op = (struct op){ .kind = kind };
    return op;
}

static void take_bytes(struct op *op, const struct call *call)
{
    op->bytes = malloc(call->len + 1);
    assert_non_null(op->bytes);
    for (const struct iovec *part = call->parts; op->len < call->len; part++) {
        const size_t left = call->len - op->len;
        const size_t len = part->iov_len < left ? part->iov_len : left;
        memcpy(op->bytes + op->len, part->iov_base, len);
        op->len += len;
    }
}

static int make_node(void)
{
    assert_true(noted.nodes < NODES);
    return noted.nodes++;
}

static void note_call(const struct call *call)
{
    char name[NAME], to[NAME] = "";
    const int folder = find_place(call->fd, call->path, name);
    if (folder < 0)
        return;
    struct op *op = add_op((int)call->kind);
    op->folder = op->to_folder = folder;
    op->is_folder = call->folder;
    op->mtime = call->mtime;
    op->node = call->kind == CALL_MAKE ? make_node() : node_at(folder, name);
    if (call->kind == CALL_RENAME)
        op->to_folder = find_place(call->to_fd, call->to, to);
    assert_true(op->to_folder >= 0);
    memcpy(op->name, name, NAME);
    memcpy(op->to, to, NAME);
    op->at = call->at < 0 ? noted.live.nodes[op->node].len : (size_t)call->at;
    if (call->kind == CALL_WRITE)
        take_bytes(op, call);
    disk_apply(&noted.live, op, DONE);
}

void disk_watch(const char *folder)
{
    assert_non_null(realpath(folder, noted.folder));
    disk_clear(&noted.live);
    noted.count = 0;
    noted.nodes = 0;
    (void)make_node();
    call_seen = note_call;
}

void disk_leave(void)
{
    call_seen = NULL;
    for (size_t i = 0; i < noted.count; i++)
        free(noted.ops[i].bytes);
    noted.count = 0;
}

size_t disk_calls(void)
{
    return noted.count;
}

void disk_settle(void)
{
    (void)add_op(SETTLE);
}

/* ---- what a crash leaves of it ---- */

static bool is_made_sure(const struct op *op, const struct op *sync)
{
    switch (op->kind) {
    case CALL_MAKE:
    case CALL_REMOVE:
    case CALL_RENAME: /* of one folder: the one to another is watched by nobody */
        return sync->kind == SETTLE || (sync->kind == CALL_SYNC && sync->node == op->to_folder);
    case CALL_TIMES:
        return sync->kind == SETTLE || (sync->kind == CALL_SYNC && sync->node == op->node);
    case CALL_SIZE:
    case CALL_WRITE:
        return sync->kind == SETTLE ||
               ((sync->kind == CALL_SYNC || sync->kind == CALL_DATASYNC) && sync->node == op->node);
    default:
        return true; /* a sync itself: there is nothing to lose */
    }
}

/* Which calls are not sure. @return how many. */
static size_t find_pending(size_t calls, size_t pending[OPS])
{
    size_t count = 0;
    for (size_t i = 0; i < calls; i++) {
        bool sure = noted.ops[i].kind >= CALL_SYNC;
        for (size_t j = i + 1; j < calls && !sure; j++)
            sure = noted.ops[j].kind >= CALL_SYNC && is_made_sure(&noted.ops[i], &noted.ops[j]);
        if (!sure)
            pending[count++] = i;
    }
    return count;
}

void assert_nothing_was_missed(void)
{
    disk_compare(&noted.live, ROOT, noted.folder);
}

/* ---- which were seen ---- */

static bool is_new(struct disks_seen *seen, uint64_t hash)
{
    if (2 * seen->count >= seen->room) {
        struct disks_seen larger = { .room = seen->room ? 2 * seen->room : 1024 };
        larger.hashes = calloc(larger.room, sizeof *larger.hashes);
        assert_non_null(larger.hashes);
        for (size_t i = 0; i < seen->room; i++) {
            if (seen->hashes[i])
                (void)is_new(&larger, seen->hashes[i]);
        }
        disks_forget(seen);
        *seen = larger;
    }
    size_t at = hash & (seen->room - 1); /* a power of two */
    while (seen->hashes[at] && seen->hashes[at] != hash)
        at = (at + 1) & (seen->room - 1);
    const bool unknown = seen->hashes[at] == 0;
    seen->hashes[at] = hash;
    seen->count += unknown;
    return unknown;
}

void disks_forget(struct disks_seen *seen)
{
    free(seen->hashes);
    *seen = (struct disks_seen){ 0 };
}

/* ---- all of them, or some ---- */

struct choice {
    size_t pending[OPS];
    unsigned variant[OPS]; /* of each call */
    size_t count;
};

/* The next, as one counts. @return whether there was one. */
static bool count_on(struct choice *choice)
{
    for (size_t i = 0; i < choice->count; i++) {
        unsigned *variant = &choice->variant[choice->pending[i]];
        if (++*variant < op_variants(&noted.ops[choice->pending[i]]))
            return true;
        *variant = ABSENT;
    }
    return false;
}

static uint64_t draw(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* First each call alone undone or torn, then each alone done, then what is drawn. */
static bool sample_on(struct choice *choice, size_t number, uint64_t *seed)
{
    const size_t round = number / choice->count, at = number % choice->count;
    for (size_t i = 0; i < choice->count; i++) {
        const size_t op = choice->pending[i];
        const unsigned drawn = (unsigned)(draw(seed) % op_variants(&noted.ops[op]));
        if (round > 1 || (round == 0 && i == at && drawn != DONE))
            choice->variant[op] = drawn;
        else
            choice->variant[op] = (round == 0) != (i == at) ? DONE : ABSENT;
    }
    return number < 2 * choice->count + DISKS_SAMPLE;
}

static bool choose_next(struct choice *choice, bool all, size_t number, uint64_t *seed)
{
    return all ? number == 0 || count_on(choice) : sample_on(choice, number, seed);
}

static bool are_few(const struct choice *choice)
{
    size_t product = 1;
    for (size_t i = 0; i < choice->count && product <= DISKS_ALL; i++)
        product *= op_variants(&noted.ops[choice->pending[i]]);
    return product <= DISKS_ALL;
}

size_t disks_after(size_t calls, struct disks_seen *seen, disk_fn *fn, void *arg)
{
    static struct disk disk;
    static struct choice choice;
    uint64_t seed = calls;
    size_t shown = 0;
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/replay", own_folder());
    choice.count = find_pending(calls, choice.pending);
    for (size_t i = 0; i < calls; i++)
        choice.variant[i] = DONE;
    for (size_t i = 0; i < choice.count; i++)
        choice.variant[choice.pending[i]] = ABSENT;

    const bool all = are_few(&choice);
    for (size_t number = 0; choose_next(&choice, all, number, &seed); number++) {
        disk_clear(&disk);
        for (size_t i = 0; i < calls; i++)
            disk_apply(&disk, &noted.ops[i], choice.variant[i]);
        if (!is_new(seen, disk_hash(&disk, ROOT, 1)))
            continue;
        remove_folder(folder); /* of a test that failed */
        disk_write(&disk, ROOT, folder);
        fn(arg, folder);
        remove_folder(folder);
        shown++;
    }
    return shown;
}
