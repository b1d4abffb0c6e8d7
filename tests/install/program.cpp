// SPDX-License-Identifier: MIT
// The same for C++: prints the version, compiled and linked, and what a session remembers.
#include <sesame/sesame.h>

#include <iostream>
#include <memory>
#include <string>

struct Release {
    void operator()(ses_session *session) const
    {
        ses_release(session);
    }
};
struct Unref {
    void operator()(ses_manager *manager) const
    {
        ses_manager_unref(manager);
    }
};

int main()
{
    ses_error error;
    const std::unique_ptr<ses_manager, Unref> manager(
        ses_manager_new("memory", nullptr, nullptr, &error));
    ses_session *opened = nullptr;
    if (!manager || ses_open(manager.get(), nullptr, &opened) < 0)
        return 1;
    const std::unique_ptr<ses_session, Release> session(opened);
    if (ses_set_text(opened, "word", "sesame") < 0 || ses_commit(opened, nullptr) < 0)
        return 1;

    const char *word = "";
    std::uint64_t count = 0;
    if (ses_get_text(opened, "word", &word) < 0 || ses_count(manager.get(), &count) < 0)
        return 1;
    std::cout << SES_VERSION_MAJOR << '.' << SES_VERSION_MINOR << '.' << SES_VERSION_PATCH << ' '
              << ses_version() << " 42\n"
              << word << ", " << count << '\n';
}
