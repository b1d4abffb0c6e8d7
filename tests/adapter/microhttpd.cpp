// SPDX-License-Identifier: MIT
// The adapter from C++11, with every function used, under -Wall -Wextra -Wpedantic -Werror.
#include <sesame/adapters/microhttpd.h>

static int serve(ses_manager *manager, MHD_Connection *connection, MHD_Response *response)
{
    ses_mhd_request request;
    ses_mhd_read(connection, &request);
    request.request.flags |= SES_REQUEST_BACKGROUND;
    ses_session *session = nullptr;
    int r = ses_mhd_start(manager, connection, &session);
    if (r == SES_OK)
        r = ses_mhd_commit(session, response);
    if (r == SES_OK)
        r = ses_mhd_queue(session, connection, 200, response);
    ses_release(session);
    return r;
}

int main()
{
    int (*volatile used)(ses_manager *, MHD_Connection *, MHD_Response *) = serve;
    return used == nullptr;
}
