/* SPDX-License-Identifier: MIT */
#include "provider/folder.h"

int main(void)
{
    return conform_in_folder(file_full);
}
