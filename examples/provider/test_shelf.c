/* Does shelf keep the contract? The suite is installed with sesame: pkg-config sesame-conformance.
 */
#include <sesame/ext/conformance.h>

extern const struct ses_provider_ops ses_provider_shelf;

int main(void)
{
    const struct ses_conformance subject = { .size = sizeof subject, .ops = &ses_provider_shelf };
    return ses_conformance_run(&subject);
}
