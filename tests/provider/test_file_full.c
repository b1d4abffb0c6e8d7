/* SPDX-License-Identifier: MIT */
#include "provider/file_calls.h"
#include "provider/folder.h"

/* What of "full" the suite can see is in which order things are done, and that everything still
 * conforms; not whether the disk has them. So every sync is made on its descriptor and the other
 * threads run meanwhile, but no disk is waited for: test_file_durability shows what the syncs do,
 * and test_file_calls waits for a real disk. */
int main(void)
{
    inject.no_sync = true;
    prefer_memory();
    return conform_in_folder(file_full);
}
